/* Pages made by hand, for what LMDB never writes, or too seldom: what stands at a page's very edge is read and not an octet beyond, and
 * what does not look as it should is refused. Behind the map lies memory that must not be touched. */
#include "store_helper.h"

#include <sys/mman.h>
#include <unistd.h>

#include "store/tree.h"

#define PAGE 4096u
#define HEADER 16u
#define NODE 8u
#define LEAF 2
#define BRANCH 1

struct map {
        uint8_t *region;
        size_t region_len;
        uint8_t *pages; /* the last one ends where the region's untouchable part begins */
        unsigned n;
};

static struct map map_new(unsigned n)
{
        size_t unit = (size_t)sysconf(_SC_PAGESIZE), len = (n * PAGE + unit - 1) / unit * unit;
        struct map m = {.region_len = len + unit, .n = n};

        m.region = mmap(NULL, m.region_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(m.region != MAP_FAILED);
        assert_int_equal(mprotect(&m.region[len], unit, PROT_NONE), 0);
        m.pages = &m.region[len - n * PAGE];
        memset(m.pages, 0xff, n * PAGE);
        return m;
}

static void map_free(struct map *m)
{
        munmap(m->region, m->region_len);
}

static void write_u16(uint8_t *at, unsigned v)
{
        uint16_t n = (uint16_t)v;

        memcpy(at, &n, sizeof n);
}

static unsigned read_u16(const uint8_t *at)
{
        uint16_t n;

        memcpy(&n, at, sizeof n);
        return n;
}

static void begin_page(struct map *m, uint64_t number, unsigned flags)
{
        uint8_t *page = &m->pages[number * PAGE];

        memcpy(page, &number, sizeof number);
        write_u16(&page[10], flags);
        write_u16(&page[12], HEADER);
        write_u16(&page[14], PAGE);
}

/* `low`: of its page's number, or of its value's length; `high`: the number's bits above. */
static void put_node_at(struct map *m, uint64_t number, unsigned offset, uint32_t low, unsigned high, struct bytes key)
{
        uint8_t *page = &m->pages[number * PAGE];
        unsigned lower = read_u16(&page[12]), room = PAGE - offset;
        uint8_t head[NODE];

        memcpy(head, &low, sizeof low);
        write_u16(&head[4], high);
        write_u16(&head[6], (unsigned)key.len);
        write_u16(&page[lower], offset);
        write_u16(&page[12], lower + 2);
        memcpy(&page[offset], head, room < NODE ? room : NODE);
        if (room > NODE && key.len > 0)
                memcpy(&page[offset + NODE], key.data, key.len < room - NODE ? key.len : room - NODE);
}

static void put_node(struct map *m, uint64_t number, uint64_t child, struct bytes key)
{
        uint8_t *page = &m->pages[number * PAGE];
        unsigned offset = read_u16(&page[14]) - (NODE + (unsigned)key.len + 1) / 2 * 2;

        put_node_at(m, number, offset, (uint32_t)child, (unsigned)(child >> 32), key);
        write_u16(&page[14], offset);
}

static struct tree tree_of(const struct map *m, uint64_t root, uint16_t depth)
{
        struct tree t = {.map = m->pages, .n_pages = m->n, .page_size = PAGE, .root = root, .depth = depth};

        tree_flatten(&t);
        return t;
}

static enum err seek(const struct tree *t, struct bytes key, struct bytes *ret_value)
{
        struct tree_seek s;

        tree_seek_begin(t, key, &s);
        while (tree_seek_step(&s))
                ;
        if (s.outcome == OK)
                *ret_value = s.value;
        return s.outcome;
}

/* In a leaf with one node, there. */
static enum err seek_at(unsigned offset, uint32_t value_len, unsigned key_len, struct bytes sought)
{
        static const uint8_t octets[64] = {0};
        struct bytes value;
        struct map m = map_new(1);
        struct tree t;
        enum err e;

