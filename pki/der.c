/* der: the only place besides base/bytes.c that does pointer arithmetic on encodings.
 *
 * Invariants: a read that fails leaves *in as it was; whatever is read is X.690 clause 10 DER at its own level (the caller
 * reads the levels below).
 */
#include "pki/der.h"

#include "base/clock.h"

#define LEN_OCTETS_MAX 4 /* lengths of 4 GiB and more are no certificate status */

/* The long form of a length, `n` octets of it. X.690 10.1: as short as it can be. */
static enum err read_long_len(const uint8_t *at, size_t n, size_t *ret_len)
{
        size_t len = 0;

        for (size_t i = 0; i < n; i++)
                len = len << 8 | at[i];
        if (at[0] == 0 || len < 0x80)
                return ERR_INVALID;
        *ret_len = len;
        return OK;
}

/* The public functions below are wrappers of these three, which the compiler may inline: a request is some thirty elements.
 */
static inline enum err peek(struct bytes in, uint8_t *ret_tag, size_t *ret_header_len, size_t *ret_content_len)
{
        size_t n, len;

        if (in.len >= 1 && ((in.data[0] & 0x1f) == 0x1f || in.data[0] == 0))
                return ERR_INVALID;
        if (in.len < 2)
                return ERR_AGAIN;
        len = in.data[1];
        n = 0;
        if (len >= 0x80) {
                n = len & 0x7f;
                if (n == 0 || n > LEN_OCTETS_MAX) /* 80: indefinite, BER only */
                        return ERR_INVALID;
                if (in.len < 2 + n)
                        return ERR_AGAIN;
                if (read_long_len(in.data + 2, n, &len) != OK)
                        return ERR_INVALID;
        }
        *ret_tag = in.data[0];
        *ret_header_len = 2 + n;
        *ret_content_len = len;
        return OK;
}

struct element {
        struct bytes content, tlv;
        uint8_t tag;
};

static inline enum err read_element(struct bytes *in, struct element *ret)
{
        size_t header_len, content_len;
        struct bytes whole = *in;

        if (peek(whole, &ret->tag, &header_len, &content_len) != OK || content_len > whole.len - header_len)
                return ERR_INVALID;
        ret->content = bytes_make(whole.data + header_len, content_len);
        ret->tlv = bytes_make(whole.data, header_len + content_len);
        *in = bytes_make(whole.data + ret->tlv.len, whole.len - ret->tlv.len);
        return OK;
}

static inline enum err read_tagged(struct bytes *in, uint8_t tag, struct bytes *ret_content)
{
        struct element e;

        if (in->len == 0 || in->data[0] != tag || read_element(in, &e) != OK)
                return ERR_INVALID;
        *ret_content = e.content;
        return OK;
}

enum err der_peek(struct bytes in, uint8_t *ret_tag, size_t *ret_header_len, size_t *ret_content_len)
{
        return peek(in, ret_tag, ret_header_len, ret_content_len);
}

enum err der_read_any(struct bytes *in, uint8_t *ret_tag, struct bytes *ret_content, struct bytes *ret_tlv)
{
        struct element e;

        if (read_element(in, &e) != OK)
                return ERR_INVALID;
        if (ret_tag)
                *ret_tag = e.tag;
        if (ret_content)
                *ret_content = e.content;
        if (ret_tlv)
                *ret_tlv = e.tlv;
        return OK;
}

enum err der_read(struct bytes *in, uint8_t tag, struct bytes *ret_content)
{
        return read_tagged(in, tag, ret_content);
}

enum err der_read_tlv(struct bytes *in, uint8_t tag, struct bytes *ret_tlv)
{
        struct element e;

        if (in->len == 0 || in->data[0] != tag || read_element(in, &e) != OK)
                return ERR_INVALID;
        *ret_tlv = e.tlv;
        return OK;
}

enum err der_read_only(struct bytes in, uint8_t tag, struct bytes *ret_content)
{
        struct bytes content;

        if (read_tagged(&in, tag, &content) != OK || in.len > 0)
                return ERR_INVALID;
        *ret_content = content;
        return OK;
}

/* X.690 11.1: TRUE is FF and nothing else. */
enum err der_read_bool(struct bytes *in, bool *ret_value)
{
        struct bytes rest = *in, content;

        if (read_tagged(&rest, DER_BOOLEAN, &content) != OK || content.len != 1)
                return ERR_INVALID;
        if (content.data[0] != 0x00 && content.data[0] != 0xff)
                return ERR_INVALID;
        *in = rest;
        *ret_value = content.data[0] != 0;
        return OK;
}

