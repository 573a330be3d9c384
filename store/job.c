/* job: rows by name; the value belongs to whoever named it. */
#include "store/job.h"

enum err job_get(struct txn *txn, const char *name, struct bytes *ret_value)
{
        return txn_get(txn, TABLE_JOB, bytes_str(name), ret_value);
}

void job_put(struct txn *txn, const char *name, struct bytes value)
{
        if (strlen(name) > KEY_MAX)
                txn_fail(txn, ERR_RANGE);
        txn_put(txn, TABLE_JOB, bytes_str(name), value);
}
