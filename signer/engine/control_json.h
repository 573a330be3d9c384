/* control_json: rows of the store as the control protocol shows them. */
#pragma once

#include "signer/engine/control.h"
#include "signer/engine/engine.h"
#include "store/crl_history.h"

/* Newest first; `max` 0: all. */
json_t *json_batches(struct engine *engine, struct txn *txn, unsigned max);
/* Of one issuer or (NULL) of all; `all`: the history too, not only the newest of each kind. */
json_t *json_crls(struct engine *engine, struct txn *txn, const struct issuer *only, bool all);
/* A Name for people: "CN=..., O=...". */
json_t *json_name(struct bytes name);