        begin_page(&m, 0, LEAF);
        put_node_at(&m, 0, offset, value_len, 0, bytes_make(octets, key_len));
        t = tree_of(&m, 0, 1);
        e = seek(&t, sought, &value);
        if (e == OK)
                assert_ptr_equal(&value.data[value.len], &m.pages[offset + NODE + key_len + value_len]);
        map_free(&m);
        return e;
}

static void a_node_may_end_where_its_page_ends_and_no_further(void **state)
{
        static const uint8_t zeros[64] = {0};

        (void)state;
        for (unsigned len = 6; len <= 18; len++) { /* of the key */
                struct bytes key = bytes_make(zeros, len), longer = bytes_make(zeros, len + 2);

                assert_int_equal(seek_at(PAGE - NODE - len, 0, len, key), OK);
                assert_int_equal(seek_at(PAGE - NODE - len, 0, len, longer), ERR_NOT_FOUND);
                assert_int_equal(seek_at(PAGE - NODE - len, 1, len, key), ERR_UNSUPPORTED);
                assert_int_equal(seek_at(PAGE - NODE - len - 1, 1, len, key), OK);
                assert_int_equal(seek_at(PAGE - NODE - len + 1, 0, len, key), ERR_UNSUPPORTED);
                assert_int_equal(seek_at(PAGE - NODE - len + 1, 0, len, longer), ERR_UNSUPPORTED);
        }
        assert_int_equal(seek_at(PAGE - NODE, 0, 0, BYTES_LIT("x")), ERR_NOT_FOUND);
        for (unsigned offset = PAGE - NODE + 1; offset <= PAGE; offset++) {
                assert_int_equal(seek_at(offset, 0, 0, BYTES_LIT("x")), ERR_UNSUPPORTED);
                assert_int_equal(seek_at(offset, 0, 0, BYTES_LIT("of eight and more")), ERR_UNSUPPORTED);
        }
}

static void a_page_holds_no_more_offsets_than_fit(void **state)
{
        struct map m = map_new(1);
        struct tree t;
        struct bytes value;

        (void)state;
        begin_page(&m, 0, LEAF);
        for (unsigned at = HEADER; at < PAGE; at += 2) /* each at the same node, which is half offsets itself */
                write_u16(&m.pages[at], HEADER);
        t = tree_of(&m, 0, 1);
        write_u16(&m.pages[12], PAGE);
        assert_int_equal(seek(&t, BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &value), ERR_NOT_FOUND);
        for (unsigned lower = PAGE + 1; lower <= PAGE + 3; lower++) {
                write_u16(&m.pages[12], lower);
                assert_int_equal(seek(&t, BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &value), ERR_UNSUPPORTED);
        }
        for (unsigned lower = 0; lower < HEADER + 2; lower++) { /* not one */
                write_u16(&m.pages[12], lower);
                assert_int_equal(seek(&t, BYTES_LIT("k"), &value), ERR_UNSUPPORTED);
        }
        map_free(&m);
}

static void a_page_of_another_kind_or_beyond_the_map_is_refused(void **state)
{
        static const unsigned kinds[] = {0, BRANCH, BRANCH | LEAF, LEAF | 4, LEAF | 8, LEAF | 0x20, LEAF | 0x40};
        struct map m = map_new(1);
        struct tree t = tree_of(&m, 0, 1);
        struct bytes value;

        (void)state;
        begin_page(&m, 0, LEAF);
        put_node(&m, 0, 0, BYTES_LIT("key"));
        assert_int_equal(seek(&t, BYTES_LIT("key"), &value), OK);
        write_u16(&m.pages[10], LEAF | 0x10); /* that it was not yet written says nothing */
        assert_int_equal(seek(&t, BYTES_LIT("key"), &value), OK);
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
                write_u16(&m.pages[10], kinds[i]);
                assert_int_equal(seek(&t, BYTES_LIT("key"), &value), ERR_UNSUPPORTED);
        }
        for (uint64_t root = 1; root != 0; root <<= 1) {
                t = tree_of(&m, root, 1);
                assert_int_equal(seek(&t, BYTES_LIT("key"), &value), ERR_UNSUPPORTED);
                t = tree_of(&m, root, 2);
                assert_int_equal(t.top.level, 1);
                assert_int_equal(seek(&t, BYTES_LIT("key"), &value), ERR_UNSUPPORTED);
        }
        map_free(&m);
}

