/* ca_table: a worker's copy of the store's CAs and signers, joined with the configuration's policies. Rows change seldom; the
 * copy is made anew when the store's generation says so. One thread. */
#pragma once

#include "base/conf.h"
#include "pki/ca_key.h"
#include "pki/sig_alg.h"
#include "store/txn.h"

struct ca_entry {
        struct ca_key key;
        const struct conf_issuer *conf; /* NULL: in the store but not in the configuration; nothing is answered for it */
        enum sig_alg sig_alg;           /* of the answers that are signed now; SIG_N: none are */
        struct bytes label;
        struct bytes certificate; /* DER */
        struct bytes ski;         /* what the AKI of its certificates says; may be empty */
        uint8_t certificate_digest[HASH_LEN_MAX]; /* SHA-256 */
        struct bytes heads[HASH_N]; /* a CertID up to its serial: what a window's template holds */
        struct builder memory[HASH_N + 3]; /* what the above borrow from */
};

struct ca_table;

/* `conf` is kept. NULL: out of memory. */
struct ca_table *ca_table_new(const struct conf *conf);
void ca_table_free(struct ca_table *table);
/* Reads the rows again if the store's generation moved on. After a failure the table is empty. */
MUST_CHECK enum err ca_table_refresh(struct ca_table *table, struct txn *txn);
/* Forgets everything: it was read in a turn that turned out stale. */
void ca_table_clear(struct ca_table *table);

/* The CA of a CertID, or NULL. */
const struct ca_entry *ca_table_find(const struct ca_table *table, enum hash_alg alg, struct bytes name_hash, struct bytes key_hash);
const struct ca_entry *ca_table_find_label(const struct ca_table *table, struct bytes label);
/* The first behind `after` (NULL: of all) with that identifier, or NULL at the end. */
const struct ca_entry *ca_table_next_ski(const struct ca_table *table, struct bytes ski, const struct ca_entry *after);
/* Are answers of that signer still served? */
bool ca_table_signer_enabled(const struct ca_table *table, uint32_t signer);
