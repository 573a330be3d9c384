/* bytes: borrowed byte ranges, a reader for them, and a sticky builder.
 *
 * `struct bytes` always borrows and never frees. Nobody else does pointer arithmetic (except pki/der.c).
 * A reader fails at the call; a builder is sticky: after the first failure every put does nothing, and
 * builder_failed() is asked once at the end.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct bytes {
        const uint8_t *data;
        size_t len;
};

#define BYTES_NONE ((struct bytes){0})
#define BYTES_OF(array) ((struct bytes){(const uint8_t *)(array), sizeof(array)})
/* The bytes of a string literal, without its closing NUL. */
#define BYTES_LIT(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct bytes bytes_make(const void *data, size_t len)
{
        return (struct bytes){(const uint8_t *)data, len};
}

/* The text without its NUL; NULL: no bytes. It must outlive them. */
static inline struct bytes bytes_str(const char *s)
{
        return (struct bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
        return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Like memcmp; of two where one begins the other, the shorter is the smaller (LMDB's order of keys). */
int bytes_compare(struct bytes a, struct bytes b);

/* How many octets, of `len` at most, the two begin with alike. Inline: on the path of every GET. */
static inline size_t bytes_common(const uint8_t *a, const uint8_t *b, size_t len)
{
        uint64_t x, y, xs[4], ys[4];
        size_t n = 0;

        for (; n + sizeof xs <= len; n += sizeof xs) {
                memcpy(xs, &a[n], sizeof xs);
                memcpy(ys, &b[n], sizeof ys);
                if ((xs[0] ^ ys[0]) | (xs[1] ^ ys[1]) | (xs[2] ^ ys[2]) | (xs[3] ^ ys[3]))
                        break;
        }
        for (; n + sizeof x <= len; n += sizeof x) {
                memcpy(&x, &a[n], sizeof x);
                memcpy(&y, &b[n], sizeof y);
                if (x != y)
                        return n + (size_t)__builtin_ctzll(htole64(x ^ y)) / 8;
        }
        while (n < len && a[n] == b[n])
                n++;
        return n;
}

/* `n` bytes taken from the front of `in`, which advances past them. ERR_INVALID, and `in` unmoved, if `in` is shorter.
 * Inline: these stand on the path of every request. */
MUST_CHECK static inline enum err bytes_take(struct bytes *in, size_t n, struct bytes *ret_taken)
{
        if (in->len < n)
                return ERR_INVALID;
        *ret_taken = (struct bytes){in->data, n};
        if (n > 0)
                in->data += n;
        in->len -= n;
        return OK;
}

/* A big-endian integer of `n` <= 8 bytes from the front of `in`. ERR_INVALID, and `in` unmoved, if it is shorter. The
 * four below likewise. */
MUST_CHECK static inline enum err bytes_take_uint(struct bytes *in, size_t n, uint64_t *ret_value)
{
        uint64_t value = 0;

        if (in->len < n)
                return ERR_INVALID;
        for (size_t i = 0; i < n; i++)
                value = value << 8 | in->data[i];
        in->data += n;
        in->len -= n;
        *ret_value = value;
        return OK;
}

MUST_CHECK static inline enum err bytes_take_u8(struct bytes *in, uint8_t *ret_value)
{
        uint64_t value;
        enum err e = bytes_take_uint(in, 1, &value);

        if (e == OK)
                *ret_value = (uint8_t)value;
        return e;
}

MUST_CHECK static inline enum err bytes_take_u16(struct bytes *in, uint16_t *ret_value)
{
        uint64_t value;
        enum err e = bytes_take_uint(in, 2, &value);

        if (e == OK)
                *ret_value = (uint16_t)value;
        return e;
}

MUST_CHECK static inline enum err bytes_take_u32(struct bytes *in, uint32_t *ret_value)
{
        uint64_t value;
        enum err e = bytes_take_uint(in, 4, &value);

        if (e == OK)
                *ret_value = (uint32_t)value;
        return e;
}

MUST_CHECK static inline enum err bytes_take_u64(struct bytes *in, uint64_t *ret_value)
{
        return bytes_take_uint(in, 8, ret_value);
}

/* A u16 length and that many bytes / a u32 length and that many bytes. ERR_INVALID, and `in` unmoved, if either is not all there. */
MUST_CHECK enum err bytes_take_block16(struct bytes *in, struct bytes *ret_block);
MUST_CHECK enum err bytes_take_block32(struct bytes *in, struct bytes *ret_block);

/* Lower-case hex, NUL-terminated; `ret_text` holds at least 2 * b.len + 1. Returns ret_text. */
char *bytes_to_hex(struct bytes b, char *ret_text);
/* 0..15; -1: no hex digit. */
static inline int bytes_hex_value(uint8_t c)
{
        unsigned digit = c - (unsigned)'0', letter = (c | 0x20u) - 'a';

        if (digit < 10)
                return (int)digit;
        return letter < 6 ? (int)letter + 10 : -1;
}
/* Hex digits in either case, an even number of them (no separators). ERR_INVALID otherwise, ERR_RANGE if longer than cap. */
MUST_CHECK enum err bytes_from_hex(struct bytes text, uint8_t *ret_data, size_t cap, size_t *ret_len);

/* A growing (heap) or fixed (caller's memory) byte buffer. A zeroed builder is an empty growing one. */
struct builder {
        uint8_t *data;
        size_t len;
        size_t cap;
        bool fixed;  /* data is the caller's: never grown, never freed */
        bool failed; /* sticky: an allocation failed, or the fixed memory was too short */
};

struct builder builder_fixed(void *memory, size_t cap);
void builder_done(struct builder *b);
/* Empties it, keeps its memory, clears `failed`. */
void builder_reset(struct builder *b);
static inline bool builder_failed(const struct builder *b)
{
        return b->failed;
}
static inline struct bytes builder_bytes(const struct builder *b)
{
        return (struct bytes){b->data, b->len};
}
/* Ownership of the memory goes from `b` (left empty) to `ret`. */
void builder_move(struct builder *ret, struct builder *b);

uint8_t *builder_extend_more(struct builder *b, size_t n);
/* Room for `n` more bytes at the end, counted as written; NULL once failed. Inline while there is room. */
static inline uint8_t *builder_extend(struct builder *b, size_t n)
{
        uint8_t *room;

        if (b->failed || !b->data || b->cap - b->len < n)
                return builder_extend_more(b, n);
        room = b->data + b->len;
        b->len += n;
        return room;
}
/* Opens a gap of `n` bytes at `at` (<= len), the rest moved up; NULL once failed. */
uint8_t *builder_insert(struct builder *b, size_t at, size_t n);
void builder_put(struct builder *b, struct bytes bytes);
void builder_put_u8(struct builder *b, uint8_t v);
/* Big-endian. */
void builder_put_u16(struct builder *b, uint16_t v);
void builder_put_u32(struct builder *b, uint32_t v);
void builder_put_u64(struct builder *b, uint64_t v);
/* A u16 / u32 length before the bytes; fails when they are longer than that. */
void builder_put_block16(struct builder *b, struct bytes bytes);
void builder_put_block32(struct builder *b, struct bytes bytes);
/* Text, without a NUL behind it. */
void builder_put_str(struct builder *b, const char *s);
void builder_printf(struct builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