static void a_key_of_seven_octets_is_read_no_further(void **state)
{
        struct map m = map_new(3);
        uint8_t *last_seven = &m.pages[3 * PAGE - 7];
        struct tree t = tree_of(&m, 0, 2);
        struct bytes value;

        (void)state;
        memcpy(last_seven, "bcdefgh", 7);
        begin_page(&m, 0, BRANCH);
        put_node(&m, 0, 1, BYTES_NONE);
        put_node(&m, 0, 2, BYTES_LIT("bbbbbbbb"));
        begin_page(&m, 1, LEAF);
        put_node(&m, 1, 0, BYTES_LIT("aaaaaaa"));
        begin_page(&m, 2, LEAF);
        put_node_at(&m, 2, 2048, 0, 0, BYTES_LIT("bcdefgh"));
        t = tree_of(&m, 0, 2);
        assert_int_equal(t.top.level, 2);
        assert_int_equal(seek(&t, bytes_make(last_seven, 7), &value), OK);
        assert_int_equal(seek(&t, bytes_make(&last_seven[1], 6), &value), ERR_NOT_FOUND);
        map_free(&m);
}

/* ---- the list ---- */

static void a_childs_number_has_48_bits(void **state)
{
        static const uint64_t numbers[] = {1, 0xffff, 0x10000, 0x80008000, 0x100000000, 0x123456789abc, 0xffffffffffff};
        enum { N = sizeof numbers / sizeof numbers[0] };
        struct map m = map_new(1);
        struct tree t;

        (void)state;
        begin_page(&m, 0, BRANCH);
        for (unsigned i = 0; i < N; i++)
                put_node(&m, 0, numbers[i], bytes_make((uint8_t[8]){(uint8_t)i}, 8));
        t = tree_of(&m, 0, 2);
        assert_int_equal(t.top.level, 2);
        assert_int_equal(t.top.n, N);
        for (unsigned i = 0; i < N; i++)
                assert_int_equal(t.top.pages[i], numbers[i]);
        map_free(&m);
}

