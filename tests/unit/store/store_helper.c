/* store_helper: see store_helper.h. */
#include "store_helper.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

void store_path(struct store *s)
{
        struct stat st;
        const char *base = stat("/dev/shm", &st) == 0 && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

        snprintf(s->path, sizeof(s->path), "%s/tocsin-store-XXXXXX", base);
        assert_non_null(mkdtemp(s->path));
}

struct env_config store_config(const struct store *s)
{
        return (struct env_config){.path = s->path, .map_size = UINT64_C(1) << 30};
}

int store_setup(void **state)
{
        struct store *s = calloc(1, sizeof(*s));
        struct env_config config;

        assert_non_null(s);
        store_path(s);
        config = store_config(s);
        assert_int_equal(env_open_writer(&config, &s->env, NULL), OK);
        *state = s;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st, (void)type, (void)ftw;
        return remove(path);
}

int store_teardown(void **state)
{
        struct store *s = *state;

        env_close(s->env);
        nftw(s->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        free(s);
        return 0;
}

void store_reopen(struct store *s)
{
        struct env_config config = store_config(s);

        env_close(s->env);
        s->env = NULL;
        assert_int_equal(env_open_writer(&config, &s->env, NULL), OK);
}

struct env *store_reader(const struct store *s)
{
        struct env_config config = store_config(s);
        struct env *env;

        assert_int_equal(env_open_reader(&config, &env, NULL), OK);
        return env;
}

struct txn *store_begin(struct store *s)
{
        struct txn *txn;

        assert_int_equal(txn_begin_write(s->env, &txn), OK);
        return txn;
}

struct txn *store_read(struct store *s)
{
        struct txn *txn;

        assert_int_equal(txn_begin_read(s->env, &txn), OK);
        return txn;
}

void store_commit(struct txn *txn)
{
        assert_int_equal(txn_commit(txn), OK);
}

struct bytes serial(uint32_t i)
{
        static uint8_t memory[8][4];
        static unsigned next;
        uint8_t *at = memory[next++ % 8];

        at[0] = 0x10;
        at[1] = (uint8_t)(i >> 16);
        at[2] = (uint8_t)(i >> 8);
        at[3] = (uint8_t)i;
        return bytes_make(at, 4);
}

void store_add(struct store *s, uint32_t from, uint32_t n, uint16_t shard)
{
        struct record record = {.not_after = T0 + 86400 * 90, .shard = shard};
        struct txn *txn = store_begin(s);

        for (uint32_t i = from; i < from + n; i++)
                record_put(txn, CA, serial(i), &record, RESERVE);
        store_commit(txn);
}

enum revocation_effect store_revoke(struct store *s, uint32_t i, enum reason reason, uint32_t revoked_at, int64_t now_s)
{
        struct revocation r = {.ca_key = CA, .serial = serial(i), .reason = reason, .revoked_at = revoked_at};
        enum revocation_effect effect;
        struct txn *txn = store_begin(s);

        assert_int_equal(revocation_apply(txn, &r, now_s, ACTOR, RESERVE, &effect), OK);
        store_commit(txn);
        return effect;
}

void store_release(struct store *s, uint32_t i, int64_t now_s)
{
        struct txn *txn = store_begin(s);

        assert_int_equal(revocation_release(txn, CA, serial(i), now_s, ACTOR, RESERVE), OK);
        store_commit(txn);
}

uint32_t store_batch(struct store *s)
{
        struct batch batch = {
                .ca_key = CA, .created_at = T0, .actor = ACTOR, .incident = BYTES_LIT("INC-1"), .digest = {1, 2, 3}};
        struct txn *txn = store_begin(s);
        uint32_t id = batch_put(txn, &batch);

        assert_int_not_equal(id, 0);
        store_commit(txn);
        return id;
}

enum revocation_effect store_stage(struct store *s, uint32_t batch, uint32_t i, enum reason reason)
{
        struct revocation r = {.ca_key = CA, .serial = serial(i), .reason = reason};
        enum revocation_effect effect;
        struct txn *txn = store_begin(s);

        assert_int_equal(batch_stage(txn, batch, &r, RESERVE, &effect), OK);
        store_commit(txn);
        return effect;
}

void store_activate(struct store *s, uint32_t batch, int64_t now_s)
{
        struct txn *txn = store_begin(s);

        assert_int_equal(batch_activate(txn, batch, now_s, ACTOR, RESERVE), OK);
        store_commit(txn);
}

/* The signature still points into the store's map: good until the next commits. */
struct status store_status(struct store *s, uint32_t i)
{
        struct txn *txn = store_read(s);
        struct status status;

        assert_int_equal(status_get(txn, CA, serial(i), &status), OK);
        txn_abort(txn);
        return status;
}

struct batch store_get_batch(struct store *s, uint32_t id)
{
        struct txn *txn = store_read(s);
        struct batch batch;

        assert_int_equal(batch_get(txn, id, &batch), OK);
        txn_abort(txn);
        return batch;
}

uint32_t store_window(struct store *s, int64_t this_update_s, int64_t next_update_s)
{
        struct window w = {
                .ca_key = CA,
                .signer = 1,
                .epoch = 1,
                .this_update_s = this_update_s,
                .next_update_s = next_update_s,
                .produced_at_s = this_update_s,
                .template = {.sig_alg = SIG_P256_SHA256, .responder = BYTES_LIT("responder"), .certs = BYTES_LIT("certs")},
        };
        struct txn *txn = store_begin(s);
        uint32_t id = window_put(txn, &w);

        assert_int_not_equal(id, 0);
        store_commit(txn);
        return id;
}

enum err store_sign(struct store *s, uint32_t i, uint32_t generation, uint32_t window, uint8_t fill)
{
        uint8_t raw[64];
        struct txn *txn = store_begin(s);
        struct window w;
        enum err e;

        memset(raw, fill, sizeof(raw));
        assert_int_equal(window_get(txn, window, &w), OK);
        e = status_sign(txn, CA, serial(i), generation, &w, BYTES_OF(raw));
        store_commit(txn);
        return e;
}

static void print_finding(void *arg, const char *text)
{
        (void)arg;
        print_message("contradiction: %s\n", text);
}

uint64_t store_contradictions(struct txn *txn)
{
        uint64_t n;

        assert_int_equal(store_check(txn, print_finding, NULL, &n), OK);
        return n;
}

void store_assert_clean(struct store *s)
{
        struct txn *txn = store_read(s);
        uint64_t n = store_contradictions(txn);

        txn_abort(txn);
        assert_int_equal(n, 0);
}
