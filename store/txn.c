/* txn: transactions, read turns and cursors over LMDB.
 *
 * A write transaction keeps one cursor a table for its life: LMDB looks at the cursor's own page first, so that rows in
 * order of key cost no search from the root. LMDB itself keeps open cursors right when pages split and merge.
 */
#include "store/txn.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/env_lmdb.h"

static MDB_val to_val(struct bytes b)
{
        return (MDB_val){b.len, (void *)(uintptr_t)b.data};
}

static struct bytes from_val(MDB_val v)
{
        return bytes_make(v.mv_data, v.mv_size);
}

/* ---- write transactions ---- */

static enum err begin_write(struct env *env, struct txn *txn)
{
        enum err e;

        if (!env->is_writer)
                return ERR_DENIED;
        if (env->io_failed)
                return ERR_IO;
        e = pin_rotate(env);
        if (e != OK)
                return e;
        env_reserve_if_low(env);
        return err_from_lmdb(mdb_txn_begin(env->lmdb, NULL, 0, &txn->lmdb));
}

static enum err begin(struct env *env, bool is_write, struct txn **ret_txn)
{
        _cleanup_free_
        struct txn *txn = calloc(1, sizeof(*txn));
        enum err e;

        if (!txn)
                return ERR_NOMEM;
        txn->env = env;
        txn->is_write = is_write;
        e = is_write ? begin_write(env, txn) : err_from_lmdb(env_renew(env, &txn->lmdb));
        if (e != OK) {
                if (!is_write)
                        mdb_txn_abort(txn->lmdb);
                return e;
        }
        *ret_txn = steal(&txn);
        return OK;
}

enum err txn_begin_write(struct env *env, struct txn **ret_txn)
{
        return begin(env, true, ret_txn);
}

enum err txn_begin_read(struct env *env, struct txn **ret_txn)
{
        return begin(env, false, ret_txn);
}

/* LMDB reports a write that the disk cut short as EIO without any call having failed; a real EIO leaves errno so. */
static enum err commit_error(struct env *env, int rc, int errnum)
{
        enum err e = err_from_lmdb(rc);

        if (rc == EIO && errnum != EIO && env_is_full(env))
                return ERR_NOSPC;
        if (e == ERR_IO)
                env->io_failed = true;
        return e;
}

static enum err commit(struct txn *txn)
{
        int rc;

        if (txn->err != OK) {
                mdb_txn_abort(txn->lmdb);
                return txn->err;
        }
        errno = 0;
        rc = mdb_txn_commit(txn->lmdb);
        return rc == 0 ? OK : commit_error(txn->env, rc, errno);
}

enum err txn_commit(struct txn *txn)
{
        enum err e = commit(txn);

        free(txn);
        return e;
}

void txn_abort(struct txn *txn)
{
        if (!txn || txn->is_turn)
                return;
        mdb_txn_abort(txn->lmdb);
        free(txn);
}

bool txn_failed(const struct txn *txn)
{
        return txn->err != OK;
}

void txn_fail(struct txn *txn, enum err err)
{
        if (txn->err == OK)
                txn->err = err;
}

bool txn_is_write(const struct txn *txn)
{
        return txn->is_write;
}

uint64_t txn_id(const struct txn *txn)
{
        return mdb_txn_id(txn->lmdb);
}

/* ---- read turns ---- */

/* While its snapshot is the newest commit, nothing of it can be overwritten: as good as a new one, whatever its age. It is
 * renewed now and then nevertheless, because an engine that died while it wrote a meta page may give the same id to another
 * commit later on: not sooner than ENV_PIN_MS after it began. */
static bool snapshot_is_newest(const struct txn *txn, int64_t now_ms)
{
        return now_ms - txn->renewed_ms < ENV_PIN_MS / 2 && mdb_txn_id(txn->lmdb) == env_newest_commit(txn->env);
}

static enum err renew_turn(struct env *env, struct txn *txn, int64_t now_ms)
{
        int rc;

        if (txn->lmdb)
                mdb_txn_reset(txn->lmdb);
        txn->renewed_ms = -ENV_PIN_MS;
        memset(txn->trees->are_there, 0, sizeof txn->trees->are_there);
        rc = env_renew(env, &txn->lmdb);
        if (rc != 0)
                return err_from_lmdb(rc);
        txn->renewed_ms = now_ms;
        return OK;
}

enum err txn_turn_begin(struct env *env, struct txn **ret_txn)
{
        struct txn *txn = &env->turn;
        /* The clock first: pin.c counts on the snapshot being the newest at this time or later. */
        int64_t now_ms = clock_mono_ms();
        enum err e = OK;

        atomic_thread_fence(memory_order_seq_cst);
        if (env->is_writer)
                return ERR_DENIED;
        txn->env = env;
        txn->is_turn = true;
        if (!txn->lmdb || !snapshot_is_newest(txn, now_ms))
                e = renew_turn(env, txn, now_ms);
        if (e != OK)
                return e;
        txn->turn_ms = now_ms;
        *ret_txn = txn;
        return OK;
}

