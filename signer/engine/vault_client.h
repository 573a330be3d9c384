/* vault_client: the engine's side of the vault: two sockets, what is under way on each, and getting a new vault when the old
 * one died, failed or hangs.
 *
 * Down -> asked (the supervisor starts one) -> opening (until it says that the token opened) -> up. Away from up, a new one
 * is asked for after a pause, which grows while the token fails and is short where only the process died. Sockets come new with each vault, so no late answer of an old one can arrive. Main
 * thread.
 *
 * After a reload a fresh vault takes over, since what the old one may sign was read from the old configuration: up ->
 * draining (what is under way is answered, nothing new is asked) -> asked -> opening -> up. On-demand questions wait
 * meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "signer/vault_msg.h"

struct engine;
struct event;

/* A signer whose key the token lacks is asked for again after this. */
#define VAULT_NO_KEY_REST_MS 30000

enum vault_state { VAULT_DOWN, VAULT_ASKED, VAULT_OPENING, VAULT_UP, VAULT_DRAINING };
enum vault_lane { VAULT_URGENT, VAULT_BULK, VAULT_LANES };

/* One packet under way, embedded in its owner. */
struct vault_call {
        uint64_t id;
        int64_t due_ms; /* monotonic: unanswered by then, the vault hangs */
        /* NULL: the vault went away, nothing is known to be signed. Otherwise the outcome is OK, REFUSED or NO_KEY. */
        void (*done)(struct vault_call *call, const struct vault_answer *answer);
        struct vault_call *next;
};

struct vault_client {
        enum vault_state state;
        int fds[VAULT_LANES];
        struct event *events[VAULT_LANES];
        struct event *channel, *timer;
        struct vault_call *calls[VAULT_LANES];
        unsigned n_calls[VAULT_LANES];
        uint64_t last_id;
        int64_t state_since_ms; /* monotonic */
        int64_t since_s;        /* wall: up or down since */
        int64_t retry_at_s;     /* wall; 0: not waiting */
        int64_t retry_at_ms;    /* monotonic */
        unsigned pause_ms;      /* before the next try */
        bool signed_since_up;
        bool renewing;    /* a fresh one takes over */
        bool renew_again; /* the one that is coming up may have read an older configuration still */
        char error[256];  /* why it is down */
};

MUST_CHECK enum err vault_client_start(struct engine *engine);
void vault_client_stop(struct engine *engine);
bool vault_is_up(const struct engine *engine);
/* Up, or about to be: worth waiting for. */
bool vault_is_coming(const struct engine *engine);
/* The configuration changed, or what stands in its files. */
void vault_renew(struct engine *engine);
/* Sends `question` (its id is filled in). ERR_AGAIN: the socket is full, ask again after an answer; ERR_TOKEN: away. On
 * failure `done` is not called. `timeout_ms` 0: the configured token timeout. */
MUST_CHECK enum err vault_ask(struct engine *engine, enum vault_lane lane, struct vault_call *call,
        struct vault_question *question, int fd, int64_t timeout_ms);

/* How the last vault ended. */
enum vault_end {
        VAULT_END_TOKEN,    /* the token failed, hangs or does not open: each try is a log-in, and none may help for long */
        VAULT_END_STARTING, /* the process died before the token was open, or could not be started */
        VAULT_END_RUNNING,  /* the process died with the token open, which speaks against the process alone */
};
/* The pause before the next try, after one of `pause_ms`: 0.5 s, doubling to 30 s, 4 s or not at all, by how it ended. */
unsigned vault_next_pause(unsigned pause_ms, enum vault_end end);
