/* job: what the engine must know again after a restart, by name: an issuer's counts, the URL its CRLs say they are of. */
#pragma once

#include "store/txn.h"

MUST_CHECK enum err job_get(struct txn *txn, const char *name, struct bytes *ret_value);
void job_put(struct txn *txn, const char *name, struct bytes value);
