/* engine_fixture: a store, or a whole engine with an issuer, its certificates and a fake vault, in a folder that goes away.
 */
#pragma once

#include "fake_vault.h"
#include "signer/engine/engine.h"

struct fixture_store {
        char path[64];
        struct env *env;
};
void fixture_store_open(struct fixture_store *s);
void fixture_store_close(struct fixture_store *s);

#define N_RECORDS 200

struct fixture {
        char path[64], paths[8][128];
        struct conf conf;
        struct conf_issuer issuer;
        char *certificates[1];
        char *listen[1];
        EVP_PKEY *ca_key, *ocsp_key;
        struct fake_vault vault;
        struct engine engine;
        int worker, control; /* connected sockets */
        uint64_t last_id;
        bool hold; /* before fixture_start: the vault keeps the first question already */
        unsigned wanted_urgent; /* asked on the urgent socket when the question that is held has come there */
};

/* Certificates and configuration, which a test may change before fixture_start. */
void fixture_init(struct fixture *f);
void fixture_free(struct fixture *f);
/* For cmocka: an engine of N_RECORDS good records, started or to be started by the test. */
int fixture_set_up(void **state);
int fixture_set_up_unstarted(void **state);
int fixture_tear_down(void **state);
/* The engine, with `n` good records, serials 1..n. Waits until the token is up. */
void fixture_start(struct fixture *f, unsigned n_records);
void fixture_stop(struct fixture *f);
/* Runs the engine's loop until `is_true`; the test fails after 20 s. */
void fixture_run_until(struct fixture *f, bool (*is_true)(struct fixture *f));
/* Lets everything that is ready happen. */
void fixture_turn(struct fixture *f);

struct serial fixture_serial(unsigned i);
struct msg_sign_ask fixture_ask(struct fixture *f, unsigned i);
void fixture_send(struct fixture *f, const struct msg_sign_ask *ask);
/* The next answer to the worker; its response borrows from a static buffer. */
struct msg_sign_answer fixture_answer(struct fixture *f);
/* What the response says of its only serial; the signature is verified. */
struct ocsp_status fixture_read(struct fixture *f, struct bytes response);
/* Asks over the control socket for serials from..to to be revoked for keyCompromise. */
void fixture_revoke(struct fixture *f, unsigned from, unsigned to);
/* The same by another client's socket, and for another reason. */
void fixture_revoke_by(int control, unsigned from, unsigned to, enum reason reason);
/* The final packet of the question asked last. */
json_t *fixture_final(struct fixture *f);
struct status fixture_status(struct fixture *f, unsigned i);

/* ---- what tests wait for ---- */

/* Every one of the N_RECORDS has a signature. */
bool fixture_is_all_signed(struct fixture *f);
/* ... and nothing is under way in any lane. */
bool fixture_is_idle(struct fixture *f);

/* ---- in words ---- */

/* The vault has taken the question for that serial and keeps it. */
void fixture_hold_question(struct fixture *f, unsigned i);
/* Starts, and the first packets of the refresh are at the vault, which keeps them. */
void fixture_start_holding(struct fixture *f, unsigned n_records);
/* The final packet of the question asked last over the control socket says so. */
void fixture_assert_final(struct fixture *f, bool ok);
void fixture_revoke_list(struct fixture *f, unsigned from, unsigned to);
/* The next answer to the worker is signed, and says so. */
void fixture_assert_answer(struct fixture *f, enum ocsp_cert_status status);
/* The window as another process sees it: in a transaction begun now. */
struct window fixture_window(struct fixture *f, uint32_t id);
/* One more record under a CA key, by hand, in a transaction of the test's own: while nothing else is written. */
void fixture_add_record(struct fixture *f, uint32_t ca_key, unsigned i);
/* A restored backup: the store's epoch is another one. */
void fixture_begin_epoch(struct fixture *f);
/* The wall clock stands there, and the engine believes it. The end of the test lets it go again. */
void fixture_go_to(struct fixture *f, int64_t time_s);
