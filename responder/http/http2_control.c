/* http2_control: frames about the connection, or about a stream as such. */
#include "responder/http/http2_session.h"

/* RFC 9113 10.5: settings in one frame, and acknowledgements that are not sent yet. */
#define MAX_SETTINGS 32
#define SETTING_LEN 6
#define MAX_ACKS 100

/* False: the connection has ended. */
static bool count_ack(struct http2 *h)
{
        if (++h->n_acks <= MAX_ACKS)
                return true;
        http2_terminate(h, HTTP2_ENHANCE_YOUR_CALM);
        return false;
}

/* ---- SETTINGS (RFC 9113 6.5) ---- */

/* RFC 9113 6.9.2: it changes the windows of all streams, even to below nought. */
static enum http2_error set_initial_window(struct http2 *h, uint32_t value)
{
        int64_t more = (int64_t)value - h->initial_window;

        for (unsigned i = 0; i < STREAM_STATES; i++) {
                for (struct http2_stream *s = h->lists[i].first; s; s = s->next) {
                        int64_t window = s->send_window + more;

                        if (window > HTTP2_WINDOW_MAX || window < INT32_MIN)
                                return HTTP2_FLOW_CONTROL_ERROR;
                        s->send_window = (int32_t)window;
                }
        }
        h->initial_window = (int32_t)value;
        return HTTP2_NO_ERROR;
}

/* What is not here says nothing to us: our heads need no table, our frames and lists are small, and we open no streams. */
static const struct setting_row {
        enum http2_setting setting;
        uint32_t min, max;
        enum http2_error error; /* outside of them */
        enum http2_error (*apply)(struct http2 *h, uint32_t value);
} SETTINGS[] = {
        {HTTP2_SET_ENABLE_PUSH, 0, 1, HTTP2_PROTOCOL_ERROR, NULL},
        {HTTP2_SET_INITIAL_WINDOW_SIZE, 0, HTTP2_WINDOW_MAX, HTTP2_FLOW_CONTROL_ERROR, set_initial_window},
        {HTTP2_SET_MAX_FRAME_SIZE, HTTP2_PAYLOAD_MAX, (1 << 24) - 1, HTTP2_PROTOCOL_ERROR, NULL},
};

static enum http2_error apply(struct http2 *h, uint16_t setting, uint32_t value)
{
        for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++) {
                const struct setting_row *row = &SETTINGS[i];

                if (setting != row->setting)
                        continue;
                if (value < row->min || value > row->max)
                        return row->error;
                return row->apply ? row->apply(h, value) : HTTP2_NO_ERROR;
        }
        return HTTP2_NO_ERROR; /* RFC 9113 6.5.2: unknown ones are ignored */
}

void http2_on_settings(struct http2 *h, struct http2_frame *f)
{
        enum http2_error error =
                f->payload.len > (size_t)MAX_SETTINGS * SETTING_LEN ? HTTP2_ENHANCE_YOUR_CALM : HTTP2_NO_ERROR;
        uint16_t setting;
        uint32_t value;

        if (f->flags & HTTP2_ACK) { /* ours take nothing away, so nothing waits for this */
                if (f->payload.len > 0)
                        http2_terminate(h, HTTP2_FRAME_SIZE_ERROR);
                return;
        }
        while (error == HTTP2_NO_ERROR && bytes_take_u16(&f->payload, &setting) == OK &&
                bytes_take_u32(&f->payload, &value) == OK)
                error = apply(h, setting, value);
        if (error != HTTP2_NO_ERROR)
                http2_terminate(h, error);
        else if (count_ack(h))
                http2_put_head(&h->control, HTTP2_SETTINGS, HTTP2_ACK, 0, 0);
}

void http2_put_greeting(struct http2 *h)
{
        const struct http2_pool *pool = h->pool;
        struct builder *out = &h->control;
        size_t at = out->len;

        http2_put_head(out, HTTP2_SETTINGS, 0, 0, 0);
        http2_put_setting(out, HTTP2_SET_MAX_CONCURRENT_STREAMS, HTTP2_MAX_STREAMS);
        http2_put_setting(out, HTTP2_SET_MAX_HEADER_LIST_SIZE, (uint32_t)pool->config.service->limits.max_head);
        http2_put_setting(out, HTTP2_SET_NO_RFC7540_PRIORITIES, 1);
        if (pool->window > HTTP2_WINDOW_DEFAULT)
                http2_put_setting(out, HTTP2_SET_INITIAL_WINDOW_SIZE, (uint32_t)pool->window);
        http2_set_head(out, at, HTTP2_SETTINGS, 0, 0, out->len - at - HTTP2_FRAME_HEAD);
        if (pool->window > HTTP2_WINDOW_DEFAULT)
                http2_put_window_update(out, 0, (uint32_t)(pool->window - HTTP2_WINDOW_DEFAULT));
}

/* ---- PING, GOAWAY (RFC 9113 6.7, 6.8) ---- */

void http2_on_ping(struct http2 *h, struct http2_frame *f)
{
        bool is_ack = f->flags & HTTP2_ACK;

        if (is_ack && h->goaway_at_ms > 0)
                http2_say_last_stream(h);
        if (!is_ack && count_ack(h))
                http2_put_ping(&h->control, HTTP2_ACK, f->payload);
}

/* We open no streams, so which was the last of ours says nothing. What the client has asked is answered. */
void http2_on_goaway(struct http2 *h, struct http2_frame *f)
{
        (void)f;
        h->is_left = true;
}

/* ---- WINDOW_UPDATE (RFC 9113 6.9), RST_STREAM (6.4) ---- */

static enum http2_error widen(int32_t *window, uint32_t increment)
{
        if (increment == 0)
                return HTTP2_PROTOCOL_ERROR;
        if ((int64_t)*window + increment > HTTP2_WINDOW_MAX) /* RFC 9113 6.9.1 */
                return HTTP2_FLOW_CONTROL_ERROR;
        *window += (int32_t)increment;
        return HTTP2_NO_ERROR;
}

void http2_on_window_update(struct http2 *h, struct http2_frame *f)
{
        struct http2_stream *s = f->stream > 0 ? http2_stream_find(h, f->stream) : NULL;
        enum http2_error error = HTTP2_NO_ERROR;
        uint32_t increment = 0;

        if (bytes_take_u32(&f->payload, &increment) != OK || (f->stream > 0 && http2_is_idle(h, f->stream)))
                error = HTTP2_PROTOCOL_ERROR; /* RFC 9113 5.1 */
        else if (f->stream == 0)
                error = widen(&h->send_window, increment & HTTP2_WINDOW_MAX);
        if (error != HTTP2_NO_ERROR) {
                http2_terminate(h, error);
                return;
        }
        if (s)
                error = widen(&s->send_window, increment & HTTP2_WINDOW_MAX);
        if (error != HTTP2_NO_ERROR)
                http2_reset(s, error);
}

void http2_on_rst_stream(struct http2 *h, struct http2_frame *f)
{
        struct http2_stream *s = http2_stream_find(h, f->stream);

        if (http2_is_idle(h, f->stream)) {
                http2_terminate(h, HTTP2_PROTOCOL_ERROR);
        } else if (s) {
                http2_stream_free(s);
                http2_count_abort(h);
        }
}