static bool turn_is_young(const struct txn *txn)
{
        /* Everything was read before the clock is. */
        atomic_thread_fence(memory_order_seq_cst);
        return clock_mono_ms() - txn->turn_ms <= ENV_PIN_MS / 2;
}

enum err txn_turn_end(struct txn *txn)
{
        return turn_is_young(txn) ? OK : ERR_STALE;
}

bool txn_is_sound(const struct txn *txn)
{
        return !txn->is_turn || turn_is_young(txn);
}

/* ---- rows ---- */

static MDB_cursor *kept_cursor(struct txn *txn, enum table table)
{
        if (txn->err == OK && !txn->cursors[table]) {
                int rc = mdb_cursor_open(txn->lmdb, txn->env->dbi[table], &txn->cursors[table]);

                if (rc != 0)
                        txn_fail(txn, err_from_lmdb(rc));
        }
        return txn->err == OK ? txn->cursors[table] : NULL;
}

/* LMDB trusts its pages. So it is not asked in a turn that took too long, whose pages may be another commit's by now; from one that did
 * not, it has as long again. */
static enum err get_by_lmdb(struct txn *txn, enum table table, struct bytes key, struct bytes *ret_value)
{
        MDB_val k = to_val(key), v;
        MDB_cursor *cursor = txn->is_write ? kept_cursor(txn, table) : NULL;
        int rc;

        if (!txn_is_sound(txn))
                return ERR_STALE;
        if (txn->is_write && !cursor)
                return txn->err;
        rc = cursor ? mdb_cursor_get(cursor, &k, &v, MDB_SET_KEY) : mdb_get(txn->lmdb, txn->env->dbi[table], &k, &v);
        if (rc != 0)
                return err_from_lmdb(rc);
        *ret_value = from_val(v);
        return OK;
}

/* An engine with a larger map may have committed pages that ours ends before. */
static uint64_t count_pages(const MDB_envinfo *info, uint32_t page_size)
{
        uint64_t used = info->me_last_pgno + 1, mapped = info->me_mapsize / page_size;

        return used < mapped ? used : mapped;
}

/* The table's row under its name, as this snapshot has it, and where its pages lie. */
static enum err load_tree(struct txn *txn, enum table table)
{
        MDB_val k = to_val(bytes_str(schema_table_name(table))), v;
        MDB_envinfo info;
        MDB_stat stat;

        if (!txn_is_sound(txn))
                return ERR_STALE;
        if (mdb_env_info(txn->env->lmdb, &info) != 0 || mdb_env_stat(txn->env->lmdb, &stat) != 0)
                return ERR_UNSUPPORTED;
        if (mdb_get(txn->lmdb, txn->env->names, &k, &v) != 0)
                return ERR_UNSUPPORTED;
        return tree_init(&txn->trees->of[table], count_pages(&info, stat.ms_psize), stat.ms_psize, from_val(v));
}

static const struct tree *tree_of(struct txn *txn, enum table table)
{
        struct turn_trees *trees = txn->trees;

        if (!trees)
                return NULL;
        if (!trees->are_there[table])
                trees->are_there[table] = load_tree(txn, table) == OK;
        return trees->are_there[table] ? &trees->of[table] : NULL;
}

void txn_seek_begin(struct txn *txn, enum table table, struct bytes key, struct txn_seek *ret_seek)
{
        const struct tree *tree = tree_of(txn, table);

        ret_seek->table = table;
        if (tree) {
                tree_seek_begin(tree, key, &ret_seek->tree);
                return;
        }
        ret_seek->tree.key = key;
        ret_seek->tree.outcome = ERR_UNSUPPORTED;
}

enum err txn_seek_end(struct txn *txn, struct txn_seek *seek, struct bytes *ret_value)
{
        while (txn_seek_step(seek))
                ;
        if (seek->tree.outcome == ERR_UNSUPPORTED)
                return get_by_lmdb(txn, seek->table, seek->tree.key, ret_value);
        if (seek->tree.outcome == OK)
                *ret_value = seek->tree.value;
        return seek->tree.outcome;
}

enum err txn_get(struct txn *txn, enum table table, struct bytes key, struct bytes *ret_value)
{
        struct txn_seek seek;

        if (!txn->is_turn)
                return get_by_lmdb(txn, table, key, ret_value);
        txn_seek_begin(txn, table, key, &seek);
        return txn_seek_end(txn, &seek, ret_value);
}

/* NULL: the transaction failed, or fails now since it is not one that writes. */
static MDB_cursor *write_cursor(struct txn *txn, enum table table)
{
        if (!txn->is_write)
                txn_fail(txn, ERR_DENIED);
        return kept_cursor(txn, table);
}

