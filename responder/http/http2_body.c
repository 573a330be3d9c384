/* http2_body: what is left of bodies when their head is sent, as far as flow control lets it out (RFC 9113 5.2). */
#include <stdlib.h>
#include <unistd.h>

#include "responder/http/http2_session.h"

static size_t least(size_t a, size_t b)
{
        return a < b ? a : b;
}

size_t http2_window(const struct http2_stream *s)
{
        int32_t ours = s->send_window, all = s->session->send_window;
        int32_t window = ours < all ? ours : all;

        return window > 0 ? least((size_t)window, HTTP2_PAYLOAD_MAX) : 0;
}

void http2_count_sent(struct http2_stream *s, size_t n)
{
        struct http2 *h = s->session;

        s->send_window -= (int32_t)n;
        h->n_idle_frames = 0;
        s->n_sent += n;
        if (s->n_sent < HTTP2_WRITE_PROGRESS)
                return;
        s->n_sent = 0;
        s->deadline_ms = h->pool->now_ms + 1000 * h->pool->config.service->conf->write_timeout_s;
        h->has_progress = true;
}

void http2_end_answer(struct http2_stream *s, struct builder *out)
{
        struct http2 *h = s->session;

        h->has_progress = true;
        h->n_idle_frames = 0;
        h->n_aborts -= h->n_aborts > 0;
        if (!s->is_whole) { /* the rest of the request is not wanted */
                http2_put_rst_stream(out, s->id, HTTP2_NO_ERROR);
                http2_note_reset(h, s->id);
        }
        http2_stream_free(s);
}

/* The descriptor is held, so a CRL that is replaced meanwhile still goes out whole. */
static size_t read_file(struct http2_stream *s, uint8_t *ret_data, size_t n_wanted)
{
        ssize_t n = pread(s->file->fd, ret_data, n_wanted, (off_t)s->file_offset);

        if (n <= 0)
                return 0;
        s->file_offset += (uint64_t)n;
        s->file_left -= (uint64_t)n;
        return (size_t)n;
}

static size_t read_held(struct http2_stream *s, uint8_t *ret_data, size_t n)
{
        memcpy(ret_data, &s->held[s->held_at], n);
        s->held_at += n;
        return n;
}

static uint64_t left(const struct http2_stream *s)
{
        return s->file ? s->file_left : s->held_len - s->held_at;
}

/* The next that has octets and windows for them. */
static struct http2_stream *find_open(struct http2 *h)
{
        struct http2_stream *s = h->lists[STREAM_SENDING].first;

        while (s && http2_window(s) == 0)
                s = s->next;
        return s;
}

static void put_frame(struct http2_stream *s, struct builder *out)
{
        struct http2 *h = s->session;
        size_t at = out->len, n = http2_window(s);
        uint8_t *room;

        n = left(s) < n ? (size_t)left(s) : n;
        http2_put_head(out, HTTP2_DATA, 0, s->id, n);
        room = builder_extend(out, n);
        if (!room)
                return;
        n = s->file ? read_file(s, room, n) : read_held(s, room, n);
        if (n == 0) { /* cut short: the client sees RST_STREAM */
                out->len = at;
                http2_reset(s, HTTP2_INTERNAL_ERROR);
                return;
        }
        out->len = at + HTTP2_FRAME_HEAD + n;
        http2_set_head(out, at, HTTP2_DATA, left(s) == 0 ? HTTP2_END_STREAM : 0, s->id, n);
        h->send_window -= (int32_t)n;
        http2_count_sent(s, n);
        if (left(s) == 0)
                http2_end_answer(s, out);
        else
                http2_stream_rotate(s);
}

void http2_put_bodies(struct http2 *h, struct builder *out, size_t limit)
{
        struct http2_stream *s;

        while (out->len < limit && !builder_failed(out) && !h->is_ended && (s = find_open(h)) != NULL)
                put_frame(s, out);
}
