/* crl_plan: looks back through the history of one (CA key, shard). */
#include "signer/engine/crl_plan.h"

#include "store/event.h"

int64_t crl_plan_next_full(struct txn *txn, uint32_t ca_key, uint16_t shard, int64_t period_s, int64_t now_s)
{
        struct crl_row row;

        if (crl_current(txn, ca_key, shard, false, &row) != OK || (int64_t)row.next_update <= now_s)
                return 0;
        return row.this_update + period_s;
}

int64_t crl_plan_next_delta(struct txn *txn, uint32_t ca_key, uint16_t shard, int64_t period_s, int64_t now_s)
{
        struct crl_row row;

        if (crl_current(txn, ca_key, shard, true, &row) != OK || (int64_t)row.next_update <= now_s)
                return 0;
        return row.this_update + period_s;
}

static uint64_t covered_event(struct txn *txn, uint32_t ca_key, uint16_t shard)
{
        uint64_t covered = 0;
        struct crl_row row;

        for (unsigned is_delta = 0; is_delta < 2; is_delta++)
                if (crl_current(txn, ca_key, shard, is_delta, &row) == OK && row.event > covered)
                        covered = row.event;
        return covered;
}

static bool changes_status(uint8_t kind)
{
        return kind == EVENT_REVOKED || kind == EVENT_HELD || kind == EVENT_RELEASED || kind == EVENT_UPGRADED ||
               kind == EVENT_BATCH_ACTIVE;
}

/* Asked after each CRL and at the start: more events than this without a CRL mean that one is due anyway. */
#define EVENTS_LOOKED_AT 10000

bool crl_plan_is_behind(struct txn *txn, uint32_t ca_key, uint16_t shard)
{
        uint64_t covered = covered_event(txn, ca_key, shard), last = event_last(txn);
        struct event event;

        if (last > covered + EVENTS_LOOKED_AT)
                return true;
        for (uint64_t at = covered + 1; at <= last; at++)
                if (event_get(txn, at, &event) == OK && event.ca_key == ca_key && changes_status(event.kind) &&
                        (event.shard == shard || event.kind == EVENT_BATCH_ACTIVE))
                        return true;
        return false;
}

enum err crl_plan_base(struct txn *txn, uint32_t ca_key, uint16_t shard, int64_t now_s, struct crl_row *ret_row)
{
        uint64_t position = UINT64_MAX, oldest = 0;
        bool found = false;
        struct crl_row row;

        /* Newest first, past those that ran out: where crl.validity was made shorter, an older one outlives them. A delta
         * names the oldest that could be held when it was made, so that the walk need go no further back. */
        while (crl_before(txn, ca_key, shard, &position, &row) == OK && row.number >= oldest) {
                if (row.is_delta && row.base > oldest)
                        oldest = row.base;
                if (row.is_delta || row.state != CRL_PUBLISHED || (int64_t)row.next_update <= now_s)
                        continue;
                *ret_row = row;
                found = true;
        }
        return found ? OK : ERR_NOT_FOUND;
}
