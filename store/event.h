/* event: every change of truth, in the transaction that made it: feeds delta CRLs and the audit log, later the outbox to
 * other machines. Hash-chained: each row ends with SHA-256 over the previous chain value and its own octets, so that a row
 * cut out or changed shows. */
#pragma once

#include "store/txn.h"

enum event_kind {
        EVENT_REVOKED = 1, /* good -> revoked, or held -> revoked */
        EVENT_HELD,
        EVENT_RELEASED,
        EVENT_UPGRADED, /* reason or date */
        EVENT_BATCH_STAGED,
        EVENT_BATCH_ACTIVE, /* batch: its items are the serials */
        EVENT_BATCH_DROPPED,
        EVENT_IMPORT, /* detail: counts */
        EVENT_CRL,    /* number published */
        EVENT_CA,     /* a CA, signer or key change; detail says what */
        EVENT_ENGINE, /* start, stop, epoch, clock; detail says what */
        EVENT_KIND_N,
};
const char *event_kind_text(enum event_kind kind);

struct event {
        uint64_t sequence;
        int64_t time_s;
        uint8_t kind;
        uint32_t ca_key;       /* 0 = none */
        struct bytes serial;   /* empty = none */
        uint32_t batch;        /* 0 = none */
        uint8_t before, after; /* reason << 2 | exception_status, 0 = good; after likewise */
        uint16_t shard;        /* the CRL shard of the serial */
        struct bytes actor;    /* "uid:0 (root)" */
        struct bytes detail;   /* UTF-8, for people */
        uint8_t chain[32];
};

/* Appends; sequence and chain are filled here. Returns the sequence. */
uint64_t event_put(struct txn *txn, const struct event *event);
MUST_CHECK enum err event_get(struct txn *txn, uint64_t sequence, struct event *ret_event);
/* 0 in an empty store. */
uint64_t event_last(struct txn *txn);
/* Walks the chain of [from, to]; ERR_CORRUPT and the first bad sequence. */
MUST_CHECK enum err event_verify(struct txn *txn, uint64_t from, uint64_t to, uint64_t *ret_bad);
