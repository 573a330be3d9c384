/* http2_head: an answer as HTTP/2 fields. They are those of head.c; what HTTP/1 says by Connection is said by GOAWAY here. */
#include "base/clock.h"
#include "responder/http2_session.h"

#define NAME(literal) BYTES_LIT(literal)

struct head {
        struct http2_pool *pool;
        struct service *service;
        struct builder *out;
        nghttp2_nv *fields;
        unsigned n;
        size_t at; /* where the value that is being written begins */
};

static void add(struct head *h, struct bytes name, struct bytes value, uint8_t flags)
{
        h->fields[h->n++] = (nghttp2_nv){(uint8_t *)name.data, (uint8_t *)value.data, name.len, value.len,
                (uint8_t)(flags | NGHTTP2_NV_FLAG_NO_COPY_NAME)};
}

static void add_static(struct head *h, struct bytes name, struct bytes value)
{
        add(h, name, value, NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

/* A value is what is put to `out` between begin and end. */
static struct builder *begin(struct head *h)
{
        h->at = h->out->len;
        return h->out;
}

static void end_as(struct head *h, struct bytes name, uint8_t flags)
{
        if (!builder_failed(h->out))
                add(h, name, bytes_make(&h->out->data[h->at], h->out->len - h->at), flags);
}

static void end(struct head *h, struct bytes name)
{
        end_as(h, name, NGHTTP2_NV_FLAG_NONE);
}

static void add_number(struct head *h, struct bytes name, uint64_t n)
{
        head_put_number(begin(h), n);
        end(h, name);
}

static void put_date(struct head *h, int64_t time_s)
{
        builder_put(begin(h), bytes_make(dates_text(&h->service->dates, time_s), CLOCK_HTTP_LEN));
}

static void add_date(struct head *h, struct bytes name, int64_t time_s)
{
        put_date(h, time_s);
        end(h, name);
}

/* Was it sent lately? It counts as sent from now on. */
static bool is_recent(int64_t *recent, int64_t time_s)
{
        int64_t *slot = &recent[(uint64_t)time_s % HTTP2_RECENT_DATES];
        bool was_sent = *slot == time_s;

        *slot = time_s;
        return was_sent;
}

/* A date of one certificate's own. Most are sent once: in HPACK's dynamic table they would push out what all answers share, and nghttp2
 * compares a value with every one of its name in there. Those that many certificates share are worth it. */
static void add_own_date(struct head *h, struct bytes name, int64_t *recent, int64_t time_s)
{
        put_date(h, time_s);
        end_as(h, name, is_recent(recent, time_s) ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX);
}

/* req 3.1, 3.3, 3.4 */
static void add_caching(struct head *h, const struct answer *a)
{
        if (a->last_modified_s > 0 && a->status != 304)
                add_own_date(h, NAME("last-modified"), h->pool->recent_modified, a->last_modified_s);
        if (a->etag_len > 0) {
                head_put_etag(begin(h), a);
                end(h, NAME("etag"));
        }
        if (a->expires_s > 0)
                add_own_date(h, NAME("expires"), h->pool->recent_expires, a->expires_s);
        head_put_cache_control(begin(h), a);
        end(h, NAME("cache-control"));
}

static void add_rare(struct head *h, const struct answer *a)
{
        if (a->allow)
                add_static(h, NAME("allow"), bytes_str(a->allow));
        if (a->retry_after_s > 0)
                add_number(h, NAME("retry-after"), a->retry_after_s);
        if (a->tags_name.len > 0) {
                builder_put(begin(h), a->tags);
                end(h, a->tags_name);
        }
        if (a->total_len == 0)
                return;
        add_static(h, NAME("accept-ranges"), BYTES_LIT("bytes"));
        if (a->status == 206 || a->status == 416) {
                head_put_content_range(begin(h), a);
                end(h, NAME("content-range"));
        }
}

unsigned http2_head_make(struct http2_pool *pool, const struct answer *a, int64_t now_s, nghttp2_nv *ret_head)
{
        struct service *s = pool->config.service;
        struct head h = {.pool = pool, .service = s, .out = &s->out, .fields = ret_head};

        if (a->status == 200)
                add_static(&h, NAME(":status"), BYTES_LIT("200"));
        else
                add_number(&h, NAME(":status"), a->status);
        add_date(&h, NAME("date"), now_s);
        if (a->status != 304) {
                add_static(&h, NAME("content-type"), head_content_type(a->content));
                add_number(&h, NAME("content-length"), a->body_len);
        }
        add_caching(&h, a);
        add_rare(&h, a);
        return h.n;
}
