/* der: a strict DER reader and builder (X.690 clause 10). BER is refused: indefinite or non-minimal lengths, trailing bytes,
 * non-minimal INTEGERs, BOOLEANs other than 00/FF. Tags are single-byte (no high tag numbers).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum der_tag {
        DER_BOOLEAN = 0x01,
        DER_INTEGER = 0x02,
        DER_BIT_STRING = 0x03,
        DER_OCTET_STRING = 0x04,
        DER_NULL = 0x05,
        DER_OID = 0x06,
        DER_ENUMERATED = 0x0a,
        DER_UTF8_STRING = 0x0c,
        DER_IA5_STRING = 0x16,
        DER_UTC_TIME = 0x17,
        DER_GENERALIZED_TIME = 0x18,
        DER_SEQUENCE = 0x30,
        DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0x80 | (n))      /* [n] IMPLICIT, primitive */
#define DER_CONTEXT_CONS(n) (0xa0 | (n)) /* [n] constructed: EXPLICIT, or IMPLICIT of a SEQUENCE */

/* ---- reading: each call takes one element from the front of *in. ERR_INVALID: not DER, or another tag. ---- */

/* The next element's tag, and the lengths of its header and content, of which nothing else need be there yet. ERR_AGAIN: the
 * header itself is not all there. For what arrives in pieces (pki/crl). */
MUST_CHECK enum err der_peek(struct bytes in, uint8_t *ret_tag, size_t *ret_header_len, size_t *ret_content_len);
/* The element's content. */
MUST_CHECK enum err der_read(struct bytes *in, uint8_t tag, struct bytes *ret_content);
/* The element whole: tag, length and content. */
MUST_CHECK enum err der_read_tlv(struct bytes *in, uint8_t tag, struct bytes *ret_tlv);
/* Whatever comes next; either output may be NULL. */
MUST_CHECK enum err der_read_any(struct bytes *in, uint8_t *ret_tag, struct bytes *ret_content, struct bytes *ret_tlv);
/* Is the next element's tag this one? (false at the end) */
static inline bool der_next_is(struct bytes in, uint8_t tag)
{
        return in.len > 0 && in.data[0] == tag;
}
/* OK only when nothing is left. */
MUST_CHECK static inline enum err der_end_of(struct bytes in)
{
        return in.len == 0 ? OK : ERR_INVALID;
}
/* One element that must fill `in`: der_read and der_end_of. */
MUST_CHECK enum err der_read_only(struct bytes in, uint8_t tag, struct bytes *ret_content);

/* 00 or FF. */
MUST_CHECK enum err der_read_bool(struct bytes *in, bool *ret_value);
/* A non-negative INTEGER (or ENUMERATED by tag) of at most 8 octets. ERR_RANGE when larger or negative. */
MUST_CHECK enum err der_read_uint(struct bytes *in, uint8_t tag, uint64_t *ret_value);
/* INTEGER content octets, minimal, of any sign. */
MUST_CHECK enum err der_read_integer(struct bytes *in, struct bytes *ret_content);
/* Are these content octets those of a DER INTEGER: at least one, none too many? */
bool der_integer_is_minimal(struct bytes content);
/* BIT STRING with no unused bits: its octets. */
MUST_CHECK enum err der_read_bit_string(struct bytes *in, struct bytes *ret_octets);
/* OBJECT IDENTIFIER: content octets, each arc whole and minimal (X.690 8.19). */
MUST_CHECK enum err der_read_oid(struct bytes *in, struct bytes *ret_content);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 has them: seconds, "Z", no fractions. Into Unix seconds. */
MUST_CHECK enum err der_read_time(struct bytes *in, int64_t *ret_time_s);

/* ---- building: der_begin/der_end nest; the length is put in at der_end. Sticky (struct builder). ---- */

/* Returns a mark to hand to der_end. */
size_t der_begin(struct builder *b, uint8_t tag);
void der_end(struct builder *b, size_t mark);
void der_put(struct builder *b, uint8_t tag, struct bytes content);
/* Tag and length alone; the caller puts `content_len` octets after it. */
void der_put_header(struct builder *b, uint8_t tag, size_t content_len);
void der_put_bool(struct builder *b, bool v);
void der_put_uint(struct builder *b, uint8_t tag, uint64_t v);
void der_put_null(struct builder *b);
void der_put_bit_string(struct builder *b, struct bytes octets);
/* Unix seconds here and below; outside the years 0 to 9999 the nearest inside.
 * RFC 6960 times: always GeneralizedTime, YYYYMMDDHHMMSSZ (req 2.12). */
void der_put_generalized_time(struct builder *b, int64_t time_s);
/* RFC 5280 5.1.2.4 times: UTCTime through 2049, GeneralizedTime from 2050 (req 4.6). */
void der_put_time(struct builder *b, int64_t time_s);

/* ---- sizes, for code that lays out without a builder ---- */

/* Octets that the tag and length of a content of `content_len` (below 4 GiB) take: 2..6. */
static inline size_t der_header_len(size_t content_len)
{
        if (content_len <= 0x7f)
                return 2;
        if (content_len <= 0xff)
                return 3;
        return 4u + (content_len > 0xffff) + (content_len > 0xffffff);
}
/* A length of 80 and more, in der_header_len - 1 octets. */
uint8_t *der_write_long_len(uint8_t *at, size_t content_len);
/* Writes tag and length at `at`; returns the first byte after. */
static inline uint8_t *der_write_header(uint8_t *at, uint8_t tag, size_t content_len)
{
        *at++ = tag;
        if (content_len > 0x7f)
                return der_write_long_len(at, content_len);
        *at++ = (uint8_t)content_len;
        return at;
}
/* Copies `b`; returns the first byte after. */
static inline uint8_t *der_write_bytes(uint8_t *at, struct bytes b)
{
        if (b.len)
                memcpy(at, b.data, b.len);
        return at + b.len;
}
/* Octets of a GeneralizedTime whole. */
#define DER_GENERALIZED_TIME_LEN 17
uint8_t *der_write_generalized_time(uint8_t *at, int64_t time_s);
/* Octets that der_put_time puts. */
size_t der_time_len(int64_t time_s);
