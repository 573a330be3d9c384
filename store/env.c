/* env: opening, reserving, closing. Why readers without a lock are safe stands in env.h, and in pin.c. */
#include "store/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/env_lmdb.h"

#define MAX_READERS 256
#define RENEW_TRIES 1000
#define RESERVE_RETRY_MS 1000

enum open_mode { OPEN_WRITER, OPEN_READER, OPEN_OFFLINE };

static const struct {
        int rc;
        enum err err;
} lmdb_errors[] = {
        {MDB_SUCCESS, OK},
        {MDB_NOTFOUND, ERR_NOT_FOUND},
        {MDB_KEYEXIST, ERR_EXISTS},
        {MDB_MAP_FULL, ERR_NOSPC},
        {MDB_TXN_FULL, ERR_RANGE},
        {MDB_BAD_VALSIZE, ERR_RANGE},
        {MDB_VERSION_MISMATCH, ERR_VERSION},
        {MDB_INVALID, ERR_CORRUPT},
        {MDB_CORRUPTED, ERR_CORRUPT},
        {MDB_PAGE_NOTFOUND, ERR_CORRUPT},
        {MDB_INCOMPATIBLE, ERR_CORRUPT},
        {MDB_MAP_RESIZED, ERR_RANGE},
        {MDB_READERS_FULL, ERR_BUSY},
        {MDB_PANIC, ERR_IO},
};

enum err err_from_lmdb(int rc)
{
        for (size_t i = 0; i < sizeof(lmdb_errors) / sizeof(lmdb_errors[0]); i++) {
                if (lmdb_errors[i].rc == rc)
                        return lmdb_errors[i].err;
        }
        return rc > 0 ? err_from_errno(rc) : ERR_IO;
}

uint64_t env_newest_commit(struct env *env)
{
        MDB_envinfo info;

        /* The compiler must not move reads of the map across: LMDB is another translation unit, the CPU's loads are in
         * order. */
        return mdb_env_info(env->lmdb, &info) == 0 ? info.me_last_txnid : 0;
}

static int begin_or_renew(struct env *env, MDB_txn **txn)
{
        return *txn == NULL ? mdb_txn_begin(env->lmdb, NULL, MDB_RDONLY, txn) : mdb_txn_renew(*txn);
}

/* Commit n writes the meta page of commit n - 2. So while the newest commit is still the one we began at, the page that was
 * copied was not being overwritten. The id is the last field the writer's pwrite fills; the second renewal reads the others
 * again after it was seen, in case the stores of that one copy became visible in another order. */
int env_renew(struct env *env, MDB_txn **txn)
{
        for (int i = 0; i < RENEW_TRIES; i++) {
                int rc = begin_or_renew(env, txn);

                if (rc == 0) {
                        mdb_txn_reset(*txn);
                        rc = mdb_txn_renew(*txn);
                }
                if (rc != 0)
                        return rc;
                if (env->is_writer || env_newest_commit(env) == mdb_txn_id(*txn))
                        return 0;
                mdb_txn_reset(*txn);
        }
        return EAGAIN;
}

/* ---- tables and version ---- */

static int open_table(struct env *env, MDB_txn *txn, enum table table, unsigned flags)
{
        return mdb_dbi_open(txn, schema_table_name(table), flags, &env->dbi[table]);
}

static int put_u32(struct env *env, MDB_txn *txn, const char *name, uint32_t value)
{
        uint8_t memory[4];
        struct builder b = builder_fixed(memory, sizeof(memory));
        MDB_val k = {strlen(name), (void *)(uintptr_t)name}, v = {sizeof(memory), memory};

        builder_put_u32(&b, value);
        return mdb_put(txn, env->dbi[TABLE_META], &k, &v, 0);
}

static enum err check_version(struct env *env, MDB_txn *txn, unsigned *ret_version)
{
        MDB_val k = {strlen(SCHEMA_META_VERSION), (void *)(uintptr_t)SCHEMA_META_VERSION}, v;
        struct bytes value;
        uint32_t version;

        if (mdb_get(txn, env->dbi[TABLE_META], &k, &v) != 0)
                return ERR_CORRUPT;
        value = bytes_make(v.mv_data, v.mv_size);
        if (bytes_take_u32(&value, &version) != OK)
                return ERR_CORRUPT;
        if (ret_version)
                *ret_version = version;
        return version == SCHEMA_VERSION ? OK : ERR_VERSION;
}

/* The version first: a newer schema may lack one of our tables. */
static enum err open_tables_in(struct env *env, MDB_txn *txn, unsigned *ret_version)
{
        int rc = open_table(env, txn, TABLE_META, 0);
        enum err e;

