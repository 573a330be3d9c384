#include "responder/http/http2_frame.h"

#include <endian.h>

enum stream_rule { ON_STREAM, ON_CONNECTION, ON_EITHER };

static const struct row {
        enum stream_rule on;
        uint16_t min_len, max_len, unit; /* of the payload: a multiple of the unit */
        bool is_servers;                 /* no client may send it */
} ROWS[HTTP2_TYPES] = {
        [HTTP2_DATA] = {ON_STREAM, 0, HTTP2_PAYLOAD_MAX, 1, false},         /* RFC 9113 6.1 */
        [HTTP2_HEADERS] = {ON_STREAM, 0, HTTP2_PAYLOAD_MAX, 1, false},      /* 6.2 */
        [HTTP2_PRIORITY] = {ON_STREAM, 5, 5, 1, false},                     /* 6.3 */
        [HTTP2_RST_STREAM] = {ON_STREAM, 4, 4, 1, false},                   /* 6.4 */
        [HTTP2_SETTINGS] = {ON_CONNECTION, 0, HTTP2_PAYLOAD_MAX, 6, false}, /* 6.5 */
        [HTTP2_PUSH_PROMISE] = {ON_STREAM, 0, HTTP2_PAYLOAD_MAX, 1, true},  /* 8.4 */
        [HTTP2_PING] = {ON_CONNECTION, 8, 8, 1, false},                     /* 6.7 */
        [HTTP2_GOAWAY] = {ON_CONNECTION, 8, HTTP2_PAYLOAD_MAX, 1, false},   /* 6.8 */
        [HTTP2_WINDOW_UPDATE] = {ON_EITHER, 4, 4, 1, false},                /* 6.9 */
        [HTTP2_CONTINUATION] = {ON_STREAM, 0, HTTP2_PAYLOAD_MAX, 1, false}, /* 6.10 */
};

/* ---- reading ---- */

static inline uint32_t be(const uint8_t *octets, unsigned n)
{
        uint32_t value = 0;

        for (unsigned i = 0; i < n; i++)
                value = value << 8 | octets[i];
        return value;
}

enum err http2_frame_take(struct bytes *in, struct http2_frame *ret_frame)
{
        const uint8_t *head = in->data;
        struct bytes rest = *in, taken;
        uint32_t len;

        if (rest.len < HTTP2_FRAME_HEAD)
                return ERR_AGAIN;
        len = be(head, 3);
        if (len > HTTP2_PAYLOAD_MAX) /* RFC 9113 4.2 */
                return ERR_RANGE;
        if (bytes_take(&rest, HTTP2_FRAME_HEAD, &taken) != OK || bytes_take(&rest, len, &taken) != OK)
                return ERR_AGAIN;
        *ret_frame = (struct http2_frame){head[3], head[4], be(&head[5], 4) & INT32_MAX, taken};
        *in = rest;
        return OK;
}

/* What RFC 9113 5.3.2 has left of priorities is their format and, for those who still test for it, that RFC 7540 5.3.1 forbids this. */
static bool depends_on_itself(const struct http2_frame *f, struct bytes priority)
{
        return (be(priority.data, 4) & INT32_MAX) == f->stream;
}

enum http2_error http2_frame_check(const struct http2_frame *f)
{
        const struct row *row = &ROWS[f->type < HTTP2_TYPES ? f->type : HTTP2_DATA];
        size_t len = f->payload.len;

        if (f->type >= HTTP2_TYPES) /* RFC 9113 4.1, 5.5: ignored, whatever it says */
                return HTTP2_NO_ERROR;
        if (row->is_servers || (row->on == ON_STREAM && f->stream == 0) || (row->on == ON_CONNECTION && f->stream != 0))
                return HTTP2_PROTOCOL_ERROR;
        if (len < row->min_len || len > row->max_len || len % row->unit != 0)
                return HTTP2_FRAME_SIZE_ERROR;
        return f->type == HTTP2_PRIORITY && depends_on_itself(f, f->payload) ? HTTP2_PROTOCOL_ERROR : HTTP2_NO_ERROR;
}

bool http2_frame_strip(struct http2_frame *f)
{
        struct bytes priority;
        uint8_t n_padding = 0;

        if (f->flags & HTTP2_PADDED && bytes_take_u8(&f->payload, &n_padding) != OK)
                return false;
        if (f->type == HTTP2_HEADERS && f->flags & HTTP2_HAS_PRIORITY &&
                (bytes_take(&f->payload, 5, &priority) != OK || depends_on_itself(f, priority)))
                return false;
        if (n_padding > f->payload.len)
                return false;
        f->payload.len -= n_padding;
        return true;
}

/* ---- writing ---- */

static inline void write_head(uint8_t *octets, enum http2_type type, uint8_t flags, uint32_t stream, size_t len)
{
        uint32_t first = htobe32((uint32_t)len << 8 | type), last = htobe32(stream);

        memcpy(octets, &first, sizeof first);
        octets[4] = flags;
        memcpy(&octets[5], &last, sizeof last);
}

void http2_set_head(struct builder *out, size_t at, enum http2_type type, uint8_t flags, uint32_t stream, size_t len)
{
        if (!builder_failed(out))
                write_head(&out->data[at], type, flags, stream, len);
}

void http2_put_head(struct builder *out, enum http2_type type, uint8_t flags, uint32_t stream, size_t len)
{
        uint8_t *room = builder_extend(out, HTTP2_FRAME_HEAD);

        if (room)
                write_head(room, type, flags, stream, len);
}

void http2_put_setting(struct builder *out, enum http2_setting setting, uint32_t value)
{
        builder_put_u16(out, (uint16_t)setting);
        builder_put_u32(out, value);
}

void http2_put_ping(struct builder *out, uint8_t flags, struct bytes payload)
{
        http2_put_head(out, HTTP2_PING, flags, 0, payload.len);
        builder_put(out, payload);
}

void http2_put_goaway(struct builder *out, uint32_t last_stream, enum http2_error error)
{
        http2_put_head(out, HTTP2_GOAWAY, 0, 0, 8);
        builder_put_u32(out, last_stream);
        builder_put_u32(out, error);
}

void http2_put_window_update(struct builder *out, uint32_t stream, uint32_t increment)
{
        http2_put_head(out, HTTP2_WINDOW_UPDATE, 0, stream, 4);
        builder_put_u32(out, increment);
}

void http2_put_rst_stream(struct builder *out, uint32_t stream, enum http2_error error)
{
        http2_put_head(out, HTTP2_RST_STREAM, 0, stream, 4);
        builder_put_u32(out, error);
}
