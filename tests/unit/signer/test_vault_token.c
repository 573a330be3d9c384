/* The vault when the token is not well, and between its two lanes. The gate module stops C_Sign where the test wants it. */
#include "vault_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signer/vault/serve.h"

static struct fixture *f;

static struct builder good;

static void assert_text(const struct vault_answer *a, enum vault_outcome outcome, const char *words)
{
        if (a->outcome != outcome || !memmem(a->text.data, a->text.len, words, strlen(words)))
                fail_msg("expected %d \"%s\", got %d \"%.*s\"", outcome, words, a->outcome, (int)a->text.len,
                        (const char *)a->text.data);
}

static struct vault_question ask_alpha(unsigned n)
{
        return question_ocsp(f, f->policy.issuers[ALPHA].ocsp_key, &good, n);
}

/* ---- the gate ---- */

struct gate {
        int started, go;
};

static struct gate gate_arm_at(const char *name)
{
        struct gate g;

        g.started = open(fixture_path(f, "started"), O_RDWR | O_CLOEXEC);
        g.go = open(fixture_path(f, "go"), O_RDWR | O_CLOEXEC);
        assert_true(g.started >= 0 && g.go >= 0);
        fixture_write(f, name, "");
        return g;
}

static struct gate gate_arm(void)
{
        return gate_arm_at("armed");
}

static void gate_disarm(struct gate g)
{
        unlink(fixture_path(f, "armed"));
        unlink(fixture_path(f, "armed-login"));
        close(g.started);
        close(g.go);
}

static void gate_wait(struct gate g)
{
        struct pollfd p = {.fd = g.started, .events = POLLIN};
        char octet;

        if (poll(&p, 1, 30000) != 1)
                fail_msg("nothing is being signed");
        assert_int_equal(read(g.started, &octet, 1), 1);
}

static void gate_let(struct gate g, char what)
{
        assert_int_equal(write(g.go, &what, 1), 1);
}

static bool is_readable(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};

        return poll(&p, 1, 0) == 1;
}

/* The lane that answers first: 'u' or 'b'. */
static char first_answer(const struct vault_process *v)
{
        struct pollfd p[] = {{.fd = v->urgent, .events = POLLIN}, {.fd = v->bulk, .events = POLLIN}};

        assert_true(poll(p, 2, 30000) > 0);
        return p[0].revents ? 'u' : 'b';
}

/* One session, busy with the first of 64: the urgent question comes second, and is answered while 63 are still to do. */
static void an_urgent_question_waits_for_one_signature_at_most(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct vault_question bulk = ask_alpha(VAULT_BATCH_MAX), urgent = ask_alpha(1);
        struct gate g = gate_arm();

        (void)state;
        bulk.id = 1;
        urgent.id = 2;
        vault_send(v, v->bulk, &bulk, -1);
        gate_wait(g);
        vault_send(v, v->urgent, &urgent, -1);
        gate_let(g, 'g');
        gate_wait(g);
        gate_let(g, 'g'); /* the second signature made is the urgent one */
        gate_wait(g);     /* the third is under way, and stands still */
        assert_int_equal(first_answer(v), 'u');
        assert_int_equal(vault_take(v, v->urgent)->id, 2);
        assert_false(is_readable(v->bulk));
        gate_disarm(g);
        kill(v->pid, SIGKILL);
        vault_wait(v);
        vault_stop(v);
}

static void an_urgent_question_overtakes_a_waiting_bulk_one(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct vault_question bulk = ask_alpha(1), urgent = ask_alpha(1);
        struct gate g = gate_arm();

        (void)state;
        bulk.id = 1;
        urgent.id = 2;
        vault_send(v, v->bulk, &bulk, -1);
        gate_wait(g);
        bulk.id = 3;
        vault_send(v, v->bulk, &bulk, -1);
        vault_send(v, v->urgent, &urgent, -1);
        gate_let(g, 'g');
        assert_int_equal(vault_take(v, v->bulk)->id, 1);
        gate_wait(g);
        gate_let(g, 'g');
        assert_int_equal(first_answer(v), 'u');
        assert_int_equal(vault_take(v, v->urgent)->id, 2);
        gate_wait(g);
        gate_let(g, 'g');
        assert_int_equal(vault_take(v, v->bulk)->id, 3);
        gate_disarm(g);
        vault_stop(v);
}

static void a_token_that_fails_is_told_by_name_and_ends_the_vault(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct vault_question q = ask_alpha(1);
        struct gate g = gate_arm();

        (void)state;
        vault_send(v, v->bulk, &q, -1);
        gate_wait(g);
        gate_let(g, 'x');
        assert_text(vault_take(v, v->bulk), VAULT_TOKEN, "C_Sign: CKR_DEVICE_REMOVED");
        assert_int_equal(vault_wait(v), SERVE_EXIT_TOKEN);
        gate_disarm(g);
        vault_stop(v);
}

/* ---- opening ---- */

static void expect_not_open(const char *words)
{
        struct vault_process *v = vault_start(f);
        const struct vault_answer *a = vault_take(v, v->urgent);

        assert_int_equal(a->kind, VAULT_HEALTH);
        assert_int_equal(a->id, 0);
        assert_text(a, VAULT_TOKEN, words);
        assert_int_equal(vault_wait(v), SERVE_EXIT_TOKEN);
        vault_stop(v);
}

