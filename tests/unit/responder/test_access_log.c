/* What responder/answer/access_log.h promises. */
#include "fixture.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "responder/answer/access_log.h"

#define A "0a1b"

static char path[128];
static uint64_t n_logged, n_lost;

static int set_up(void **state)
{
        int result = fixture_set_up(state);
        struct fixture *f = *state;

        snprintf(path, sizeof path, "%s/access", f->folder);
        f->conf.access_log = path;
        f->conf.access_log_sample = 1;
        fixture_import(f, A);
        fixture_sign(f, A, NOW - 100, NOW + 86400);
        n_logged = n_lost = 0;
        return result;
}

static void open_log(struct fixture *f)
{
        assert_int_equal(access_log_new(&f->conf, &f->service.access_log), OK);
}

/* Everything that was logged; the log is closed. */
static void close_log(struct fixture *f, struct builder *ret_text)
{
        int fd = open(path, O_RDONLY);
        ssize_t n;

        access_log_free(f->service.access_log);
        f->service.access_log = NULL;
        while ((n = read(fd, builder_extend(ret_text, 4096), 4096)) > 0)
                ret_text->len -= 4096 - (size_t)n;
        ret_text->len -= 4096;
        builder_put_u8(ret_text, 0);
        close(fd);
}

static void ask(struct client *c, const char *serial)
{
        struct builder b = {0};
        struct reply r;

        fixture_put_get(c->f, &b, "GET", &(struct asking){.serials = {serial}}, "");
        client_send(c, builder_bytes(&b));
        builder_done(&b);
        assert_true(client_take(c, false, &r));
}

static unsigned count_lines(const char *text)
{
        unsigned n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

/* ---- promises ---- */

static void a_line_says_what_was_asked_and_answered(void **state)
{
        struct fixture *f = *state;
        struct builder text = {0};
        struct client c;
        json_t *line;
        const char *method, *protocol, *outcome, *issuer, *serial, *time;
        int status, octets, us;

        open_log(f);
        assert_int_equal(access_log_start(f->service.access_log), OK);
        client_open(&c, f);
        ask(&c, A);
        client_close(&c);
        access_log_flush(f->service.access_log, &n_logged, &n_lost);
        close_log(f, &text);
        line = json_loads((const char *)text.data, 0, NULL);
        assert_non_null(line);
        assert_int_equal(json_unpack(line, "{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:i}", "time", &time, "method", &method, "protocol",
                                 &protocol, "status", &status, "outcome", &outcome, "issuer", &issuer, "serial", &serial, "octets", &octets,
                                 "us", &us),
                0);
        assert_string_equal(time, "2026-11-21T10:00:00.000Z");
        assert_string_equal(method, "GET");
        assert_string_equal(protocol, "http1");
        assert_int_equal(status, 200);
        assert_string_equal(outcome, "good");
        assert_string_equal(issuer, LABEL);
        assert_string_equal(serial, "0A1B");
        assert_true(octets > 100 && us >= 0);
        assert_int_equal(n_logged, 1);
        json_decref(line);
        builder_done(&text);
}

static void what_is_no_ocsp_is_logged_too(void **state)
{
        struct fixture *f = *state;
        struct builder text = {0};
        struct client c;
        struct reply r;

        open_log(f);
        client_open(&c, f);
        client_send(&c, BYTES_LIT("GET /crl/\"x\\.crl HTTP/1.1\r\nHost: h\r\n\r\nrubbish\r\n\r\n"));
        while (client_take(&c, false, &r))
                ;
        client_close(&c);
        close_log(f, &text);
        assert_int_equal(count_lines((const char *)text.data), 2);
        assert_non_null(strstr((const char *)text.data, "\"method\":\"unknown\""));
        assert_non_null(strstr((const char *)text.data, "\"status\":400"));
        assert_null(strstr((const char *)text.data, "\\"));
        builder_done(&text);
}

static void one_request_in_so_many_is_logged(void **state)
{
        struct fixture *f = *state;
        struct builder text = {0};
        struct client c;

        f->conf.access_log_sample = 4;
        open_log(f);
        client_open(&c, f);
        for (unsigned i = 0; i < 11; i++)
                ask(&c, A);
        client_close(&c);
        close_log(f, &text);
        assert_int_equal(count_lines((const char *)text.data), 2);
        builder_done(&text);
}

static void what_does_not_fit_is_counted_and_dropped(void **state)
{
        struct fixture *f = *state;
        struct request r = {.method = METHOD_GET};
        struct answer a = {.status = 200};
        struct access_line line = {.request = &r, .answer = &a, .client = -1};
        struct builder text = {0};

        open_log(f); /* its thread is not there: nothing is written out */
        for (unsigned i = 0; i < 20000; i++)
                access_log_put(f->service.access_log, &line);
        access_log_flush(f->service.access_log, &n_logged, &n_lost);
        assert_int_equal(n_logged + n_lost, 20000);
        assert_true(n_logged > 100 && n_lost > 100);
        close_log(f, &text);
        builder_done(&text);
}

static void a_turn_that_does_not_count_leaves_no_line(void **state)
{
        struct fixture *f = *state;
        struct request r = {.method = METHOD_GET};
        struct answer a = {.status = 200};
        struct access_line line = {.request = &r, .answer = &a, .client = -1};
        struct builder text = {0};
        size_t mark;

        open_log(f);
        access_log_put(f->service.access_log, &line);
        mark = access_log_mark(f->service.access_log);
        access_log_put(f->service.access_log, &line);
        access_log_rewind(f->service.access_log, mark);
        close_log(f, &text);
        assert_int_equal(count_lines((const char *)text.data), 1);
        builder_done(&text);
}

static void switched_off_there_is_none(void **state)
{
        struct fixture *f = *state;
        struct access_log *log = (void *)f;

        f->conf.access_log = (char *)"";
        assert_int_equal(access_log_new(&f->conf, &log), OK);
        assert_null(log);
        assert_int_equal(access_log_start(log), OK);
        access_log_free(log);
}

static void a_file_that_cannot_be_opened_is_told(void **state)
{
        struct fixture *f = *state;
        struct access_log *log;

        f->conf.access_log = (char *)"/nonexistent/log";
        assert_int_equal(access_log_new(&f->conf, &log), ERR_NOT_FOUND);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
                TEST(a_line_says_what_was_asked_and_answered),
                TEST(what_is_no_ocsp_is_logged_too),
                TEST(one_request_in_so_many_is_logged),
                TEST(what_does_not_fit_is_counted_and_dropped),
                TEST(a_turn_that_does_not_count_leaves_no_line),
                TEST(switched_off_there_is_none),
                TEST(a_file_that_cannot_be_opened_is_told),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
