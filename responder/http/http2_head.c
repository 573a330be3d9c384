/* http2_head: an answer as HTTP/2 fields. They are those of head.c; what HTTP/1 says by Connection is said by GOAWAY here.
 * Nothing goes into a table (RFC 7541 6.2.2): most values are an answer's own, and what is rendered may be thrown away and
 * rendered again. */
#include "responder/http/head.h"
#include "responder/http/http2_session.h"

/* Of the static table (RFC 7541 Appendix A), all in two octets. */
enum name {
        NAME_STATUS = 8,
        NAME_ACCEPT_RANGES = 18,
        NAME_ALLOW = 22,
        NAME_CACHE_CONTROL = 24,
        NAME_CONTENT_LENGTH = 28,
        NAME_CONTENT_RANGE = 30,
        NAME_CONTENT_TYPE = 31,
        NAME_DATE = 33,
        NAME_ETAG = 34,
        NAME_EXPIRES = 36,
        NAME_LAST_MODIFIED = 44,
        NAME_RETRY_AFTER = 53,
};

#define LITERAL 0x00
#define INDEXED 0x80
#define TABLE_SIZE_0 0x20
#define PREFIX_4 15
#define PREFIX_7 127

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

static inline void put(struct builder *out, struct bytes b)
{
        memcpy(&out->data[out->len], b.data, b.len);
        out->len += b.len;
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

static inline void put_name(struct builder *out, enum name name)
{
        put_octet(out, LITERAL | PREFIX_4);
        put_octet(out, (uint8_t)(name - PREFIX_4));
}

static inline void put_text(struct builder *out, enum name name, struct bytes value)
{
        put_name(out, name);
        put_len(out, value.len);
        put(out, value);
}

/* A value of less than PREFIX_7 octets is what is put between begin and end. */
static inline size_t begin(struct builder *out, enum name name)
{
        put_name(out, name);
        put_octet(out, 0);
        return out->len;
}

static inline void end(struct builder *out, size_t at)
{
        out->data[at - 1] = (uint8_t)(out->len - at);
}

static void put_number(struct builder *out, enum name name, uint64_t n)
{
        size_t at = begin(out, name);

        head_put_number(out, n);
        end(out, at);
}

static void put_date(struct builder *out, struct dates *dates, enum name name, int64_t time_s)
{
        put_name(out, name);
        put_len(out, CLOCK_HTTP_LEN);
        dates_write(dates, time_s, &out->data[out->len]);
        out->len += CLOCK_HTTP_LEN;
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

/* req 3.1, 3.3, 3.4 */
static void put_caching(struct builder *out, struct dates *dates, const struct answer *a)
{
        size_t at;

        if (a->last_modified_s > 0 && a->status != 304)
                put_date(out, dates, NAME_LAST_MODIFIED, a->last_modified_s);
        if (a->etag_len > 0) {
                at = begin(out, NAME_ETAG);
                head_put_etag(out, a);
                end(out, at);
        }
        if (a->expires_s > 0)
                put_date(out, dates, NAME_EXPIRES, a->expires_s);
        at = begin(out, NAME_CACHE_CONTROL);
        head_put_cache_control(out, a);
        end(out, at);
}

static void put_tags(struct builder *out, const struct answer *a)
{
        put_octet(out, LITERAL);
        put_len(out, a->tags_name.len);
        put(out, a->tags_name);
        put_len(out, a->tags.len);
        put(out, a->tags);
}

static void put_ranges(struct builder *out, const struct answer *a)
{
        size_t at;

        put_text(out, NAME_ACCEPT_RANGES, BYTES_LIT("bytes"));
        if (a->status != 206 && a->status != 416)
                return;
        at = begin(out, NAME_CONTENT_RANGE);
        head_put_content_range(out, a);
        end(out, at);
}

static void put_rare(struct builder *out, const struct answer *a)
{
        if (a->allow)
                put_text(out, NAME_ALLOW, bytes_str(a->allow));
        if (a->retry_after_s > 0)
                put_number(out, NAME_RETRY_AFTER, a->retry_after_s);
        if (a->tags_name.len > 0)
                put_tags(out, a);
        if (a->total_len > 0)
                put_ranges(out, a);
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

void http2_head_put(struct http2 *h, struct builder *out, const struct answer *a, int64_t now_s)
{
        struct dates *dates = &h->pool->config.service->dates;

        if (!begin_block(h, out))
                return;
        put_status(out, a->status);
        put_date(out, dates, NAME_DATE, now_s);
        if (a->status != 304) {
                put_text(out, NAME_CONTENT_TYPE, head_content_type(a->content));
                put_number(out, NAME_CONTENT_LENGTH, a->body_len);
        }
        put_caching(out, dates, a);
        put_rare(out, a);
}