static char *read_file(const char *path, size_t *ret_len)
{
        static char memory[1 << 20];
        int fd = open(path, O_RDONLY);
        ssize_t n, len = 0;

        assert_true(fd >= 0);
        while ((n = read(fd, memory + len, sizeof(memory) - 1 - (size_t)len)) > 0)
                len += n;
        close(fd);
        memory[len] = '\0';
        *ret_len = (size_t)len;
        return memory;
}

static void a_wrong_pin_is_told_but_not_shown(void **state)
{
        char pin[64];
        size_t len;

        (void)state;
        snprintf(pin, sizeof(pin), "%s", read_file(fixture_path(f, "pin"), &len));
        fixture_write(f, "pin", "not-the-pin-9173\n");
        expect_not_open("C_Login: CKR_PIN_INCORRECT");
        assert_null(strstr(read_file(fixture_path(f, "vault.log"), &len), "not-the-pin-9173"));
        fixture_write(f, "pin", "\n");
        expect_not_open("is empty or too long");
        unlink(fixture_path(f, "pin"));
        expect_not_open("cannot read the PIN file");
        fixture_write(f, "pin", pin);
        vault_stop(vault_start_ready(f));
}

static void the_last_pin_try_is_left_to_a_person(void **state)
{
        (void)state;
        fixture_write(f, "last-try", "");
        expect_not_open("the token has one try left");
        unlink(fixture_path(f, "last-try"));
}

static void a_token_that_is_not_there_is_told(void **state)
{
        char *config, *label;
        size_t len;

        (void)state;
        config = strdup(read_file(f->config, &len));
        label = strstr(config, "  sessions: 1");
        assert_non_null(label);
        memcpy(label, "  label: nono", 13);
        fixture_write(f, "tocsin.yaml", config);
        expect_not_open("no token has the label 'nono'");
        memcpy(label, "  sessions: 1", 13);
        fixture_write(f, "tocsin.yaml", config);
        free(config);
}

/* req 6.4, and DESIGN: never from the command line, never in a log. */
static void the_pin_is_in_no_log_no_argument_and_no_environment(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        char pin[64], path[64];
        const char *const files[] = {"cmdline", "environ"};
        struct vault_question q = ask_alpha(1);
        size_t len;

        (void)state;
        snprintf(pin, sizeof(pin), "%s", read_file(fixture_path(f, "pin"), &len));
        pin[strcspn(pin, "\n")] = '\0';
        assert_text(vault_ask(v, &q, -1), VAULT_OK, "");
        for (size_t i = 0; i < 2; i++) {
                char *text;

                snprintf(path, sizeof(path), "/proc/%d/%s", (int)v->pid, files[i]);
                text = read_file(path, &len);
                assert_true(len > 0);
                assert_null(memmem(text, len, pin, strlen(pin)));
        }
        vault_stop(v);
        assert_null(strstr(read_file(fixture_path(f, "vault.log"), &len), pin));
        assert_true(len > 0);
}

/* SoftHSM rewrites the token's file at each log-in: a vault that is ended then would take the token with it. */
static void a_vault_that_is_asked_to_end_while_it_logs_in_ends_behind_it(void **state)
{
        struct gate g = gate_arm_at("armed-login");
        struct vault_process *v = vault_start(f);

        (void)state;
        gate_wait(g);
        kill(v->pid, SIGTERM);
        gate_let(g, 'g');
        assert_int_equal(vault_wait(v), 128 + SIGTERM);
        assert_false(is_readable(g.go)); /* it lived to log in */
        gate_disarm(g);
        vault_stop(v);
        vault_stop(vault_start_ready(f));
}

static void the_vault_ends_when_its_engine_is_gone(void **state)
{
        struct vault_process *v = vault_start_ready(f);

        (void)state;
        close(v->bulk);
        assert_int_equal(vault_wait(v), 0);
        v->bulk = dup(v->urgent);
        vault_stop(v);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_urgent_question_waits_for_one_signature_at_most),
                cmocka_unit_test(an_urgent_question_overtakes_a_waiting_bulk_one),
                cmocka_unit_test(a_token_that_fails_is_told_by_name_and_ends_the_vault),
                cmocka_unit_test(a_wrong_pin_is_told_but_not_shown),
                cmocka_unit_test(the_last_pin_try_is_left_to_a_person),
                cmocka_unit_test(a_token_that_is_not_there_is_told),
                cmocka_unit_test(the_pin_is_in_no_log_no_argument_and_no_environment),
                cmocka_unit_test(a_vault_that_is_asked_to_end_while_it_logs_in_ends_behind_it),
                cmocka_unit_test(the_vault_ends_when_its_engine_is_gone),
        };
        int failed;

        f = fixture_make(getenv("GATE_MODULE"));
        setenv("GATE_FOLDER", f->folder, 1);
        assert_int_equal(mkfifo(fixture_path(f, "started"), 0600), 0);
        assert_int_equal(mkfifo(fixture_path(f, "go"), 0600), 0);
        fixture_put_ocsp(f, &good, &(struct ocsp_case){.issuer = ALPHA});
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        builder_done(&good);
        fixture_remove(f);
        return failed;
}
