/* store_helper: a store of its own for each test, and short words for what tests do with it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/batch.h"
#include "store/check.h"
#include "store/crl_entry.h"
#include "store/env.h"
#include "store/event.h"
#include "store/exception.h"
#include "store/import.h"
#include "store/meta.h"
#include "store/record.h"
#include "store/status.h"
#include "store/txn.h"
#include "store/window.h"

#define T0 1800000000
#define CA 7
#define RESERVE 64
#define ACTOR BYTES_LIT("uid:0 (test)")

struct store {
        char path[64];
        struct env *env;
};

/* A folder in memory where there is one: an fsync a commit would be minutes. */
void store_path(struct store *s);
struct env_config store_config(const struct store *s);
int store_setup(void **state);
int store_teardown(void **state);
void store_reopen(struct store *s);
struct env *store_reader(const struct store *s);

struct txn *store_begin(struct store *s);
struct txn *store_read(struct store *s);
void store_commit(struct txn *txn);

/* Serials 0x10000000 + i: in order of i. The memory is one of a few static ones. */
struct bytes serial(uint32_t i);
/* Good records, serials from..from+n-1. */
void store_add(struct store *s, uint32_t from, uint32_t n, uint16_t shard);
enum revocation_effect store_revoke(struct store *s, uint32_t i, enum reason reason, uint32_t revoked_at, int64_t now_s);
void store_release(struct store *s, uint32_t i, int64_t now_s);
uint32_t store_batch(struct store *s);
enum revocation_effect store_stage(struct store *s, uint32_t batch, uint32_t i, enum reason reason);
void store_activate(struct store *s, uint32_t batch, int64_t now_s);
struct status store_status(struct store *s, uint32_t i);
struct batch store_get_batch(struct store *s, uint32_t id);
uint32_t store_window(struct store *s, int64_t this_update_s, int64_t next_update_s);
enum err store_sign(struct store *s, uint32_t i, uint32_t generation, uint32_t window, uint8_t fill);

/* Contradictions in a snapshot: printed. */
uint64_t store_contradictions(struct txn *txn);
void store_assert_clean(struct store *s);
