/* Field blocks (RFC 7541), with nghttp2's encoder as the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/cleanup.h"
#include "responder/http/hpack.h"
#include "responder/http/hpack_static.h"

static struct hpack_shared shared;

static int set_up(void **state)
{
        struct hpack *h = test_malloc(sizeof *h);

        huffman_init(&shared.huffman);
        hpack_init(h);
        *state = h;
        return 0;
}

static int tear_down(void **state)
{
        hpack_done(*state);
        test_free(*state);
        return 0;
}

/* All fields of a block, "name: value\n" each. */
static enum err unfold(struct hpack *h, struct bytes block, struct builder *ret_text)
{
        struct hpack_field f;
        enum err e;

        builder_reset(ret_text);
        hpack_begin(h);
        while ((e = hpack_read(h, &shared, &block, &f)) == OK) {
                builder_put(ret_text, f.name);
                builder_put_str(ret_text, ": ");
                builder_put(ret_text, f.value);
                builder_put_str(ret_text, "\n");
                assert_int_equal(f.field, http2_field_find(f.name));
                assert_int_equal(f.is_sound, http2_field_is_sound(f.field, f.value));
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

static void assert_unfolds(struct hpack *h, const char *hex, const char *want)
{
        _cleanup_(builder_done) struct builder text = {0};
        uint8_t block[256];
        size_t len;

        assert_int_equal(bytes_from_hex(bytes_str(hex), block, sizeof block, &len), OK);
        assert_int_equal(unfold(h, bytes_make(block, len), &text), OK);
        if (!bytes_equal(builder_bytes(&text), bytes_str(want)))
                fail_msg("%s: %.*s instead of %s", hex, (int)text.len, text.data ? (const char *)text.data : "", want);
}

static void assert_refused(struct hpack *h, const char *hex)
{
        _cleanup_(builder_done) struct builder text = {0};
        uint8_t block[256];
        size_t len;

        assert_int_equal(bytes_from_hex(bytes_str(hex), block, sizeof block, &len), OK);
        if (unfold(h, bytes_make(block, len), &text) != ERR_INVALID)
                fail_msg("%s: not refused", hex);
}

/* ---- RFC 7541 Appendix C ---- */

static void the_rfcs_requests_are_read(void **state)
{
        assert_unfolds(*state, "828684410f7777772e6578616d706c652e636f6d",
                ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n");
        assert_unfolds(*state, "828684be58086e6f2d6361636865",
                ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n");
        assert_unfolds(*state, "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
                ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n");
        assert_int_equal(((struct hpack *)*state)->size, 164);
}

static void the_rfcs_requests_are_read_in_huffmans_code(void **state)
{
        assert_unfolds(*state, "828684418cf1e3c2e5f23a6ba0ab90f4ff",
                ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n");
        assert_unfolds(*state, "828684be5886a8eb10649cbf",
                ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n");
        assert_unfolds(*state, "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
                ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n");
        assert_int_equal(((struct hpack *)*state)->size, 164);
}

/* C.6, whose table has 256 octets */
static void the_oldest_makes_room(void **state)
{
        struct hpack *h = *state;

        assert_unfolds(h, "3fe101", "");
        assert_unfolds(h,
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d"
                "3",
                ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: "
                "https://www.example.com\n");
        assert_int_equal(h->size, 222);
        assert_unfolds(h, "4883640effc1c0bf",
                ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: "
                "https://www.example.com\n");
        assert_int_equal(h->size, 222);
        assert_int_equal(h->n, 4);
}

/* ---- against another implementation ---- */

static unsigned next_random(unsigned *seed)
{
        *seed = *seed * 1103515245u + 12345u;
        return *seed >> 16;
}

/* Mostly octets with short codes, so that the encoder uses them, and some with long ones among them. */
static uint8_t random_octet(unsigned *seed, bool is_name)
{
        if (is_name)
                return (uint8_t)('a' + next_random(seed) % 4);
        return next_random(seed) % 8 ? (uint8_t)('+' + next_random(seed) % 80) : (uint8_t)next_random(seed);
}

static void put_random_text(struct builder *b, unsigned *seed, bool is_name, unsigned max)
{
        unsigned n = next_random(seed) % max + is_name;

        for (unsigned i = 0; i < n; i++)
                builder_put_u8(b, random_octet(seed, is_name));
}

#define N_FIELDS 12

struct texts {
        struct builder names[N_FIELDS], values[N_FIELDS];
};

static void fill(struct texts *t, nghttp2_nv *ret_fields, unsigned *seed, unsigned max, struct builder *ret_want)
{
        builder_reset(ret_want);
        for (unsigned i = 0; i < N_FIELDS; i++) {
                struct builder *name = &t->names[i], *value = &t->values[i];

                if (next_random(seed) % 3 > 0 || !name->data) { /* others come again */
                        builder_reset(name);
                        builder_reset(value);
                        put_random_text(name, seed, true, 3);
                        put_random_text(value, seed, false, max);
                }
                ret_fields[i] = (nghttp2_nv){name->data, value->data, name->len, value->len,
                        next_random(seed) % 5 ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX};
                builder_put(ret_want, builder_bytes(name));
                builder_put_str(ret_want, ": ");
                builder_put(ret_want, builder_bytes(value));
                builder_put_str(ret_want, "\n");
        }
}

static void compare_with_nghttp2(struct hpack *h, unsigned max, unsigned n_blocks)
{
        _cleanup_(builder_done) struct builder want = {0}, got = {0};
        static uint8_t block[HPACK_BLOCK_MAX];
        struct texts texts = {0};
        nghttp2_nv fields[N_FIELDS];
        nghttp2_hd_deflater *deflater;
        unsigned seed = max;

        assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
        for (unsigned i = 0; i < n_blocks; i++) {
                ssize_t len;

                if (i % 50 == 49)
                        assert_int_equal(nghttp2_hd_deflate_change_table_size(deflater, next_random(&seed) % 4097), 0);
                fill(&texts, fields, &seed, max, &want);
                len = nghttp2_hd_deflate_hd(deflater, block, sizeof block, fields, N_FIELDS);
                assert_true(len > 0);
                assert_int_equal(unfold(h, bytes_make(block, (size_t)len), &got), OK);
                assert_true(bytes_equal(builder_bytes(&want), builder_bytes(&got)));
                assert_int_equal(h->size, nghttp2_hd_deflate_get_dynamic_table_size(deflater));
                assert_int_equal(h->n, nghttp2_hd_deflate_get_num_table_entries(deflater) - HPACK_N_STATIC);
                assert_in_range(h->cap, h->end, HPACK_TABLE_SIZE);
        }
        nghttp2_hd_deflate_del(deflater);
        for (unsigned i = 0; i < N_FIELDS; i++) {
                builder_done(&texts.names[i]);
                builder_done(&texts.values[i]);
        }
}

static void short_fields_are_what_nghttp2_wrote(void **state)
{
        compare_with_nghttp2(*state, 4, 2000);
}

static void fields_are_what_nghttp2_wrote(void **state)
{
        compare_with_nghttp2(*state, 200, 1000);
}

static void fields_larger_than_the_table_are_what_nghttp2_wrote(void **state)
{
        compare_with_nghttp2(*state, 5000, 200);
}

static void every_octet_has_its_code(void **state)
{
        uint8_t text[408], unfolded[HUFFMAN_UNFOLDED(408)], block[1000];
        nghttp2_nv field = {(uint8_t *)"x", text, 1, sizeof text, NGHTTP2_NV_FLAG_NO_INDEX};
        nghttp2_hd_deflater *deflater;

        (void)state;
        assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
        for (unsigned octet = 0; octet < 256; octet++) {
                struct bytes in, code;
                uint8_t n = 0;
                size_t len;
                ssize_t block_len;

                memset(text, '0', sizeof text); /* so many short codes that long ones are worth it */
                memset(&text[200 + octet % 8], (int)octet, 8);
                block_len = nghttp2_hd_deflate_hd(deflater, block, sizeof block, &field, 1);
                in = bytes_make(block, (size_t)block_len);
                assert_int_equal(bytes_take(&in, 3, &code), OK); /* 10 81 f3: name "x" */
                assert_int_equal(bytes_take_u8(&in, &n), OK);
                assert_int_equal(n, 0xff); /* Huffman, and 127 or more */
                do
                        assert_int_equal(bytes_take_u8(&in, &n), OK);
                while (n & 0x80);
                assert_int_equal(huffman_read(&shared.huffman, NULL, in, unfolded, &len), OK);
                assert_int_equal(len, sizeof text);
                assert_memory_equal(unfolded, text, len);
        }
        nghttp2_hd_deflate_del(deflater);
}

/* Texts that begin alike, are cut short, or are damaged. */
static void what_was_read_before_changes_nothing(void **state)
{
        static struct huffman_memo memo;
        uint8_t in[HUFFMAN_MEMO_IN + 20], got[HUFFMAN_UNFOLDED(sizeof in)], want[sizeof got];
        unsigned seed = 1, n_well = 0;

        (void)state;
        for (unsigned i = 0; i < 50000; i++) {
                size_t from = next_random(&seed) % 4 ? next_random(&seed) % 190 : 0,
                       len = from + next_random(&seed) % (sizeof in - from);
                size_t got_len = 0, want_len = 0;
                enum err e;

                for (size_t at = from; at < len; at++) /* mostly short codes; few octets are ones only */
                        in[at] = (uint8_t)(next_random(&seed) % (next_random(&seed) % 32 ? 0xf8 : 0x100));
                if (len > 0 && next_random(&seed) % 2)
                        in[len - 1] = 0x1f; /* '3' or so, and padding */
                e = huffman_read(&shared.huffman, NULL, bytes_make(in, len), want, &want_len);
                assert_int_equal(huffman_read(&shared.huffman, &memo, bytes_make(in, len), got, &got_len), e);
                assert_int_equal(got_len, want_len);
                assert_memory_equal(got, want, want_len);
                n_well += e == OK;
        }
        assert_in_range(n_well, 1000, 49000);
}

/* ---- what is an error ---- */

static void bad_codes_are_refused(void **state)
{
        assert_unfolds(*state, "00017881f3", "x: x\n"); /* as a yardstick */
        assert_refused(*state, "00017881f0");           /* RFC 7541 5.2: padding of noughts */
        assert_refused(*state, "00017882f3ff");         /* of more than seven bits */
        assert_refused(*state, "00017884ffffffff");     /* EOS */
        assert_refused(*state, "00017885f3fffffffc");   /* EOS behind a text */
        assert_refused(*state, "00017881ff");           /* nothing but padding, eight bits of it */
        assert_unfolds(*state, "00017880", "x: \n");
}

static void bad_numbers_are_refused(void **state)
{
        assert_refused(*state, "80");                 /* RFC 7541 6.1: index 0 */
        assert_refused(*state, "be");                 /* 2.3.3: beyond the tables */
        assert_refused(*state, "ffffffffffffffff7f"); /* 5.1: beyond any */
        assert_refused(*state, "ff8080808080808000"); /* 5.1: needlessly long */
        assert_refused(*state, "ff");                 /* no end */
        assert_refused(*state, "ff80");
        assert_refused(*state, "0001");   /* a text longer than its block */
        assert_refused(*state, "000178"); /* no value */
        assert_refused(*state, "0001787fffffff7f61");
        assert_refused(*state, "7f00"); /* a name beyond the tables */
}

/* RFC 7541 4.2, 6.3 */
static void the_tables_size_is_changed_first_and_within_bounds(void **state)
{
        assert_unfolds(*state, "203fe11f82", ":method: GET\n"); /* 0, then 4096 */
        assert_refused(*state, "8220");
        assert_refused(*state, "3fe21f");
        assert_unfolds(*state, "20", "");
        assert_unfolds(*state, "400178017a", "x: z\n"); /* a table of no size keeps nothing */
        assert_refused(*state, "be");
}

/* RFC 7541 4.4: the name that is taken from the table may be the one that goes */
static void a_name_outlives_its_entry(void **state)
{
        _cleanup_(builder_done) struct builder block = {0}, text = {0};
        struct hpack *h = *state;
        size_t len = 3000;

        builder_put(&block, BYTES_LIT("\x40\x04name\x01"
                                      "a"));
        builder_put(&block, BYTES_LIT("\x7e\x7f\xb9\x16")); /* index 62, 127 + 2873 octets */
        memset(builder_extend(&block, len), 'b', len);
        builder_put(&block, BYTES_LIT("\x7e\x7f\xb9\x16"));
        memset(builder_extend(&block, len), 'c', len);
        assert_int_equal(unfold(h, builder_bytes(&block), &text), OK);
        assert_int_equal(text.len, (6 + 1 + 1) + 2 * (6 + len + 1));
        assert_memory_equal(&text.data[8 + 6 + len + 1], "name: cc", 8);
        assert_int_equal(h->n, 1);
        assert_int_equal(h->size, len + 4 + HPACK_OVERHEAD);
}

static void a_connection_that_fills_no_table_has_no_memory_for_it(void **state)
{
        struct hpack *h = *state;

        assert_unfolds(h, "828684010168", ":method: GET\n:scheme: http\n:path: /\n:authority: h\n");
        assert_null(h->text);
        assert_unfolds(h, "82868441016f", ":method: GET\n:scheme: http\n:path: /\n:authority: o\n");
        assert_in_range(h->cap, 1, 512);
}

static void the_static_table_says_what_its_fields_are(void **state)
{
        (void)state;
        assert_int_equal(HPACK_N_STATIC, 61);
        for (size_t i = 0; i < HPACK_N_STATIC; i++) {
                assert_int_equal(HPACK_STATIC[i].field, http2_field_find(HPACK_STATIC[i].name));
                if (HPACK_STATIC[i].field != FIELD_OTHER || HPACK_STATIC[i].value.len > 0)
                        assert_int_equal(HPACK_STATIC[i].is_sound,
                                http2_field_is_sound(HPACK_STATIC[i].field, HPACK_STATIC[i].value));
        }
}

#define HPACK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                HPACK_TEST(the_rfcs_requests_are_read),
                HPACK_TEST(the_rfcs_requests_are_read_in_huffmans_code),
                HPACK_TEST(the_oldest_makes_room),
                HPACK_TEST(short_fields_are_what_nghttp2_wrote),
                HPACK_TEST(fields_are_what_nghttp2_wrote),
                HPACK_TEST(fields_larger_than_the_table_are_what_nghttp2_wrote),
                HPACK_TEST(every_octet_has_its_code),
                HPACK_TEST(what_was_read_before_changes_nothing),
                HPACK_TEST(bad_codes_are_refused),
                HPACK_TEST(bad_numbers_are_refused),
                HPACK_TEST(the_tables_size_is_changed_first_and_within_bounds),
                HPACK_TEST(a_name_outlives_its_entry),
                HPACK_TEST(a_connection_that_fills_no_table_has_no_memory_for_it),
                HPACK_TEST(the_static_table_says_what_its_fields_are),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
