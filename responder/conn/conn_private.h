/* conn_private: one connection, for the files that make it up.
 *
 *   conn.c        what it waits for: events, timers, reading; the pool
 *   conn_group.c  many that became readable at once
 *   conn_send.c   transport: plain or TLS; what the socket does not take is kept
 *   conn_http1.c  protocol: one exchange after another
 *   conn_http2.c  protocol: a session of streams (http2.h)
 *
 * A protocol is given octets and may send; it never frees the connection. Whoever handled an event ends with conn_settle, which may. */
#pragma once

#include <event2/event_struct.h>
#include <stddef.h>
#include <sys/types.h>

#include "responder/answer/parked.h"
#include "responder/conn/conn.h"
#include "responder/conn/tls.h"
#include "responder/http/exchange.h"
#include "responder/http/http2.h"

#define CONN_IN_SIZE (32 * 1024)
/* Connections that are answered together; what is read of each at once. */
#define CONN_GROUP SERVICE_AHEAD
#define CONN_GROUP_IN (8 * 1024)
/* One connection's share of the loop while it is sent a file. */
#define CONN_FILE_SHARE (1024 * 1024)

struct conn {
        struct conn_pool *pool;
        struct conn *next, *previous;
        struct event event;
        struct timer timer;
        struct tls *tls;     /* NULL: cleartext */
        struct http2 *http2; /* NULL: HTTP/1 */
        struct parked parked; /* HTTP/1: the request that waits for a signature */
        struct sign_slot sign;
        struct http1_state http1;
        uint64_t client; /* limits_client */
        int fd;
        uint8_t timer_kind;
        uint8_t group_place; /* 0: in none; else the place behind the one in its group */
        uint8_t wants; /* EV_READ, EV_WRITE, both or neither */
        bool is_new;       /* nothing is known of its protocol yet */
        bool is_broken;    /* the socket failed, or its end was read */
        bool is_closing;   /* ends once everything is sent */
        bool must_linger;  /* ... and its client may still be sending */
        bool is_lingering;
        bool has_progress; /* since the timer was set last: a request was answered, or an answer taken */
        bool has_more;     /* its share of this round is used up: go on as soon as the socket can be written */
        size_t n_sent;     /* since the timer was set last */
        uint8_t *in;       /* a request that is not whole, or waits; NULL = none */
        size_t in_len, in_cap;
        uint8_t *out;      /* what the socket did not take; NULL = none */
        size_t out_len, out_at;
        struct crl_file *file; /* HTTP/1: after `out` */
        uint64_t file_offset, file_left;
};

static inline bool conn_is_blocked(const struct conn *c)
{
        return c->out || c->file;
}

/* HTTP/1: nothing is read behind a request that waits. */
static inline bool conn_is_parked(const struct conn *c)
{
        return c->parked.waiter.question != NULL;
}

/* `c` may be gone afterwards. */
void conn_settle(struct conn *c);
/* What was not used of the input is kept for the next time. */
void conn_keep_input(struct conn *c, struct bytes rest);

/* ---- conn_send.c ---- */

/* Like recv: 0 at the end, -1 with errno. */
ssize_t conn_receive(struct conn *c, void *ret_data, size_t cap);
void conn_send(struct conn *c, struct bytes b);
/* Whoever is closed for not taking its answer does not get the rest: see conn_send.c. */
void conn_drop_unsent(struct conn *c);
/* What was kept, then the file, as far as the socket takes it. */
void conn_flush(struct conn *c);
void conn_flush_file(struct conn *c);

/* ---- conn_group.c ---- */

struct conn_group *conn_group_new(struct conn_pool *pool);
void conn_group_free(struct conn_group *group);
/* A readable one, cleartext, whose protocol is known, that holds no input and waits for nothing. */
void conn_group_join(struct conn_group *group, struct conn *c);
void conn_group_leave(struct conn_group *group, struct conn *c);

/* ---- the protocols ---- */

/* Answers what can be answered of `in`, which may be the pool's buffer or the connection's own; keeps the rest. */
void conn_http1_serve(struct conn *c, struct bytes in);
/* For CONN_GROUP connections at most, of one pool. */
void conn_http1_serve_all(struct conn *conns[], const struct bytes ins[], unsigned n);
/* The engine's answer; NULL: refused. */
void conn_http1_resume(struct parked *parked, const struct msg_sign_answer *answer);

/* A new cleartext connection: does it begin with the preface of HTTP/2 (RFC 9113 3.4)? OK; ERR_AGAIN: so far; ERR_INVALID: no. */
MUST_CHECK enum err conn_http2_detect(struct bytes in);
/* Makes it one of HTTP/2. */
void conn_http2_begin(struct conn *c);
void conn_http2_serve(struct conn *c, struct bytes in);
/* For CONN_GROUP connections at most, of one pool. */
void conn_http2_serve_all(struct conn *conns[], const struct bytes ins[], unsigned n);
/* An answer of the engine came for a stream of the connection. */
void conn_http2_on_resumed(void *owner);
