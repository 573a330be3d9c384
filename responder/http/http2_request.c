/* http2_request: frames that carry requests. A request that is whole, or wrong already, is queued, no more. */
#include "responder/http/http2_session.h"

/* Fields of requests that wait, in octets: with more than these a further stream is refused. */
#define MAX_KEPT (64 * 1024)
/* RFC 9113 10.5.1; CVE-2024-28182 */
#define MAX_CONTINUATIONS 8
/* A field list this many times longer than allowed is meant to hurt. */
#define BOMB_FACTOR 8

/* ---- the end of a head, of a request ---- */

/* RFC 9110 10.1.1 */
static void say_continue(struct http2_stream *s)
{
        struct http2 *h = s->session;
        size_t at = h->control.len;

        if (!http2_stream_field(s, FIELD_EXPECT).data)
                return;
        http2_put_head(&h->control, HTTP2_HEADERS, HTTP2_END_HEADERS, s->id, 0);
        http2_head_put_continue(h, &h->control);
        http2_set_head(&h->control, at, HTTP2_HEADERS, HTTP2_END_HEADERS, s->id, h->control.len - at - HTTP2_FRAME_HEAD);
}

/* RFC 9113 8.1.1: what was said of the content's length is true. */
static void end_request(struct http2_stream *s)
{
        s->is_whole = true;
        if (s->content_length >= 0 && (uint64_t)s->content_length != s->received_len)
                http2_reset(s, HTTP2_PROTOCOL_ERROR);
        else if (s->state == STREAM_RECEIVING)
                http2_stream_move(s, STREAM_READY);
}

static void end_head(struct http2_stream *s, bool ends_stream)
{
        struct http2 *h = s->session;

        h->current = NULL;
        http2_stream_check_head(s);
        if (s->is_malformed)
                http2_reset(s, HTTP2_PROTOCOL_ERROR);
        else if (h->n_kept > MAX_KEPT && h->n_streams > 1)
                http2_reset(s, HTTP2_REFUSED_STREAM);
        else if (ends_stream)
                end_request(s);
        else if (s->refusal != 0)
                http2_stream_move(s, STREAM_READY);
        else
                say_continue(s);
}

/* ---- field blocks ---- */

/* Trailers mean nothing here, but must be ones (RFC 9113 8.1). */
static void take_trailer(struct http2_stream *s, const struct hpack_field *f)
{
        s->list_len += f->name.len + f->value.len + HPACK_OVERHEAD;
        s->is_malformed |= !f->is_sound || http2_field_is_pseudo(f->field);
}

/* Every block is read, whatever becomes of its stream: the table must stay in step (RFC 9113 4.3). */
static void read_fields(struct http2 *h, struct http2_stream *s, struct bytes octets)
{
        size_t bomb = BOMB_FACTOR * h->pool->config.service->limits.max_head, len = 0;
        struct hpack_field f;
        enum err e;

        hpack_begin(&h->hpack);
        while ((e = hpack_read(&h->hpack, &h->pool->hpack, &octets, &f)) == OK) {
                len += f.name.len + f.value.len + HPACK_OVERHEAD;
                if (len > bomb) {
                        http2_terminate(h, HTTP2_ENHANCE_YOUR_CALM);
                        return;
                }
                if (s && h->block.is_trailers)
                        take_trailer(s, &f);
                else if (s)
                        http2_stream_take_field(s, &f);
        }
        if (e != ERR_NOT_FOUND)
                http2_terminate(h, e == ERR_NOMEM ? HTTP2_INTERNAL_ERROR : HTTP2_COMPRESSION_ERROR);
}

static void end_trailers(struct http2_stream *s)
{
        s->session->current = NULL;
        if (s->is_malformed)
                http2_reset(s, HTTP2_PROTOCOL_ERROR);
        else
                end_request(s);
}

static void read_block(struct http2 *h, struct bytes octets)
{
        struct http2_block *b = &h->block;
        uint32_t id = b->stream;

        b->stream = 0;
        read_fields(h, h->current, octets);
        if (h->is_ended)
                return;
        if (b->error != HTTP2_NO_ERROR) {
                struct http2_stream *s = http2_stream_find(h, id);

                if (s)
                        http2_reset(s, b->error);
                else
                        http2_reset_id(h, id, b->error);
        } else if (h->current && b->is_trailers) {
                end_trailers(h->current);
        } else if (h->current) {
                end_head(h->current, b->ends_stream);
        }
}

/* What is not whole is kept. Of a field list that is within its limit this much at most can come. */
static void keep_block(struct http2 *h, struct bytes octets)
{
        struct builder *kept = &h->block.octets;

        builder_put(kept, octets);
        if (builder_failed(kept))
                http2_terminate(h, HTTP2_INTERNAL_ERROR);
        else if (kept->len > h->pool->config.service->limits.max_head + HTTP2_PAYLOAD_MAX)
                http2_terminate(h, HTTP2_ENHANCE_YOUR_CALM);
}

