/* http2_session: the inside of http2, for the files that make it up.
 *
 *   http2.c         the session: what is received, limits, the end
 *   http2_stream.c  one request while it is received and answered
 *   http2_answer.c  from requests that are whole to frames
 *   http2_head.c    an answer's fields
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "responder/http2.h"
#include "responder/parked.h"
#include "responder/pipeline.h"

/* Rendered in one turn at most. */
#define HTTP2_BATCH 32
#define HTTP2_HEAD_FIELDS 14
#define HTTP2_RECENT_DATES 4
/* A file's reader must take this much in each write timeout. */
#define HTTP2_WRITE_PROGRESS (256 * 1024)

enum http2_field {
        FIELD_METHOD,
        FIELD_PATH,
        FIELD_AUTHORITY,
        FIELD_HOST,
        FIELD_CONTENT_TYPE,
        FIELD_IF_NONE_MATCH,
        FIELD_IF_MODIFIED_SINCE,
        FIELD_RANGE,
        FIELD_IF_RANGE,
        FIELD_EXPECT,
        FIELD_N,
};

/* A stream is in the list of its state. */
enum http2_state {
        STREAM_RECEIVING, /* the request is not whole */
        STREAM_READY,     /* to be handled when its answer can be sent; oldest first */
        STREAM_PARKED,    /* waits for a signature */
        STREAM_SENDING,   /* its head is submitted */
        STREAM_STATES,
};

struct http2_stream {
        struct http2_stream *next, *previous;
        struct http2 *session;
        struct parked parked;
        struct sign_slot sign;
        int64_t deadline_ms;
        int32_t id;
        enum http2_state state;
        bool is_head_whole;
        bool is_whole;    /* END_STREAM was received */
        bool is_answered; /* the answer's last octet was handed out */
        uint16_t refusal; /* the HTTP status that the request earns for its form; 0 = none */
        uint16_t repeated; /* fields that came more than once: bits */
        uint32_t n_fields;
        size_t list_len;  /* RFC 9113 6.5.2: of the field list */
        size_t kept_len;  /* octets of the fields that are kept */
        nghttp2_rcbuf *fields[FIELD_N];

        uint8_t *body; /* NULL: in `small` */
        size_t body_len, body_cap;
        uint8_t small[192];

        const uint8_t *out; /* the rest of a small body: in service->out until the batch is packed, then in `held` */
        size_t out_len;
        uint8_t *held;
        size_t held_len;
        struct crl_file *file;
        uint64_t file_offset, file_left;
        size_t n_sent; /* since the deadline was set */
};

struct http2 {
        struct http2_pool *pool;
        void *owner;
        nghttp2_session *session;
        struct http2_stream lists[STREAM_STATES]; /* heads of rings; only next and previous count */
        struct http2_stream *current; /* whose head is being received */
        struct http2_stream *resumed; /* whose sign.answer borrows */
        unsigned n_streams, n_files;
        size_t n_kept;       /* octets of requests' fields */
        size_t n_held;       /* octets of answers' small bodies */
        unsigned n_aborts;   /* streams that ended unanswered, less those that were answered */
        unsigned n_idle_frames; /* frames since an octet of an answer was sent */
        int64_t goaway_at_ms; /* draining: the last GOAWAY is due; 0 = not draining, or it was sent */
        bool is_draining;
        bool is_ended;       /* GOAWAY with nothing to come */
        bool is_dead;        /* nghttp2 itself failed */
        bool has_progress;
};

/* One answer, as it was rendered in a turn. */
struct http2_item {
        struct http2_stream *stream;
        struct sign_slot sign;
        bool is_parked;
        nghttp2_nv head[HTTP2_HEAD_FIELDS];
        unsigned n_head;
        size_t body_at, body_len; /* in service->out */
        struct crl_file *file;
        uint64_t file_offset, file_left;
};

struct http2_pool {
        struct http2_pool_config config;
        nghttp2_session_callbacks *callbacks;
        nghttp2_option *option;
        int64_t now_ms;
        uint8_t *out_memory;
        struct builder out;
        struct http2_stream *free; /* streams to be used again */
        unsigned n_free;
        int64_t recent_modified[HTTP2_RECENT_DATES], recent_expires[HTTP2_RECENT_DATES]; /* http2_head.c */
        struct http2_item batch[HTTP2_BATCH];
        unsigned n_batch;
};

/* ---- http2_stream.c ---- */

struct http2_stream *http2_stream_new(struct http2 *h, int32_t id);
/* Takes it out of the session. */
void http2_stream_free(struct http2_stream *s);
void http2_stream_move(struct http2_stream *s, enum http2_state state);
/* A field of the request. */
void http2_stream_take_field(struct http2_stream *s, nghttp2_rcbuf *name, nghttp2_rcbuf *value);
/* All fields are there: is the request one that can be answered? */
void http2_stream_check_head(struct http2_stream *s);
void http2_stream_take_body(struct http2_stream *s, struct bytes data);
void http2_stream_refuse(struct http2_stream *s, unsigned status);
struct bytes http2_stream_field(const struct http2_stream *s, enum http2_field field);
/* As the pipeline wants it; borrows. */
void http2_stream_request(const struct http2_stream *s, struct request *ret_request);
/* The next after `s` in its list, NULL at the end; of the head of a list: the first. */
struct http2_stream *http2_stream_next(const struct http2_stream *s);

/* ---- http2_answer.c, http2_head.c ---- */

ssize_t http2_read_body(nghttp2_session *session, int32_t id, uint8_t *ret_data, size_t cap, uint32_t *ret_flags,
        nghttp2_data_source *source, void *user_data);
/* Texts go to service->out. Returns how many fields. */
unsigned http2_head_make(struct http2_pool *pool, const struct answer *a, int64_t now_s, nghttp2_nv *ret_head);
