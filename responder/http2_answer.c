/* http2_answer: from requests that are whole to frames. As many as are ready and can be sent to are rendered in one turn, straight into the
 * octets to be sent; what a frame changes of its stream and session is settled when the turn has ended well, and undone when not. */
#include <stdlib.h>

#include "responder/http2_session.h"

/* Put before the socket is tried; with files under way less, for what the socket does not take is kept. */
#define PUT_MAX (192 * 1024)
#define PUT_MAX_FILES (16 * 1024)
/* With more than this put no further turn is begun. */
#define RENDER_BELOW (32 * 1024)

/* As things stood before the turn. */
struct mark {
        size_t out_len;
        int32_t send_window;
        bool has_no_table;
};

/* ---- rendering ---- */

/* Can the first octet of its body be sent? (A head alone needs no window, but which answers have none is not known yet, save HEAD.) */
static bool has_window(const struct http2_stream *s)
{
        return s->refusal != 0 || s->method == METHOD_HEAD || http2_window(s) > 0;
}

static struct http2_item *new_item(struct http2_pool *pool, struct http2_stream *s)
{
        struct http2_item *item = &pool->batch[pool->n_batch++];

        *item = (struct http2_item){.stream = s, .sign = s->sign};
        return item;
}

/* What the windows do not take outlives the rendered octets: RFC 9113 5.2.1. */
static void hold_rest(struct http2_item *item, struct builder *out, size_t len)
{
        if (builder_failed(out))
                return;
        item->held = malloc(len);
        if (!item->held) {
                out->failed = true;
                return;
        }
        out->len -= len;
        memcpy(item->held, &out->data[out->len], len);
        item->held_len = len;
}

/* DATA, whose head is at `at` and whose payload is what stands behind it. */
static void put_body(struct http2_item *item, struct builder *out, size_t at)
{
        struct http2_stream *s = item->stream;
        size_t len = out->len - at - HTTP2_FRAME_HEAD, n = http2_window(s);

        if (len > n)
                hold_rest(item, out, len - n);
        else
                n = len;
        http2_set_head(out, at, HTTP2_DATA, n == len ? HTTP2_END_STREAM : 0, s->id, n);
        if (n == 0)
                out->len = at;
        item->n_sent = (uint32_t)n;
        item->is_done = n == len;
        s->session->send_window -= (int32_t)n;
}

static void hold_file(struct http2_item *item, const struct answer *a)
{
        item->file = crl_file_hold(a->file);
        item->file_offset = a->offset;
        item->file_left = a->body_len;
}

static void render(struct http2_item *item, const struct request *r, struct answer *a, int64_t now_s, struct builder *out)
{
        struct http2_stream *s = item->stream;
        size_t at = out->len, body_at;
        bool has_body;

        if (!s->is_whole) { /* its client is still sending: a body of ours would be lost with the reset */
                a->kind = BODY_BYTES;
                a->bytes = BYTES_NONE;
                a->body_len = 0;
        }
        http2_put_head(out, HTTP2_HEADERS, 0, s->id, 0);
        http2_head_put(s->session, out, a, now_s);
        body_at = out->len;
        http2_put_head(out, HTTP2_DATA, 0, s->id, 0);
        pipeline_put_body(out, r, a);
        if (builder_failed(out))
                return;
        if (pipeline_sends_file(r, a))
                hold_file(item, a);
        has_body = out->len > body_at + HTTP2_FRAME_HEAD;
        http2_set_head(out, at, HTTP2_HEADERS, HTTP2_END_HEADERS | (has_body || item->file ? 0 : HTTP2_END_STREAM), s->id,
                body_at - at - HTTP2_FRAME_HEAD);
        if (has_body) {
                put_body(item, out, body_at);
        } else {
                out->len = body_at;
                item->is_done = !item->file;
        }
}

static void render_error(struct http2_item *item, struct request *r, unsigned status, int64_t now_s, struct builder *out)
{
        struct answer a;

        pipeline_answer_error(item->stream->session->pool->config.service, r, status, &a);
        render(item, r, &a, now_s, out);
}

/* Without a turn there is an error for each. */
static void answer_item(struct turn *t, struct http2_item *item, struct request *r, struct builder *out)
{
        struct http2_stream *s = item->stream;
        struct answer a;

        if (s->refusal != 0 || !t)
                render_error(item, r, s->refusal != 0 ? s->refusal : 503, t ? t->now_s : clock_now_s(), out);
        else if (pipeline_answer(t, r, &item->sign, &a) == VERDICT_PARKED)
                item->is_parked = true;
        else
                render(item, r, &a, t->now_s, out);
}

/* The next streams that are ready and can be sent to, in their order. Returns how many. */
static unsigned choose(struct http2_stream **next, struct http2_stream *ret_streams[SERVICE_AHEAD])
{
        unsigned n = 0;

        for (; *next && n < SERVICE_AHEAD; *next = (*next)->next)
                if (has_window(*next))
                        ret_streams[n++] = *next;
        return n;
}

static void read_requests(struct turn *t, struct http2_stream *const streams[], unsigned n, struct request ret_requests[SERVICE_AHEAD])
{
        struct request *asked[SERVICE_AHEAD];
        unsigned n_asked = 0;

        for (unsigned i = 0; i < n; i++) {
                http2_stream_request(streams[i], &ret_requests[i]);
                if (streams[i]->refusal == 0)
                        asked[n_asked++] = &ret_requests[i];
        }
        if (t && n_asked > 0)
                pipeline_look_ahead(t, asked, n_asked);
}

