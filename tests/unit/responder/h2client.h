/* h2client: the client's end of an HTTP/2 connection to the fixture's pool, by nghttp2 itself. */
#pragma once

#include "fixture.h"

#include <nghttp2/nghttp2.h>

#define H2_STREAMS 512
#define H2_FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct http2;

struct h2_stream {
        int32_t id;
        struct builder head, body; /* head: "name: value\r\n" each */
        bool is_closed;
        uint32_t code; /* when it is: why */
};

struct h2_client {
        struct fixture *f;
        int fd;
        nghttp2_session *session;
        struct h2_stream streams[H2_STREAMS]; /* number n has the id 2 n + 1 */
        struct h2_request {
                struct builder body;
                size_t at; /* sent so far */
        } requests[H2_STREAMS];
        unsigned n_streams;
        bool is_closed;    /* the server's end was read */
        unsigned n_goaways;
        uint32_t goaway_code;
        int32_t goaway_last;
        unsigned n_pings;
};

/* `initial_window`: of each stream; 65535 is usual. Windows open only by hand. */
void h2_open(struct h2_client *c, struct fixture *f, uint32_t initial_window);
void h2_close(struct h2_client *c);
/* What there is to say goes to the socket; the server does not look yet. */
void h2_flush(struct h2_client *c);
/* Both ends do what they can. */
void h2_pump(struct h2_client *c);
/* A request by its method, path and body (NULL: none), with further fields "name", "value", ..., NULL. Its number. */
unsigned h2_ask(struct h2_client *c, const char *method, const char *path, const struct builder *body, const char *const *fields);
/* Like h2_ask with no pseudo-field but those given. */
unsigned h2_ask_raw(struct h2_client *c, const struct builder *body, const char *const *fields);
unsigned h2_post(struct h2_client *c, const struct asking *a);
unsigned h2_get(struct h2_client *c, const char *method, const struct asking *a);
/* Pumps, and takes the answer as the fixture's reply, whose fields can be looked up; false: it is not whole. */
bool h2_take(struct h2_client *c, unsigned number, struct reply *ret_reply);

/* The answer, whole. */
struct reply h2_expect(struct h2_client *c, unsigned number);
void h2_assert_status(struct h2_client *c, unsigned number, enum ocsp_cert_status want);
/* Reset before the first octet of an answer. */
void h2_assert_reset(struct h2_client *c, unsigned number, uint32_t code);
/* The connection ended, and why. */
void h2_assert_ended(struct h2_client *c, uint32_t code);
/* The server's side of the connection opened last. */
struct http2 *h2_session_of(struct fixture *f);
