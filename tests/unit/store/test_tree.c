/* A turn's own search of LMDB's pages finds what LMDB finds, and never leaves the map, whatever stands in it. */
#include "store_helper.h"

#include "store/env_lmdb.h"

#define N_ROWS 5000u
#define PAGE 4096u

static uint32_t mix(uint32_t i)
{
        i = (i ^ 61) ^ (i >> 16);
        i *= 9;
        i ^= i >> 4;
        i *= 0x27d4eb2d;
        return i ^ (i >> 15);
}

/* The first eight octets tell much, and where all keys have as many, the upper levels of a tree are one list. */
static bool has_eight;
#define SHORT_ONE 3 /* but for one key, which no page begins with */

/* Keys of 4 or 8 octets and up to 7 more, with much in common, some the beginning of others. */
static struct key key_of(uint32_t i)
{
        struct key k = {0};
        struct builder b = builder_fixed(k.data, sizeof k.data);

        if (has_eight && i != SHORT_ONE)
                builder_put_u32(&b, mix(i + 5) % 3);
        builder_put_u32(&b, mix(i) % 1000);
        for (uint32_t n = i == SHORT_ONE ? 1 : mix(i + 77777) % 8; n > 0; n--)
                builder_put_u8(&b, (uint8_t)(mix(i * 8 + n) % 3));
        k.len = (uint8_t)b.len;
        return k;
}

/* Now and then one that LMDB puts on pages of its own, or none. */
static struct bytes value_of(uint32_t i, uint8_t memory[9000])
{
        size_t len = i % 97 == 0 ? 9000 : i % 13 == 0 ? 0 : 1 + mix(i) % 120;

        memset(memory, (int)(i & 0xff), len);
        return bytes_make(memory, len);
}

static void put_rows(struct store *s, uint32_t from, uint32_t n)
{
        struct txn *txn = store_begin(s);
        uint8_t memory[9000];

        for (uint32_t i = from; i < from + n; i++) {
                struct key k = key_of(i);

                txn_put(txn, TABLE_CERTINFO, key_bytes(&k), value_of(i, memory));
        }
        store_commit(txn);
}

static struct txn *turn(struct env *reader)
{
        struct txn *txn = NULL;
        enum err e = ERR_STALE;

        while (e == ERR_STALE)
                e = txn_turn_begin(reader, &txn);
        assert_int_equal(e, OK);
        return txn;
}

/* Every key of 0..2n-1, of which half are in the table: the turn says what a transaction of LMDB's says. Returns how many are there. */
static unsigned compare_all(struct store *s, struct env *reader, uint32_t n)
{
        struct txn *txn = turn(reader), *lmdb = store_read(s);
        unsigned n_found = 0;

        for (uint32_t i = 0; i < 2 * n; i++) {
                struct key k = key_of(i);
                struct bytes got = BYTES_NONE, want = BYTES_NONE;
                enum err e = txn_get(lmdb, TABLE_CERTINFO, key_bytes(&k), &want);

                assert_int_equal(txn_get(txn, TABLE_CERTINFO, key_bytes(&k), &got), e);
                assert_true(e == OK || e == ERR_NOT_FOUND);
                assert_true(bytes_equal(got, want));
                n_found += e == OK;
        }
        assert_true(txn->trees->are_there[TABLE_CERTINFO]);
        if (has_eight && n >= N_ROWS)
                assert_in_range(txn->trees->of[TABLE_CERTINFO].top.n, 50, TREE_TOP_MAX);
        txn_abort(lmdb);
        return n_found;
}

static void a_turn_finds_what_lmdb_finds(void **state)
{
        struct store *s = *state;
        struct env *reader = store_reader(s);

        assert_int_equal(compare_all(s, reader, 10), 0); /* an empty table */
        for (uint32_t n = 1; n < N_ROWS; n *= 6) {       /* one page, two levels, three */
                put_rows(s, 0, n);
                assert_true(compare_all(s, reader, n) >= n / 2);
        }
        put_rows(s, 0, N_ROWS);
        assert_true(compare_all(s, reader, N_ROWS) >= N_ROWS / 2);
        env_close(reader);
}

static void a_turn_finds_what_is_left_after_rows_were_deleted(void **state)
{
        struct store *s = *state;
        struct env *reader = store_reader(s);
        struct txn *txn;

        put_rows(s, 0, N_ROWS);
        txn = store_begin(s);
        for (uint32_t i = 0; i < N_ROWS; i++) {
                struct key k = key_of(i);

                if (mix(i) % 4 != 0)
                        txn_delete(txn, TABLE_CERTINFO, key_bytes(&k));
        }
        store_commit(txn);
        assert_true(compare_all(s, reader, N_ROWS) < N_ROWS / 2);
        env_close(reader);
}

