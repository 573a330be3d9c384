/* http2_head: an answer as HTTP/2 fields. They are those of head_field; what HTTP/1 says by Connection is said by GOAWAY here.
 * Nothing goes into a table (RFC 7541 6.2.2): it would be kept for each connection, and what is rendered may be thrown away and
 * rendered again. */
#include "responder/http/head_field.h"
#include "responder/http/http2_session.h"

/* Of the static table (RFC 7541 Appendix A); all are written in two octets. */
#define NAME_STATUS 8
#define NAME_DATE 33
static const uint8_t NAMES[HEAD_FIELDS] = {
        [HEAD_CONTENT_TYPE] = 31,
        [HEAD_CONTENT_LENGTH] = 28,
        [HEAD_CACHE_CONTROL] = 24,
        [HEAD_LAST_MODIFIED] = 44,
        [HEAD_EXPIRES] = 36,
        [HEAD_ETAG] = 34,
        [HEAD_ALLOW] = 22,
        [HEAD_TAGS] = 0, /* literal */
        [HEAD_RETRY_AFTER] = 53,
        [HEAD_ACCEPT_RANGES] = 18,
        [HEAD_CONTENT_RANGE] = 30,
};

#define LITERAL 0x00
#define INDEXED 0x80
#define TABLE_SIZE_0 0x20
#define PREFIX_4 15
#define PREFIX_7 127
#define LEN_MAX 3

/* Statuses that have an index of their own. */
static const struct {
        uint16_t status;
        uint8_t index;
} STATUSES[] = {{200, 8}, {206, 10}, {304, 11}, {400, 12}, {404, 13}, {500, 14}};

/* Room for HEAD_MAX octets is made sure of before the first. */
static inline void put_octet(struct builder *out, uint8_t octet)
{
        out->data[out->len++] = octet;
}

/* RFC 7541 5.1; lengths are below 2^14 here. */
static void put_len(struct builder *out, size_t len)
{
        if (len < PREFIX_7) {
                put_octet(out, (uint8_t)len);
                return;
        }
        put_octet(out, PREFIX_7);
        len -= PREFIX_7;
        if (len >= 128) {
                put_octet(out, (uint8_t)(len % 128 | 128));
                len /= 128;
        }
        put_octet(out, (uint8_t)len);
}

static inline void put_index(struct builder *out, unsigned index)
{
        put_octet(out, LITERAL | PREFIX_4);
        put_octet(out, (uint8_t)(index - PREFIX_4));
}

static void put_name(struct builder *out, const struct answer *a, enum head_field field)
{
        if (NAMES[field] != 0) {
                put_index(out, NAMES[field]);
                return;
        }
        put_octet(out, LITERAL);
        put_len(out, a->tags_name.len);
        head_put(out, a->tags_name);
}

/* How long a value is, is known when it is there. Only tags can be longer than one octet says. */
static void put_value(struct builder *out, struct dates *dates, const struct answer *a, enum head_field field)
{
        size_t at = out->len, begin = at + (field == HEAD_TAGS ? LEN_MAX : 1), len;

        out->len = begin;
        head_put_value(out, dates, a, field);
        len = out->len - begin;
        out->len = at;
        put_len(out, len);
        if (out->len != begin)
                memmove(&out->data[out->len], &out->data[begin], len);
        out->len += len;
}

static void put_status(struct builder *out, unsigned status)
{
        for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
                if (STATUSES[i].status == status) {
                        put_octet(out, INDEXED | STATUSES[i].index);
                        return;
                }
        }
        put_octet(out, LITERAL | NAME_STATUS);
        put_octet(out, 3);
        head_put_number(out, status);
}

static bool begin_block(struct http2 *h, struct builder *out)
{
        if (!builder_extend(out, HEAD_MAX))
                return false;
        out->len -= HEAD_MAX;
        if (!h->has_no_table) /* once, so that no SETTINGS_HEADER_TABLE_SIZE can ask for it (RFC 7541 4.2) */
                put_octet(out, TABLE_SIZE_0);
        h->has_no_table = true;
        return true;
}

void http2_head_put_continue(struct http2 *h, struct builder *out)
{
        if (begin_block(h, out))
                put_status(out, 100);
}

static void begin(struct builder *out, struct dates *dates, const struct answer *a, int64_t now_s)
{
        put_status(out, a->status);
        put_index(out, NAME_DATE);
        put_len(out, CLOCK_HTTP_LEN);
        head_put_date(out, dates, now_s);
}

static void put_field(struct builder *out, struct dates *dates, const struct answer *a, enum head_field field)
{
        put_name(out, a, field);
        put_value(out, dates, a, field);
}

void http2_head_put(struct http2 *h, struct builder *out, const struct answer *a, int64_t now_s)
{
        static const struct head_format format = {PROTOCOL_HTTP2, begin, put_field};

        if (begin_block(h, out))
                head_put_all(out, h->pool->config.service, &format, a, now_s);
}
