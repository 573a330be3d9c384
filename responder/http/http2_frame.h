/* http2_frame: frames (RFC 9113 4 and 6), read and written. Pure: what a frame means to a connection is its session's
 * affair. */
#pragma once

#include "base/bytes.h"

#define HTTP2_FRAME_HEAD 9
/* RFC 9113 6.5.2: SETTINGS_MAX_FRAME_SIZE as it is when nobody says anything. */
#define HTTP2_PAYLOAD_MAX 16384
#define HTTP2_WINDOW_MAX INT32_MAX
/* RFC 9113 6.9.2 */
#define HTTP2_WINDOW_DEFAULT 65535

enum http2_type {
        HTTP2_DATA,
        HTTP2_HEADERS,
        HTTP2_PRIORITY,
        HTTP2_RST_STREAM,
        HTTP2_SETTINGS,
        HTTP2_PUSH_PROMISE,
        HTTP2_PING,
        HTTP2_GOAWAY,
        HTTP2_WINDOW_UPDATE,
        HTTP2_CONTINUATION,
        HTTP2_TYPES,
};

enum {
        HTTP2_END_STREAM = 0x01,
        HTTP2_ACK = 0x01,
        HTTP2_END_HEADERS = 0x04,
        HTTP2_PADDED = 0x08,
        HTTP2_HAS_PRIORITY = 0x20,
};

/* RFC 9113 7 */
enum http2_error {
        HTTP2_NO_ERROR,
        HTTP2_PROTOCOL_ERROR,
        HTTP2_INTERNAL_ERROR,
        HTTP2_FLOW_CONTROL_ERROR,
        HTTP2_SETTINGS_TIMEOUT,
        HTTP2_STREAM_CLOSED,
        HTTP2_FRAME_SIZE_ERROR,
        HTTP2_REFUSED_STREAM,
        HTTP2_CANCEL,
        HTTP2_COMPRESSION_ERROR,
        HTTP2_CONNECT_ERROR,
        HTTP2_ENHANCE_YOUR_CALM,
};

/* RFC 9113 6.5.2 */
enum http2_setting {
        HTTP2_SET_ENABLE_PUSH = 2,
        HTTP2_SET_MAX_CONCURRENT_STREAMS = 3,
        HTTP2_SET_INITIAL_WINDOW_SIZE = 4,
        HTTP2_SET_MAX_FRAME_SIZE = 5,
        HTTP2_SET_MAX_HEADER_LIST_SIZE = 6,
        HTTP2_SET_NO_RFC7540_PRIORITIES = 9, /* RFC 9218 2.1 */
};

struct http2_frame {
        uint8_t type; /* may be none of enum http2_type */
        uint8_t flags;
        uint32_t stream;
        struct bytes payload;
};

/* The frame that `in` begins with is taken off it. ERR_AGAIN: it is not whole. ERR_RANGE: FRAME_SIZE_ERROR, found by its
 * head. */
MUST_CHECK enum err http2_frame_take(struct bytes *in, struct http2_frame *ret_frame);
/* Is its length one of its type, may it stand on its stream, may a client send it at all? If not, the connection error. */
enum http2_error http2_frame_check(const struct http2_frame *frame);
/* Takes padding and priority off the payload of DATA or HEADERS. False: they are longer than the frame (RFC 9113 6.1, 6.2), or
 * it depends on itself. */
bool http2_frame_strip(struct http2_frame *frame);

/* A frame's head, at the end of `out`; its payload of `len` octets follows. */
void http2_put_head(struct builder *out, enum http2_type type, uint8_t flags, uint32_t stream, size_t len);
/* The head at `at` was put before its payload's length was known. */
void http2_set_head(struct builder *out, size_t at, enum http2_type type, uint8_t flags, uint32_t stream, size_t len);
void http2_put_setting(struct builder *out, enum http2_setting setting, uint32_t value);
void http2_put_ping(struct builder *out, uint8_t flags, struct bytes payload);
void http2_put_goaway(struct builder *out, uint32_t last_stream, enum http2_error error);
void http2_put_window_update(struct builder *out, uint32_t stream, uint32_t increment);
void http2_put_rst_stream(struct builder *out, uint32_t stream, enum http2_error error);
