/* counts: the growth of two tables inside one transaction, added to a row of the job table. */
#include "signer/engine/counts.h"

#include <stdio.h>

#include "store/job.h"

#define NAME_LEN 32

static const char *row_name(uint32_t ca_key, char *name)
{
        snprintf(name, NAME_LEN, "counts/%u", ca_key);
        return name;
}

struct counts counts_before(struct txn *txn)
{
        return (struct counts){.records = txn_count(txn, TABLE_RECORD), .exceptions = txn_count(txn, TABLE_EXCEPTION)};
}

void counts_after(struct txn *txn, uint32_t ca_key, struct counts before)
{
        struct counts now = counts_before(txn), sum = counts_get(txn, ca_key);
        uint8_t memory[16];
        struct builder b = builder_fixed(memory, sizeof(memory));
        char name[NAME_LEN];

        if (now.records == before.records && now.exceptions == before.exceptions)
                return;
        builder_put_u64(&b, sum.records + now.records - before.records);
        builder_put_u64(&b, sum.exceptions + now.exceptions - before.exceptions);
        job_put(txn, row_name(ca_key, name), builder_bytes(&b));
}

struct counts counts_get(struct txn *txn, uint32_t ca_key)
{
        struct counts c = {0};
        struct bytes value;
        char name[NAME_LEN];

        if (job_get(txn, row_name(ca_key, name), &value) != OK || bytes_take_u64(&value, &c.records) != OK ||
                bytes_take_u64(&value, &c.exceptions) != OK)
                return (struct counts){0};
        return c;
}
