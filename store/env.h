/* env: the LMDB environment, opened in one of two ways.
 *
 *  - writer: the engine, the only process that writes. flock on `engine.lock` keeps a second one out (ERR_BUSY).
 *  - reader: a worker. MDB_RDONLY | MDB_NOLOCK: it cannot write a page and never opens lock.mdb.
 *
 * Why a reader without a lock is safe. LMDB reuses a page only when no registered reader can still see it. Workers are not
 * registered, so the engine keeps *pins*: read transactions of its own, rotated so that the oldest is always a snapshot that
 * was still current ENV_PIN_MS ago. Hence no page freed in the last ENV_PIN_MS is reused. A worker takes the clock when a
 * read turn begins, and throws the turn's results away (ERR_STALE) if it took longer than ENV_PIN_MS / 2. After a start the
 * writer waits ENV_PIN_MS before its first commit, for the pins that died with its predecessor. A reader also compares the
 * newest committed transaction id with its own just after it began: only then was the meta page it copied not being
 * overwritten meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define ENV_PIN_MS 500

struct env;

struct env_config {
        const char *path;  /* folder; made (0750) if new by the writer */
        uint64_t map_size; /* bytes of address space */
        uint64_t reserve;  /* writer: bytes to keep allocated beyond what is used */
};

/* Makes the tables in a new store. ERR_VERSION: another schema (*ret_version says which; may be NULL). ERR_BUSY: another
 * engine. */
MUST_CHECK enum err env_open_writer(const struct env_config *config, struct env **ret_env, unsigned *ret_version);
MUST_CHECK enum err env_open_reader(const struct env_config *config, struct env **ret_env, unsigned *ret_version);
/* For `tocsin check` on a store whose engine is down: takes the writer's lock (ERR_BUSY: it is not down), writes nothing. */
MUST_CHECK enum err env_open_offline(const struct env_config *config, struct env **ret_env, unsigned *ret_version);
void env_close(struct env *env);

struct env_space {
        uint64_t used;      /* bytes of pages in use or on the free list */
        uint64_t file;      /* allocated size of data.mdb */
        uint64_t disk_free; /* bytes the file system still has for us */
};
void env_get_space(struct env *env, struct env_space *ret_space);
/* Allocates the reserve anew (txn_begin_write does when half of it is used). ERR_NOSPC: it cannot be had: bulk and batches
 * stop, single revocations go on in what is left of it. A transaction larger than the reserve can eat all of it: bulk
 * commits less at once. ERR_UNSUPPORTED: the file system has no fallocate. */
MUST_CHECK enum err env_reserve(struct env *env);

/* The id of the newest commit; cheap, callable in both modes. */
uint64_t env_newest_commit(struct env *env);