/* X.690 8.3.2: the first nine bits are neither all ones nor all zero. */
static inline bool is_minimal(struct bytes content)
{
        if (content.len < 2)
                return content.len == 1;
        if (content.data[0] == 0x00)
                return content.data[1] & 0x80;
        if (content.data[0] == 0xff)
                return !(content.data[1] & 0x80);
        return true;
}

bool der_integer_is_minimal(struct bytes content)
{
        return is_minimal(content);
}

static enum err read_minimal(struct bytes *in, uint8_t tag, struct bytes *ret_content)
{
        struct bytes rest = *in, content;

        if (read_tagged(&rest, tag, &content) != OK || !is_minimal(content))
                return ERR_INVALID;
        *in = rest;
        *ret_content = content;
        return OK;
}

enum err der_read_integer(struct bytes *in, struct bytes *ret_content)
{
        return read_minimal(in, DER_INTEGER, ret_content);
}

enum err der_read_uint(struct bytes *in, uint8_t tag, uint64_t *ret_value)
{
        struct bytes rest = *in, content;
        uint64_t value = 0;

        if (read_minimal(&rest, tag, &content) != OK)
                return ERR_INVALID;
        if (content.data[0] & 0x80)
                return ERR_RANGE;
        if (content.len > 9 || (content.len == 9 && content.data[0] != 0))
                return ERR_RANGE;
        for (size_t i = 0; i < content.len; i++)
                value = value << 8 | content.data[i];
        *in = rest;
        *ret_value = value;
        return OK;
}

enum err der_read_bit_string(struct bytes *in, struct bytes *ret_octets)
{
        struct bytes rest = *in, content;

        if (read_tagged(&rest, DER_BIT_STRING, &content) != OK || content.len < 1 || content.data[0] != 0)
                return ERR_INVALID;
        *in = rest;
        *ret_octets = bytes_make(content.data + 1, content.len - 1);
        return OK;
}

/* X.690 8.19.2: an arc does not begin with 80, and the last octet of all ends an arc. */
static bool oid_is_whole(struct bytes content)
{
        bool arc_begins = true;

        for (size_t i = 0; i < content.len; i++) {
                if (arc_begins && content.data[i] == 0x80)
                        return false;
                arc_begins = !(content.data[i] & 0x80);
        }
        return content.len > 0 && arc_begins;
}

enum err der_read_oid(struct bytes *in, struct bytes *ret_content)
{
        struct bytes rest = *in, content;

        if (read_tagged(&rest, DER_OID, &content) != OK || !oid_is_whole(content))
                return ERR_INVALID;
        *in = rest;
        *ret_content = content;
        return OK;
}

/* ---- times ---- */

static bool read_digits(const uint8_t *at, size_t n, int *ret_value)
{
        int value = 0;

        for (size_t i = 0; i < n; i++) {
                if (at[i] < '0' || at[i] > '9')
                        return false;
                value = value * 10 + (at[i] - '0');
        }
        *ret_value = value;
        return true;
}

/* MMDDHHMMSSZ after the year. */
static enum err read_time_rest(int year, const uint8_t *at, int64_t *ret_time_s)
{
        int field[5];

        for (size_t i = 0; i < 5; i++)
                if (!read_digits(at + 2 * i, 2, &field[i]))
                        return ERR_INVALID;
        if (at[10] != 'Z')
                return ERR_INVALID;
        return clock_from_civil(year, field[0], field[1], field[2], field[3], field[4], ret_time_s);
}

/* RFC 5280 4.1.2.5.1: YY >= 50 is 19YY. */
static enum err read_utc_time(struct bytes content, int64_t *ret_time_s)
{
        int year;

        if (content.len != 13 || !read_digits(content.data, 2, &year))
                return ERR_INVALID;
        return read_time_rest(year + (year >= 50 ? 1900 : 2000), content.data + 2, ret_time_s);
}

static enum err read_generalized_time(struct bytes content, int64_t *ret_time_s)
{
        int year;

        if (content.len != 15 || !read_digits(content.data, 4, &year))
                return ERR_INVALID;
        return read_time_rest(year, content.data + 4, ret_time_s);
}

enum err der_read_time(struct bytes *in, int64_t *ret_time_s)
{
        struct bytes rest = *in, content;
        int64_t time_s;
        enum err e;
        uint8_t tag;

