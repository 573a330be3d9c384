/* What is no request of ours, and what it is told. (What is no HTTP: test_http1.c.) */
#include "fixture.h"

static void nonsense_is_malformed(void **state)
{
        struct client c;
        struct reply r;

        client_open(&c, *state);
        r = client_ask_text(&c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
        assert_ocsp_error(&r, OCSP_MALFORMED_REQUEST);
        r = client_ask_text(&c, "GET /MAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_ocsp_error(&r, OCSP_MALFORMED_REQUEST);
        client_close(&c);
}

static void http_says_what_is_wrong_with_the_request(void **state)
{
        static const struct {
                const char *text;
                unsigned want;
                const char *allow;
                bool closes;
        } rows[] = {
                {"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx", 415, "", false},
                {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 404, "", false},
                {"GET /MAMBAf8=?x HTTP/1.1\r\nHost: h\r\n\r\n", 400, "", false}, /* req 1.6: '?' is no digit of base64 */
                {"GET /not-base64 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "", false},
                {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 405, "GET, HEAD, POST", false},
                {"POST /crl/a.crl HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 405, "GET, HEAD", false},
                {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "", false},
                {"GET /crl/nobody.crl HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", false},
                {"GET /crl/../tocsin.yaml HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", false},
                {"GET /ca/nobody.cer HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", false},
                {"GET /ca/.cer HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", false},
                {"GET / HTTP/1.1\r\n\r\n", 400, "", true},
                {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10001\r\n\r\n", 413, "", true},
                {"GET / HTTP/3.0\r\n\r\n", 505, "", true},
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct client c;
                struct reply r;

                client_open(&c, *state);
                r = client_ask_text(&c, rows[i].text);
                if (r.status != rows[i].want)
                        fail_msg("%s: got %u", rows[i].text, r.status);
                assert_field(&r, "Allow", rows[i].allow);
                assert_field(&r, "Connection", rows[i].closes ? "close" : "");
                assert_false(client_take(&c, false, &r));
                assert_int_equal(c.is_closed, rows[i].closes);
                client_close(&c);
        }
}

static void another_path_can_be_configured(void **state)
{
        static const struct {
                const char *text;
                unsigned want;
        } rows[] = {
                {"POST /ocsp HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 200},
                {"POST /ocsp/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 200},
                {"GET /ocsp/MAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n", 200},
                {"GET /ocsp//MAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n", 200},
                {"GET /ocspMAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n", 404},
                {"GET /MAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n", 404},
        };
        struct fixture *f = *state;
        struct client c;

        client_open(&c, f);
        for (unsigned slash = 0; slash < 2; slash++) {
                f->conf.ocsp_path = (char *)(slash ? "/ocsp/" : "/ocsp");
                for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                        assert_int_equal(client_ask_text(&c, rows[i].text).status, rows[i].want);
        }
        client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(nonsense_is_malformed),
                TEST(http_says_what_is_wrong_with_the_request),
                TEST(another_path_can_be_configured),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
