/* import: certificates come in. Never downgrades: what is revoked stays revoked, and a known serial keeps what is known of
 * it. */
#pragma once

#include "base/rowfile.h"
#include "store/txn.h"

enum import_effect {
        IMPORT_NEW,      /* a record was made */
        IMPORT_KNOWN,    /* nothing new */
        IMPORT_UPDATED,  /* a fact was added: notAfter, shard, certinfo */
        IMPORT_REVOKED,  /* a revocation was added (to a new or known serial) */
        IMPORT_CONFLICT, /* the same serial with another certificate: an alarm; nothing changed */
        IMPORT_KEPT,     /* the input says good or weaker, the store says revoked: kept revoked */
        IMPORT_EFFECT_N,
};
/* One row (checked by rowfile). Writes the event for revocations; `import_event` writes one for the whole import. */
MUST_CHECK enum err import_row(struct txn *txn, uint32_t ca_key, const struct rowfile_row *row, int64_t now_s,
        struct bytes actor, size_t reserve, enum import_effect *ret_effect);
