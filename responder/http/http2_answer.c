/* http2_answer: from requests that are whole to frames. As many as are ready and can be sent to, of one session or of
 * several, are rendered in one turn, straight into the octets to be sent; what a frame changes of its stream and session is
 * settled when the turn has ended well, and undone when not. */
#include <stdlib.h>

#include "responder/http/http2_session.h"

/* Put before the socket is tried; with files under way less, for what the socket does not take is kept. */
#define PUT_MAX (192 * 1024)
#define PUT_MAX_FILES (16 * 1024)
/* With more than this put no further turn is begun. */
#define RENDER_BELOW (32 * 1024)

/* As things stood before the turn. */
struct mark {
        int32_t send_window;
        bool has_no_table;
};

/* Sessions whose answers are rendered together, one behind the other. */
struct party {
        struct http2_part *parts;
        unsigned n;
        struct mark marks[SERVICE_AHEAD];
        size_t out_len; /* before the turn */
        struct builder *out;

        unsigned at;               /* the session that streams are chosen from */
        struct http2_stream *next; /* of it */
};

/* ---- rendering ---- */

/* Can the first octet of its body be sent? (A head alone needs no window, but which answers have none is not known yet, save
 * HEAD.) */
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

/* For a frame's head, written when its length is known. */
static void leave_room(struct builder *out)
{
        (void)builder_extend(out, HTTP2_FRAME_HEAD);
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
        leave_room(out);
        http2_head_put(s->session, out, a, now_s);
        body_at = out->len;
        leave_room(out);
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

static struct http2_stream *first_ready(const struct party *p)
{
        return p->at < p->n ? p->parts[p->at].session->lists[STREAM_READY].first : NULL;
}

/* The next streams that are ready and can be sent to, in their order, session after session. Returns how many. */
static unsigned choose(struct party *p, struct http2_stream *ret_streams[SERVICE_AHEAD])
{
        unsigned n = 0;

        while (p->at < p->n && n < SERVICE_AHEAD) {
                if (!p->next) {
                        p->at++;
                        p->next = first_ready(p);
                        continue;
                }
                if (has_window(p->next))
                        ret_streams[n++] = p->next;
                p->next = p->next->next;
        }
        return n;
}

static void read_requests(
        struct turn *t, struct http2_stream *const streams[], unsigned n, struct request ret_requests[SERVICE_AHEAD])
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

static bool is_full(const struct http2_pool *pool, const struct http2_item *item, const struct builder *out)
{
        return item->is_parked || pool->n_batch == HTTP2_BATCH || out->cap - out->len < SERVICE_ANSWER_MAX;
}

/* True: go on with the next. */
static bool render_one(struct party *p, struct turn *t, struct http2_part *part, struct http2_stream *s, struct request *r)
{
        struct http2_pool *pool = s->session->pool;
        struct http2_item *item;
        size_t len = p->out->len;

        if (!has_window(s) || part->n_held >= HTTP2_MAX_HELD) /* those before it have used it up */
                return true;
        item = new_item(pool, s);
        pool->config.service->client = s->session->client;
        pool->config.service->client_address = s->session->client_address;
        answer_item(t, item, r, p->out);
        part->n_held += item->held_len;
        part->len += p->out->len - len;
        return !is_full(pool, item, p->out);
}

/* Streams that are ready, until there is enough. A parked one ends the batch: there is one service->ask. */
static void render_ready(struct party *p, struct turn *t)
{
        struct http2_stream *streams[SERVICE_AHEAD];
        struct request requests[SERVICE_AHEAD];
        struct http2_part *part = p->parts;
        unsigned n;

        p->at = 0;
        p->next = first_ready(p);
        while ((n = choose(p, streams)) > 0) {
                read_requests(t, streams, n, requests);
                for (unsigned i = 0; i < n; i++) {
                        while (part->session != streams[i]->session)
                                part++;
                        if (!render_one(p, t, part, streams[i], &requests[i]))
                                return;
                }
        }
}

static void undo(struct party *p)
{
        struct http2_pool *pool = p->parts[0].session->pool;

        for (unsigned i = 0; i < pool->n_batch; i++) {
                crl_file_release(pool->batch[i].file);
                free(pool->batch[i].held);
        }
        pool->n_batch = 0;
        p->out->len = p->out_len;
        p->out->failed = false;
        for (unsigned i = 0; i < p->n; i++) {
                struct http2 *h = p->parts[i].session;

                h->send_window = p->marks[i].send_window;
                h->has_no_table = p->marks[i].has_no_table;
                p->parts[i].n_held = h->n_held;
                p->parts[i].len = 0;
        }
}

MUST_CHECK static enum err render_in_turn(struct party *p)
{
        struct turn t;
        enum err e = turn_begin(p->parts[0].session->pool->config.service, &t);

        if (e != OK)
                return e == ERR_AGAIN ? ERR_STALE : e;
        render_ready(p, &t);
        e = turn_end(&t);
        return e == OK && builder_failed(p->out) ? ERR_NOMEM : e;
}

static void render_batch(struct http2_part parts[], unsigned n, struct builder *out)
{
        struct party p = {.parts = parts, .n = n, .out_len = out->len, .out = out};
        enum err e = ERR_STALE;

        for (unsigned i = 0; i < n; i++)
                p.marks[i] = (struct mark){parts[i].session->send_window, parts[i].session->has_no_table};
        parts[0].session->pool->n_batch = 0;
        for (unsigned i = 0; i < PIPELINE_MAX_TURNS && e == ERR_STALE; i++) {
                undo(&p);
                e = render_in_turn(&p);
        }
        if (e == OK)
                return;
        undo(&p); /* the store cannot be read: say so, and let them come back */
        render_ready(&p, NULL);
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

static void settle(struct http2_item *item)
{
        struct http2_stream *s = item->stream;

        http2_count_sent(s, item->n_sent);
        if (item->is_done) {
                http2_end_answer(s, &s->session->control);
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

static void settle_batch(struct http2_pool *pool)
{
        for (unsigned i = 0; i < pool->n_batch; i++) {
                if (pool->batch[i].is_parked)
                        park(&pool->batch[i]);
                else
                        settle(&pool->batch[i]);
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
        while (!h->is_ended && pool->n_batch > 0 && out->len < RENDER_BELOW && h->n_held < HTTP2_MAX_HELD &&
                h->lists[STREAM_READY].first) {
                struct http2_part part = {.session = h};

                render_batch(&part, 1, out);
                settle_batch(pool);
                http2_put_bodies(h, out, limit);
        }
        pool->n_batch = 0;
        put_control(h, out);
        h->is_ended |= builder_failed(out); /* it never is, but what was said would have a hole */
}

bool http2_is_ready(const struct http2 *h)
{
        return !h->is_ended && h->control.len == 0 && !h->lists[STREAM_SENDING].first && h->lists[STREAM_READY].first;
}

void http2_put_together(struct http2_part parts[], unsigned n, struct builder *out)
{
        struct http2_pool *pool = parts[0].session->pool;

        render_batch(parts, n, out);
        settle_batch(pool);
        pool->n_batch = 0;
}