/* With long rows there are so many pages that a list of them would be too long: it is of the level above. */
static void a_turn_finds_rows_on_more_pages_than_are_listed(void **state)
{
        enum { N = 3000, LEN = 1900 };
        static uint8_t value[LEN];
        struct store *s = *state;
        struct env *reader = store_reader(s);
        struct txn *txn = store_begin(s);
        const struct tree *tree;
        struct bytes got;
        struct key k;

        for (uint32_t i = 0; i < N; i++) {
                k = key_of(i);
                txn_put(txn, TABLE_CERTINFO, key_bytes(&k), BYTES_OF(value));
        }
        store_commit(txn);
        txn = turn(reader);
        for (uint32_t i = 0; i < N; i++) {
                k = key_of(i);
                assert_int_equal(txn_get(txn, TABLE_CERTINFO, key_bytes(&k), &got), OK);
                assert_int_equal(got.len, LEN);
        }
        tree = &txn->trees->of[TABLE_CERTINFO];
        assert_int_equal(tree->top.level + 1, tree->depth);
        assert_in_range(tree->top.n, 2, 200);
        env_close(reader);
}

/* Where an engine with a larger map commits meanwhile, what this one tells of the store's end is behind our map. */
static void no_page_behind_the_readers_map_counts(void **state)
{
        struct store *s = *state;
        struct env_config config = store_config(s);
        struct bytes value;
        struct env *reader;
        struct txn *txn;

        put_rows(s, 0, 10);
        config.map_size = 64 * PAGE;
        assert_int_equal(env_open_reader(&config, &reader, NULL), OK);
        txn = turn(reader);
        put_rows(s, 10, N_ROWS);
        assert_int_equal(txn_get(txn, TABLE_CERTINFO, BYTES_LIT("none"), &value), ERR_NOT_FOUND);
        assert_true(txn->trees->are_there[TABLE_CERTINFO]);
        assert_int_equal(txn->trees->of[TABLE_CERTINFO].n_pages, 64);
        env_close(reader);
}

/* Its pages are not where the last commit left them. */
static void a_transaction_that_is_no_turn_finds_what_it_wrote(void **state)
{
        struct store *s = *state;
        struct bytes key = BYTES_LIT("some key"), value;
        struct txn_seek seek;
        struct txn *txn;

        put_rows(s, 0, 100);
        store_reopen(s); /* one that has just made its tables does not know where they stand */
        txn = store_begin(s);
        txn_seek_begin(txn, TABLE_CERTINFO, key, &seek);
        assert_int_equal(txn_seek_end(txn, &seek, &value), ERR_NOT_FOUND);
        txn_put(txn, TABLE_CERTINFO, key, BYTES_LIT("value"));
        txn_seek_begin(txn, TABLE_CERTINFO, key, &seek);
        assert_int_equal(txn_seek_end(txn, &seek, &value), OK);
        assert_true(bytes_equal(value, BYTES_LIT("value")));
        store_commit(txn);
        txn = store_read(s);
        txn_seek_begin(txn, TABLE_CERTINFO, key, &seek);
        assert_int_equal(txn_seek_end(txn, &seek, &value), OK);
        txn_abort(txn);
}

/* All that are under way at once, each in memory of its own. */
static void searches_that_take_turns_find_what_one_finds(void **state)
{
        enum { TOGETHER = 37 };
        struct store *s = *state;
        struct env *reader = store_reader(s);
        struct txn_seek seeks[TOGETHER];
        struct key keys[TOGETHER];
        unsigned n_found = 0;
        struct txn *txn;

        put_rows(s, 0, N_ROWS);
        txn = turn(reader);
        for (uint32_t from = 0; from < 2 * N_ROWS; from += TOGETHER) {
                bool goes_on = true;

                for (uint32_t i = 0; i < TOGETHER; i++) {
                        keys[i] = key_of(from + i);
                        txn_seek_begin(txn, TABLE_CERTINFO, key_bytes(&keys[i]), &seeks[i]);
                }
                while (goes_on) {
                        goes_on = false;
                        for (uint32_t i = 0; i < TOGETHER; i++)
                                goes_on |= txn_seek_step(&seeks[i]);
                }
                for (uint32_t i = 0; i < TOGETHER; i++) {
                        struct bytes one = BYTES_NONE, two = BYTES_NONE;
                        enum err e = txn_get(txn, TABLE_CERTINFO, key_bytes(&keys[i]), &one);

                        assert_int_equal(txn_seek_end(txn, &seeks[i], &two), e);
                        assert_ptr_equal(one.data, two.data);
                        assert_int_equal(one.len, two.len);
                        n_found += e == OK;
                }
        }
        assert_true(n_found >= N_ROWS / 2 && n_found < 2 * N_ROWS);
        env_close(reader);
}

