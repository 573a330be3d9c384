/* The board, the table of metrics, and the admin process' answers. A small strict reader of the text format stands in for promtool. */
#include "fixture.h"

#include <ctype.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "responder/admin.h"

/* ---- a reader of the text format 0.0.4 ---- */

struct reader {
        char family[128], type[16];
        unsigned n_families, n_samples;
};

static bool is_name(const char *text, size_t len)
{
        for (size_t i = 0; i < len; i++)
                if (!isalpha((unsigned char)text[i]) && text[i] != '_' && (i == 0 || !isdigit((unsigned char)text[i])))
                        return false;
        return len > 0;
}

/* {name="value",...}: the text behind it. */
static const char *skip_labels(const char *at)
{
        const char *equals;

        do {
                at++;
                equals = strchr(at, '=');
                assert_non_null(equals);
                assert_true(is_name(at, (size_t)(equals - at)));
                assert_int_equal(equals[1], '"');
                for (at = equals + 2; *at != '"'; at++) {
                        assert_true(*at != '\0' && *at != '\n');
                        at += *at == '\\';
                }
                at++;
        } while (*at == ',');
        assert_int_equal(*at, '}');
        return at + 1;
}

static void check_sample(struct reader *r, const char *line)
{
        size_t len = strcspn(line, "{ ");
        size_t family_len = strlen(r->family);
        const char *value = line[len] == '{' ? skip_labels(&line[len]) : &line[len];
        const char *suffix = &line[family_len];
        char *end;

        assert_true(is_name(line, len));
        assert_true(strncmp(line, r->family, family_len) == 0); /* below its own head */
        if (strcmp(r->type, "histogram") == 0)
                assert_true(strncmp(suffix, "_bucket{le=", 11) == 0 || strncmp(suffix, "_sum ", 5) == 0 || strncmp(suffix, "_count ", 7) == 0);
        else
                assert_int_equal(len, family_len);
        assert_int_equal(*value, ' ');
        (void)strtod(value + 1, &end);
        assert_true(end != value + 1 && *end == '\0');
        r->n_samples++;
}

static void check_line(struct reader *r, const char *line)
{
        char name[128], rest[256];

        if (strncmp(line, "# HELP ", 7) == 0) {
                assert_int_equal(sscanf(line, "# HELP %127s %255[^\n]", name, rest), 2);
                assert_string_not_equal(name, r->family); /* each family once */
                strcpy(r->family, name);
                r->n_families++;
                return;
        }
        if (strncmp(line, "# TYPE ", 7) == 0) {
                assert_int_equal(sscanf(line, "# TYPE %127s %15s", name, r->type), 2);
                assert_string_equal(name, r->family);
                assert_true(strcmp(r->type, "counter") == 0 || strcmp(r->type, "gauge") == 0 || strcmp(r->type, "histogram") == 0);
                assert_true((strcmp(r->type, "counter") == 0) == (strstr(name, "_total") != NULL));
                return;
        }
        check_sample(r, line);
}

/* No sample twice: a name with its labels stands behind one line's beginning only. */
static void check_once(const char *text, const char *line)
{
        char key[512];

        snprintf(key, sizeof key, "\n%.*s ", (int)(strrchr(line, ' ') - line), line);
        text = strstr(text, key);
        if (text && strstr(text + 1, key))
                fail_msg("twice: %s", line);
}

static struct reader check_text(struct bytes text)
{
        struct reader r = {0};
        char *copy = strndup((const char *)text.data, text.len), *rest = copy, *line, *all = strdup(copy);

        assert_true(text.len > 0 && text.data[text.len - 1] == '\n');
        copy[text.len - 1] = '\0';
        while ((line = strsep(&rest, "\n"))) {
                check_line(&r, line);
                if (*line != '#')
                        check_once(all, line);
        }
        free(all);
        free(copy);
        return r;
}

/* ---- asking ---- */

struct place {
        struct board *board;
        struct conf conf;
        struct admin_config admin;
        struct builder answer;
};

