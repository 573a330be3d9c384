/* http2_answer: from requests that are whole to frames: as many as are ready and can be sent to are handled in one turn, then submitted, and packed
 * at once. HPACK's state cannot be undone, so nothing is submitted before the turn has ended well. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "responder/http2_session.h"

/* Small bodies that wait for the client's windows: with more than these no further one is rendered. */
#define MAX_HELD (64 * 1024)
/* Packed before the socket is tried; with files under way less, for what the socket does not take is kept. */
#define PACK_MAX (192 * 1024)
#define PACK_MAX_FILES (16 * 1024)
/* With more than this packed nothing is rendered any more: its frames would not fit. */
#define RENDER_BELOW (32 * 1024)

/* ---- frames out ---- */

/* nghttp2 has nothing left, or there is enough to be sent. False: it failed. */
static bool pack(struct http2 *h, struct builder *out)
{
        size_t limit = h->n_files > 0 ? PACK_MAX_FILES : PACK_MAX;
        const uint8_t *data;
        ssize_t n = 1;

        while (n > 0 && out->len < limit) {
                n = nghttp2_session_mem_send(h->session, &data);
                if (n > 0)
                        builder_put(out, bytes_make(data, (size_t)n));
        }
        return n >= 0 && !builder_failed(out);
}

static void count_sent(struct http2_stream *s, size_t n)
{
        struct http2 *h = s->session;

        h->n_idle_frames = 0;
        s->n_sent += n;
        if (s->n_sent < HTTP2_WRITE_PROGRESS)
                return;
        s->n_sent = 0;
        s->deadline_ms = h->pool->now_ms + 1000 * h->pool->config.service->conf->write_timeout_s;
        h->has_progress = true;
}

static void end_answer(struct http2_stream *s)
{
        struct http2 *h = s->session;

        s->is_answered = true;
        h->has_progress = true;
        h->n_aborts -= h->n_aborts > 0;
}

static size_t take_small(struct http2_stream *s, uint8_t *ret_data, size_t cap)
{
        size_t n = s->out_len < cap ? s->out_len : cap;

        memcpy(ret_data, s->out, n);
        s->out += n;
        s->out_len -= n;
        return n;
}

/* The descriptor is held, so a CRL that is replaced meanwhile still goes out whole. */
static ssize_t take_file(struct http2_stream *s, uint8_t *ret_data, size_t cap)
{
        size_t n_wanted = s->file_left < cap ? (size_t)s->file_left : cap;
        ssize_t n = pread(s->file->fd, ret_data, n_wanted, (off_t)s->file_offset);

        if (n <= 0)
                return -1;
        s->file_offset += (uint64_t)n;
        s->file_left -= (uint64_t)n;
        return n;
}

ssize_t http2_read_body(nghttp2_session *session, int32_t id, uint8_t *ret_data, size_t cap, uint32_t *ret_flags,
        nghttp2_data_source *source, void *user_data)
{
        struct http2_stream *s = source->ptr;
        ssize_t n = s->file ? take_file(s, ret_data, cap) : (ssize_t)take_small(s, ret_data, cap);

        (void)session;
        (void)id;
        (void)user_data;
        if (n < 0) /* cut short: the client sees RST_STREAM */
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        count_sent(s, (size_t)n);
        if (s->out_len == 0 && s->file_left == 0) {
                *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
                end_answer(s);
        }
        return n;
}

/* ---- rendering ---- */

/* Can the first octet of its body be sent? (A head alone needs no window, but which answers have none is not known yet, save HEAD.) */
static bool has_window(const struct http2_stream *s, int64_t connection_window)
{
        if (s->refusal != 0 || bytes_equal(http2_stream_field(s, FIELD_METHOD), BYTES_LIT("HEAD")))
                return true;
        return connection_window > 0 && nghttp2_session_get_stream_remote_window_size(s->session->session, s->id) > 0;
}

static struct http2_item *new_item(struct http2_pool *pool, struct http2_stream *s)
{
        struct http2_item *item = &pool->batch[pool->n_batch++];

        item->stream = s;
        item->sign = s->sign;
        item->is_parked = false;
        item->file = NULL;
        item->file_offset = item->file_left = 0;
        return item;
}

static void render(struct http2_pool *pool, struct http2_item *item, const struct request *r, struct answer *a, int64_t now_s)
{
        struct service *s = pool->config.service;

        if (!item->stream->is_whole) { /* its client is still sending: a body of ours would be lost with the reset */
                a->kind = BODY_BYTES;
                a->bytes = BYTES_NONE;
                a->body_len = 0;
        }
        item->n_head = http2_head_make(pool, a, now_s, item->head);
        item->body_at = s->out.len;
        pipeline_put_body(&s->out, r, a);
        item->body_len = s->out.len - item->body_at;
        if (!pipeline_sends_file(r, a))
                return;
        item->file = crl_file_hold(a->file);
        item->file_offset = a->offset;
        item->file_left = a->body_len;
}

