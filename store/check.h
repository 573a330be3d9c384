/* check: does the store contradict itself? For `tocsin check`, and for the tests that kill the engine at random points. */
#pragma once

#include <stdint.h>

#include "store/txn.h"

/* Walks every table in one snapshot and calls `found` with a sentence for each contradiction; *ret_n counts them. Takes as
 * long as the store is large: a read transaction, not a turn, unless nobody writes. */
MUST_CHECK enum err store_check(struct txn *txn, void (*found)(void *arg, const char *text), void *arg, uint64_t *ret_n);