static bool is_full(const struct http2_pool *pool, const struct http2_item *item, size_t n_held, const struct builder *out)
{
        return item->is_parked || pool->n_batch == HTTP2_BATCH || n_held >= HTTP2_MAX_HELD || out->cap - out->len < SERVICE_ANSWER_MAX;
}

/* Streams that are ready, until there is enough. A parked one ends the batch: there is one service->ask. */
static void render_ready(struct http2 *h, struct turn *t, struct builder *out)
{
        struct http2_stream *next = h->lists[STREAM_READY].first, *streams[SERVICE_AHEAD];
        struct request requests[SERVICE_AHEAD];
        size_t n_held = h->n_held;
        unsigned n;

        while ((n = choose(&next, streams)) > 0) {
                read_requests(t, streams, n, requests);
                for (unsigned i = 0; i < n; i++) {
                        struct http2_item *item;

                        if (!has_window(streams[i])) /* those before it have used it up */
                                continue;
                        item = new_item(h->pool, streams[i]);
                        answer_item(t, item, &requests[i], out);
                        n_held += item->held_len;
                        if (is_full(h->pool, item, n_held, out))
                                return;
                }
        }
}

static void undo(struct http2 *h, const struct mark *mark, struct builder *out)
{
        struct http2_pool *pool = h->pool;

        for (unsigned i = 0; i < pool->n_batch; i++) {
                crl_file_release(pool->batch[i].file);
                free(pool->batch[i].held);
        }
        pool->n_batch = 0;
        out->len = mark->out_len;
        out->failed = false;
        h->send_window = mark->send_window;
        h->has_no_table = mark->has_no_table;
}

MUST_CHECK static enum err render_in_turn(struct http2 *h, struct builder *out)
{
        struct turn t;
        enum err e = turn_begin(h->pool->config.service, &t);

        if (e != OK)
                return e == ERR_AGAIN ? ERR_STALE : e;
        render_ready(h, &t, out);
        e = turn_end(&t);
        return e == OK && builder_failed(out) ? ERR_NOMEM : e;
}

static void render_batch(struct http2 *h, struct builder *out)
{
        struct mark mark = {out->len, h->send_window, h->has_no_table};
        enum err e = ERR_STALE;

        h->pool->n_batch = 0;
        for (unsigned i = 0; i < PIPELINE_MAX_TURNS && e == ERR_STALE; i++) {
                undo(h, &mark, out);
                e = render_in_turn(h, out);
        }
        if (e == OK)
                return;
        undo(h, &mark, out); /* the store cannot be read: say so, and let them come back */
        render_ready(h, NULL, out);
}

/* ---- what was rendered counts ---- */

static void park(struct http2_item *item)
{
        struct http2_stream *s = item->stream;
        struct http2_pool *pool = s->session->pool;

        s->sign = item->sign;
        if (sign_client_ask(pool->config.sign, &pool->config.service->ask, &s->parked.waiter) == OK)
                http2_stream_move(s, STREAM_PARKED);
        else
                s->sign.refused = true; /* round again: tryLater */
}

static void settle(struct http2_item *item, struct builder *out)
{
        struct http2_stream *s = item->stream;

        http2_count_sent(s, item->n_sent);
        if (item->is_done) {
                http2_end_answer(s, out);
                return;
        }
        s->held = item->held;
        s->held_len = item->held_len;
        s->session->n_held += item->held_len;
        s->file = item->file;
        s->file_offset = item->file_offset;
        s->file_left = item->file_left;
        s->session->n_files += s->file != NULL;
        http2_stream_move(s, STREAM_SENDING);
}

static void settle_batch(struct http2_pool *pool, struct builder *out)
{
        for (unsigned i = 0; i < pool->n_batch; i++) {
                if (pool->batch[i].is_parked)
                        park(&pool->batch[i]);
                else
                        settle(&pool->batch[i], out);
        }
}

static void put_control(struct http2 *h, struct builder *out)
{
        if (!h->control.data && !builder_failed(&h->control))
                return;
        if (builder_failed(&h->control)) /* out of memory: it cannot go on, nor say why */
                h->is_ended = true;
        builder_put(out, builder_bytes(&h->control));
        builder_done(&h->control);
        h->greeting_len = h->n_acks = 0;
}

void http2_put(struct http2 *h, struct builder *out)
{
        struct http2_pool *pool = h->pool;
        size_t limit = h->n_files > 0 ? PUT_MAX_FILES : PUT_MAX;

        put_control(h, out);
        http2_put_bodies(h, out, limit);
        pool->n_batch = 1;
        while (!h->is_ended && pool->n_batch > 0 && out->len < RENDER_BELOW && h->n_held < HTTP2_MAX_HELD && h->lists[STREAM_READY].first) {
                render_batch(h, out);
                settle_batch(pool, out);
                http2_put_bodies(h, out, limit);
        }
        pool->n_batch = 0;
        put_control(h, out);
        h->is_ended |= builder_failed(out); /* it never is, but what was said would have a hole */
}
