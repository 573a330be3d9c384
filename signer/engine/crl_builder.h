/* crl_builder: makes CRLs, one (issuer, shard) at a time: reserves the number (committed), writes the bytes to be signed to
 * a file of its own from one snapshot, has the vault sign them, puts the file together, checks its signature, renames it,
 * and publishes it in the store. A number that was reserved is never used for anything else. The long steps run on their own
 * thread.
 */
#pragma once

#include "signer/engine/issuer.h"
#include "signer/engine/task.h"
#include "signer/engine/vault_client.h"

struct engine;

enum crl_kinds { CRL_FULL = 1, CRL_DELTA = 2, CRL_BOTH = 3 };

struct crl_order {
        struct issuer *issuer;
        uint16_t shard;
        unsigned kinds;                           /* of enum crl_kinds */
        void (*done)(void *arg, enum err result); /* or NULL: only the schedule is told */
        void *arg;
        struct crl_order *next;
};

struct crl_builder {
        struct crl_order *orders, **last;
        struct crl_work *work; /* under way */
};

void crl_builder_init(struct engine *engine);
void crl_builder_done(struct engine *engine);
/* Queues it. `done` (may be NULL) is told how it went. */
MUST_CHECK enum err crl_order(struct engine *engine, struct issuer *issuer, uint16_t shard, unsigned kinds,
        void (*done)(void *arg, enum err result), void *arg);
bool crl_is_ordered(const struct engine *engine, const struct issuer *issuer, uint16_t shard);
/* Begins the next order, if none is under way and the token is there. */
void crl_builder_pump(struct engine *engine);
