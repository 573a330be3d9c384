/* Which fields an answer's head has (RFC 9110 8, 15.4.5; req 3), word for word, and that HTTP/2 says the same, as nghttp2 reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <nghttp2/nghttp2.h>

#include "base/cleanup.h"
#include "responder/http/http1_head.h"
#include "responder/http/http2_session.h"

#define NOW 1795255200 /* Sat, 21 Nov 2026 10:00:00 GMT */
#define DATE "\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT"
#define OCSP_TYPE "\r\nContent-Type: application/ocsp-response"
#define LIFETIME "\r\nCache-Control: max-age=60, public, no-transform, must-revalidate"
#define MODIFIED "\r\nLast-Modified: Sat, 21 Nov 2026 09:00:00 GMT"
#define EXPIRES "\r\nExpires: Sat, 21 Nov 2026 11:00:00 GMT\r\nETag: \"00ff10\""
#define TEN(x) x x x x x x x x x x

#define OF_CACHE                                                                                                                       \
        .cacheable = true, .max_age_s = 60, .last_modified_s = NOW - 3600, .expires_s = NOW + 3600, .etag = {0, 0xff, 0x10}, .etag_len = 3

static const struct row {
        const char *why;
        struct answer answer;
        const char *want;
} ROWS[] = {
        {"an OCSP answer", {.status = 200, .content = CONTENT_OCSP, .body_len = 471, OF_CACHE},
                "HTTP/1.1 200 OK" DATE OCSP_TYPE "\r\nContent-Length: 471" LIFETIME MODIFIED EXPIRES},
        {"304 says neither what it leaves out nor when that was changed", {.status = 304, .content = CONTENT_OCSP, .body_len = 471, OF_CACHE},
                "HTTP/1.1 304 Not Modified" DATE LIFETIME EXPIRES},
        {"nothing to keep", {.status = 503, .body_len = 0, .retry_after_s = 10},
                "HTTP/1.1 503 Service Unavailable" DATE
                "\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nCache-Control: no-store, max-age=0\r\nRetry-After: 10"},
        {"a method that is not taken", {.status = 405, .body_len = 18, .allow = "GET, HEAD"},
                "HTTP/1.1 405 Method Not Allowed" DATE
                "\r\nContent-Type: text/plain\r\nContent-Length: 18\r\nCache-Control: no-store, max-age=0\r\nAllow: GET, HEAD"},
        {"what has ranges", {.status = 200, .content = CONTENT_CRL, .body_len = 1000, .total_len = 1000, OF_CACHE},
                "HTTP/1.1 200 OK" DATE "\r\nContent-Type: application/pkix-crl\r\nContent-Length: 1000" LIFETIME MODIFIED EXPIRES "\r\nAccept-Ranges: bytes"},
        {"a range", {.status = 206, .content = CONTENT_CRL, .body_len = 10, .offset = 90, .total_len = 1000},
                "HTTP/1.1 206 Partial Content" DATE "\r\nContent-Type: application/pkix-crl\r\nContent-Length: 10"
                "\r\nCache-Control: no-store, max-age=0\r\nAccept-Ranges: bytes\r\nContent-Range: bytes 90-99/1000"},
        {"a range that is not there", {.status = 416, .body_len = 0, .total_len = 1000},
                "HTTP/1.1 416 Range Not Satisfiable" DATE "\r\nContent-Type: text/plain\r\nContent-Length: 0"
                "\r\nCache-Control: no-store, max-age=0\r\nAccept-Ranges: bytes\r\nContent-Range: bytes */1000"},
        {"tags", {.status = 200, .content = CONTENT_OCSP, .body_len = 1, OF_CACHE, .tags_name = BYTES_LIT("surrogate-key"), .tags = BYTES_LIT("a b")},
                "HTTP/1.1 200 OK" DATE OCSP_TYPE "\r\nContent-Length: 1" LIFETIME MODIFIED EXPIRES "\r\nsurrogate-key: a b"},
        {"tags whose length takes two octets of HPACK",
                {.status = 200, .content = CONTENT_OCSP, .body_len = 1, .tags_name = BYTES_LIT("cache-tag"), .tags = BYTES_LIT(TEN("0123456789abc"))},
                "HTTP/1.1 200 OK" DATE OCSP_TYPE "\r\nContent-Length: 1\r\nCache-Control: no-store, max-age=0\r\ncache-tag: " TEN("0123456789abc")},
        {"tags whose length takes three",
                {.status = 200, .content = CONTENT_OCSP, .body_len = 1, .tags_name = BYTES_LIT("cache-tag"), .tags = BYTES_LIT(TEN(TEN("0123456789abc")))},
                "HTTP/1.1 200 OK" DATE OCSP_TYPE "\r\nContent-Length: 1\r\nCache-Control: no-store, max-age=0\r\ncache-tag: " TEN(TEN("0123456789abc"))},
        {"JSON", {.status = 200, .content = CONTENT_JSON, .body_len = 12345678901},
                "HTTP/1.1 200 OK" DATE "\r\nContent-Type: application/json\r\nContent-Length: 12345678901\r\nCache-Control: no-store, max-age=0"},
};
#define N_ROWS (sizeof ROWS / sizeof ROWS[0])

