/* req 1.2 to 1.6: what may stand in the path of a GET. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "responder/ocsp_get.h"

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

static void a_get_is_decoded_as_the_requirements_have_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                size_t text_len = strlen(ROWS[i].text), len = 0;
                _cleanup_free_ uint8_t *der = malloc(text_len + 1), *text = malloc(text_len + 1);
                char hex[128];
                enum err e;

                memcpy(text, ROWS[i].text, text_len);
                e = ocsp_get_decode(bytes_make(text, text_len), der, &len);
                if ((e == OK) != (ROWS[i].want != NULL))
                        fail_msg("%s: %s", ROWS[i].why, e == OK ? "taken" : "refused");
                if (e == OK && strcmp(bytes_to_hex(bytes_make(der, len), hex), ROWS[i].want) != 0)
                        fail_msg("%s: got %s", ROWS[i].why, hex);
        }
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
                size_t len;

                text[0] = digit(in[0] >> 2);
                text[1] = digit((in[0] & 3u) << 4 | in[1] >> 4);
                text[2] = digit((in[1] & 15u) << 2 | in[2] >> 6);
                text[3] = digit(in[2] & 63);
                if (text[0] == '/') /* a leading slash is another row's matter */
                        continue;
                assert_int_equal(ocsp_get_decode(bytes_make(text, 4), out, &len), OK);
                assert_int_equal(len, 3);
                assert_memory_equal(out, in, 3);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_get_is_decoded_as_the_requirements_have_it),
                cmocka_unit_test(every_octet_comes_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
