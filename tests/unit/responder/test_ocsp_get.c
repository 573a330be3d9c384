/* req 1.2 to 1.6: what may stand in the path of a GET. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "responder/answer/ocsp_get.h"

/* fb ef be ff: "++++/w==" has every digit that is special somewhere. */
static const struct row {
        const char *why;
        const char *text;
        const char *want; /* hex; NULL = HTTP 400 */
} ROWS[] = {
        {"1.2 raw", "MAMBAf8=", "30030101ff"},
        {"1.2 raw + and /", "++//+w==", "fbefff" "fb"},
        {"1.2 %-encoded, upper case", "%2B%2B%2F%2F%2Bw%3D%3D", "fbefff" "fb"},
        {"1.2 %-encoded, lower case", "%2b%2b%2f%2f%2bw%3d%3d", "fbefff" "fb"},
        {"1.2 mixed", "+%2B/%2f%2bw%3D=", "fbefff" "fb"},
        {"1.2 even letters may be encoded", "%4D%41MBAf8=", "30030101ff"},
        {"1.3 one extra leading slash is stripped", "/MAMBAf8=", "30030101ff"},
        {"1.3 an interior // is data", "MA//MA==", "300fff30"},
        {"1.3 a second leading slash is data", "//MA", "fcc0"},
        {"1.3 a space means +", "%20%20//+w==", "fbefff" "fb"},
        {"1.4 a trailing / is data where the length is a multiple of 4", "MAM/", "30033f"},
        {"1.4 a trailing // likewise", "MA//", "300fff"},
        {"a / behind the padding is not data", "MAMBAf8=/", "30030101ff"},
        {"a / behind whole groups is not data", "MAMB/", "300301"},
        {"padding left out, one octet over", "MA", "30"},
        {"padding left out, two octets over", "MAM", "3003"},
        {"1.6 a line feed", "MAMB%0AAf8=", NULL},
        {"1.6 a tab", "MAMB%09Af8=", NULL},
        {"1.6 a carriage return", "MAMBAf8=%0d", NULL},
        {"1.6 not base64", "MAM-Af8=", NULL},
        {"1.6 base64url is not base64", "__--", NULL},
        {"1.6 a NUL", "MAMB%00", NULL},
        {"a query", "MAMB?x", NULL},
        {"half an escape", "MAMBAf8%3", NULL},
        {"an escape of no hex", "MAMBAf8%3x", NULL},
        {"encoded twice", "MAMBAf8%253D", NULL},
        {"padding too short", "MA=", NULL},
        {"padding too long", "MAMBAf8==", NULL},
        {"padding of three", "MAMB/===", NULL},
        {"padding of a whole group", "MAMB====", NULL},
        {"padding inside", "MA==MA==", NULL},
        {"one odd digit", "MAMBA", NULL},
        {"nothing", "", NULL},
        {"a slash alone", "/", NULL},
};

#define N_ROWS (sizeof ROWS / sizeof ROWS[0])

static void check_row(const struct row *row, struct ocsp_get_memo *memo, const char *behind)
{
        size_t text_len = strlen(row->text), len = 0;
        _cleanup_free_ uint8_t *der = malloc(text_len + (text_len == 0)), *text = malloc(text_len + (text_len == 0));
        char hex[128];
        enum err e;

        memcpy(text, row->text, text_len);
        e = ocsp_get_decode(memo, bytes_make(text, text_len), der, &len);
        if ((e == OK) != (row->want != NULL))
                fail_msg("%s, behind %s: %s", row->why, behind, e == OK ? "taken" : "refused");
        if (e == OK && strcmp(bytes_to_hex(bytes_make(der, len), hex), row->want) != 0)
                fail_msg("%s, behind %s: got %s", row->why, behind, hex);
}

static void a_get_is_decoded_as_the_requirements_have_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_ROWS; i++) {
                struct ocsp_get_memo memo = {0};

                check_row(&ROWS[i], &memo, "nothing");
        }
}

static void what_was_decoded_before_changes_nothing(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_ROWS; i++) {
                for (size_t j = 0; j < N_ROWS; j++) {
                        struct ocsp_get_memo memo = {0};

                        check_row(&ROWS[i], &memo, "nothing");
                        check_row(&ROWS[j], &memo, ROWS[i].why);
                        check_row(&ROWS[i], &memo, ROWS[j].why);
                }
        }
}

#define LONG (OCSP_GET_MEMO_TEXT / 4 * 4 + 12)

