/* http2_session: the inside of http2, for the files that make it up.
 *
 *   http2.c          the session: frame by frame in, limits, the end
 *   http2_control.c  frames about the connection or a stream as such: SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM
 *   http2_request.c  frames that carry requests: HEADERS, CONTINUATION, DATA
 *   http2_stream.c   streams: their memory, their lists, the fields and body they keep
 *   http2_answer.c   from requests that are whole to frames
 *   http2_body.c     bodies that flow control holds up, and files
 *   http2_head.c     an answer's fields
 *
 * Below it, knowing nothing of sessions: http2_frame.h (frames), hpack.h (field blocks), http2_field.h (fields).
 */
#pragma once

#include "base/clock.h"
#include "responder/answer/parked.h"
#include "responder/answer/pipeline.h"
#include "responder/http/hpack.h"
#include "responder/http/http2.h"
#include "responder/http/http2_frame.h"

/* Rendered in one turn at most. */
#define HTTP2_BATCH HTTP2_MAX_STREAMS
/* A file's reader must take this much in each write timeout. */
#define HTTP2_WRITE_PROGRESS (256 * 1024)
/* Small bodies that wait for the client's windows: with more than these no further one is rendered. */
#define HTTP2_MAX_HELD (64 * 1024)
/* Streams that we reset, whose frames may still be on their way. */
#define HTTP2_RESETS 32

/* A stream is in the list of its state. */
enum http2_state {
        STREAM_RECEIVING, /* the request is not whole */
        STREAM_READY,     /* to be handled when its answer can be sent; oldest first */
        STREAM_PARKED,    /* waits for a signature */
        STREAM_SENDING,   /* its head is sent, its body not all */
        STREAM_STATES,
};

struct http2_stream {
        struct http2_stream *next, *previous;
        struct http2 *session;
        struct parked parked;
        struct sign_slot sign;
        int64_t deadline_ms;
        uint32_t id;
        enum http2_state state;
        int32_t send_window; /* may be below nought: RFC 9113 6.9.2 */
        int32_t receive_window;

        bool is_head_whole;
        bool is_whole;     /* END_STREAM was received */
        bool is_malformed; /* RFC 9113 8.1.1 */
        bool is_http;      /* :scheme is one whose paths are paths */
        bool is_connect, is_options;
        bool has_regular;        /* a field that is none of the pseudo-fields */
        uint16_t refusal;        /* the HTTP status that the request earns for its form; 0 = none */
        uint16_t seen, repeated; /* fields: bits */
        enum method method;
        uint32_t n_fields;
        size_t list_len;        /* RFC 9113 6.5.2: of the field list */
        int64_t content_length; /* as it was said; -1 = it was not */
        uint64_t received_len;  /* of content */
        struct span {
                uint32_t at, len;
        } values[FIELD_N]; /* in `kept`, of those that are */
        uint32_t path_len; /* without the query */
        uint32_t kept_len, kept_cap;
        uint8_t *kept; /* NULL: in `small_kept` */
        uint8_t *body; /* NULL: in `small` */
        size_t body_len, body_cap;

        uint8_t *held; /* a small body that flow control holds up */
        size_t held_len, held_at;
        struct crl_file *file;
        uint64_t file_offset, file_left;
        size_t n_sent; /* since the deadline was set */

        /* Not cleared when it is used again. */
        uint8_t small[192];
        uint8_t small_kept[256];
};

struct http2 {
        struct http2_pool *pool;
        void *owner;
        int client; /* its socket */
        uint64_t client_address;
        struct hpack hpack;
        struct builder control; /* frames to be sent before any answer */
        size_t greeting_len;    /* of it: what must come first (RFC 9113 3.4); 0 = it is sent */
        struct http2_list {
                struct http2_stream *first, *last;
        } lists[STREAM_STATES];
        struct http2_stream *current; /* whose head is being received */
        struct http2_stream *resumed; /* whose sign.answer borrows */

        /* A field block that HEADERS began (RFC 9113 4.3). */
        struct http2_block {
                uint32_t stream; /* 0 = none */
                bool ends_stream, is_trailers;
                uint8_t n_continuations;
                enum http2_error error; /* for the stream, once the block is read */
                struct builder octets;
        } block;

