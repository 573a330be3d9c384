/* The list of a tree's upper levels: whatever its keys have in common, and however deep it is, a search that begins at the list finds what
 * LMDB finds, on the same pages, and is never left to LMDB. */
#include "store_helper.h"

#include "store/env_lmdb.h"

#define TABLE TABLE_CERTINFO
#define LONG_KEY 480 /* six or seven to a page, so that few rows make a deep tree */

/* Of which half are put into the table. */
static uint64_t mix(uint64_t i)
{
        i = (i ^ (i >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        i = (i ^ (i >> 27)) * UINT64_C(0x94d049bb133111eb);
        return i ^ (i >> 31);
}

static uint64_t at_random(uint32_t i)
{
        return mix(i + 1);
}

/* Serials one after another have their first octets in common, and so much of the key is a CA's. */
static uint64_t in_sequence(uint32_t i)
{
        return i % 64 == 0 ? mix(i) : UINT64_C(0x0000000710000000);
}

static uint64_t half_in_sequence(uint32_t i)
{
        return i % 4 < 2 ? mix(i) : UINT64_C(0x7000000010000000);
}

/* Runs of some pages each, the first of them at 0, the last at the end of all. */
static uint64_t in_runs(uint32_t i)
{
        static const uint64_t heads[] = {0, 1, UINT64_C(1) << 32, (UINT64_C(1) << 63) - 1, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};

        return heads[mix(i / 2) % (sizeof heads / sizeof heads[0])];
}

static const struct shape {
        const char *name;
        uint64_t (*head)(uint32_t i);
        uint32_t n_rows;
        size_t key_len, value_len; /* key_len 0: of five to twelve octets */
        unsigned depth, level;     /* of the tree, of its list */
} SHAPES[] = {
        {"one row", at_random, 1, 20, 40, 1, 1},
        {"a page", at_random, 30, 20, 40, 1, 1},
        {"random", at_random, 2000, 20, 40, 2, 2},
        {"sequence", in_sequence, 2000, 20, 40, 2, 2},
        {"half a sequence", half_in_sequence, 2000, 20, 40, 2, 2},
        {"runs", in_runs, 2000, 20, 40, 2, 2},
        {"random, deep", at_random, 1500, LONG_KEY, 1400, 5, 5},
        {"sequence, deep", in_sequence, 1000, LONG_KEY, 1400, 5, 5},
        {"half a sequence, deep", half_in_sequence, 1000, LONG_KEY, 1400, 5, 5},
        {"runs, deep", in_runs, 1000, LONG_KEY, 1400, 5, 5},
        {"random, less deep", at_random, 300, LONG_KEY, 1400, 4, 4},
        {"sequence, less deep", in_sequence, 60, LONG_KEY, 1400, 3, 3},
        {"runs, less deep", in_runs, 60, LONG_KEY, 1400, 3, 3},
        {"too many pages", at_random, 3500, LONG_KEY, 1400, 5, 4},
        {"too many pages, sequence", in_sequence, 3500, LONG_KEY, 1400, 6, 5},
        {"too many pages, runs", in_runs, 1500, LONG_KEY, 1400, 5, 4},
        {"about eight octets", at_random, 2000, 0, 40, 2, 1},
        {"about eight octets, runs", in_runs, 2000, 0, 40, 2, 2},
};

struct probe {
        uint8_t data[LONG_KEY + 1];
        size_t len;
};

static struct probe key_of(const struct shape *shape, uint32_t i)
{
        struct probe p = {.len = shape->key_len > 0 ? shape->key_len : 5 + mix(i) % 8};
        struct builder b = builder_fixed(p.data, sizeof p.data);

        builder_put_u64(&b, shape->head(i));
        builder_put_u32(&b, i);
        return p;
}

static void put_rows(struct store *s, const struct shape *shape)
{
        static const uint8_t value[1400];
        struct txn *txn = store_begin(s);

        for (uint32_t i = 0; i < 2 * shape->n_rows; i += 2) {
                struct probe p = key_of(shape, i);

                txn_put(txn, TABLE, bytes_make(p.data, p.len), bytes_make(value, shape->value_len));
        }
        store_commit(txn);
}

/* All but one of `n` rows. */
static void delete_rows(struct store *s, const struct shape *shape, uint32_t n)
{
        struct txn *txn = store_begin(s);

        for (uint32_t i = 0; i < 2 * shape->n_rows; i += 2) {
                struct probe p = key_of(shape, i);

                if (n == 0 || mix(i) % n != 0)
                        txn_delete(txn, TABLE, bytes_make(p.data, p.len));
        }
        store_commit(txn);
}

static struct txn *turn(struct env *reader)
{
        struct txn *txn = NULL;

        while (txn_turn_begin(reader, &txn) != OK)
                ;
        return txn;
}

static void check_probe(const struct shape *shape, struct txn *txn, const struct probe *p, size_t len)
{
        uint8_t *exact = malloc(len); /* so that a sanitizer sees who reads more */
        MDB_val k = {len, exact}, v = {0, NULL};
        struct tree_seek seek;
        int rc;

        memcpy(exact, p->data, len);
        rc = mdb_get(txn->lmdb, txn->env->dbi[TABLE], &k, &v);
        tree_seek_begin(&txn->trees->of[TABLE], bytes_make(exact, len), &seek);
        while (tree_seek_step(&seek))
                ;
        if (seek.outcome != (rc == 0 ? OK : ERR_NOT_FOUND))
                fail_msg("%s: a key of %zu octets: %s, LMDB: %d", shape->name, len, err_text(seek.outcome), rc);
        if (rc == 0) {
                assert_ptr_equal(seek.value.data, v.mv_data);
                assert_int_equal(seek.value.len, v.mv_size);
        }
        free(exact);
}

/* Keys that are there, those between them, and such that begin like them. */
static void check_all(const struct shape *shape, struct txn *txn)
{
        for (uint32_t i = 0; i < 2 * shape->n_rows; i++) {
                struct probe p = key_of(shape, i);

                check_probe(shape, txn, &p, p.len);
                check_probe(shape, txn, &p, p.len - 1);
                check_probe(shape, txn, &p, p.len + 1);
                for (size_t len = 7; len <= 9; len++)
                        check_probe(shape, txn, &p, len);
                p.data[p.len - 1] ^= 0x80;
                check_probe(shape, txn, &p, p.len);
        }
}

static void check_list(const struct shape *shape, const struct tree *t)
{
        const struct tree_top *top = &t->top;

        assert_in_range(top->n, 1, TREE_TOP_MAX);
        assert_true(top->level <= t->depth || t->depth == 0);
        for (unsigned i = 2; i < top->n; i++)
                if (top->heads[i - 1] > top->heads[i])
                        fail_msg("%s: the list is out of order at %u of %u", shape->name, i, (unsigned)top->n);
}

/* Returns the tree, as the turn has it. */
static const struct tree *check_table(const struct shape *shape, struct env *reader)
{
        struct txn *txn = turn(reader);
        struct bytes value;

        assert_int_equal(txn_get(txn, TABLE, BYTES_LIT("none"), &value), ERR_NOT_FOUND);
        assert_true(txn->trees->are_there[TABLE]);
        check_list(shape, &txn->trees->of[TABLE]);
        check_all(shape, txn);
        return &txn->trees->of[TABLE];
}

static void a_tree_of_any_shape_is_searched_as_lmdb_does(void **state)
{
        struct store *s = *state;
        struct env *reader = store_reader(s);

        for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
                const struct shape *shape = &SHAPES[i];
                const struct tree *tree;

                put_rows(s, shape);
                tree = check_table(shape, reader);
                if (tree->depth != shape->depth || tree->top.level != shape->level)
                        fail_msg("%s: depth %u, list of level %u", shape->name, tree->depth, tree->top.level);
                for (uint32_t left = 2; left <= 512; left *= 16) {
                        delete_rows(s, shape, left);
                        check_table(shape, reader);
                }
                delete_rows(s, shape, 0);
                assert_int_equal(check_table(shape, reader)->depth, 0);
        }
        env_close(reader);
}

/* Half of the steps are saved so; that of a key which a page of the list begins like is not, for there the list does not tell. */
static void searches_begin_at_the_list(void **state)
{
        const struct shape *shape = &SHAPES[6];
        struct store *s = *state;
        struct env *reader = store_reader(s);
        const struct tree *tree;
        unsigned n_at_list = 0;

        put_rows(s, shape);
        tree = check_table(shape, reader);
        for (uint32_t i = 0; i < 2 * shape->n_rows; i++) {
                struct probe p = key_of(shape, i);
                struct tree_seek seek;

                tree_seek_begin(tree, bytes_make(p.data, p.len), &seek);
                n_at_list += seek.level == tree->top.level;
        }
        assert_int_equal(n_at_list, 2 * shape->n_rows - (tree->top.n - 1u));
        env_close(reader);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_tree_of_any_shape_is_searched_as_lmdb_does),
                CASE(searches_begin_at_the_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
