/* conn: the connections of one worker. A connection reads, lets its protocol answer, writes; never blocks. Cleartext begins as HTTP/1
 * unless its first octets are HTTP/2's preface; with TLS the client has chosen.
 *
 *  - What is read goes to a buffer of the worker's, and answers are rendered in another; a connection has memory of its own only
 *    for a request that is not whole, or for an answer that the socket did not take. Idle ones cost next to nothing.
 *  - Connections that are readable at the same time are answered in one turn.
 *  - While an answer is not taken, or a request waits for a signature, nothing more is read.
 *  - A timeout runs from the event that started it (a request's first octet, an answer's first) and is not put off by single octets.
 */
#pragma once

#include <event2/event.h>

#include "responder/answer/service.h"
#include "responder/answer/sign_client.h"
#include "responder/conn/timer_wheel.h"

struct conn;
struct conn_group;
struct tls_context;
struct http2_pool;

struct conn_pool {
        struct event_base *base;
        struct service *service;
        struct sign_client *sign;
        struct http2_pool *http2;
        struct timer_wheel wheel;
        struct conn_group *group;
        uint8_t *in_memory;
        int64_t settled_ms; /* monotonic: the time for timers while many are settled at once; 0: it is looked at */
        struct conn *first, *last; /* all, newest first */
        unsigned n_open;
        bool is_draining;
        struct limits *limits; /* of addresses; the worker's, or NULL */
        uint64_t opening;      /* limits_client of the connection that is opened next; it leaves when it ends */
        void (*on_close)(void *data); /* after one has ended; may be NULL */
        void *data;
};

/* Makes the sign client, too. `base` and `service` are the caller's. */
MUST_CHECK enum err conn_pool_init(struct conn_pool *ret_pool, struct event_base *base, struct service *service);
/* Ends all connections at once. */
void conn_pool_done(struct conn_pool *pool);
/* Takes the socket (non-blocking), whatever happens. */
MUST_CHECK enum err conn_open(struct conn_pool *pool, int fd);
MUST_CHECK enum err conn_open_tls(struct conn_pool *pool, int fd, struct tls_context *context);
/* From now on each connection ends with its next answer; an idle one waits for its next request as before. */
void conn_pool_retire(struct conn_pool *pool);
/* From now on each connection ends with the answer to what it has sent so far. */
void conn_pool_drain(struct conn_pool *pool);
/* Ends one of the oldest connections, if nothing is under way on it and nothing of its client waits to be read. False: all are at work. */
bool conn_pool_make_room(struct conn_pool *pool);
/* Call a few times a second. */
void conn_pool_tick(struct conn_pool *pool, int64_t now_ms);