        if (der_read_any(&rest, &tag, &content, NULL) != OK)
                return ERR_INVALID;
        if (tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME)
                return ERR_INVALID;
        e = tag == DER_UTC_TIME ? read_utc_time(content, &time_s) : read_generalized_time(content, &time_s);
        if (e != OK)
                return ERR_INVALID;
        *in = rest;
        *ret_time_s = time_s;
        return OK;
}

/* ---- sizes and writing in place ---- */

uint8_t *der_write_long_len(uint8_t *at, size_t content_len)
{
        size_t n = der_header_len(content_len) - 2;

        *at++ = (uint8_t)(0x80 | n);
        if (n > 3)
                *at++ = (uint8_t)(content_len >> 24);
        if (n > 2)
                *at++ = (uint8_t)(content_len >> 16);
        if (n > 1)
                *at++ = (uint8_t)(content_len >> 8);
        *at++ = (uint8_t)content_len;
        return at;
}

static uint8_t *write_digits(uint8_t *at, unsigned value, size_t n)
{
        for (size_t i = n; i-- > 0; value /= 10)
                at[i] = (uint8_t)('0' + value % 10);
        return at + n;
}

/* The last `n_year` digits of the year, then MMDDHHMMSSZ. */
static uint8_t *write_time(uint8_t *at, int64_t time_s, size_t n_year)
{
        int year, field[5];

        clock_to_civil(time_s, &year, &field[0], &field[1], &field[2], &field[3], &field[4]);
        at = write_digits(at, (unsigned)year, n_year);
        for (size_t i = 0; i < 5; i++)
                at = write_digits(at, (unsigned)field[i], 2);
        *at++ = 'Z';
        return at;
}

uint8_t *der_write_generalized_time(uint8_t *at, int64_t time_s)
{
        return write_time(der_write_header(at, DER_GENERALIZED_TIME, 15), time_s, 4);
}

/* ---- building ---- */

/* One octet of length is put at once; der_end opens room for more where they are needed. */
size_t der_begin(struct builder *b, uint8_t tag)
{
        builder_put_u8(b, tag);
        builder_put_u8(b, 0);
        return b->len;
}

void der_end(struct builder *b, size_t mark)
{
        size_t content_len, n;

        if (builder_failed(b))
                return;
        content_len = b->len - mark;
        n = der_header_len(content_len) - 2;
        if (n == 0)
                b->data[mark - 1] = (uint8_t)content_len;
        else if (builder_insert(b, mark, n))
                der_write_long_len(b->data + mark - 1, content_len);
}

void der_put_header(struct builder *b, uint8_t tag, size_t content_len)
{
        uint8_t *at = builder_extend(b, der_header_len(content_len));

        if (at)
                der_write_header(at, tag, content_len);
}

void der_put(struct builder *b, uint8_t tag, struct bytes content)
{
        der_put_header(b, tag, content.len);
        builder_put(b, content);
}

void der_put_bool(struct builder *b, bool v)
{
        uint8_t octet = v ? 0xff : 0x00;

        der_put(b, DER_BOOLEAN, bytes_make(&octet, 1));
}

void der_put_uint(struct builder *b, uint8_t tag, uint64_t v)
{
        uint8_t octets[9];
        size_t first = 8;

        octets[8] = (uint8_t)v;
        while (v >>= 8)
                octets[--first] = (uint8_t)v;
        if (octets[first] & 0x80) /* would read as negative */
                octets[--first] = 0;
        der_put(b, tag, bytes_make(octets + first, 9 - first));
}

void der_put_null(struct builder *b)
{
        der_put(b, DER_NULL, BYTES_NONE);
}

void der_put_bit_string(struct builder *b, struct bytes octets)
{
        der_put_header(b, DER_BIT_STRING, octets.len + 1);
        builder_put_u8(b, 0);
        builder_put(b, octets);
}

void der_put_generalized_time(struct builder *b, int64_t time_s)
{
        uint8_t *at = builder_extend(b, DER_GENERALIZED_TIME_LEN);

        if (at)
                der_write_generalized_time(at, time_s);
}

#define YEAR_1950_S (-631152000LL)
#define YEAR_2050_S 2524608000LL

size_t der_time_len(int64_t time_s)
{
        return time_s >= YEAR_1950_S && time_s < YEAR_2050_S ? 15 : DER_GENERALIZED_TIME_LEN;
}

void der_put_time(struct builder *b, int64_t time_s)
{
        uint8_t *at;

        if (der_time_len(time_s) == DER_GENERALIZED_TIME_LEN) {
                der_put_generalized_time(b, time_s);
                return;
        }
        at = builder_extend(b, 15);
        if (at)
                write_time(der_write_header(at, DER_UTC_TIME, 13), time_s, 2);
}
