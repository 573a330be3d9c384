/* crl_recover: one transaction over the newest CRLs of every issuer and shard. */
#include "signer/engine/crl_recover.h"

#include "base/log.h"
#include "signer/engine/engine.h"
#include "store/crl_history.h"

static unsigned fail_reserved(struct txn *txn, uint32_t ca_key, uint16_t shard)
{
        uint64_t position = UINT64_MAX;
        struct crl_row row;
        unsigned n = 0;

        /* Reserved ones can only be the newest. */
        while (crl_before(txn, ca_key, shard, &position, &row) == OK && row.state != CRL_PUBLISHED) {
                if (row.state != CRL_RESERVED && row.state != CRL_SIGNED)
                        continue;
                row.state = CRL_FAILED;
                row.file = BYTES_NONE;
                crl_put(txn, ca_key, shard, &row);
                n++;
        }
        return n;
}

static enum err recover_work(struct task *task, struct txn *txn)
{
        struct engine *e = task_owner(task, struct crl_recover, task)->engine;
        unsigned n = 0;

        for (unsigned i = 0; i < e->issuers->n; i++) {
                const struct issuer *is = &e->issuers->items[i];

                for (unsigned shard = 0; is->ca_key != 0 && shard <= is->conf->crl_shards; shard++)
                        n += fail_reserved(txn, is->ca_key, (uint16_t)shard);
        }
        if (n > 0)
                log_warning("CRLs were being made when the engine ended: their numbers are given up n=%u", n);
        return OK;
}

enum err crl_recover(struct engine *e)
{
        e->crl_recover = (struct crl_recover){.task = {.priority = TASK_TRUTH, .work = recover_work}, .engine = e};
        writer_submit(&e->writer, &e->crl_recover.task);
        return OK;
}