static void put_http1(struct builder *out, const struct answer *a, bool keep_alive, bool old_version)
{
        struct request request = {.keep_alive = keep_alive, .old_version = old_version};
        static struct service service; /* one for all: what it keeps of heads must not be mixed up */

        http1_head_put(out, &service, &request, a, NOW);
        assert_false(builder_failed(out));
}

static void expect(const char *why, const struct builder *got, const char *want, const char *end)
{
        _cleanup_(builder_done) struct builder whole = {0};

        builder_put_str(&whole, want);
        builder_put_str(&whole, end);
        if (!bytes_equal(builder_bytes(got), builder_bytes(&whole)))
                fail_msg("%s:\n%.*s\nwanted:\n%.*s", why, (int)got->len, got->data, (int)whole.len, whole.data);
}

static void heads_are_word_for_word(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_ROWS; i++) {
                _cleanup_(builder_done) struct builder got = {0};

                put_http1(&got, &ROWS[i].answer, true, false);
                expect(ROWS[i].why, &got, ROWS[i].want, "\r\n\r\n");
        }
}

static void expect_number(uint64_t n)
{
        uint8_t memory[32] = {0};
        struct builder out = builder_fixed(memory, sizeof memory);
        char want[32];

        head_put_number(&out, n);
        snprintf(want, sizeof want, "%llu", (unsigned long long)n);
        assert_int_equal(out.len, strlen(want));
        assert_string_equal((const char *)memory, want);
}

static void numbers_around_every_power_of_ten(void **state)
{
        (void)state;
        for (uint64_t p = 1; p <= UINT64_MAX / 10; p *= 10) {
                expect_number(p - 1);
                expect_number(p);
                expect_number(p + 1);
                expect_number(9 * p);
        }
        expect_number(UINT64_MAX);
}

/* RFC 9112 9.3, 9.6 */
static void the_connection_is_spoken_of_when_it_must_be(void **state)
{
        static const struct {
                bool keep_alive, old_version, close;
                const char *end;
        } rows[] = {
                {true, false, false, "\r\n\r\n"},
                {true, true, false, "\r\nConnection: keep-alive\r\n\r\n"},
                {false, false, false, "\r\nConnection: close\r\n\r\n"},
                {false, true, false, "\r\nConnection: close\r\n\r\n"},
                {true, false, true, "\r\nConnection: close\r\n\r\n"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                _cleanup_(builder_done) struct builder got = {0};
                struct answer a = ROWS[0].answer;

                a.close = rows[i].close;
                put_http1(&got, &a, rows[i].keep_alive, rows[i].old_version);
                expect(rows[i].end, &got, ROWS[0].want, rows[i].end);
        }
}

/* As lines of HTTP/1, with names in lower case, behind ":status: 200". */
static void read_by_nghttp2(struct bytes block, struct builder *ret_lines)
{
        nghttp2_hd_inflater *inflater;
        int flags = 0;

        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
                nghttp2_nv nv;
                ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block.data, block.len, 1);

                assert_true(n >= 0);
                block = bytes_make(&block.data[n], block.len - (size_t)n);
                if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
                        continue;
                builder_printf(ret_lines, "\r\n%.*s: %.*s", (int)nv.namelen, nv.name, (int)nv.valuelen, nv.value);
        }
        nghttp2_hd_inflate_del(inflater);
}

