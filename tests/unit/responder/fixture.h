/* fixture: a small real store with an issuer whose key the test holds, a service and connections over it, and a named test double
 * of the engine on the sign socket. Everything in one process and one thread: `pump` lets the connections do what they can. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "responder/conn/conn.h"
#include "store/ca.h"
#include "store/status.h"

#define NOW 1795255200 /* Sat, 21 Nov 2026 10:00:00 GMT; the clock stands there */
#define LABEL "issuing"

struct fixture {
        char folder[64], sign_path[96], crl_path[96];
        struct env *writer, *reader;
        struct conf conf;
        struct conf_issuer issuer;
        struct event_base *base;
        struct service service;
        struct conn_pool pool;
        EVP_PKEY *key;
        struct builder spki, name, octets;
        struct ca_key ca_key;
        uint32_t ca, signer;
        int engine_listener, engine; /* the double: -1 while nobody has connected */
};

int fixture_set_up(void **state);
/* The monotonic clock stands at `now_ms` from now on, and the pool's timers are looked at. (The tests are linked with
 * --wrap=clock_mono_ms.) */
void fixture_at_ms(struct fixture *f, int64_t now_ms);
/* The same, and no timer is looked at: for what happens within a turn. */
void fixture_stand_at_ms(int64_t now_ms);
int fixture_tear_down(void **state);

/* ---- the store, as the engine writes it ---- */

/* A record without a signature. */
void fixture_import(struct fixture *f, const char *serial_hex);
/* Signs the serial's present status in a new window and puts the signature in its row. */
void fixture_sign(struct fixture *f, const char *serial_hex, int64_t this_update_s, int64_t next_update_s);
/* A record that is signed as good for a day. */
void fixture_import_good(struct fixture *f, const char *serial_hex);
void fixture_revoke(struct fixture *f, const char *serial_hex, int64_t now_s);
/* Stages a batch of one; *ret_batch is its id. Activating it is one more commit. */
uint32_t fixture_stage(struct fixture *f, const char *serial_hex);
void fixture_activate(struct fixture *f, uint32_t batch, int64_t now_s);
void fixture_disable_signer(struct fixture *f);

/* ---- requests and answers ---- */

struct asking {
        const char *serials[20]; /* hex; NULL-terminated */
        enum hash_alg hash;
        const char *nonce_hex; /* NULL = none */
        unsigned n_preferred;  /* signature algorithms; ecdsa-with-SHA1 goes before them all */
        enum sig_alg preferred[4];
        bool no_null;          /* AlgorithmIdentifier parameters absent */
        bool foreign;          /* another issuer's name hash */
        bool second_foreign;   /* ... in the second CertID only */
};
#define ASK(...) (&(struct asking){.serials = {__VA_ARGS__}})
/* OCSPRequest DER into `ret` (growing). */
void fixture_put_request(const struct fixture *f, struct builder *ret, const struct asking *a);
/* Whole HTTP requests. `fields` are further field lines. */
void fixture_put_post(const struct fixture *f, struct builder *ret, const struct asking *a, const char *fields);
void fixture_put_get(const struct fixture *f, struct builder *ret, const char *method, const struct asking *a, const char *fields);

/* An answer off the wire. */
struct reply {
        unsigned status;
        struct bytes head, body; /* borrow */
};
/* A client's end of a connection to the pool. */
struct client {
        struct fixture *f;
        int fd;
        struct builder received;
        size_t at; /* read so far */
        bool is_closed;
};
void client_open(struct client *c, struct fixture *f);
void client_close(struct client *c);
void client_send(struct client *c, struct bytes b);
void pump(struct fixture *f);
/* Pumps, and takes the next reply; false: none came. `is_head`: no body follows. */
bool client_take(struct client *c, bool is_head, struct reply *ret_reply);
/* One request, and its reply. `method` NULL: POST. */
struct reply client_ask(struct client *c, const struct asking *a, const char *method, const char *fields);
void client_post(struct client *c, const struct asking *a);
struct reply client_ask_text(struct client *c, const char *text);
/* The next reply says so. */
void client_expect(struct client *c, enum ocsp_cert_status want);
/* The value of a field of the reply, or empty. */
struct bytes reply_field(const struct reply *r, const char *name);
/* Parses the body, verifies the signature with the issuer's key, and gives the one status in it. */
struct ocsp_status reply_status(const struct fixture *f, const struct reply *r);
void assert_field(const struct reply *r, const char *name, const char *want);
void assert_ocsp_error(const struct reply *r, enum ocsp_response_status want);

/* ---- the double of the engine ---- */

/* Pumps, and takes the next question; false: none came. */
bool engine_take(struct fixture *f, struct msg_sign_ask *ret_ask);
/* The question that is asked for this client, who is told nothing yet. */
struct msg_sign_ask engine_expect(struct client *c);
void engine_send(struct fixture *f, const struct msg_sign_answer *answer);
/* Signs a status for each of the question's CertIDs, and answers with them and their generations. */
void engine_answer_each(struct fixture *f, const struct msg_sign_ask *ask, const struct ocsp_status statuses[],
        const uint32_t generations[], int64_t this_update_s);
/* The same status and generation for all. */
void engine_answer(struct fixture *f, const struct msg_sign_ask *ask, const struct ocsp_status *status, uint32_t generation,
        int64_t this_update_s);
void engine_refuse(struct fixture *f, const struct msg_sign_ask *ask, enum msg_outcome outcome);
