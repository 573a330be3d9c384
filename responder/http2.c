#include "responder/http2.h"

#include <stdlib.h>

#include "responder/http2_session.h"

#define OUT_SIZE (256 * 1024)
/* Fields of requests that wait, in octets: with more than these a further stream is refused. */
#define MAX_KEPT (64 * 1024)
/* Streams that may end unanswered beyond those that are answered (rapid reset, CVE-2023-44487, and its like). */
#define MAX_ABORTS 200
/* Frames in a row without an answer's octet between them: PING, SETTINGS, PRIORITY, empty DATA. */
#define MAX_IDLE_FRAMES 2000
/* A field list this many times longer than allowed is meant to hurt. */
#define BOMB_FACTOR 8
/* A client that does not acknowledge our PING by then is told which stream was the last. */
#define DRAIN_ROUND_TRIP_MS 1000
#define WINDOW_DEFAULT 65535

/* ---- the end ---- */

static void terminate(struct http2 *h, uint32_t code)
{
        if (h->is_ended)
                return;
        h->is_ended = true;
        nghttp2_session_terminate_session(h->session, code);
}

/* nghttp2 stops where it stands. */
MUST_CHECK static int calm_down(struct http2 *h)
{
        terminate(h, NGHTTP2_ENHANCE_YOUR_CALM);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
}

void http2_end(struct http2 *h)
{
        terminate(h, NGHTTP2_NO_ERROR);
}

static void say_last_stream(struct http2 *h)
{
        h->goaway_at_ms = 0;
        nghttp2_submit_goaway(
                h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR, NULL, 0);
}

/* RFC 9113 6.8: first that there will be an end, and after a round trip where it was: no request is lost in between. */
void http2_drain(struct http2 *h)
{
        if (h->is_draining || h->is_ended)
                return;
        h->is_draining = true;
        h->goaway_at_ms = h->pool->now_ms + DRAIN_ROUND_TRIP_MS;
        nghttp2_submit_shutdown_notice(h->session);
        nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
}

bool http2_is_over(const struct http2 *h)
{
        if (h->is_ended)
                return h->is_dead || !nghttp2_session_want_write(h->session);
        /* With streams open it wants to read, unless it has ended the session itself. */
        return !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
}

bool http2_is_busy(const struct http2 *h)
{
        return h->n_streams > 0 || h->goaway_at_ms > 0;
}

bool http2_take_progress(struct http2 *h)
{
        bool has_progress = h->has_progress;

        h->has_progress = false;
        return has_progress;
}

/* ---- what nghttp2 tells ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
        struct http2 *h = user_data;

        if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
                return 0;
        h->current = http2_stream_new(h, frame->hd.stream_id);
        if (!h->current)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, h->current);
        return 0;
}

/* The present head's stream is remembered: no look-up for each field. Trailers have none; they mean nothing here. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
        void *user_data)
{
        struct http2 *h = user_data;
        struct http2_stream *s = h->current;

        (void)session;
        (void)flags;
        if (!s || s->id != frame->hd.stream_id)
                return ++h->n_idle_frames > MAX_IDLE_FRAMES ? calm_down(h) : 0;
        http2_stream_take_field(s, name, value);
        if (s->list_len > BOMB_FACTOR * h->pool->config.service->limits.max_head)
                return calm_down(h);
        return 0;
}

/* Malformed fields that may be ignored are not (RFC 9113 8.2.1): the stream is reset. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
        uint8_t flags, void *user_data)
{
        (void)session;
        (void)frame;
        (void)name;
        (void)value;
        (void)flags;
        (void)user_data;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user_data)
{
        struct http2_stream *s = nghttp2_session_get_stream_user_data(session, id);

        (void)flags;
        (void)user_data;
        if (s)
                http2_stream_take_body(s, bytes_make(data, len));
        return 0;
}

/* RFC 9110 10.1.1 */
static void say_continue(struct http2_stream *s)
{
        static const nghttp2_nv status = {
                (uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};

        if (s->fields[FIELD_EXPECT])
                nghttp2_submit_headers(s->session->session, NGHTTP2_FLAG_NONE, s->id, NULL, &status, 1, NULL);
}

/* A request is whole, or wrong already: it is queued, no more. */
static void on_request_frame(struct http2_stream *s, const nghttp2_frame *frame)
{
        struct http2 *h = s->session;

        if (s->state != STREAM_RECEIVING)
                return;
        if (!s->is_head_whole) {
                h->current = NULL;
                http2_stream_check_head(s);
                if (h->n_kept > MAX_KEPT && h->n_streams > 1) {
                        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_REFUSED_STREAM);
                        return;
                }
        }
        s->is_whole = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
        if (s->is_whole || s->refusal != 0)
                http2_stream_move(s, STREAM_READY);
        else if (frame->hd.type == NGHTTP2_HEADERS)
                say_continue(s);
}

static bool is_request_frame(const nghttp2_frame *frame)
{
        return frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
        struct http2 *h = user_data;
        struct http2_stream *s = is_request_frame(frame) ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;

        if (++h->n_idle_frames > MAX_IDLE_FRAMES)
                return calm_down(h);
        if (s)
                on_request_frame(s, frame);
        if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK && h->goaway_at_ms > 0)
                say_last_stream(h);
        return 0;
}

