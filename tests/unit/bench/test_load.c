/* The load generator's judgement: no refusal and no other certificate's answer may count as right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "bench/load/answer.h"
#include "bench/load/histogram.h"
#include "pki/ca_key.h"
#include "pki/ocsp_response.h"

#define NOW 1800000000
#define TEXT(literal) BYTES_LIT(literal)

static const struct answer_rule ocsp_rule = {.is_ocsp = true, .now_s = NOW};
static const uint8_t serial_asked[] = {0x4a, 0x01}, serial_other[] = {0x4a, 0x02};

/* A whole OCSPResponse with a signature nobody looks at. */
static void make_response(struct builder *ret, struct bytes serial, enum ocsp_cert_status status, int64_t this_update_s)
{
        _cleanup_(builder_done) struct builder responder = {0}, head = {0}, times = {0};
        uint8_t raw[64] = {[0] = 1, [32] = 1};
        uint8_t der[1024];
        size_t len;
        struct ocsp_status s = {.cert_status = status, .revoked_at_s = this_update_s - 60};
        struct ocsp_template t = {.sig_alg = SIG_P256_SHA256};
        struct ca_key ca;

        assert_int_equal(ca_key_init(&ca, TEXT("name"), TEXT("key")), OK);
        ocsp_template_put_responder_by_key(&responder, TEXT("key"), this_update_s);
        ca_key_put_cert_id_head(&head, &ca, HASH_SHA1);
        ocsp_template_put_times(&times, this_update_s, this_update_s + 3600);
        t.responder = builder_bytes(&responder);
        t.cert_id = builder_bytes(&head);
        t.times = builder_bytes(&times);
        assert_true(ocsp_response_max(&t) <= sizeof(der));
        assert_int_equal(ocsp_response_rebuild(&t, serial, &s, BYTES_OF(raw), der, &len), OK);
        builder_put(ret, bytes_make(der, len));
}

static struct question question_for(struct bytes serial, enum expected expected)
{
        struct question q = {.expected = (int8_t)expected};

        assert_int_equal(serial_from_der(serial, &q.serial), OK);
        return q;
}

static enum verdict judge(struct bytes serial, enum ocsp_cert_status status, int64_t this_update_s, enum expected expected)
{
        _cleanup_(builder_done) struct builder body = {0};
        struct question q = question_for(BYTES_OF(serial_asked), expected);
        struct answer a = {.status = 200};

        make_response(&body, serial, status, this_update_s);
        a.body = builder_bytes(&body);
        assert_int_equal(answer_check(&a, &ocsp_rule), VERDICT_RIGHT);
        return answer_check_whole(&a, &ocsp_rule, &q);
}

static void the_right_answer_is_right(void **state)
{
        (void)state;
        assert_int_equal(judge(BYTES_OF(serial_asked), OCSP_GOOD, NOW - 10, EXPECT_GOOD), VERDICT_RIGHT);
        assert_int_equal(judge(BYTES_OF(serial_asked), OCSP_REVOKED, NOW - 10, EXPECT_REVOKED), VERDICT_RIGHT);
        assert_int_equal(judge(BYTES_OF(serial_asked), OCSP_REVOKED, NOW - 10, EXPECT_ANY), VERDICT_RIGHT);
}

static void an_answer_about_another_serial_is_wrong(void **state)
{
        (void)state;
        assert_int_equal(judge(BYTES_OF(serial_other), OCSP_GOOD, NOW - 10, EXPECT_GOOD), VERDICT_WRONG_SERIAL);
}

static void the_other_status_is_wrong(void **state)
{
        (void)state;
        assert_int_equal(judge(BYTES_OF(serial_asked), OCSP_GOOD, NOW - 10, EXPECT_REVOKED), VERDICT_WRONG_STATUS);
        assert_int_equal(judge(BYTES_OF(serial_asked), OCSP_REVOKED, NOW - 10, EXPECT_GOOD), VERDICT_WRONG_STATUS);
        assert_int_equal(judge(BYTES_OF(serial_asked), OCSP_UNKNOWN, NOW - 10, EXPECT_GOOD), VERDICT_WRONG_STATUS);
}

static void an_answer_outside_its_window_is_stale(void **state)
{
        (void)state;
        assert_int_equal(judge(BYTES_OF(serial_asked), OCSP_GOOD, NOW - 7200, EXPECT_GOOD), VERDICT_STALE);
        assert_int_equal(judge(BYTES_OF(serial_asked), OCSP_GOOD, NOW + 60, EXPECT_GOOD), VERDICT_STALE);
}