        if (rc == 0)
                rc = mdb_dbi_open(txn, NULL, 0, &env->names);
        if (rc != 0)
                return err_from_lmdb(rc);
        e = check_version(env, txn, ret_version);
        for (unsigned t = TABLE_META + 1; e == OK && t < TABLE_N; t++)
                e = open_table(env, txn, t, 0) == 0 ? OK : ERR_CORRUPT;
        return e;
}

/* The handles outlive the transaction only if it commits. */
static enum err open_tables(struct env *env, unsigned *ret_version)
{
        MDB_txn *txn = NULL;
        int rc = env_renew(env, &txn);
        enum err e;

        if (rc != 0)
                return err_from_lmdb(rc);
        e = open_tables_in(env, txn, ret_version);
        if (e != OK) {
                mdb_txn_abort(txn);
                return e;
        }
        return err_from_lmdb(mdb_txn_commit(txn));
}

static int make_tables_in(struct env *env, MDB_txn *txn)
{
        int rc = 0;

        for (unsigned t = 0; rc == 0 && t < TABLE_N; t++)
                rc = open_table(env, txn, t, MDB_CREATE);
        if (rc == 0)
                rc = put_u32(env, txn, SCHEMA_META_VERSION, SCHEMA_VERSION);
        if (rc == 0)
                rc = put_u32(env, txn, SCHEMA_META_EPOCH, 1);
        return rc;
}

static enum err make_tables(struct env *env)
{
        MDB_txn *txn;
        int rc = mdb_txn_begin(env->lmdb, NULL, 0, &txn);

        if (rc != 0)
                return err_from_lmdb(rc);
        rc = make_tables_in(env, txn);
        if (rc != 0) {
                mdb_txn_abort(txn);
                return err_from_lmdb(rc);
        }
        return err_from_lmdb(mdb_txn_commit(txn));
}

/* ---- opening ---- */

static enum err open_in_folder(const char *folder, const char *name, int flags, mode_t mode, int *ret_fd)
{
        char path[4096];
        int fd;

        if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
                return ERR_RANGE;
        fd = open(path, flags | O_CLOEXEC, mode);
        if (fd < 0)
                return err_from_errno(errno);
        *ret_fd = fd;
        return OK;
}

static enum err take_lock(struct env *env, const char *folder)
{
        enum err e = open_in_folder(folder, "engine.lock", O_RDWR | O_CREAT, 0600, &env->lock_fd);

        if (e != OK)
                return e;
        if (flock(env->lock_fd, LOCK_EX | LOCK_NB) != 0)
                return errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
        return OK;
}

/* Read-ahead helps the writer's walks until the store outgrows memory; then it reads what nobody asked for. */
static bool outgrows_memory(const char *folder)
{
        uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
        char path[4096];
        struct stat st;

        snprintf(path, sizeof(path), "%s/data.mdb", folder);
        return stat(path, &st) == 0 && (uint64_t)st.st_size > memory / 2;
}

static unsigned lmdb_flags(const char *folder, enum open_mode mode)
{
        if (mode != OPEN_WRITER)
                return MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD;
        return MDB_NOTLS | (outgrows_memory(folder) ? MDB_NORDAHEAD : 0);
}

static enum err open_lmdb(struct env *env, const struct env_config *config, enum open_mode mode)
{
        mdb_filehandle_t fd;
        int rc = mdb_env_create(&env->lmdb);

        if (rc == 0)
                rc = mdb_env_set_maxdbs(env->lmdb, TABLE_N);
        if (rc == 0)
                rc = mdb_env_set_maxreaders(env->lmdb, MAX_READERS);
        if (rc == 0 && config->map_size > 0)
                rc = mdb_env_set_mapsize(env->lmdb, config->map_size);
        if (rc == 0)
                rc = mdb_env_open(env->lmdb, config->path, lmdb_flags(config->path, mode), 0640);
        if (rc != 0)
                return err_from_lmdb(rc);
        /* LMDB leaves this one open over an exec. */
        if (mdb_env_get_fd(env->lmdb, &fd) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
                return ERR_IO;
        return OK;
}

static enum err hide_lock_file(const char *folder)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/lock.mdb", folder);
        return chmod(path, 0600) == 0 ? OK : err_from_errno(errno);
}

static struct env *env_new(void)
{
        struct env *env = calloc(1, sizeof(*env));

        if (env)
                env->lock_fd = env->data_fd = -1;
        return env;
}

void env_close(struct env *env)
{
        if (!env)
                return;
        pin_close_all(env);
        mdb_txn_abort(env->turn.lmdb);
        free(env->turn.trees);
        if (env->lmdb)
                mdb_env_close(env->lmdb);
        cleanup_close(&env->data_fd);
        cleanup_close(&env->lock_fd);
        free(env);
}

static void env_closep(struct env **env)
{
        env_close(*env);
}

/* A reader of a new store cannot have begun before its tables were there, so nothing needs to wait then. */
static enum err start_writing(struct env *env, bool is_new)
{
        enum err e = pin_open(env);