void http2_on_continuation(struct http2 *h, struct http2_frame *f)
{
        if (h->block.stream == 0) { /* RFC 9113 6.10 */
                http2_terminate(h, HTTP2_PROTOCOL_ERROR);
                return;
        }
        if (++h->block.n_continuations > MAX_CONTINUATIONS) {
                http2_terminate(h, HTTP2_ENHANCE_YOUR_CALM);
                return;
        }
        keep_block(h, f->payload);
        if (h->is_ended || !(f->flags & HTTP2_END_HEADERS))
                return;
        read_block(h, builder_bytes(&h->block.octets));
        builder_done(&h->block.octets);
}

/* ---- HEADERS ---- */

/* RFC 9113 5.1.1, 5.1.2 */
static enum http2_error open_stream(struct http2 *h, uint32_t id)
{
        h->last_stream = id;
        h->current = h->n_streams < HTTP2_MAX_STREAMS ? http2_stream_new(h, id) : NULL;
        return h->current ? HTTP2_NO_ERROR : HTTP2_REFUSED_STREAM;
}

/* HEADERS on a stream that is open: trailers (RFC 9113 8.1), or too late (5.1). */
static enum http2_error begin_trailers(struct http2_stream *s, bool ends_stream)
{
        if (s->is_whole)
                return HTTP2_STREAM_CLOSED;
        if (!ends_stream)
                return HTTP2_PROTOCOL_ERROR;
        s->session->current = s;
        return HTTP2_NO_ERROR;
}

/* False: the connection has ended. */
static bool begin_block(struct http2 *h, const struct http2_frame *f)
{
        bool ends_stream = f->flags & HTTP2_END_STREAM, is_new = f->stream % 2 == 1 && f->stream > h->last_stream;
        struct http2_stream *s = is_new ? NULL : http2_stream_find(h, f->stream);

        if (!is_new && !s && !http2_was_reset(h, f->stream)) { /* RFC 9113 5.1, 5.1.1 */
                http2_terminate(h, http2_is_idle(h, f->stream) ? HTTP2_PROTOCOL_ERROR : HTTP2_STREAM_CLOSED);
                return false;
        }
        h->current = NULL;
        h->block.stream = f->stream;
        h->block.ends_stream = ends_stream;
        h->block.is_trailers = s != NULL;
        h->block.n_continuations = 0;
        h->block.error = HTTP2_NO_ERROR;
        if (s)
                h->block.error = begin_trailers(s, ends_stream);
        else if (is_new && !h->is_last) /* after our last GOAWAY it is ignored: RFC 9113 6.8 */
                h->block.error = open_stream(h, f->stream);
        return true;
}

void http2_on_headers(struct http2 *h, struct http2_frame *f)
{
        if (!http2_frame_strip(f)) {
                http2_terminate(h, HTTP2_PROTOCOL_ERROR);
                return;
        }
        if (!begin_block(h, f))
                return;
        if (f->flags & HTTP2_END_HEADERS)
                read_block(h, f->payload);
        else
                keep_block(h, f->payload);
}

/* ---- DATA ---- */

/* Windows are opened again when half of them is used up. What a stream of no interest sends is let through at the
 * connection's cost. */
static void open_window(struct http2 *h, uint32_t id, int32_t *window)
{
        if (*window > h->pool->window / 2)
                return;
        http2_put_window_update(&h->control, id, (uint32_t)(h->pool->window - *window));
        *window = h->pool->window;
}

static void take_content(struct http2_stream *s, const struct http2_frame *f)
{
        s->received_len += f->payload.len;
        if (s->content_length >= 0 && s->received_len > (uint64_t)s->content_length) { /* RFC 9113 8.1.1 */
                http2_reset(s, HTTP2_PROTOCOL_ERROR);
                return;
        }
        if (s->state == STREAM_RECEIVING)
                http2_stream_take_body(s, f->payload);
        if (f->flags & HTTP2_END_STREAM)
                end_request(s);
        else if (s->state == STREAM_RECEIVING && s->refusal != 0)
                http2_stream_move(s, STREAM_READY);
        else if (s->state == STREAM_RECEIVING)
                open_window(s->session, s->id, &s->receive_window);
}

void http2_on_data(struct http2 *h, struct http2_frame *f)
{
        struct http2_stream *s = http2_stream_find(h, f->stream);
        int32_t n = (int32_t)f->payload.len; /* padding counts: RFC 9113 6.9.1 */

        if (n > h->receive_window) {
                http2_terminate(h, HTTP2_FLOW_CONTROL_ERROR);
                return;
        }
        h->receive_window -= n;
        open_window(h, 0, &h->receive_window);
        if (!http2_frame_strip(f) || http2_is_idle(h, f->stream)) {
                http2_terminate(h, HTTP2_PROTOCOL_ERROR); /* RFC 9113 6.1, 5.1 */
        } else if (!s) {
                if (!http2_was_reset(h, f->stream))
                        http2_terminate(h, HTTP2_STREAM_CLOSED);
        } else if (s->is_whole) {
                http2_reset(s, HTTP2_STREAM_CLOSED);
        } else if (n > s->receive_window) {
                http2_reset(s, HTTP2_FLOW_CONTROL_ERROR);
        } else {
                s->receive_window -= n;
                take_content(s, f);
        }
}
