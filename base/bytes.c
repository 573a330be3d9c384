/* bytes: comparison, hex, and the builder.
 *
 * A builder that has failed stays failed: its data and len hold what was written before, and every put is ignored.
 * No put writes past cap; growth doubles, so that n puts cost O(n).
 */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int bytes_compare(struct bytes a, struct bytes b)
{
        size_t shorter = a.len < b.len ? a.len : b.len;
        int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

        if (order != 0)
                return order;
        return (a.len > b.len) - (a.len < b.len);
}

enum err bytes_take_block16(struct bytes *in, struct bytes *ret_block)
{
        struct bytes rest = *in;
        uint16_t len;

        if (bytes_take_u16(&rest, &len) != OK || bytes_take(&rest, len, ret_block) != OK)
                return ERR_INVALID;
        *in = rest;
        return OK;
}

enum err bytes_take_block32(struct bytes *in, struct bytes *ret_block)
{
        struct bytes rest = *in;
        uint32_t len;

        if (bytes_take_u32(&rest, &len) != OK || bytes_take(&rest, len, ret_block) != OK)
                return ERR_INVALID;
        *in = rest;
        return OK;
}

/* Reckoned, not looked up: so a compiler makes many at once. */
static inline char hex_digit(unsigned n)
{
        return (char)('0' + n + (n > 9) * ('a' - '9' - 1));
}

char *bytes_to_hex(struct bytes b, char *ret_text)
{
        for (size_t i = 0; i < b.len; i++) {
                ret_text[2 * i] = hex_digit(b.data[i] >> 4);
                ret_text[2 * i + 1] = hex_digit(b.data[i] & 15);
        }
        ret_text[2 * b.len] = '\0';
        return ret_text;
}

enum err bytes_from_hex(struct bytes text, uint8_t *ret_data, size_t cap, size_t *ret_len)
{
        if (text.len % 2 != 0)
                return ERR_INVALID;
        for (size_t i = 0; i < text.len; i++)
                if (bytes_hex_value(text.data[i]) < 0)
                        return ERR_INVALID;
        if (text.len / 2 > cap)
                return ERR_RANGE;
        for (size_t i = 0; i < text.len / 2; i++)
                ret_data[i] = (uint8_t)(bytes_hex_value(text.data[2 * i]) << 4 | bytes_hex_value(text.data[2 * i + 1]));
        *ret_len = text.len / 2;
        return OK;
}

struct builder builder_fixed(void *memory, size_t cap)
{
        return (struct builder){.data = memory, .cap = cap, .fixed = true};
}

void builder_done(struct builder *b)
{
        if (!b->fixed)
                free(b->data);
        *b = (struct builder){0};
}

void builder_reset(struct builder *b)
{
        b->len = 0;
        b->failed = false;
}

void builder_move(struct builder *ret, struct builder *b)
{
        *ret = *b;
        *b = (struct builder){0};
}

static bool builder_grow(struct builder *b, size_t need)
{
        size_t cap = b->cap < 64 ? 64 : b->cap;
        uint8_t *data;

        while (cap < need)
                cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        data = realloc(b->data, cap);
        if (!data)
                return false;
        b->data = data;
        b->cap = cap;
        return true;
}

/* Makes room for `n` more bytes, or fails the builder. */
static bool builder_reserve(struct builder *b, size_t n)
{
        if (b->failed)
                return false;
        if (b->cap - b->len >= n && b->data)
                return true;
        if (b->fixed || n > SIZE_MAX - b->len || !builder_grow(b, b->len + n))
                b->failed = true;
        return !b->failed;
}

uint8_t *builder_extend_more(struct builder *b, size_t n)
{
        return builder_reserve(b, n) ? builder_extend(b, n) : NULL;
}

uint8_t *builder_insert(struct builder *b, size_t at, size_t n)
{
        size_t moved = b->len - at;

        if (at > b->len)
                b->failed = true;
        if (!builder_extend(b, n))
                return NULL;
        memmove(b->data + at + n, b->data + at, moved);
        return b->data + at;
}

void builder_put(struct builder *b, struct bytes bytes)
{
        uint8_t *room = builder_extend(b, bytes.len);

        if (room && bytes.len > 0)
                memcpy(room, bytes.data, bytes.len);
}

static void builder_put_uint(struct builder *b, uint64_t v, size_t n)
{
        uint8_t *room = builder_extend(b, n);

        for (size_t i = 0; room && i < n; i++)
                room[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void builder_put_u8(struct builder *b, uint8_t v)
{
        builder_put_uint(b, v, 1);
}

void builder_put_u16(struct builder *b, uint16_t v)
{
        builder_put_uint(b, v, 2);
}

void builder_put_u32(struct builder *b, uint32_t v)
{
        builder_put_uint(b, v, 4);
}

void builder_put_u64(struct builder *b, uint64_t v)
{
        builder_put_uint(b, v, 8);
}

static void builder_put_block(struct builder *b, struct bytes bytes, size_t n_len_bytes, size_t max)
{
        if (bytes.len > max)
                b->failed = true;
        builder_put_uint(b, bytes.len, n_len_bytes);
        builder_put(b, bytes);
}

void builder_put_block16(struct builder *b, struct bytes bytes)
{
        builder_put_block(b, bytes, 2, UINT16_MAX);
}

void builder_put_block32(struct builder *b, struct bytes bytes)
{
        builder_put_block(b, bytes, 4, UINT32_MAX);
}

void builder_put_str(struct builder *b, const char *s)
{
        builder_put(b, bytes_str(s));
}

/* vsnprintf wants a byte more than the text for its NUL: it is lent, and given back. */
void builder_printf(struct builder *b, const char *format, ...)
{
        char small[256];
        uint8_t *room;
        va_list args;
        int len;

        va_start(args, format);
        len = vsnprintf(small, sizeof(small), format, args);
        va_end(args);
        if (len < 0) {
                b->failed = true;
        } else if ((size_t)len < sizeof(small)) {
                builder_put(b, bytes_make(small, (size_t)len));
        } else if ((room = builder_extend(b, (size_t)len + 1))) {
                va_start(args, format);
                vsnprintf((char *)room, (size_t)len + 1, format, args);
                va_end(args);
                b->len--;
        }
}