/* LMDB leaves some octets there, now and then: they are no bound. */
static void the_key_of_a_pages_first_node_does_not_count(void **state)
{
        struct map m = map_new(7);
        struct tree t;
        struct bytes value;

        (void)state;
        begin_page(&m, 0, BRANCH);
        put_node(&m, 0, 1, BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff"));
        put_node(&m, 0, 2, BYTES_LIT("mmmmmmmm"));
        for (unsigned side = 0; side < 2; side++) {
                const char *const keys[] = {"bbbbbbbbb", "ddddddddd", "mmmmmmmmm", "ppppppppp"};

                begin_page(&m, 1 + side, BRANCH);
                put_node(&m, 1 + side, 3 + 2 * side, side == 0 ? BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff") : BYTES_LIT("zzzzzzzz"));
                put_node(&m, 1 + side, 4 + 2 * side, bytes_str(keys[1 + 2 * side]));
                for (unsigned i = 0; i < 2; i++) {
                        begin_page(&m, 3 + 2 * side + i, LEAF);
                        put_node(&m, 3 + 2 * side + i, 0, bytes_str(keys[2 * side + i]));
                }
        }
        for (uint16_t level = 1; level <= 3; level++) {
                t = tree_of(&m, 0, 3);
                assert_int_equal(t.top.level, 3);
                t.depth = level; /* a list of fewer levels */
                tree_flatten(&t);
                t.depth = 3;
                assert_int_equal(t.top.level, level);
                assert_int_equal(seek(&t, BYTES_LIT("bbbbbbbbb"), &value), OK);
                assert_int_equal(seek(&t, BYTES_LIT("ddddddddd"), &value), OK);
                assert_int_equal(seek(&t, BYTES_LIT("mmmmmmmmm"), &value), OK);
                assert_int_equal(seek(&t, BYTES_LIT("ppppppppp"), &value), OK);
                assert_int_equal(seek(&t, BYTES_LIT("aaaaaaaaa"), &value), ERR_NOT_FOUND);
                assert_int_equal(seek(&t, BYTES_LIT("mmmmmmmm"), &value), ERR_NOT_FOUND);
        }
        map_free(&m);
}

/* The eight octets that a page begins with are those of keys before it too. */
static void a_key_that_begins_like_a_page_may_stand_before_it(void **state)
{
        struct map m = map_new(3);
        struct tree t;
        struct bytes value;

        (void)state;
        begin_page(&m, 0, BRANCH);
        put_node(&m, 0, 1, BYTES_NONE);
        put_node(&m, 0, 2, BYTES_LIT("mmmmmmmm5"));
        begin_page(&m, 1, LEAF);
        put_node(&m, 1, 0, BYTES_LIT("mmmmmmmm3"));
        begin_page(&m, 2, LEAF);
        put_node(&m, 2, 0, BYTES_LIT("mmmmmmmm7"));
        t = tree_of(&m, 0, 2);
        assert_int_equal(t.top.level, 2);
        assert_int_equal(seek(&t, BYTES_LIT("mmmmmmmm3"), &value), OK);
        assert_int_equal(seek(&t, BYTES_LIT("mmmmmmmm7"), &value), OK);
        assert_int_equal(seek(&t, BYTES_LIT("mmmmmmmm5"), &value), ERR_NOT_FOUND);
        assert_int_equal(seek(&t, BYTES_LIT("mmmmmmmm"), &value), ERR_NOT_FOUND);
        map_free(&m);
}

/* What stands behind seven octets is another node's, and here 0xff. */
static void pages_that_begin_with_short_keys_are_not_listed(void **state)
{
        (void)state;
        for (unsigned len = 1; len <= 9; len++) {
                struct map m = map_new(3);
                struct bytes value;
                struct tree t;

                begin_page(&m, 0, BRANCH);
                put_node(&m, 0, 1, BYTES_NONE);
                put_node(&m, 0, 2, bytes_make("mmmmmmmmm", len));
                begin_page(&m, 1, LEAF);
                put_node(&m, 1, 0, BYTES_LIT("aaaaaaaaa"));
                begin_page(&m, 2, LEAF);
                put_node(&m, 2, 0, BYTES_LIT("mmmmmmmzz"));
                t = tree_of(&m, 0, 2);
                assert_int_equal(t.top.level, len >= 8 ? 2 : 1);
                assert_int_equal(seek(&t, BYTES_LIT("mmmmmmmzz"), &value), OK);
                assert_int_equal(seek(&t, BYTES_LIT("aaaaaaaaa"), &value), OK);
                map_free(&m);
        }
}

static void put_numbered_children(struct map *m, uint64_t page, unsigned from, unsigned n)
{
        begin_page(m, page, BRANCH);
        for (unsigned i = from; i < from + n; i++)
                put_node(m, page, 1000 + i, bytes_make((uint8_t[8]){(uint8_t)(i >> 8), (uint8_t)i}, 8));
}

static void a_level_of_as_many_pages_as_fit_is_listed_and_one_of_more_is_not(void **state)
{
        enum { PAGES = 8, EACH = TREE_TOP_MAX / PAGES };
        struct map m = map_new(1 + PAGES);
        struct tree t;

        (void)state;
        begin_page(&m, 0, BRANCH);
        for (unsigned i = 0; i < PAGES; i++) {
                put_node(&m, 0, 1 + i, bytes_make((uint8_t[8]){(uint8_t)(i * EACH >> 8), (uint8_t)(i * EACH)}, 8));
                put_numbered_children(&m, 1 + i, i * EACH, EACH);
        }
        t = tree_of(&m, 0, 3);
        assert_int_equal(t.top.level, 3);
        assert_int_equal(t.top.n, TREE_TOP_MAX);
        for (unsigned i = 0; i < TREE_TOP_MAX; i++)
                assert_int_equal(t.top.pages[i], 1000 + i);
        for (unsigned i = 1; i < TREE_TOP_MAX; i++)
                assert_int_equal(t.top.heads[i], (uint64_t)i << 48);
        put_numbered_children(&m, PAGES, (PAGES - 1) * EACH, EACH + 1);
        t = tree_of(&m, 0, 3);
        assert_int_equal(t.top.level, 2);
        assert_int_equal(t.top.n, PAGES);
        map_free(&m);
}

static void a_list_ends_above_what_is_no_branch(void **state)
{
        struct map m = map_new(3);
        struct tree t;

        (void)state;
        begin_page(&m, 0, BRANCH);
        put_node(&m, 0, 1, BYTES_NONE);
        put_node(&m, 0, 2, BYTES_LIT("mmmmmmmm"));
        begin_page(&m, 1, BRANCH);
        put_node(&m, 1, 0, BYTES_NONE); /* round and round */
        begin_page(&m, 2, LEAF);
        t = tree_of(&m, 0, 32);
        assert_int_equal(t.top.level, 2);
        assert_int_equal(t.top.n, 2);
        begin_page(&m, 2, BRANCH); /* of no node */
        t = tree_of(&m, 0, 32);
        assert_int_equal(t.top.level, 2);
        put_node(&m, 2, 0, BYTES_NONE);
        t = tree_of(&m, 0, 32);
        assert_in_range(t.top.level, 3, 32);
        assert_in_range(t.top.n, 2, TREE_TOP_MAX);
        t = tree_of(&m, 0, 1);
        assert_int_equal(t.top.level, 1);
        map_free(&m);
}

/* ---- a table's row ---- */

struct row { /* what LMDB keeps of a table */
        uint32_t pad;
        uint16_t flags, depth;
        uint64_t counts[4], root;
};

static enum err init_of(struct row row, size_t len, uint64_t n_pages, uint64_t number, unsigned kind, struct tree *ret_tree)
{
        static _Alignas(PAGE) uint8_t pages[4 * PAGE];
        uint8_t *page = &pages[3 * PAGE];

        memcpy(page, &number, sizeof number);
        write_u16(&page[10], kind);
        memcpy(&page[100], &row, sizeof row);
        return tree_init(ret_tree, n_pages, PAGE, bytes_make(&page[100], len));
}

static void a_tables_row_is_taken_only_as_our_tables_have_it(void **state)
{
        struct row good = {.depth = 32}, flags = {.flags = 4}, deep = {.depth = 33};
        struct tree t;

        (void)state;
        good.root = 2;
        assert_int_equal(init_of(good, sizeof good, 4, 3, LEAF, &t), OK);
        assert_int_equal(t.depth, 32);
        assert_int_equal(t.root, 2);
        assert_int_equal(t.top.level, 1);
        assert_int_equal(t.top.pages[0], 2);
        assert_int_equal(init_of(good, sizeof good, 4, 3, LEAF | 0x10, &t), OK);
        assert_int_equal(init_of(good, sizeof good, 3, 3, LEAF, &t), ERR_UNSUPPORTED);
        assert_int_equal(init_of(good, sizeof good, 4, 3, BRANCH, &t), ERR_UNSUPPORTED);
        assert_int_equal(init_of(good, sizeof good - 1, 4, 3, LEAF, &t), ERR_UNSUPPORTED);
        assert_int_equal(init_of(good, sizeof good + 1, 4, 3, LEAF, &t), ERR_UNSUPPORTED);
        assert_int_equal(init_of(flags, sizeof flags, 4, 3, LEAF, &t), ERR_UNSUPPORTED);
        assert_int_equal(init_of(deep, sizeof deep, 4, 3, LEAF, &t), ERR_UNSUPPORTED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_node_may_end_where_its_page_ends_and_no_further),
                cmocka_unit_test(a_page_holds_no_more_offsets_than_fit),
                cmocka_unit_test(a_page_of_another_kind_or_beyond_the_map_is_refused),
                cmocka_unit_test(a_key_of_seven_octets_is_read_no_further),
                cmocka_unit_test(a_childs_number_has_48_bits),
                cmocka_unit_test(the_key_of_a_pages_first_node_does_not_count),
                cmocka_unit_test(a_key_that_begins_like_a_page_may_stand_before_it),
                cmocka_unit_test(pages_that_begin_with_short_keys_are_not_listed),
                cmocka_unit_test(a_level_of_as_many_pages_as_fit_is_listed_and_one_of_more_is_not),
                cmocka_unit_test(a_list_ends_above_what_is_no_branch),
                cmocka_unit_test(a_tables_row_is_taken_only_as_our_tables_have_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