/* Frames that make us reset a stream count as its client's resets do. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user_data)
{
        struct http2 *h = user_data;

        (void)session;
        (void)frame;
        (void)error;
        return ++h->n_aborts > MAX_ABORTS ? calm_down(h) : 0;
}

/* RFC 9113 8.1: the answer is complete and went out; the rest of the request is not wanted. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
        struct http2_stream *s;

        (void)user_data;
        if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
                return 0;
        s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (s && !s->is_whole)
                nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
        return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
        struct http2 *h = user_data;
        struct http2_stream *s = nghttp2_session_get_stream_user_data(session, id);
        bool is_answered = s && s->is_answered;

        (void)code;
        if (s)
                http2_stream_free(s);
        if (!is_answered && ++h->n_aborts > MAX_ABORTS)
                terminate(h, NGHTTP2_ENHANCE_YOUR_CALM);
        return 0;
}

/* ---- receiving ---- */

/* A stream closed for being one too many ends it all, but not in the middle of a frame that nghttp2 is at. */
void http2_receive(struct http2 *h, struct bytes in)
{
        ssize_t n;

        if (h->is_ended)
                return;
        n = nghttp2_session_mem_recv(h->session, in.data, in.len);
        if (n >= 0)
                return;
        terminate(h, n == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : n == NGHTTP2_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_PROTOCOL_ERROR);
}

static void end_late(struct http2_stream *s)
{
        struct http2 *h = s->session;

        h->pool->config.service->stats.n_timeouts++;
        if (s->state == STREAM_PARKED) {
                sign_client_leave(&s->parked.waiter);
                s->sign.refused = true;
                http2_stream_move(s, STREAM_READY);
        } else if (!s->is_head_whole) {
                terminate(h, NGHTTP2_PROTOCOL_ERROR); /* inside a field block nothing else can be said */
        } else {
                nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
        }
}

void http2_tick(struct http2 *h)
{
        int64_t now_ms = h->pool->now_ms;

        for (unsigned i = 0; i < STREAM_STATES; i++) {
                struct http2_stream *s = http2_stream_next(&h->lists[i]);

                while (s) {
                        struct http2_stream *next = http2_stream_next(s);

                        if (s->deadline_ms <= now_ms)
                                end_late(s);
                        s = next;
                }
        }
        if (h->goaway_at_ms > 0 && h->goaway_at_ms <= now_ms)
                say_last_stream(h);
}

/* ---- life ---- */

static bool submit_settings(struct http2 *h)
{
        const struct http1_limits *limits = &h->pool->config.service->limits;
        uint32_t window = limits->max_body > WINDOW_DEFAULT ? (uint32_t)limits->max_body : WINDOW_DEFAULT;
        nghttp2_settings_entry settings[] = {
                {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_MAX_STREAMS},
                {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->max_head},
                {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
                {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
        };
        size_t n = sizeof settings / sizeof settings[0] - (window == WINDOW_DEFAULT);

        return nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, n) == 0 &&
                nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, (int32_t)window) == 0;
}

struct http2 *http2_new(struct http2_pool *pool, void *owner)
{
        struct http2 *h = calloc(1, sizeof *h);

        if (!h)
                return NULL;
        h->pool = pool;
        h->owner = owner;
        for (unsigned i = 0; i < STREAM_STATES; i++)
                h->lists[i].next = h->lists[i].previous = &h->lists[i];
        if (nghttp2_session_server_new2(&h->session, pool->callbacks, h, pool->option) != 0 || !submit_settings(h)) {
                http2_free(h);
                return NULL;
        }
        return h;
}

void http2_free(struct http2 *h)
{
        struct http2_stream *s;

        if (!h)
                return;
        for (unsigned i = 0; i < STREAM_STATES; i++)
                while ((s = http2_stream_next(&h->lists[i])) != NULL)
                        http2_stream_free(s);
        nghttp2_session_del(h->session);
        free(h);
}

static bool make_callbacks(struct http2_pool *pool)
{
        if (nghttp2_session_callbacks_new(&pool->callbacks) != 0 || nghttp2_option_new(&pool->option) != 0)
                return false;
        nghttp2_session_callbacks_set_on_begin_headers_callback(pool->callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback2(pool->callbacks, on_header);
        nghttp2_session_callbacks_set_on_invalid_header_callback2(pool->callbacks, on_invalid_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(pool->callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(pool->callbacks, on_frame);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(pool->callbacks, on_invalid_frame);
        nghttp2_session_callbacks_set_on_frame_send_callback(pool->callbacks, on_frame_sent);
        nghttp2_session_callbacks_set_on_stream_close_callback(pool->callbacks, on_stream_close);
        nghttp2_option_set_no_closed_streams(pool->option, 1);
        nghttp2_option_set_max_outbound_ack(pool->option, 100);
        return true;
}

struct http2_pool *http2_pool_new(const struct http2_pool_config *config)
{
        struct http2_pool *pool = calloc(1, sizeof *pool);

        if (!pool)
                return NULL;
        pool->config = *config;
        pool->out_memory = malloc(OUT_SIZE);
        if (!pool->out_memory || !make_callbacks(pool)) {
                http2_pool_free(pool);
                return NULL;
        }
        pool->out = builder_fixed(pool->out_memory, OUT_SIZE);
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
        nghttp2_session_callbacks_del(pool->callbacks);
        nghttp2_option_del(pool->option);
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
