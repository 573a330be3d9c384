/* bulk: keeps every session of the token busy. Sources, in this order: serials wanted soon (single revocations), the items
 * of active batches in key order, refresh slices. Packets of up to BULK_PACKET serials are read, built and sent in one go;
 * their signatures go to the write-back. Main thread; nothing here allocates for a signature.
 */
#pragma once

#include "signer/engine/lane_stats.h"
#include "signer/engine/open_window.h"
#include "signer/engine/vault_client.h"
#include "store/schema.h"

#define BULK_PACKET 32
#define BULK_PACKETS_MAX 256
/* Packets under way for each session: one being signed, and some waiting, for a main thread that is busy for a few ms. */
#define BULK_PACKETS_A_SESSION 4
#define BULK_WANTED_MAX 1024

struct bulk_item {
        struct serial serial;
        uint32_t generation;
};

struct bulk_packet {
        struct vault_call call;
        struct engine *engine;
        struct bulk_packet *next;
        struct open_window *window; /* a reference */
        struct slice *slice;        /* that it came from, or NULL */
        unsigned n;
        struct bulk_item items[BULK_PACKET];
};

struct bulk_batch { /* an active batch with items not signed yet */
        uint32_t id, ca_key;
        struct key at;    /* the last item looked at */
        uint32_t n_found; /* unsigned ones in this walk */
        int64_t activated_at_s;
        int64_t rest_until_ms; /* after a walk */
        bool ended;            /* this walk */
        struct bulk_batch *next;
};

struct bulk {
        struct bulk_packet *packets, *free;
        struct bulk_batch *batches;
        struct {
                uint32_t ca_key;
                struct serial serial;
        } wanted[BULK_WANTED_MAX];
        unsigned wanted_at, wanted_n;
        struct lane_stats stats;
        bool feeding;
};

MUST_CHECK enum err bulk_start(struct engine *engine);
void bulk_stop(struct engine *engine);
/* Sends what fits, for 2 ms at most. */
void bulk_feed(struct engine *engine);
/* Looks for active batches that are not signed yet: at the start and after an activation. */
void bulk_find_batches(struct engine *engine);
void bulk_want(struct engine *engine, struct issuer *issuer, struct bytes serial);
/* The write-back took some: what waited for it goes on. */
void bulk_written_back(struct engine *engine);