static void put_like_http2(struct builder *out, const struct row *row)
{
        bool is_name = false;

        builder_printf(out, "\r\n:status: %u", row->answer.status);
        for (const char *c = strstr(row->want, "\r\n"); *c; c++) {
                is_name = *c == '\n' || (is_name && *c != ':');
                builder_put_u8(out, (uint8_t)(is_name ? tolower(*c) : *c));
        }
}

static void http2_says_the_same(void **state)
{
        static struct service service;
        struct http2_pool pool = {.config.service = &service};

        (void)state;
        for (size_t i = 0; i < N_ROWS; i++) {
                _cleanup_(builder_done) struct builder block = {0}, got = {0}, want = {0};
                struct http2 session = {.pool = &pool};

                http2_head_put(&session, &block, &ROWS[i].answer, NOW);
                read_by_nghttp2(builder_bytes(&block), &got);
                put_like_http2(&want, &ROWS[i]);
                builder_put_u8(&want, 0);
                expect(ROWS[i].why, &got, (const char *)want.data, "");
        }
}

/* ---- what is kept of heads ---- */

static void put_head(struct service *s, enum protocol protocol, const struct answer *a, int64_t now_s, struct builder *out)
{
        struct request request = {.keep_alive = true};
        struct http2_pool pool = {.config.service = s};
        struct http2 session = {.pool = &pool};

        if (protocol == PROTOCOL_HTTP1)
                http1_head_put(out, s, &request, a, now_s);
        else
                http2_head_put(&session, out, a, now_s);
}

/* The heads of `before`, then those of `a`: as if nothing had been written before. */
static void expect_unmixed(const char *why, const struct answer *before, const struct answer *a, int64_t now_s)
{
        _cleanup_free_ struct service *used = calloc(1, sizeof *used);
        _cleanup_(builder_done) struct builder ignored = {0}, got = {0}, want = {0};

        assert_non_null(used);
        for (enum protocol p = 0; p < PROTOCOL_N; p++)
                put_head(used, p, before, NOW, &ignored);
        for (enum protocol p = 0; p < PROTOCOL_N; p++) {
                _cleanup_free_ struct service *fresh = calloc(1, sizeof *fresh);

                assert_non_null(fresh);
                put_head(used, p, a, now_s, &got);
                put_head(fresh, p, a, now_s, &want);
        }
        builder_put_u8(&want, 0);
        if (got.len + 1 != want.len || memcmp(got.data, want.data, got.len) != 0)
                fail_msg("%s: the head is another answer's", why);
}

static void a_kept_head_is_its_own_answers(void **state)
{
        static const struct answer base = {.status = 200, .content = CONTENT_OCSP, .body_len = 471, OF_CACHE};
        struct variant {
                const char *what;
                struct answer answer;
                int64_t now_s;
        } variants[10];
        size_t n = 0;

        (void)state;
        for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
                variants[i] = (struct variant){"the same", base, NOW};
        variants[n++].answer.etag[0] ^= 1;
        variants[n].what = "now";
        variants[n++].now_s++;
        variants[n].what = "status";
        variants[n++].answer.status = 304;
        variants[n].what = "content";
        variants[n++].answer.content = CONTENT_CRL;
        variants[n].what = "cacheable";
        variants[n++].answer.cacheable = false;
        variants[n].what = "max-age";
        variants[n++].answer.max_age_s++;
        variants[n].what = "Expires";
        variants[n++].answer.expires_s = 0;
        variants[n].what = "Last-Modified";
        variants[n++].answer.last_modified_s++;
        variants[n].what = "Content-Length, in the same slot";
        variants[n++].answer.body_len += HEAD_MEMO_SLOTS;
        for (size_t i = 0; i < n; i++) {
                expect_unmixed(variants[i].what, &base, &variants[i].answer, variants[i].now_s);
                expect_unmixed(variants[i].what, &base, &base, NOW);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(heads_are_word_for_word),
                cmocka_unit_test(numbers_around_every_power_of_ten),
                cmocka_unit_test(the_connection_is_spoken_of_when_it_must_be),
                cmocka_unit_test(http2_says_the_same),
                cmocka_unit_test(a_kept_head_is_its_own_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