        if (e == OK)
                env->first_write_ms = env->pins[0].opened_ms + (is_new ? 0 : ENV_PIN_MS);
        return e;
}

static enum err open_writer(struct env *env, const struct env_config *config, unsigned *ret_version)
{
        bool is_new = false;
        enum err e;

        env->is_writer = true;
        env->reserve = config->reserve;
        if (mkdir(config->path, 0750) != 0 && errno != EEXIST)
                return err_from_errno(errno);
        e = take_lock(env, config->path);
        if (e == OK)
                e = open_lmdb(env, config, OPEN_WRITER);
        if (e == OK)
                e = hide_lock_file(config->path);
        if (e == OK)
                e = open_in_folder(config->path, "data.mdb", O_RDWR, 0, &env->data_fd);
        if (e == OK)
                e = open_tables(env, ret_version);
        if (e == ERR_NOT_FOUND) {
                is_new = true;
                e = make_tables(env);
        }
        if (e != OK)
                return e;
        env_reserve_if_low(env);
        return start_writing(env, is_new);
}

enum err env_open_writer(const struct env_config *config, struct env **ret_env, unsigned *ret_version)
{
        _cleanup_(env_closep) struct env *env = env_new();
        enum err e;

        if (!env)
                return ERR_NOMEM;
        e = open_writer(env, config, ret_version);
        if (e != OK)
                return e;
        *ret_env = steal(&env);
        return OK;
}

static enum err open_read_only(
        const struct env_config *config, enum open_mode mode, struct env **ret_env, unsigned *ret_version)
{
        _cleanup_(env_closep) struct env *env = env_new();
        enum err e = OK;

        if (!env)
                return ERR_NOMEM;
        env->turn.trees = calloc(1, sizeof *env->turn.trees);
        if (!env->turn.trees)
                return ERR_NOMEM;
        if (mode == OPEN_OFFLINE)
                e = take_lock(env, config->path);
        if (e == OK)
                e = open_lmdb(env, config, mode);
        if (e == OK)
                e = open_tables(env, ret_version);
        if (e != OK)
                return e;
        *ret_env = steal(&env);
        return OK;
}

enum err env_open_reader(const struct env_config *config, struct env **ret_env, unsigned *ret_version)
{
        return open_read_only(config, OPEN_READER, ret_env, ret_version);
}

enum err env_open_offline(const struct env_config *config, struct env **ret_env, unsigned *ret_version)
{
        return open_read_only(config, OPEN_OFFLINE, ret_env, ret_version);
}

/* ---- space ---- */

static uint64_t used_bytes(struct env *env)
{
        MDB_envinfo info;
        MDB_stat stat;

        if (mdb_env_info(env->lmdb, &info) != 0 || mdb_env_stat(env->lmdb, &stat) != 0)
                return 0;
        return (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
}

void env_get_space(struct env *env, struct env_space *ret_space)
{
        struct env_space space = {.used = used_bytes(env)};
        struct statvfs fs;
        struct stat st;
        mdb_filehandle_t fd;

        if (mdb_env_get_fd(env->lmdb, &fd) == 0 && fstat(fd, &st) == 0)
                space.file = (uint64_t)st.st_blocks * 512;
        if (fstatvfs(fd, &fs) == 0)
                space.disk_free = (uint64_t)fs.f_bavail * fs.f_frsize;
        *ret_space = space;
}

/* Not posix_fallocate: where the file system has no fallocate, glibc writes into the file itself, beside LMDB. A longer file
 * is nothing to LMDB: its end is in the meta page. From 0, since pages that were freed before they were ever written are
 * holes. */
enum err env_reserve(struct env *env)
{
        int rc;

        if (env->reserve == 0 || env->data_fd < 0)
                return OK;
        do {
                rc = fallocate(env->data_fd, 0, 0, (off_t)(used_bytes(env) + env->reserve));
        } while (rc != 0 && errno == EINTR);
        if (rc == 0)
                return OK;
        return errno == EOPNOTSUPP ? ERR_UNSUPPORTED : err_from_errno(errno);
}

void env_reserve_if_low(struct env *env)
{
        struct env_space space;

        if (env->reserve == 0)
                return;
        env_get_space(env, &space);
        if (space.file >= space.used + env->reserve / 2)
                return;
        /* A disk that is full now is full in the next millisecond too. */
        if (env->reserve_tried_ms != 0 && clock_mono_ms() - env->reserve_tried_ms < RESERVE_RETRY_MS)
                return;
        env->reserve_tried_ms = env_reserve(env) == OK ? 0 : clock_mono_ms();
}

bool env_is_full(struct env *env)
{
        struct env_space space;

        env_get_space(env, &space);
        return space.disk_free < (UINT64_C(1) << 20);
}