static void decode_both(struct ocsp_get_memo *memo, const char *text, size_t len)
{
        struct ocsp_get_memo none = {0};
        uint8_t want[LONG + 2], got[LONG + 2];
        size_t want_len = 0, got_len = 0;

        assert_int_equal(ocsp_get_decode(&none, bytes_make(text, len), want, &want_len), OK);
        assert_int_equal(ocsp_get_decode(memo, bytes_make(text, len), got, &got_len), OK);
        assert_int_equal(got_len, want_len);
        assert_memory_equal(got, want, want_len);
}

static void texts_around_the_end_of_the_memo(void **state)
{
        struct ocsp_get_memo memo = {0};
        char text[LONG];

        (void)state;
        memset(text, 'Q', LONG);
        for (size_t len = LONG; len > 0; len -= 4) { /* what stands behind one is like it */
                decode_both(&memo, text, LONG);
                decode_both(&memo, text, len);
        }
}

/* One that ends early, with another digit, between two that are alike. */
static void a_shorter_text_leaves_nothing_of_the_longer_one_behind(void **state)
{
        struct ocsp_get_memo memo = {0};
        char longer[LONG], shorter[LONG];

        (void)state;
        memset(longer, 'Q', LONG);
        for (size_t len = 4; len <= LONG; len += 4) {
                memcpy(shorter, longer, len);
                shorter[len - 1] = 'r';
                decode_both(&memo, longer, LONG);
                decode_both(&memo, shorter, len);
                decode_both(&memo, longer, LONG);
        }
}

/* Or the memo would be there for nothing: what it holds is taken, though it be wrong. */
static void groups_that_came_before_are_not_decoded_again(void **state)
{
        struct ocsp_get_memo memo = {0};
        uint8_t der[LONG];
        char text[LONG];
        size_t len;

        (void)state;
        memset(text, 'Q', LONG);
        assert_int_equal(ocsp_get_decode(&memo, bytes_make(text, LONG), der, &len), OK);
        assert_int_equal(memo.n_groups, OCSP_GET_MEMO_GROUPS);
        memset(memo.der, 0xee, sizeof memo.der);
        text[100] = 'r';
        assert_int_equal(ocsp_get_decode(&memo, bytes_make(text, LONG), der, &len), OK);
        for (size_t i = 0; i < 76; i++)
                assert_int_equal(der[i] == 0xee, i < 75);
        assert_int_equal(memo.n_groups, OCSP_GET_MEMO_GROUPS);
}

/* Qs, but an r at one place and an escape for Q at another. */
static const char *mixed_text(char text[LONG + 2], size_t r_at, size_t escape_at)
{
        memset(text, 'Q', LONG);
        text[r_at] = 'r';
        memmove(&text[escape_at + 3], &text[escape_at + 1], LONG - escape_at - 1);
        memcpy(&text[escape_at], "%51", 3);
        return text;
}

static void texts_alike_but_for_one_digit_and_one_escape(void **state)
{
        struct ocsp_get_memo memo = {0};
        char text[LONG + 2];

        (void)state;
        for (size_t escape_at = 0; escape_at < LONG; escape_at++)
                for (size_t r_at = LONG - 1; r_at >= 7; r_at -= 7)
                        decode_both(&memo, mixed_text(text, r_at, escape_at), LONG + 2);
}

static char digit(unsigned v)
{
        return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[v & 63];
}

/* Every octet at every place of a group, encoded here in the plainest way. */
static void every_octet_comes_back(void **state)
{
        (void)state;
        for (unsigned v = 0; v < 256; v++) {
                uint8_t in[3] = {(uint8_t)v, (uint8_t)(v * 7 + 3), (uint8_t)(255 - v)}, out[4];
                char text[5] = {'M', digit(in[0] & 63), 0};
                struct ocsp_get_memo memo = {0};
                size_t len;

                text[0] = digit(in[0] >> 2);
                text[1] = digit((in[0] & 3u) << 4 | in[1] >> 4);
                text[2] = digit((in[1] & 15u) << 2 | in[2] >> 6);
                text[3] = digit(in[2] & 63);
                if (text[0] == '/') /* a leading slash is another row's matter */
                        continue;
                assert_int_equal(ocsp_get_decode(&memo, bytes_make(text, 4), out, &len), OK);
                assert_int_equal(len, 3);
                assert_memory_equal(out, in, 3);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_get_is_decoded_as_the_requirements_have_it),
                cmocka_unit_test(what_was_decoded_before_changes_nothing),
                cmocka_unit_test(texts_around_the_end_of_the_memo),
                cmocka_unit_test(a_shorter_text_leaves_nothing_of_the_longer_one_behind),
                cmocka_unit_test(groups_that_came_before_are_not_decoded_again),
                cmocka_unit_test(texts_alike_but_for_one_digit_and_one_escape),
                cmocka_unit_test(every_octet_comes_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
