/* job: named cursors that outlive the process: where a refresh walk, a staging, a bulk signing stands. */
#pragma once

#include "store/txn.h"

MUST_CHECK enum err job_get(struct txn *txn, const char *name, struct bytes *ret_value);
void job_put(struct txn *txn, const char *name, struct bytes value);
void job_delete(struct txn *txn, const char *name);