static void a_refusal_is_no_answer(void **state)
{
        struct answer a = {.status = 200, .body = ocsp_response_error(OCSP_TRY_LATER)};

        (void)state;
        assert_int_equal(answer_check(&a, &ocsp_rule), VERDICT_OCSP_STATUS);
        a.body = ocsp_response_error(OCSP_UNAUTHORIZED);
        assert_int_equal(answer_check(&a, &ocsp_rule), VERDICT_OCSP_STATUS);
        a.status = 503;
        assert_int_equal(answer_check(&a, &ocsp_rule), VERDICT_HTTP_STATUS);
        a = (struct answer){.status = 200, .body = TEXT("<html>it works</html>")};
        assert_int_equal(answer_check(&a, &ocsp_rule), VERDICT_UNREADABLE);
        a.body = BYTES_NONE;
        assert_int_equal(answer_check(&a, &ocsp_rule), VERDICT_UNREADABLE);
}

static void another_static_body_is_wrong(void **state)
{
        struct answer_rule rule = {.expected_body = TEXT("abcd")};
        struct answer a = {.status = 200, .body = TEXT("abcd")};

        (void)state;
        assert_int_equal(answer_check(&a, &rule), VERDICT_RIGHT);
        assert_int_equal(answer_check_whole(&a, &rule, NULL), VERDICT_RIGHT);
        a.body = TEXT("abcx");
        assert_int_equal(answer_check_whole(&a, &rule, NULL), VERDICT_WRONG_BODY);
        a.body = TEXT("abc");
        assert_int_equal(answer_check(&a, &rule), VERDICT_LENGTH);
}

static void answers_are_taken_one_by_one_however_they_are_cut(void **state)
{
        static const char two[] = "HTTP/1.1 200 OK\r\nDate: x\r\ncontent-LENGTH: 3\r\n\r\nabc"
                                  "HTTP/1.1 404 No\r\nContent-Length:0\r\nConnection: close\r\n\r\n";
        struct bytes whole = bytes_make(two, sizeof(two) - 1), in = whole;
        struct answer a;

        (void)state;
        assert_int_equal(answer_take(&in, &a), OK);
        assert_true(a.status == 200 && !a.closes && bytes_equal(a.body, TEXT("abc")));
        for (size_t n = 0; n < in.len; n++) {
                struct bytes part = bytes_make(in.data, n);

                assert_int_equal(answer_take(&part, &a), ERR_AGAIN);
                assert_true(part.len == n);
        }
        assert_int_equal(answer_take(&in, &a), OK);
        assert_true(a.status == 404 && a.closes && a.body.len == 0 && in.len == 0);
}

static void an_answer_without_a_length_is_refused(void **state)
{
        struct bytes none = TEXT("HTTP/1.1 200 OK\r\n\r\nabc"), other = TEXT("SSH-2.0-something else\r\n\r\n");
        struct answer a;

        (void)state;
        assert_int_equal(answer_take(&none, &a), ERR_INVALID);
        assert_int_equal(answer_take(&other, &a), ERR_INVALID);
}

static void a_quantile_is_within_a_64th_of_the_truth(void **state)
{
        _cleanup_free_ struct histogram *h = calloc(1, sizeof(*h));

        (void)state;
        assert_non_null(h);
        assert_int_equal(histogram_quantile_ns(h, 0.5), 0);
        for (uint64_t i = 1; i <= 100000; i++)
                histogram_add(h, i * 1000);
        for (unsigned percent = 1; percent < 100; percent++) {
                uint64_t truth = percent * 1000000ull, told = histogram_quantile_ns(h, percent / 100.0);

                assert_true(told >= truth && told <= truth + truth / 64 + 1000);
        }
        assert_int_equal(histogram_quantile_ns(h, 1.0), 100000000);
        histogram_add(h, UINT64_MAX);
        assert_true(h->max_ns == UINT64_MAX && histogram_quantile_ns(h, 1.0) == UINT64_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_right_answer_is_right),
                cmocka_unit_test(an_answer_about_another_serial_is_wrong),
                cmocka_unit_test(the_other_status_is_wrong),
                cmocka_unit_test(an_answer_outside_its_window_is_stale),
                cmocka_unit_test(a_refusal_is_no_answer),
                cmocka_unit_test(another_static_body_is_wrong),
                cmocka_unit_test(answers_are_taken_one_by_one_however_they_are_cut),
                cmocka_unit_test(an_answer_without_a_length_is_refused),
                cmocka_unit_test(a_quantile_is_within_a_64th_of_the_truth),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