static void render_refusal(struct http2_pool *pool, struct http2_item *item, unsigned status, int64_t now_s)
{
        struct request r = {.method = METHOD_UNKNOWN, .protocol = PROTOCOL_HTTP2};
        struct answer a;

        http2_stream_request(item->stream, &r);
        pipeline_answer_error(pool->config.service, &r, status, &a);
        render(pool, item, &r, &a, now_s);
}

static void handle(struct turn *t, struct http2_pool *pool, struct http2_item *item)
{
        struct request r;
        struct answer a;

        http2_stream_request(item->stream, &r);
        if (pipeline_answer(t, &r, &item->sign, &a) == VERDICT_PARKED)
                item->is_parked = true;
        else
                render(pool, item, &r, &a, t->now_s);
}

/* Streams that are ready, in their order, until there is enough. A parked one ends the batch: there is one service->ask. */
static void render_ready(struct http2 *h, struct turn *t)
{
        struct http2_pool *pool = h->pool;
        struct builder *out = &pool->config.service->out;
        int64_t window = nghttp2_session_get_remote_window_size(h->session);
        bool is_full = false;

        for (struct http2_stream *s = http2_stream_next(&h->lists[STREAM_READY]); s && !is_full; s = http2_stream_next(s)) {
                struct http2_item *item;

                if (!has_window(s, window))
                        continue;
                item = new_item(pool, s);
                if (s->refusal != 0)
                        render_refusal(pool, item, s->refusal, t ? t->now_s : clock_now_s());
                else if (!t)
                        render_refusal(pool, item, 503, clock_now_s());
                else
                        handle(t, pool, item);
                window -= (int64_t)(item->is_parked ? 0 : item->body_len);
                is_full = item->is_parked || pool->n_batch == HTTP2_BATCH || SERVICE_OUT_SIZE - out->len < SERVICE_ANSWER_MAX;
        }
}

static void undo(struct http2_pool *pool)
{
        for (unsigned i = 0; i < pool->n_batch; i++)
                crl_file_release(pool->batch[i].file);
        pool->n_batch = 0;
        builder_reset(&pool->config.service->out);
}

static enum err render_in_turn(struct http2 *h)
{
        struct service *service = h->pool->config.service;
        struct turn t;
        enum err e = turn_begin(service, &t);

        if (e != OK)
                return e == ERR_AGAIN ? ERR_STALE : e;
        render_ready(h, &t);
        e = turn_end(&t);
        return e == OK && builder_failed(&service->out) ? ERR_NOMEM : e;
}

static void render_batch(struct http2 *h)
{
        enum err e = ERR_STALE;

        for (unsigned i = 0; i < PIPELINE_MAX_TURNS && e == ERR_STALE; i++) {
                undo(h->pool);
                e = render_in_turn(h);
        }
        if (e == OK)
                return;
        undo(h->pool); /* the store cannot be read: say so, and let them come back */
        render_ready(h, NULL);
}

/* ---- what was rendered goes out ---- */

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

static void submit(struct http2_item *item)
{
        struct http2_stream *s = item->stream;
        struct http2 *h = s->session;
        nghttp2_data_provider provider = {.source.ptr = s, .read_callback = http2_read_body};
        bool has_body = item->body_len > 0 || item->file;

        s->out = &h->pool->config.service->out.data[item->body_at];
        s->out_len = item->body_len;
        s->file = item->file;
        s->file_offset = item->file_offset;
        s->file_left = item->file_left;
        h->n_files += s->file != NULL;
        http2_stream_move(s, STREAM_SENDING);
        if (!has_body)
                end_answer(s);
        if (nghttp2_submit_response(h->session, s->id, item->head, item->n_head, has_body ? &provider : NULL) != 0)
                nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
}

static void submit_batch(struct http2_pool *pool)
{
        for (unsigned i = 0; i < pool->n_batch; i++) {
                if (pool->batch[i].is_parked)
                        park(&pool->batch[i]);
                else
                        submit(&pool->batch[i]);
        }
}

/* What could not be packed yet outlives the rendered octets. */
static void hold(struct http2_stream *s)
{
        s->held = malloc(s->out_len);
        if (!s->held) {
                s->out_len = 0;
                nghttp2_submit_rst_stream(s->session->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
                return;
        }
        memcpy(s->held, s->out, s->out_len);
        s->out = s->held;
        s->held_len = s->out_len;
        s->session->n_held += s->held_len;
}

static void hold_rest(struct http2 *h)
{
        for (struct http2_stream *s = http2_stream_next(&h->lists[STREAM_SENDING]); s; s = http2_stream_next(s))
                if (s->out_len > 0 && !s->held)
                        hold(s);
}

void http2_put(struct http2 *h, struct builder *out)
{
        struct http2_pool *pool = h->pool;
        bool is_well = pack(h, out);

        pool->n_batch = 1;
        while (is_well && !h->is_ended && pool->n_batch > 0 && out->len < RENDER_BELOW && h->n_held < MAX_HELD &&
                http2_stream_next(&h->lists[STREAM_READY])) {
                pool->n_batch = 0;
                render_batch(h);
                submit_batch(pool);
                is_well = pack(h, out);
                hold_rest(h);
        }
        pool->n_batch = 0;
        if (!is_well)
                h->is_ended = h->is_dead = true;
}