        uint32_t last_stream;          /* the highest that its client opened */
        uint32_t resets[HTTP2_RESETS]; /* a ring */
        uint32_t forgotten;            /* of those that went out of it: the highest */
        uint8_t n_resets;
        int32_t send_window, receive_window;
        int32_t initial_window; /* of streams, as the client wants it */
        unsigned n_streams, n_files;
        size_t n_kept;            /* octets of requests' fields */
        size_t n_bodies;          /* octets taken for requests' bodies, beside the streams' own room */
        size_t n_held;            /* octets of answers' small bodies */
        unsigned n_aborts;        /* streams that ended unanswered, less those that were answered */
        unsigned n_acks;          /* in `control` */
        unsigned n_idle_frames;   /* frames since an octet of an answer was sent */
        int64_t rest_deadline_ms; /* by then the frame that is not whole must be; 0 = there is none */
        int64_t goaway_at_ms;     /* draining: the last GOAWAY is due; 0 = not draining, or it was sent */
        bool has_begun;           /* the preface was read */
        bool has_settings;        /* and the SETTINGS behind it (RFC 9113 3.4) */
        bool has_no_table;        /* we said that we use no dynamic table */
        bool is_draining;
        bool is_last;  /* GOAWAY says which stream is the last */
        bool is_left;  /* the client sent GOAWAY */
        bool is_ended; /* GOAWAY with nothing to come */
        bool has_progress;
};

/* One answer, as it was rendered in a turn. */
struct http2_item {
        struct http2_stream *stream;
        struct sign_slot sign;
        bool is_parked;
        bool is_done;    /* nothing of it is left to be sent */
        uint32_t n_sent; /* octets of body */
        uint8_t *held;   /* of a small body: what the windows do not take */
        size_t held_len;
        struct crl_file *file;
        uint64_t file_offset, file_left;
};

struct http2_pool {
        struct http2_pool_config config;
        int32_t window; /* that we offer, for the connection and each stream */
        int64_t now_ms;
        uint8_t *out_memory;
        struct builder out;
        struct http2_stream *free; /* streams to be used again */
        unsigned n_free;
        struct http2_item batch[HTTP2_BATCH];
        unsigned n_batch;
        struct hpack_shared hpack;
};

/* ---- http2.c ---- */

/* GOAWAY with `error`, and nothing after it. */
void http2_terminate(struct http2 *h, enum http2_error error);
/* A stream of the client's ended unanswered, or was refused. */
void http2_count_abort(struct http2 *h);
/* RST_STREAM goes out and the stream is gone. */
void http2_reset(struct http2_stream *s, enum http2_error error);
/* RST_STREAM for a stream that there is none of (any more). */
void http2_reset_id(struct http2 *h, uint32_t id, enum http2_error error);
/* We sent RST_STREAM, or a last GOAWAY without it: what still comes for it is no error (RFC 9113 5.1, 6.8). */
void http2_note_reset(struct http2 *h, uint32_t id);
bool http2_was_reset(const struct http2 *h, uint32_t id);
/* RFC 9113 5.1: no frame but HEADERS and PRIORITY may name it. */
bool http2_is_idle(const struct http2 *h, uint32_t id);
/* Draining: a round trip is over. */
void http2_say_last_stream(struct http2 *h);

/* ---- http2_control.c, http2_request.c: the frame is sound by itself ---- */

typedef void http2_handler(struct http2 *h, struct http2_frame *frame);
http2_handler http2_on_settings, http2_on_ping, http2_on_goaway, http2_on_window_update, http2_on_rst_stream;
http2_handler http2_on_headers, http2_on_continuation, http2_on_data;
/* Our SETTINGS, and the window of the connection. */
void http2_put_greeting(struct http2 *h);

/* ---- http2_stream.c ---- */

struct http2_stream *http2_stream_new(struct http2 *h, uint32_t id);
/* Takes it out of the session. */
void http2_stream_free(struct http2_stream *s);
/* NULL: there is none. */
struct http2_stream *http2_stream_find(struct http2 *h, uint32_t id);
void http2_stream_move(struct http2_stream *s, enum http2_state state);
/* Behind all others of its state. */
void http2_stream_rotate(struct http2_stream *s);
/* A field of the request. */
void http2_stream_take_field(struct http2_stream *s, const struct hpack_field *field);
/* All fields are there: is the request one that can be answered? */
void http2_stream_check_head(struct http2_stream *s);
void http2_stream_take_body(struct http2_stream *s, struct bytes data);
void http2_stream_refuse(struct http2_stream *s, unsigned status);
struct bytes http2_stream_field(const struct http2_stream *s, enum http2_field field);
/* As the pipeline wants it; borrows. */
void http2_stream_request(const struct http2_stream *s, struct request *ret_request);

/* ---- http2_body.c ---- */

/* Octets that flow control lets out on the stream now, in one frame. */
size_t http2_window(const struct http2_stream *s);
/* So many octets of body were put: windows, deadlines. */
void http2_count_sent(struct http2_stream *s, size_t n);
/* The answer is complete: RFC 9113 8.1 for one whose request is not. The stream is gone. */
void http2_end_answer(struct http2_stream *s, struct builder *out);
/* Frames of bodies under way, as far as windows and `limit` let them. */
void http2_put_bodies(struct http2 *h, struct builder *out, size_t limit);

/* ---- http2_head.c ---- */

/* A field block at the end of `out`. */
void http2_head_put(struct http2 *h, struct builder *out, const struct answer *a, int64_t now_s);
/* The block of an answer 100. */
void http2_head_put_continue(struct http2 *h, struct builder *out);