static int set_up(void **state)
{
        struct place *p = calloc(1, sizeof *p);

        p->board = board_new();
        p->conf = (struct conf){.admin_listen = (char *)""};
        p->admin = (struct admin_config){.conf = &p->conf, .board = p->board, .listener = -1};
        *state = p;
        return p->board ? 0 : -1;
}

static int tear_down(void **state)
{
        struct place *p = *state;

        board_free(p->board);
        builder_done(&p->answer);
        free(p);
        return 0;
}

static const char *ask(struct place *p, const char *request)
{
        builder_reset(&p->answer);
        admin_answer(&p->admin, bytes_str(request), &p->answer);
        builder_put_u8(&p->answer, 0);
        return (const char *)p->answer.data;
}

static const char *ask_metrics(struct place *p)
{
        const char *text = strstr(ask(p, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\n") + 4;

        (void)check_text(bytes_str(text));
        return text;
}

/* One that has just published. */
static struct stats *start_worker(struct place *p, pid_t pid)
{
        unsigned slot = board_take(p->board);

        board_set_owner(p->board, slot, pid);
        board_slot(p->board, slot)->now.published_ms = (uint64_t)clock_mono_ms();
        return board_slot(p->board, slot);
}

static void end_worker(struct place *p, pid_t pid)
{
        board_give_back(p->board, board_find(p->board, pid));
}

/* ---- promises ---- */

static void the_text_is_what_prometheus_reads_and_nothing_is_missing(void **state)
{
        static const char *const families[] = {"tocsin_http_requests_total", "tocsin_ocsp_answers_total",
                "tocsin_ocsp_cert_id_hashes_total", "tocsin_ocsp_live_total", "tocsin_sign_asked_total", "tocsin_sign_coalesced_total",
                "tocsin_sign_refused_total", "tocsin_connections_open", "tocsin_request_turn_seconds", "tocsin_timeouts_total",
                "tocsin_store_turn_longest_seconds", "tocsin_store_commit_age_seconds"};
        struct place *p = *state;
        struct stats *s = start_worker(p, 1000);
        struct reader r;
        const char *text;

        for (size_t i = 0; i < STATS_N_COUNTERS; i++)
                ((uint64_t *)s)[i] = i + 1; /* every label set occurs */
        for (unsigned i = 1; i < STATS_ISSUERS; i++)
                snprintf(s->names[i], sizeof s->names[i], "ca-%u", i);
        s->now.commit = 7;
        text = ask_metrics(p);
        r = check_text(bytes_str(text));
        assert_true(r.n_families >= sizeof families / sizeof families[0] && r.n_samples > 450);
        for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
                char head[160];

                snprintf(head, sizeof head, "# TYPE %s ", families[i]);
                if (!strstr(text, head))
                        fail_msg("%s", families[i]);
        }
}

static void what_a_worker_counted_is_shown_by_its_labels(void **state)
{
        struct place *p = *state;
        struct stats *s = start_worker(p, 1000);
        const char *text;

        s->n_requests[METHOD_POST][PROTOCOL_HTTP2][2] = 5;
        s->n_outcomes[2][OUTCOME_REVOKED] = 6;
        strcpy(s->names[2], "two");
        s->n_outcomes[0][OUTCOME_MALFORMED] = 7;
        s->n_cert_id_hashes[HASH_SHA256] = 8;
        text = ask_metrics(p);
        assert_non_null(strstr(text, "tocsin_http_requests_total{method=\"POST\",protocol=\"http2\",status=\"2xx\"} 5\n"));
        assert_non_null(strstr(text, "tocsin_ocsp_answers_total{issuer=\"two\",outcome=\"revoked\"} 6\n"));
        assert_non_null(strstr(text, "tocsin_ocsp_answers_total{issuer=\"\",outcome=\"malformed\"} 7\n"));
        assert_non_null(strstr(text, "tocsin_ocsp_cert_id_hashes_total{hash=\"sha256\"} 8\n"));
        assert_non_null(strstr(text, "tocsin_workers 1\n"));
}

static void counters_never_go_back_when_a_worker_dies(void **state)
{
        struct place *p = *state;

        start_worker(p, 1000)->n_connections = 10;
        start_worker(p, 1001)->n_connections = 5;
        assert_non_null(strstr(ask_metrics(p), "tocsin_connections_total 15\n"));
        end_worker(p, 1000);
        assert_non_null(strstr(ask_metrics(p), "tocsin_connections_total 15\n"));
        start_worker(p, 1002)->n_connections = 1;
        assert_non_null(strstr(ask_metrics(p), "tocsin_connections_total 16\n"));
        assert_non_null(strstr(ask_metrics(p), "tocsin_workers 2\n"));
}

static void gauges_of_the_dead_do_not_stay(void **state)
{
        struct place *p = *state;

        start_worker(p, 1000)->now.n_open = 10;
        assert_non_null(strstr(ask_metrics(p), "tocsin_connections_open 10\n"));
        end_worker(p, 1000);
        assert_non_null(strstr(ask_metrics(p), "tocsin_connections_open 0\n"));
}

static void a_worker_can_write_its_own_slot_only(void **state)
{
        struct place *p = *state;
        unsigned own = board_take(p->board), other = board_take(p->board);
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                struct stats *foreign = board_slot(p->board, other), *mine = board_keep_own(p->board, own);

                mine->n_connections = 77;
                signal(SIGSEGV, SIG_DFL);
                foreign->n_connections = 88;
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_int_equal(board_slot(p->board, own)->n_connections, 77);
        assert_int_equal(board_slot(p->board, other)->n_connections, 0);
}

static void more_workers_than_slots_go_without(void **state)
{
        struct place *p = *state;

        for (unsigned i = 0; i < BOARD_SLOTS; i++)
                assert_int_equal(board_take(p->board), i);
        assert_int_equal(board_take(p->board), BOARD_SLOTS);
        board_set_owner(p->board, BOARD_SLOTS, 5);
        board_give_back(p->board, BOARD_SLOTS);
        board_give_back(p->board, 17);
        assert_int_equal(board_take(p->board), 17);
}

static void health_is_well_while_somebody_moves(void **state)
{
        struct place *p = *state;
        const char *ask_health = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        struct stats *s;

        assert_non_null(strstr(ask(p, ask_health), "HTTP/1.1 503 "));
        s = start_worker(p, 1000);
        assert_non_null(strstr(ask(p, ask_health), "HTTP/1.1 200 "));
        s->now.published_ms -= 2 * BOARD_SILENT_MS;
        assert_non_null(strstr(ask(p, ask_health), "HTTP/1.1 503 "));
        assert_non_null(strstr(ask_metrics(p), "tocsin_workers_silent 1\n"));
}

static void other_requests_are_refused(void **state)
{
        assert_non_null(strstr(ask(*state, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 404 "));
        assert_non_null(strstr(ask(*state, "PUT /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 405 "));
        assert_non_null(strstr(ask(*state, "GET /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 "));
        assert_non_null(strstr(ask(*state, "rubbish\r\n\r\n"), "HTTP/1.1 400 "));
        assert_string_equal(ask(*state, "GET /metrics HTTP/1.1\r\nHo"), ""); /* not whole yet */
        assert_null(strstr(ask(*state, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "# HELP"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
                TEST(the_text_is_what_prometheus_reads_and_nothing_is_missing),
                TEST(what_a_worker_counted_is_shown_by_its_labels),
                TEST(counters_never_go_back_when_a_worker_dies),
                TEST(gauges_of_the_dead_do_not_stay),
                TEST(a_worker_can_write_its_own_slot_only),
                TEST(more_workers_than_slots_go_without),
                TEST(health_is_well_while_somebody_moves),
                TEST(other_requests_are_refused),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