/* A leaf of one node, of just that key, somewhere in the page; its value may be said to be longer than the page. */
static void plant(uint8_t *page, const struct key *k, uint32_t noise)
{
        uint16_t head[4] = {0, 0, 0, k->len}, flags = 2, lower = 18, offset = (uint16_t)(18 + noise / 5000 % (PAGE - 18));
        uint32_t value_len = noise % 5000;

        memcpy(&page[10], &flags, 2);
        memcpy(&page[12], &lower, 2);
        memcpy(&page[16], &offset, 2);
        if (offset + sizeof head + k->len > PAGE)
                return;
        memcpy(head, &value_len, sizeof value_len);
        memcpy(&page[offset], head, sizeof head);
        memcpy(&page[offset + sizeof head], k->data, k->len);
}

/* A page may be written over while a turn reads it: that turn is thrown away, but it must come to its end. The map is in memory of just
 * its length, so that a sanitizer sees each step outside. */
static void pages_of_noise_are_never_left(void **state)
{
        enum { PAGES = 4 };
        _cleanup_free_ uint8_t *map = malloc(PAGES * PAGE);
        struct tree tree = {.map = map, .n_pages = PAGES, .page_size = PAGE, .depth = 2};
        unsigned n_values = 0, n_ends = 0;

        (void)state;
        for (uint32_t round = 0; round < 20000; round++) {
                struct key k = key_of(round);
                struct tree_seek seek;

                tree.root = round % (PAGES + 1);
                for (size_t i = 0; round % 16 == 0 && i < PAGES * PAGE; i++)
                        map[i] = mix((uint32_t)i + round * 31) % 4 == 0 ? (uint8_t)(mix((uint32_t)i * 7 + round) & (i % 2 ? 15 : 255)) : 0;
                for (size_t p = 0; p < PAGES; p++) { /* so much of a page that the search begins */
                        uint16_t flags = mix(round + (uint32_t)p) % 2 == 0 ? 2 : 1, lower = (uint16_t)(mix(round * 3 + (uint32_t)p) % 5000);

                        memcpy(&map[p * PAGE + 10], &flags, 2);
                        memcpy(&map[p * PAGE + 12], &lower, 2);
                }
                if (round % 3 == 0)
                        plant(&map[(tree.root % PAGES) * PAGE], &k, mix(round * 5));
                tree.depth = round % 3 == 0 ? 1 : (uint16_t)(2 + round % 5 % 3);
                tree_flatten(&tree);
                assert_in_range(tree.top.n, 1, TREE_TOP_MAX);
                assert_in_range(tree.top.level, 1, tree.depth);
                tree_seek_begin(&tree, key_bytes(&k), &seek);
                while (tree_seek_step(&seek))
                        ;
                assert_int_not_equal(seek.outcome, ERR_AGAIN);
                n_ends += seek.outcome == ERR_NOT_FOUND;
                n_values += seek.outcome == OK;
                if (seek.outcome == OK)
                        assert_true(seek.value.data >= map && seek.value.len <= (size_t)(&map[PAGES * PAGE] - seek.value.data));
        }
        assert_true(n_ends > 0);
        assert_true(n_values > 0);
}

static int store_setup_eight(void **state)
{
        has_eight = true;
        return store_setup(state);
}

static int store_teardown_eight(void **state)
{
        has_eight = false;
        return store_teardown(state);
}

#define ROW(test, suffix) {#test #suffix, test, store_setup##suffix, store_teardown##suffix, NULL}

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(a_turn_finds_what_lmdb_finds, ),
                ROW(a_turn_finds_what_lmdb_finds, _eight),
                ROW(a_turn_finds_what_is_left_after_rows_were_deleted, ),
                ROW(a_turn_finds_what_is_left_after_rows_were_deleted, _eight),
                ROW(a_turn_finds_rows_on_more_pages_than_are_listed, _eight),
                ROW(no_page_behind_the_readers_map_counts, ),
                ROW(a_transaction_that_is_no_turn_finds_what_it_wrote, ),
                ROW(searches_that_take_turns_find_what_one_finds, ),
                ROW(searches_that_take_turns_find_what_one_finds, _eight),
                cmocka_unit_test(pages_of_noise_are_never_left),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
