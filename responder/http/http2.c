#include "responder/http/http2.h"

#include <stdlib.h>

#include "responder/http/http2_session.h"

#define OUT_SIZE (256 * 1024)
/* Streams that may end unanswered beyond those that are answered (rapid reset, CVE-2023-44487, and its like). */
#define MAX_ABORTS 200
/* Frames in a row without an answer's octet between them: PING, SETTINGS, PRIORITY, empty DATA. */
#define MAX_IDLE_FRAMES 2000
/* A client that does not acknowledge our PING by then is told which stream was the last. */
#define DRAIN_ROUND_TRIP_MS 1000

/* ---- the end ---- */

void http2_terminate(struct http2 *h, enum http2_error error)
{
        if (h->is_ended)
                return;
        h->is_ended = true;
        if (error == HTTP2_ENHANCE_YOUR_CALM) /* a flood's answers are not owed */
                h->control.len = h->greeting_len;
        http2_put_goaway(&h->control, h->last_stream, error);
}

void http2_end(struct http2 *h)
{
        http2_terminate(h, HTTP2_NO_ERROR);
}

void http2_say_last_stream(struct http2 *h)
{
        h->goaway_at_ms = 0;
        if (h->is_ended)
                return;
        h->is_last = true;
        http2_put_goaway(&h->control, h->last_stream, HTTP2_NO_ERROR);
}

/* RFC 9113 6.8: first that there will be an end, and after a round trip where it was: no request is lost in between. */
void http2_drain(struct http2 *h)
{
        if (h->is_draining || h->is_ended)
                return;
        h->is_draining = true;
        h->goaway_at_ms = h->pool->now_ms + DRAIN_ROUND_TRIP_MS;
        http2_put_goaway(&h->control, INT32_MAX, HTTP2_NO_ERROR);
        http2_put_ping(&h->control, 0, BYTES_LIT("draining"));
}

bool http2_is_over(const struct http2 *h)
{
        if (h->control.len > 0 && !builder_failed(&h->control))
                return false;
        return h->is_ended || (h->n_streams == 0 && (h->is_last || h->is_left));
}

bool http2_has_more(const struct http2 *h)
{
        return h->control.len > 0 || builder_failed(&h->control) ||
               (!h->is_ended && (h->lists[STREAM_READY].first || h->lists[STREAM_SENDING].first));
}

bool http2_is_busy(const struct http2 *h)
{
        return h->n_streams > 0 || h->goaway_at_ms > 0 || h->rest_deadline_ms > 0;
}

bool http2_take_progress(struct http2 *h)
{
        bool has_progress = h->has_progress;

        h->has_progress = false;
        return has_progress;
}

/* ---- streams that end before their answer ---- */

bool http2_is_idle(const struct http2 *h, uint32_t id)
{
        return id % 2 == 0 || (id > h->last_stream && !h->is_last);
}

void http2_count_abort(struct http2 *h)
{
        if (++h->n_aborts > MAX_ABORTS)
                http2_terminate(h, HTTP2_ENHANCE_YOUR_CALM);
}

void http2_note_reset(struct http2 *h, uint32_t id)
{
        uint32_t *slot = &h->resets[h->n_resets++ % HTTP2_RESETS];

        if (*slot > h->forgotten)
                h->forgotten = *slot;
        *slot = id;
}

bool http2_was_reset(const struct http2 *h, uint32_t id)
{
        bool was_reset = id <= h->forgotten; /* perhaps */

        if (http2_is_idle(h, id))
                return false;
        for (unsigned i = 0; i < HTTP2_RESETS; i++)
                was_reset |= h->resets[i] == id;
        return was_reset || id > h->last_stream; /* RFC 9113 6.8: behind the last one */
}

void http2_reset_id(struct http2 *h, uint32_t id, enum http2_error error)
{
        if (h->is_ended)
                return;
        http2_put_rst_stream(&h->control, id, error);
        http2_note_reset(h, id);
        http2_count_abort(h);
}

void http2_reset(struct http2_stream *s, enum http2_error error)
{
        struct http2 *h = s->session;
        uint32_t id = s->id;

        http2_stream_free(s);
        http2_reset_id(h, id, error);
}

/* ---- receiving ---- */

static http2_handler *const HANDLERS[HTTP2_TYPES] = {
        [HTTP2_DATA] = http2_on_data,
        [HTTP2_HEADERS] = http2_on_headers,
        [HTTP2_RST_STREAM] = http2_on_rst_stream,
        [HTTP2_SETTINGS] = http2_on_settings,
        [HTTP2_PING] = http2_on_ping,
        [HTTP2_GOAWAY] = http2_on_goaway,
        [HTTP2_WINDOW_UPDATE] = http2_on_window_update,
        [HTTP2_CONTINUATION] = http2_on_continuation,
        /* PRIORITY: there are no priorities any more (RFC 9113 5.3.2) */
};

static enum http2_error check(struct http2 *h, const struct http2_frame *f)
{
        if (!h->has_settings && (f->type != HTTP2_SETTINGS || f->flags & HTTP2_ACK)) /* RFC 9113 3.4 */
                return HTTP2_PROTOCOL_ERROR;
        h->has_settings = true;
        if (h->block.stream > 0 && (f->type != HTTP2_CONTINUATION || f->stream != h->block.stream)) /* RFC 9113 6.2 */
                return HTTP2_PROTOCOL_ERROR;
        if (++h->n_idle_frames > MAX_IDLE_FRAMES)
                return HTTP2_ENHANCE_YOUR_CALM;
        return http2_frame_check(f);
}

