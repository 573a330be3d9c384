/* schema: the tables, their keys, and the version of their layout. The one list: a table is a row in schema.c.
 *
 * Integers in keys are big-endian so that LMDB's byte order is their order. Values have an explicit encoding (each table's
 * .c has its put and take side by side): record and exception a packed little-endian head, the others big-endian. Times are
 * u32 Unix seconds, 0 = none. Every value of a table opens with what the hot path needs. A later version may append to a
 * value; readers ignore what they do not know.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "pki/serial.h"

#define SCHEMA_VERSION 1
/* The two meta rows that the opening of a store itself reads or makes. */
#define SCHEMA_META_VERSION "schema"
#define SCHEMA_META_EPOCH "epoch"

enum table {
        TABLE_META,        /* name -> value: schema version, store epoch, time high-water mark, next ids */
        TABLE_CA,          /* CA key id -> name, key, hashes, certificates, label */
        TABLE_SIGNER,      /* signer id -> CA key, certificate, algorithm, when disabled */
        TABLE_WINDOW,      /* window id -> template and times */
        TABLE_RECORD,      /* CA key, serial -> the population */
        TABLE_EXCEPTION,   /* CA key, serial -> whatever is not plainly good */
        TABLE_BATCH,       /* batch id -> state, times, reason, counts, digest */
        TABLE_ITEM,        /* batch id, CA key, serial -> progress of one serial (the ledger) */
        TABLE_CRL_ENTRY,   /* CA key, shard, serial -> what a full CRL lists, in order */
        TABLE_EVENT,       /* sequence -> who changed what, hash-chained */
        TABLE_CRL_HISTORY, /* CA key, shard, number -> a CRL reserved, signed, published */
        TABLE_CERTINFO,    /* CA key, serial -> cold facts (pki/certinfo.h) */
        TABLE_JOB,         /* name -> what the engine keeps there (job.h) */
        TABLE_N,
};

const char *schema_table_name(enum table table);

/* A key in memory of its own. */
#define KEY_MAX 40
struct key {
        uint8_t len;
        uint8_t data[KEY_MAX];
};
static inline struct bytes key_bytes(const struct key *k)
{
        return (struct bytes){k->data, k->len};
}
struct key key_id(uint32_t id);
struct key key_serial(uint32_t ca_key, struct bytes serial); /* record, exception, certinfo */
struct key key_item(uint32_t batch, uint32_t ca_key, struct bytes serial);
/* Also in TABLE_ITEM, under batch 0, which no batch has: an index of a staged batch's deferred items, so that activation
 * finds them. */
struct key key_item_deferred(uint32_t batch, uint32_t ca_key, struct bytes serial);
struct key key_crl_entry(uint32_t ca_key, uint16_t shard, struct bytes serial);
struct key key_event(uint64_t sequence);
struct key key_crl_history(
        uint32_t ca_key, uint16_t shard, uint64_t number, bool is_delta); /* a full one sorts before a delta of its number */
/* The serial at the end of a key with `prefix_len` octets before it; ERR_CORRUPT. */
MUST_CHECK enum err key_take_serial(struct bytes key, size_t prefix_len, struct serial *ret_serial);
