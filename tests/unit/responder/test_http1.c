/* What responder/http/http1.h promises: which requests are taken and which refused, a row each, with the section it comes from; and that the
 * outcome does not hang on how the octets come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "responder/http/http1.h"

static const struct request_limits LIMITS = {.max_uri = 300, .max_head = 1200, .max_body = 100};

#define H "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_EXPECTED POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* want: 0 = more octets needed, 200 = a request, else the status that refuses it. */
static const struct row {
        const char *why;
        const char *text;
        unsigned want;
        const char *body; /* of an accepted one; NULL = any */
} ROWS[] = {
        {"plain GET", GET H "\r\n", 200, ""},
        {"HEAD", "HEAD / HTTP/1.1\r\n" H "\r\n", 200, ""},
        {"HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", 200, ""},
        {"POST with content", POST "Content-Length: 3\r\n\r\nabc", 200, "abc"},
        {"field names in any case", "POST / HTTP/1.1\r\nhOST: a\r\ncontent-LENGTH:3\r\n\r\nabc", 200, "abc"},
        {"unknown fields are none of our business", GET H "X-Thing: \xc3\xa4\tz\r\n\r\n", 200, ""},
        {"an empty value", GET H "X-Thing:\r\n\r\n", 200, ""},
        {"RFC 9112 2.2: one empty line before a request is ignored", "\r\n" GET H "\r\n", 200, ""},
        {"RFC 9112 2.2: but not two", "\r\n\r\n" GET H "\r\n", 400, NULL},
        {"RFC 9112 3.2.2: absolute-form", "GET http://ocsp.example:80/x HTTP/1.1\r\n" H "\r\n", 200, ""},
        {"absolute-form without a path", "GET HTTP://ocsp.example HTTP/1.1\r\n" H "\r\n", 200, ""},
        {"absolute-form, https", "GET https://a/ HTTP/1.1\r\n" H "\r\n", 200, ""},
        {"absolute-form without an authority", "GET http:///x HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"absolute-form with user information", "GET http://u@a/x HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"another scheme", "GET ftp://a/x HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 200, ""},
        {"* with another method", "GET * HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"CONNECT authority", "CONNECT a:443 HTTP/1.1\r\n" H "\r\n", 200, ""},
        {"a method nobody knows is still a request (501 later)", "BREW / HTTP/1.1\r\n" H "\r\n", 200, ""},
        {"incomplete request line", "GET / HT", 0, NULL},
        {"incomplete fields", GET H, 0, NULL},
        {"incomplete content", POST "Content-Length: 3\r\n\r\nab", 0, NULL},

        {"RFC 9112 3.2: no Host", GET "\r\n", 400, NULL},
        {"RFC 9112 3.2: two Hosts", GET H H "\r\n", 400, NULL},
        {"RFC 9112 3.2: an invalid Host", GET "Host: a/b\r\n\r\n", 400, NULL},
        {"Host with a space inside", GET "Host: a b\r\n\r\n", 400, NULL},
        {"Host list", GET "Host: a, b\r\n\r\n", 400, NULL},
        {"an empty Host is a Host", GET "Host:\r\n\r\n", 200, ""},
        {"HTTP/1.0 with two Hosts", "GET / HTTP/1.0\r\n" H H "\r\n", 400, NULL},
        {"RFC 9112 2.2: bare LF in the request line", "GET / HTTP/1.1\n" H "\r\n", 400, NULL},
        {"bare LF after a field", GET "Host: a\n\r\n", 400, NULL},
        {"bare LF at the end", GET H "\n", 400, NULL},
        {"RFC 9112 2.2: bare CR in a value", GET "Host: a\rb\r\n\r\n", 400, NULL},
        {"CR before CRLF", GET "X: a\r\r\n" H "\r\n", 400, NULL},
        {"CR CR LF as the end", GET H "\r\r\n", 400, NULL},
        {"CRLF CR X does not end the fields", GET H "\rX: y\r\n\r\n", 400, NULL},
        {"RFC 9112 5.2: folding", GET H "X: a\r\n b\r\n\r\n", 400, NULL},
        {"folding of the first field", GET " Host: a\r\n\r\n", 400, NULL},
        {"RFC 9112 5.1: a space before the colon", GET "Host : a\r\n\r\n", 400, NULL},
        {"a space before the colon of a length: its content would be another's request", POST "Content-Length : 3\r\n\r\nabc", 400, NULL},
        {"a tab before the colon", GET H "X\t: a\r\n\r\n", 400, NULL},
        {"no colon", GET H "Xa\r\n\r\n", 400, NULL},
        {"an empty name", GET H ": a\r\n\r\n", 400, NULL},
        {"a control octet in a value", GET H "X: a\x01\r\n\r\n", 400, NULL},
        {"DEL in a value", GET H "X: a\x7f\r\n\r\n", 400, NULL},
        {"a bracket in a name", GET H "X[: a\r\n\r\n", 400, NULL},
        {"two spaces", "GET  / HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"two spaces before the version", "GET /  HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a tab for a space", "GET\t/ HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a space behind the version", "GET / HTTP/1.1 \r\n" H "\r\n", 400, NULL},
        {"a space before the method", " GET / HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a space in the target", "GET /a b HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a non-ASCII octet in the target", "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a fragment", "GET /a#b HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"no target", "GET HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"no method", "/ HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a relative target", "GET a HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"HTTP/0.9", "GET /\r\n\r\n", 400, NULL},
        {"HTTP/2.0", "GET / HTTP/2.0\r\n" H "\r\n", 505, NULL},
        {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, NULL},
        {"HTTP/1.2", "GET / HTTP/1.2\r\n" H "\r\n", 505, NULL},
        {"HTTP/0.9 spelt out", "GET / HTTP/0.9\r\n" H "\r\n", 505, NULL},
        {"HTTP/1.10", "GET / HTTP/1.10\r\n" H "\r\n", 400, NULL},
        {"HTTP/1", "GET / HTTP/1\r\n" H "\r\n", 400, NULL},
        {"http/1.1", "GET / http/1.1\r\n" H "\r\n", 400, NULL},
        {"HTTP/x.1", "GET / HTTP/x.1\r\n" H "\r\n", 400, NULL},

        {"RFC 9112 6.3: Content-Length with Transfer-Encoding", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
        {"and the other way round", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, NULL},
        {"RFC 9112 6.1: Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
        {"two Transfer-Encodings", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
        {"another coding", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, NULL},
        {"chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501, NULL},
        {"xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, NULL},
        {"Chunked", POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200, ""},
        {"RFC 9112 6.3: differing Content-Lengths", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, NULL},
        {"equal Content-Lengths", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, NULL},
        {"Content-Length list", POST "Content-Length: 3, 3\r\n\r\nabc", 400, NULL},
        {"Content-Length with a sign", POST "Content-Length: +3\r\n\r\nabc", 400, NULL},
        {"negative Content-Length", POST "Content-Length: -3\r\n\r\nabc", 400, NULL},
        {"hexadecimal Content-Length", POST "Content-Length: 0x3\r\n\r\nabc", 400, NULL},
        {"empty Content-Length", POST "Content-Length:\r\n\r\n", 400, NULL},
        {"Content-Length with leading zeroes", POST "Content-Length: 003\r\n\r\nabc", 200, "abc"},
        {"Content-Length at the cap", POST "Content-Length: 100\r\n\r\n" HUNDRED, 200, HUNDRED},
        {"req 1.17: Content-Length beyond the cap", POST "Content-Length: 101\r\n\r\n", 413, NULL},
        {"Content-Length beyond any number", POST "Content-Length: 99999999999999999999999999999999\r\n\r\n", 413, NULL},
        {"Content-Length that wraps to 3", POST "Content-Length: 18446744073709551619\r\n\r\nabc", 413, NULL},
        {"two Content-Types", POST "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n", 400, NULL},

        {"RFC 9112 7.1: one chunk", CHUNKED "3\r\nabc\r\n0\r\n\r\n", 200, "abc"},
        {"two chunks, hex in either case", CHUNKED "a\r\n" TEN "\r\nA\r\n" TEN "\r\n0\r\n\r\n", 200, TEN TEN},
        {"a chunk extension", CHUNKED "3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n", 200, "abc"},
        {"leading zeroes in a chunk size", CHUNKED "003\r\nabc\r\n00\r\n\r\n", 200, "abc"},
        {"trailer fields", CHUNKED "0\r\nX: y\r\n\r\n", 200, ""},
        {"no end yet", CHUNKED "3\r\nabc\r\n", 0, NULL},
        {"no last empty line yet", CHUNKED "0\r\n", 0, NULL},
        {"no chunk size", CHUNKED "\r\nabc\r\n0\r\n\r\n", 400, NULL},
        {"not a chunk size", CHUNKED "g\r\nabc\r\n0\r\n\r\n", 400, NULL},
        {"0x3", CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", 400, NULL},
        {"a negative chunk size", CHUNKED "-3\r\nabc\r\n0\r\n\r\n", 400, NULL},
        {"a chunk size of more than 32 bits", CHUNKED "100000003\r\nabc\r\n0\r\n\r\n", 400, NULL},
        {"white space before an extension", CHUNKED "3 ;a\r\nabc\r\n0\r\n\r\n", 400, NULL},
        {"white space behind a chunk size", CHUNKED "3 \r\nabc\r\n0\r\n\r\n", 400, NULL},
        {"a bare LF behind a chunk size", CHUNKED "3\nabc\r\n0\r\n\r\n", 400, NULL},
        {"a bare LF inside an extension", CHUNKED "3;a\nabc\r\n0\r\n\r\n", 400, NULL},
        {"a chunk longer than its size", CHUNKED "3\r\nabcd\r\n0\r\n\r\n", 400, NULL},
        {"a chunk followed by LF alone", CHUNKED "3\r\nabc\n0\r\n\r\n", 400, NULL},
        {"a chunk followed by something else", CHUNKED "3\r\nabcxy0\r\n\r\n", 400, NULL},
        {"a control octet in an extension", CHUNKED "3;a\x01\r\nabc\r\n0\r\n\r\n", 400, NULL},
        {"chunks beyond the cap", CHUNKED "64\r\n" HUNDRED "\r\n1\r\na\r\n0\r\n\r\n", 413, NULL},
        {"a chunk beyond the cap", CHUNKED "65\r\n", 413, NULL},
        {"a trailer that is no field", CHUNKED "0\r\nX y\r\n\r\n", 400, NULL},
        {"an endless extension", CHUNKED "3;" HUNDRED HUNDRED HUNDRED "\r\nabc\r\n0\r\n\r\n", 400, NULL},

        {"req 1.17: a target at the cap", "GET /" HUNDRED HUNDRED HUNDRED " HTTP/1.1\r\n" H "\r\n", 414, NULL},
        {"a target that never ends", "GET /" HUNDRED HUNDRED HUNDRED HUNDRED, 414, NULL},
        {"fields beyond the cap", GET H "X: " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED "\r\nY: " HUNDRED HUNDRED HUNDRED
                HUNDRED HUNDRED HUNDRED "\r\n\r\n", 431, NULL},
        {"a field that never ends", GET H "X: " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
                HUNDRED HUNDRED, 431, NULL},
        {"RFC 9110 10.1.1: an expectation we do not have", POST "Expect: 200-ok\r\n\r\n", 417, NULL},
        {"100-continue with the content already there", POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"},
};
#define N_ROWS (sizeof ROWS / sizeof ROWS[0])

struct result {
        unsigned status; /* as in the table */
        size_t used;
        struct request request;
        uint8_t body[128];
};

/* `step` octets at a time. The input is copied to memory of just its length, so that a sanitizer sees every step too far. */
static void read_in_steps(const char *text, size_t step, struct result *ret)
{
        struct http1_state state = {0};
        size_t len = strlen(text);
        enum http1_outcome outcome = HTTP1_MORE;

        memset(ret, 0, sizeof *ret);
        for (size_t n = step < len ? step : len; outcome == HTTP1_MORE || outcome == HTTP1_CONTINUE; n = n + step < len ? n + step : len) {
                _cleanup_free_ uint8_t *copy = malloc(n);
                unsigned status = 0;

                memcpy(copy, text, n);
                outcome = http1_read(&LIMITS, &state, bytes_make(copy, n), ret->body, &ret->request, &ret->used, &status);
                if (outcome == HTTP1_REQUEST) {
                        memmove(ret->body, ret->request.body.data, ret->request.body.len);
                        ret->status = 200;
                }
                if (outcome == HTTP1_REFUSED)
                        ret->status = status;
                if (n == len)
                        return;
        }
}

static void each_request_is_taken_or_refused_as_the_rfc_has_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_ROWS; i++) {
                struct result r;

                read_in_steps(ROWS[i].text, SIZE_MAX / 2, &r);
                if (r.status != ROWS[i].want)
                        fail_msg("%s: got %u, want %u", ROWS[i].why, r.status, ROWS[i].want);
                if (ROWS[i].body) {
                        assert_int_equal(r.request.body.len, strlen(ROWS[i].body));
                        assert_memory_equal(r.body, ROWS[i].body, strlen(ROWS[i].body));
                        assert_int_equal(r.used, strlen(ROWS[i].text));
                }
        }
}

static void octet_by_octet_gives_the_same_as_at_once(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_ROWS; i++) {
                for (size_t step = 1; step < 8; step++) {
                        struct result whole, parts;

                        read_in_steps(ROWS[i].text, SIZE_MAX / 2, &whole);
                        read_in_steps(ROWS[i].text, step, &parts);
                        if (parts.status != whole.status || parts.used != whole.used || parts.request.body.len != whole.request.body.len ||
                                memcmp(parts.body, whole.body, whole.request.body.len) != 0)
                                fail_msg("%s: step %zu: got %u, at once %u", ROWS[i].why, step, parts.status, whole.status);
                }
        }
}

static struct request read_one(const char *text)
{
        static struct result r;

        read_in_steps(text, SIZE_MAX / 2, &r);
        assert_int_equal(r.status, 200);
        return r.request;
}

static void assert_text(struct bytes got, const char *want)
{
        if (!bytes_equal(got, bytes_str(want)))
                fail_msg("got \"%.*s\", want \"%s\"", (int)got.len, (const char *)got.data, want);
}

/* RFC 9112 9.3 */
static void a_connection_lasts_as_its_version_and_options_say(void **state)
{
        static const struct {
                const char *text;
                bool keep;
        } rows[] = {
                {GET H "\r\n", true},
                {GET H "Connection: close\r\n\r\n", false},
                {GET H "Connection: Keep-Alive, CLOSE\r\n\r\n", false},
                {GET H "Connection: x\r\nConnection: close\r\n\r\n", false},
                {GET H "Connection: closed\r\n\r\n", true},
                {"GET / HTTP/1.0\r\n\r\n", false},
                {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
                {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                _cleanup_free_ char *copy = strdup(rows[i].text);

                assert_int_equal(read_one(copy).keep_alive, rows[i].keep);
        }
}

static size_t used_of(const char *text)
{
        struct http1_state s = {0};
        struct request r;
        uint8_t body[128];
        size_t used = 0;
        unsigned status;

        assert_int_equal(http1_read(&LIMITS, &s, bytes_str(text), body, &r, &used, &status), HTTP1_REQUEST);
        return used;
}

static void a_request_ends_where_the_next_begins(void **state)
{
        (void)state;
        assert_int_equal(used_of(GET H "\r\n" GET H "\r\n"), strlen(GET H "\r\n"));
        assert_int_equal(used_of(POST "Content-Length: 3\r\n\r\nabcGET"), strlen(POST "Content-Length: 3\r\n\r\nabc"));
        assert_int_equal(used_of(CHUNKED "1\r\na\r\n0\r\n\r\n\r\n"), strlen(CHUNKED "1\r\na\r\n0\r\n\r\n"));
}

static struct bytes path_of(const char *text, struct bytes *ret_query)
{
        static const char *kept;
        struct http1_state s = {0};
        struct request r;
        uint8_t body[128];
        size_t used;
        unsigned status;

        kept = text;
        assert_int_equal(http1_read(&LIMITS, &s, bytes_str(kept), body, &r, &used, &status), HTTP1_REQUEST);
        *ret_query = r.query;
        return r.path;
}

static void the_path_is_the_targets_without_its_query(void **state)
{
        struct bytes query;

        (void)state;
        assert_text(path_of("GET //a//%2f?x=y HTTP/1.1\r\n" H "\r\n", &query), "//a//%2f");
        assert_text(query, "?x=y");
        assert_text(path_of("GET http://h:1/p?q HTTP/1.1\r\n" H "\r\n", &query), "/p");
        assert_text(query, "?q");
        assert_text(path_of("GET http://h HTTP/1.1\r\n" H "\r\n", &query), "/");
        assert_int_equal(query.len, 0);
}

static void a_condition_sent_twice_is_ignored(void **state)
{
        static const char text[] = GET H "If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\nRange:  bytes=0-1 \r\n\r\n";
        struct http1_state s = {0};
        struct request r;
        uint8_t body[128];
        size_t used;
        unsigned status;

        (void)state;
        assert_int_equal(http1_read(&LIMITS, &s, bytes_str(text), body, &r, &used, &status), HTTP1_REQUEST);
        assert_int_equal(r.if_none_match.len, 0);
        assert_text(r.range, "bytes=0-1");
}

/* RFC 9110 10.1.1 */
static void continue_is_said_once_and_only_while_content_is_missing(void **state)
{
        static const char text[] = POST "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc";
        struct bytes whole = bytes_str(text);
        struct http1_state s = {0};
        struct request r;
        uint8_t body[128];
        size_t used;
        unsigned status;

        (void)state;
        assert_int_equal(http1_read(&LIMITS, &s, bytes_make(text, whole.len - 4), body, &r, &used, &status), HTTP1_MORE);
        assert_int_equal(http1_read(&LIMITS, &s, bytes_make(text, whole.len - 3), body, &r, &used, &status), HTTP1_CONTINUE);
        assert_int_equal(http1_read(&LIMITS, &s, bytes_make(text, whole.len - 2), body, &r, &used, &status), HTTP1_MORE);
        assert_int_equal(http1_read(&LIMITS, &s, whole, body, &r, &used, &status), HTTP1_REQUEST);
}

/* Of content that comes in lines, each of which makes the reader look again. */
static void continue_is_said_once_for_chunks_too(void **state)
{
        static const char text[] = CHUNKED_EXPECTED "1\r\na\r\n1\r\nb\r\n0\r\n\r\n";
        struct http1_state s = {0};
        struct request r;
        uint8_t body[128];
        size_t used;
        unsigned status, n_continue = 0;
        enum http1_outcome outcome = HTTP1_MORE;

        (void)state;
        for (size_t n = sizeof CHUNKED_EXPECTED - 1; n < sizeof text && outcome != HTTP1_REQUEST; n++) {
                outcome = http1_read(&LIMITS, &s, bytes_make(text, n), body, &r, &used, &status);
                n_continue += outcome == HTTP1_CONTINUE;
        }
        assert_int_equal(outcome, HTTP1_REQUEST);
        assert_int_equal(n_continue, 1);
}

/* RFC 9110 10.1.1: an HTTP/1.0 client does not know it. */
static void continue_is_not_said_to_http_1_0(void **state)
{
        static const char text[] = "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        struct http1_state s = {0};
        struct request r;
        uint8_t body[128];
        size_t used;
        unsigned status;

        (void)state;
        assert_int_equal(http1_read(&LIMITS, &s, bytes_str(text), body, &r, &used, &status), HTTP1_MORE);
}

/* Within max_body, and yet without end: what is around the content is bounded too. */
static void small_chunks_in_much_wrapping_are_refused(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct http1_state s = {0};
        struct request r;
        uint8_t body[128];
        size_t used;
        unsigned status = 0;

        (void)state;
        builder_put_str(&b, CHUNKED);
        for (unsigned i = 0; i < 50; i++)
                builder_put_str(&b, "1;" HUNDRED HUNDRED "\r\na\r\n");
        builder_put_str(&b, "0\r\n\r\n");
        assert_int_equal(http1_read(&LIMITS, &s, builder_bytes(&b), body, &r, &used, &status), HTTP1_REFUSED);
        assert_int_equal(status, 413);
}

static void more_fields_than_allowed_are_refused(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct request_limits limits = {.max_uri = 300, .max_head = 100000, .max_body = 10};

        (void)state;
        for (unsigned extra = 0; extra < 2; extra++) {
                struct http1_state s = {0};
                struct request r;
                uint8_t body[16];
                size_t used;
                unsigned status = 0;

                builder_reset(&b);
                builder_put_str(&b, GET H);
                for (unsigned i = 1; i < HTTP1_MAX_FIELDS + extra; i++)
                        builder_put_str(&b, "X: y\r\n");
                builder_put_str(&b, "\r\n");
                assert_int_equal(http1_read(&limits, &s, builder_bytes(&b), body, &r, &used, &status),
                        extra ? HTTP1_REFUSED : HTTP1_REQUEST);
                assert_int_equal(status, extra ? 431 : 0);
        }
}

/* A request with one octet at one place of its target, or of a field's value. */
static unsigned status_with(const char *before, size_t place, unsigned octet, const char *after)
{
        static const struct request_limits limits = {.max_uri = 300, .max_head = 1000, .max_body = 10};
        _cleanup_(builder_done) struct builder b = {0};
        struct http1_state s = {0};
        struct request r;
        uint8_t body[16];
        size_t used;
        unsigned status = 200;

        builder_put_str(&b, before);
        for (size_t i = 0; i < 45; i++)
                builder_put_u8(&b, i == place ? (uint8_t)octet : 'x');
        builder_put_str(&b, after);
        assert_int_not_equal(http1_read(&limits, &s, builder_bytes(&b), body, &r, &used, &status), HTTP1_MORE);
        return status;
}

/* RFC 9110 5.5, RFC 3986: long ones are not read octet by octet, so no place may differ from another. */
static void no_octet_gets_into_a_target_or_a_value_that_may_not_wherever_it_stands(void **state)
{
        (void)state;
        for (unsigned octet = 0; octet < 256; octet++) {
                bool fits_target = octet > ' ' && octet < 0x7f && octet != '#';
                bool fits_value = octet == '\t' || (octet >= ' ' && octet != 0x7f);

                for (size_t place = 0; place < 45; place++) {
                        assert_int_equal(status_with("GET /", place, octet, " HTTP/1.1\r\n" H "\r\n"), fits_target ? 200 : 400);
                        assert_int_equal(status_with(GET H "X: ", place, octet, "\r\n\r\n"), fits_value ? 200 : 400);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_request_is_taken_or_refused_as_the_rfc_has_it),
                cmocka_unit_test(octet_by_octet_gives_the_same_as_at_once),
                cmocka_unit_test(a_connection_lasts_as_its_version_and_options_say),
                cmocka_unit_test(a_request_ends_where_the_next_begins),
                cmocka_unit_test(the_path_is_the_targets_without_its_query),
                cmocka_unit_test(a_condition_sent_twice_is_ignored),
                cmocka_unit_test(continue_is_said_once_and_only_while_content_is_missing),
                cmocka_unit_test(continue_is_said_once_for_chunks_too),
                cmocka_unit_test(continue_is_not_said_to_http_1_0),
                cmocka_unit_test(small_chunks_in_much_wrapping_are_refused),
                cmocka_unit_test(more_fields_than_allowed_are_refused),
                cmocka_unit_test(no_octet_gets_into_a_target_or_a_value_that_may_not_wherever_it_stands),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
