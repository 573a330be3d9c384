/* http2: one connection's HTTP/2 session (RFC 9113). It knows no socket: octets are given to it and asked of it.
 *
 *  - A request that is whole is only queued. It is handled in a read turn when its answer's first octets are asked for, and
 * only when the client's windows are open: so that no answer waits in a queue while the truth changes.
 *  - Of an answer that flow control holds up, a small body is kept (so much a session, then no further one is rendered); a
 * file is read from its descriptor when there is a window for it.
 *  - What a client may cost is bounded: streams, heads, bodies, streams broken off, frames that carry nothing. Beyond it:
 * GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 10.5). */
#pragma once

#include "responder/answer/service.h"
#include "responder/answer/sign_client.h"

#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define HTTP2_MAX_STREAMS 128

struct http2;

/* What the sessions of one worker share. */
struct http2_pool;

struct http2_pool_config {
        struct service *service;
        struct sign_client *sign;
        /* A stream of the owner's session got an answer of the engine: http2_put is to be called, unless the socket is full.
         * It must not free the session. */
        void (*on_resumed)(void *owner);
        /* After that. It may. */
        void (*on_settle)(void *owner);
};

struct http2_pool *http2_pool_new(const struct http2_pool_config *config);
/* After the last session. */
void http2_pool_free(struct http2_pool *pool);
/* Fixed memory for http2_put. */
struct builder *http2_pool_out(struct http2_pool *pool);
/* The time that deadlines are reckoned from: coarse will do. */
void http2_pool_set_time(struct http2_pool *pool, int64_t now_ms);

/* NULL: out of memory. The input begins with the preface. */
struct http2 *http2_new(struct http2_pool *pool, void *owner);
/* Its socket, -1 being none, and its limits_client: for the access log and the limits of addresses. */
void http2_set_client(struct http2 *session, int client, uint64_t client_address);
void http2_free(struct http2 *session);

/* How many octets of `in` it took: the rest, of a frame that is not whole, is to be given again with what comes after it.
 * What is wrong with them is said in what http2_put puts next. */
MUST_CHECK size_t http2_receive(struct http2 *session, struct bytes in);
/* Octets to send next into `out`, which is empty; none: all is said for now. */
void http2_put(struct http2 *session, struct builder *out);
/* False: http2_put would put nothing. */
bool http2_has_more(const struct http2 *session);
/* The same for several sessions (SERVICE_AHEAD at most), in one turn, their octets one behind the other: requests are
 * answered of which nothing stands in the way of any. What else each has to say, http2_put says afterwards. */
struct http2_part {
        struct http2 *session; /* http2_is_ready */
        size_t len;            /* result: octets in `out` that are its own */
        size_t n_held;         /* http2_answer.c's */
};
void http2_put_together(struct http2_part parts[], unsigned n, struct builder *out);
/* Requests are waiting to be answered, and nothing else is to be sent before. */
bool http2_is_ready(const struct http2 *session);
/* GOAWAY goes out with what is put next, and nothing is read any more; what is open is dropped. */
void http2_end(struct http2 *session);
/* No new streams; those that are open are answered, then the session is over. */
void http2_drain(struct http2 *session);
/* Call about once a second while http2_is_busy: streams that take too long end. */
void http2_tick(struct http2 *session);
bool http2_is_busy(const struct http2 *session);
/* Nothing will be read or sent any more. */
bool http2_is_over(const struct http2 *session);
/* Was a request answered since the last call? */
bool http2_take_progress(struct http2 *session);
