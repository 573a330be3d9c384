/* What pki/ari.h promises (RFC 9773, req 7). */
#include "pki_helper.h"

#include "base/clock.h"
#include "pki/ari.h"

#define RFC_EXAMPLE "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE" /* RFC 9773 4.1 */

static enum err read_text(const char *text, struct ari_id *id)
{
        return ari_read_id(bytes_str(text), id);
}

static void the_example_of_the_rfc_is_read(void **state)
{
        static const uint8_t aki[] = {0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c,
                0xde, 0x01, 0xc8, 0xd4};
        static const uint8_t serial[] = {0x00, 0x87, 0x65, 0x43, 0x21}; /* the leading 00 is kept */
        struct ari_id id;

        (void)state;
        assert_int_equal(read_text(RFC_EXAMPLE, &id), OK);
        assert_true(bytes_equal(ari_aki(&id), BYTES_OF(aki)));
        assert_true(bytes_equal(serial_bytes(&id.serial), BYTES_OF(serial)));
}

static void what_is_no_identifier_is_refused(void **state)
{
        static const struct {
                const char *text;
                enum err want;
        } rows[] = {
                {"", ERR_INVALID},
                {".", ERR_INVALID},
                {"aYhba4dGQEHhs3uEe6CuLN4ByNQ", ERR_INVALID},
                {"aYhba4dGQEHhs3uEe6CuLN4ByNQ.", ERR_INVALID},
                {".AIdlQyE", ERR_INVALID},
                {"aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE", ERR_INVALID}, /* padding */
                {"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE=", ERR_INVALID},
                {RFC_EXAMPLE ".AA", ERR_INVALID},
                {"aYhba4dGQEHhs3uEe6CuLN4ByN+.AIdlQyE", ERR_INVALID}, /* another alphabet */
                {"aYhba4dGQEHhs3uEe6CuLN4ByNR.AIdlQyE", ERR_INVALID}, /* bits left over */
                {"aYhba4dGQEHhs3uEe6CuLN4ByNQ.h2VDIQ", ERR_INVALID},  /* the leading 00 is missing: negative */
                {"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AAAB", ERR_INVALID},    /* one zero too many */
                {"aYhba4dGQEHhs3uEe6CuLN4ByNQ.A", ERR_INVALID},
                {"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AQEBAQEBAQEBAQEBAQEBAQEBAQEB", ERR_RANGE}, /* 21 octets */
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct ari_id id;

                if (read_text(rows[i].text, &id) != rows[i].want)
                        fail_msg("%s", rows[i].text);
        }
}

static void a_key_identifier_that_is_too_long_is_refused(void **state)
{
        char text[128];
        struct ari_id id;

        (void)state;
        memset(text, 'A', sizeof text);
        memcpy(&text[88], ".AQ", 4); /* 66 octets */
        assert_int_equal(read_text(text, &id), ERR_RANGE);
        memcpy(&text[84], ".AQ", 4); /* 63 */
        assert_int_equal(read_text(text, &id), OK);
        assert_int_equal(id.aki_len, 63);
}

static void the_window_lies_two_thirds_into_the_lifetime(void **state)
{
        struct ari_window w = ari_plan(1000000000, 1000000000 + 90 * CLOCK_DAY_S);

        (void)state;
        assert_int_equal(w.start_s, 1000000000 + 60 * CLOCK_DAY_S);
        assert_int_equal(w.end_s - w.start_s, 90 * CLOCK_DAY_S / 50);
}

static void a_window_is_never_empty_and_ends_before_the_certificate(void **state)
{
        static const int64_t lifetimes_s[] = {600, CLOCK_HOUR_S, 6 * CLOCK_DAY_S, 398 * CLOCK_DAY_S, (int64_t)30 * 366 * CLOCK_DAY_S};

        (void)state;
        for (size_t i = 0; i < sizeof lifetimes_s / sizeof lifetimes_s[0]; i++) {
                struct ari_window w = ari_plan(1000000000, 1000000000 + lifetimes_s[i]);

                assert_true(w.start_s > 1000000000 && w.start_s < w.end_s && w.end_s < 1000000000 + lifetimes_s[i]);
        }
        assert_true(ari_plan(5, 5).start_s < ari_plan(5, 5).end_s);
}

static void without_a_not_before_the_last_days_are_suggested(void **state)
{
        struct ari_window w = ari_plan(0, 2000000000);

        (void)state;
        assert_int_equal(w.start_s, 2000000000 - 3 * CLOCK_DAY_S);
        assert_int_equal(w.end_s, 2000000000 - 2 * CLOCK_DAY_S);
}

static void at_once_is_wholly_in_the_past(void **state)
{
        struct ari_window w = ari_plan_at_once(2000000000);

        (void)state;
        assert_true(w.start_s < w.end_s && w.end_s < 2000000000);
}

static void the_json_is_as_the_rfc_shows_it(void **state)
{
        struct ari_window w = {1795255200, 1795258800};
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        ari_put_json(&b, &w, BYTES_NONE);
        assert_true(bytes_equal(builder_bytes(&b),
                BYTES_LIT("{\"suggestedWindow\":{\"start\":\"2026-11-21T10:00:00Z\",\"end\":\"2026-11-21T11:00:00Z\"}}\n")));
        builder_reset(&b);
        ari_put_json(&b, &w, BYTES_LIT("https://ca.example/\"\\\n"));
        assert_true(bytes_equal(builder_bytes(&b),
                BYTES_LIT("{\"suggestedWindow\":{\"start\":\"2026-11-21T10:00:00Z\",\"end\":\"2026-11-21T11:00:00Z\"},"
                          "\"explanationURL\":\"https://ca.example/\\\"\\\\\\u000a\"}\n")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_example_of_the_rfc_is_read),
                cmocka_unit_test(what_is_no_identifier_is_refused),
                cmocka_unit_test(a_key_identifier_that_is_too_long_is_refused),
                cmocka_unit_test(the_window_lies_two_thirds_into_the_lifetime),
                cmocka_unit_test(a_window_is_never_empty_and_ends_before_the_certificate),
                cmocka_unit_test(without_a_not_before_the_last_days_are_suggested),
                cmocka_unit_test(at_once_is_wholly_in_the_past),
                cmocka_unit_test(the_json_is_as_the_rfc_shows_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