static void handle(struct http2 *h, struct http2_frame *f)
{
        enum http2_error error = check(h, f);

        if (error != HTTP2_NO_ERROR)
                http2_terminate(h, error);
        else if (f->type < HTTP2_TYPES && HANDLERS[f->type])
                HANDLERS[f->type](h, f);
}

/* RFC 9113 3.4. With TLS it has not been looked at yet. */
MUST_CHECK static enum err take_preface(struct http2 *h, struct bytes *in)
{
        static const struct bytes preface = BYTES_LIT(HTTP2_PREFACE);
        size_t n = in->len < preface.len ? in->len : preface.len;
        struct bytes taken;

        if (memcmp(in->data, preface.data, n) != 0)
                return ERR_INVALID;
        if (bytes_take(in, preface.len, &taken) != OK)
                return ERR_AGAIN;
        h->has_begun = true;
        return OK;
}

/* A frame that is not whole has as long as a request's head. */
static void note_rest(struct http2 *h, bool is_rest)
{
        if (!is_rest)
                h->rest_deadline_ms = 0;
        else if (h->rest_deadline_ms == 0)
                h->rest_deadline_ms = h->pool->now_ms + 1000 * h->pool->config.service->conf->header_timeout_s;
}

size_t http2_receive(struct http2 *h, struct bytes in)
{
        struct bytes rest = in;
        struct http2_frame f;
        enum err e = h->has_begun || h->is_ended ? OK : take_preface(h, &rest);

        if (e == ERR_INVALID)
                http2_terminate(h, HTTP2_PROTOCOL_ERROR);
        while (!h->is_ended && e == OK && (e = http2_frame_take(&rest, &f)) == OK) {
                handle(h, &f);
                h->rest_deadline_ms = 0;
        }
        if (e == ERR_RANGE)
                http2_terminate(h, HTTP2_FRAME_SIZE_ERROR);
        if (h->is_ended)
                rest.len = 0;
        note_rest(h, rest.len > 0);
        return in.len - rest.len;
}

/* ---- time ---- */

static void end_late(struct http2_stream *s)
{
        struct http2 *h = s->session;

        h->pool->config.service->stats.n_timeouts++;
        if (s->state == STREAM_PARKED) {
                sign_client_leave(&s->parked.waiter);
                s->sign.refused = true;
                http2_stream_move(s, STREAM_READY);
        } else if (!s->is_head_whole) {
                http2_terminate(h, HTTP2_PROTOCOL_ERROR); /* inside a field block nothing else can be said */
        } else {
                http2_reset(s, HTTP2_CANCEL);
        }
}

void http2_tick(struct http2 *h)
{
        int64_t now_ms = h->pool->now_ms;

        for (unsigned i = 0; i < STREAM_STATES; i++) {
                struct http2_stream *s = h->lists[i].first;

                while (s) {
                        struct http2_stream *next = s->next;

                        if (s->deadline_ms <= now_ms)
                                end_late(s);
                        s = next;
                }
        }
        if (h->goaway_at_ms > 0 && h->goaway_at_ms <= now_ms)
                http2_say_last_stream(h);
        if (h->rest_deadline_ms > 0 && h->rest_deadline_ms <= now_ms)
                http2_terminate(h, HTTP2_PROTOCOL_ERROR);
}

/* ---- life ---- */

struct http2 *http2_new(struct http2_pool *pool, void *owner)
{
        struct http2 *h = calloc(1, sizeof *h);

        if (!h)
                return NULL;
        h->pool = pool;
        h->owner = owner;
        h->client = -1;
        h->send_window = h->initial_window = HTTP2_WINDOW_DEFAULT;
        h->receive_window = pool->window;
        hpack_init(&h->hpack);
        http2_put_greeting(h);
        h->greeting_len = h->control.len;
        if (builder_failed(&h->control)) {
                http2_free(h);
                return NULL;
        }
        return h;
}

void http2_set_client(struct http2 *h, int client, uint64_t client_address)
{
        h->client = client;
        h->client_address = client_address;
}

void http2_free(struct http2 *h)
{
        struct http2_stream *s;

        if (!h)
                return;
        for (unsigned i = 0; i < STREAM_STATES; i++)
                while ((s = h->lists[i].first) != NULL)
                        http2_stream_free(s);
        hpack_done(&h->hpack);
        builder_done(&h->block.octets);
        builder_done(&h->control);
        free(h);
}

struct http2_pool *http2_pool_new(const struct http2_pool_config *config)
{
        struct http2_pool *pool = calloc(1, sizeof *pool);

        if (!pool)
                return NULL;
        pool->config = *config;
        pool->window = config->service->limits.max_body > HTTP2_WINDOW_DEFAULT ? (int32_t)config->service->limits.max_body
                                                                               : HTTP2_WINDOW_DEFAULT;
        pool->out_memory = malloc(OUT_SIZE);
        if (!pool->out_memory) {
                http2_pool_free(pool);
                return NULL;
        }
        pool->out = builder_fixed(pool->out_memory, OUT_SIZE);
        huffman_init(&pool->hpack.huffman);
        return pool;
}

void http2_pool_free(struct http2_pool *pool)
{
        if (!pool)
                return;
        while (pool->free) {
                struct http2_stream *next = pool->free->next;

                free(pool->free);
                pool->free = next;
        }
        free(pool->out_memory);
        free(pool);
}

struct builder *http2_pool_out(struct http2_pool *pool)
{
        return &pool->out;
}

void http2_pool_set_time(struct http2_pool *pool, int64_t now_ms)
{
        pool->now_ms = now_ms;
}