uint8_t *txn_put_room(struct txn *txn, enum table table, struct bytes key, size_t len)
{
        MDB_val k = to_val(key), v = {len, NULL};
        MDB_cursor *cursor = write_cursor(txn, table);
        int rc;

        if (!cursor)
                return NULL;
        rc = mdb_cursor_put(cursor, &k, &v, MDB_RESERVE);
        if (rc != 0) {
                txn_fail(txn, err_from_lmdb(rc));
                return NULL;
        }
        return v.mv_data;
}

void txn_put(struct txn *txn, enum table table, struct bytes key, struct bytes value)
{
        uint8_t *room = txn_put_room(txn, table, key, value.len);

        if (room && value.len > 0)
                memcpy(room, value.data, value.len);
}

void txn_delete(struct txn *txn, enum table table, struct bytes key)
{
        MDB_val k = to_val(key);
        MDB_cursor *cursor = write_cursor(txn, table);
        int rc;

        if (!cursor)
                return;
        rc = mdb_cursor_get(cursor, &k, NULL, MDB_SET);
        if (rc == 0)
                rc = mdb_cursor_del(cursor, 0);
        if (rc != 0 && rc != MDB_NOTFOUND)
                txn_fail(txn, err_from_lmdb(rc));
}

uint64_t txn_count(struct txn *txn, enum table table)
{
        MDB_stat stat;

        return mdb_stat(txn->lmdb, txn->env->dbi[table], &stat) == 0 ? stat.ms_entries : 0;
}

/* ---- cursors ---- */

static bool begins_with(struct bytes key, struct bytes prefix)
{
        return key.len >= prefix.len && bytes_equal(bytes_make(key.data, prefix.len), prefix);
}

enum err cursor_open(struct cursor *ret, struct txn *txn, enum table table, struct bytes prefix, struct bytes from)
{
        struct bytes start = from.len > 0 ? from : prefix;
        MDB_cursor *mdb;
        MDB_val k = to_val(start), v;
        int rc;

        if (!txn_is_sound(txn))
                return ERR_STALE;
        if (prefix.len > KEY_MAX)
                return ERR_RANGE;
        rc = mdb_cursor_open(txn->lmdb, txn->env->dbi[table], &mdb);
        if (rc != 0)
                return err_from_lmdb(rc);
        rc = mdb_cursor_get(mdb, &k, &v, start.len > 0 ? MDB_SET_RANGE : MDB_FIRST);
        if (rc != 0 && rc != MDB_NOTFOUND) {
                mdb_cursor_close(mdb);
                return err_from_lmdb(rc);
        }
        *ret = (struct cursor){.mdb = mdb, .ended = rc == MDB_NOTFOUND};
        if (prefix.len > 0)
                memcpy(ret->prefix_memory, prefix.data, prefix.len);
        ret->prefix_len = prefix.len;
        return OK;
}

static enum err current_row(struct cursor *c, MDB_cursor_op op, struct bytes *ret_key, struct bytes *ret_value)
{
        MDB_val k, v;
        int rc = mdb_cursor_get(c->mdb, &k, &v, op);

        if (rc != 0)
                return err_from_lmdb(rc);
        if (!begins_with(from_val(k), bytes_make(c->prefix_memory, c->prefix_len)))
                return ERR_NOT_FOUND;
        *ret_key = from_val(k);
        *ret_value = from_val(v);
        return OK;
}

enum err cursor_next(struct cursor *c, struct bytes *ret_key, struct bytes *ret_value)
{
        enum err e = ERR_NOT_FOUND;

        if (!c->ended)
                e = current_row(c, c->started ? MDB_NEXT : MDB_GET_CURRENT, ret_key, ret_value);
        c->started = true;
        c->ended = e != OK;
        return e;
}

enum err cursor_back(struct cursor *c, struct bytes *ret_key, struct bytes *ret_value)
{
        return current_row(c, MDB_PREV, ret_key, ret_value);
}

/* The first key after all that begin with the prefix; false: there is none. */
static bool prefix_end(const struct cursor *c, struct key *ret_end)
{
        struct key end = {.len = (uint8_t)c->prefix_len};

        memcpy(end.data, c->prefix_memory, c->prefix_len);
        while (end.len > 0 && end.data[end.len - 1] == 0xff)
                end.len--;
        if (end.len == 0)
                return false;
        end.data[end.len - 1]++;
        *ret_end = end;
        return true;
}

enum err cursor_last(struct cursor *c, struct bytes *ret_key, struct bytes *ret_value)
{
        struct key end;
        MDB_val k, v;
        int rc = MDB_NOTFOUND;

        if (prefix_end(c, &end)) {
                k = to_val(key_bytes(&end));
                rc = mdb_cursor_get(c->mdb, &k, &v, MDB_SET_RANGE);
        }
        if (rc != 0 && rc != MDB_NOTFOUND)
                return err_from_lmdb(rc);
        c->started = true;
        c->ended = false;
        return current_row(c, rc == 0 ? MDB_PREV : MDB_LAST, ret_key, ret_value);
}

void cursor_close(struct cursor *c)
{
        if (c->mdb)
                mdb_cursor_close(c->mdb);
        c->mdb = NULL;
}
