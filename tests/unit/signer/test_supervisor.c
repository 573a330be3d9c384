/* What signer/supervisor.h promises, with the real tocsin-vault and an engine of the test's own: it hands its end of the
 * channel to the test, which then asks in its stead, and it waits for SIGTERM. */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/msg.h"
#include "signer/supervisor.h"
#include "signer/vault_msg.h"

#define PATIENCE_MS 30000

static struct fixture *f;

/* Set before the supervisor is forked; the engine's side uses the other end. */
static int to_test = -1;
static int refusal; /* the engine exits with this at once; 0: it runs */

/* ---- the engine ---- */

static volatile sig_atomic_t hangups, terms;

static void on_signal(int signal)
{
        if (signal == SIGHUP)
                hangups = 1;
        else
                terms = 1;
}

static void report(char what)
{
        assert_int_equal(msg_send(to_test, bytes_make(&what, 1), -1), OK);
}

int engine_run(struct conf *conf, int channel)
{
        uint8_t packet[16];
        pid_t pid = getpid();
        sigset_t none;

        (void)conf;
        if (refusal)
                return refusal;
        signal(SIGHUP, on_signal);
        signal(SIGTERM, on_signal);
        memcpy(packet, &pid, sizeof(pid));
        if (msg_send(to_test, bytes_make(packet, sizeof(pid)), channel) != OK)
                return 1;
        sigemptyset(&none);
        while (!terms) {
                poll(NULL, 0, 100);
                if (hangups)
                        report('h');
                hangups = 0;
        }
        report('t');
        return 0;
}

/* ---- the test's side ---- */

struct run {
        pid_t supervisor, engine;
        int control; /* what the engine sends comes out here */
        int channel; /* the engine's, given to us */
        int urgent, bulk;
        pid_t vault;
};

static size_t take(int socket, uint8_t packet[VAULT_PACKET_MAX], int *ret_fd)
{
        struct pollfd p = {.fd = socket, .events = POLLIN};
        size_t len;

        if (poll(&p, 1, PATIENCE_MS) != 1)
                fail_msg("nothing came");
        assert_int_equal(msg_receive(socket, packet, VAULT_PACKET_MAX, &len, ret_fd), OK);
        return len;
}

static uint8_t packet[VAULT_PACKET_MAX];

static void take_engine(struct run *r)
{
        assert_int_equal(take(r->control, packet, &r->channel), sizeof(r->engine));
        assert_true(r->channel >= 0);
        memcpy(&r->engine, packet, sizeof(r->engine));
}

static void expect_report(struct run *r, char what)
{
        int fd;

        assert_int_equal(take(r->control, packet, &fd), 1);
        assert_int_equal(packet[0], what);
}

static void start(struct run *r)
{
        int pair[2];

        *r = (struct run){.channel = -1, .urgent = -1, .bulk = -1};
        unlink(fixture_path(f, "armed-login"));
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        to_test = pair[1];
        r->supervisor = fork();
        if (r->supervisor == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0) /* a failed test leaves nothing running */
                _exit(supervisor_run_vault(f->conf, f->config, getenv("TOCSIN_VAULT")));
        r->control = pair[0];
        close(pair[1]);
        if (!refusal)
                take_engine(r);
}

static bool wait_gone(pid_t pid)
{
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        bool is_gone = fd < 0 || poll(&p, 1, PATIENCE_MS) == 1;

        if (fd >= 0)
                close(fd);
        return is_gone;
}

static int supervisor_code(struct run *r)
{
        int status;

        assert_true(wait_gone(r->supervisor));
        assert_int_equal(waitpid(r->supervisor, &status, 0), r->supervisor);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void close_ends(struct run *r)
{
        close(r->urgent);
        close(r->bulk);
        r->urgent = r->bulk = -1;
}

static void stop(struct run *r)
{
        kill(r->supervisor, SIGTERM);
        expect_report(r, 't');
        assert_int_equal(supervisor_code(r), 0);
        close_ends(r);
        close(r->channel);
        close(r->control);
}

/* The supervisor's child that is not its engine and not a zombie. */
static pid_t find_vault(const struct run *r)
{
        DIR *proc = opendir("/proc");
        const struct dirent *entry;
        pid_t found = 0;

        while ((entry = readdir(proc)) && found == 0) {
                char path[300], state = 0;
                int pid = atoi(entry->d_name), parent = 0;
                FILE *file;

                snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
                file = pid > 0 && pid != r->engine ? fopen(path, "r") : NULL;
                if (file && fscanf(file, "%*d (%*[^)]) %c %d", &state, &parent) == 2 && parent == r->supervisor &&
                        state != 'Z')
                        found = pid;
                if (file)
                        fclose(file);
        }
        closedir(proc);
        return found;
}

/* 'V', and what must follow: both ends, and a vault whose token is open. */
static void ask_vault(struct run *r)
{
        struct vault_answer a;
        size_t len;

        close_ends(r);
        assert_int_equal(msg_send(r->channel, BYTES_LIT("V"), -1), OK);
        assert_int_equal(take(r->channel, packet, &r->urgent), 1);
        assert_int_equal(packet[0], SUPERVISOR_URGENT);
        assert_int_equal(take(r->channel, packet, &r->bulk), 1);
        assert_int_equal(packet[0], SUPERVISOR_BULK);
        assert_true(r->urgent >= 0 && r->bulk >= 0);
        len = take(r->urgent, packet, NULL);
        assert_int_equal(vault_answer_take(bytes_make(packet, len), &a), OK);
        if (a.kind != VAULT_HEALTH || a.outcome != VAULT_OK)
                fail_msg("%.*s", (int)a.text.len, (const char *)a.text.data);
        r->vault = find_vault(r);
        assert_true(r->vault > 0);
}

static void expect_died(struct run *r)
{
        int fd;

        assert_int_equal(take(r->channel, packet, &fd), 1);
        assert_int_equal(packet[0], SUPERVISOR_VAULT_DIED);
}

/* ---- promises ---- */

static void a_vault_is_started_when_asked_for_and_signs(void **state)
{
        struct builder tbs = {0}, question = {0};
        int key = f->policy.issuers[ALPHA].ocsp_key;
        struct vault_question q = {.kind = VAULT_SIGN_OCSP, .id = 1, .sig_alg = fixture_alg(f, key), .n = 1};
        struct vault_answer a;
        struct run r;
        size_t len;

        (void)state;
        start(&r);
        ask_vault(&r);
        fixture_put_ocsp(f, &tbs, &(struct ocsp_case){.issuer = ALPHA});
        memcpy(q.signer, f->policy.keys[key].spki_sha256, 32);
        q.tbs[0] = builder_bytes(&tbs);
        vault_question_put(&question, &q);
        assert_int_equal(msg_send(r.bulk, builder_bytes(&question), -1), OK);
        len = take(r.bulk, packet, NULL);
        assert_int_equal(vault_answer_take(bytes_make(packet, len), &a), OK);
        assert_int_equal(a.outcome, VAULT_OK);
        assert_int_equal(sig_verify(q.sig_alg, f->policy.keys[key].spki, q.tbs[0], a.signatures[0]), OK);
        stop(&r);
        builder_done(&tbs);
        builder_done(&question);
}

static void a_killed_vault_is_told_and_replaced_when_asked(void **state)
{
        struct run r;
        pid_t old;

        (void)state;
        start(&r);
        ask_vault(&r);
        old = r.vault;
        kill(old, SIGKILL);
        expect_died(&r);
        ask_vault(&r);
        assert_true(r.vault != old);
        stop(&r);
}

static void a_vault_that_hangs_is_killed_and_replaced(void **state)
{
        struct run r;
        pid_t old;

        (void)state;
        start(&r);
        ask_vault(&r);
        old = r.vault;
        kill(old, SIGSTOP);
        ask_vault(&r); /* no 'D' before 'U': it was asked for */
        assert_true(r.vault != old);
        assert_true(wait_gone(old));
        stop(&r);
}

static void an_engine_that_dies_is_started_again_without_its_vault(void **state)
{
        struct run r;
        pid_t old_engine, old_vault;

        (void)state;
        start(&r);
        ask_vault(&r);
        old_engine = r.engine;
        old_vault = r.vault;
        kill(old_engine, SIGKILL);
        close(r.channel);
        take_engine(&r);
        assert_true(r.engine != old_engine);
        assert_true(wait_gone(old_vault));
        ask_vault(&r);
        stop(&r);
}

/* Asked to end, and not ended yet: SIGTERM is pending. False: the process is gone. */
static bool is_asked_to_end(pid_t pid)
{
        char path[64], line[256];
        unsigned long long pending = 0;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "r");
        if (!file)
                fail_msg("it was killed");
        while (fgets(line, sizeof(line), file))
                if (strncmp(line, "State:\tZ", 8) == 0)
                        fail_msg("it was killed");
                else if (sscanf(line, "ShdPnd: %llx", &pending) == 1)
                        break;
        fclose(file);
        return pending & 1ull << (SIGTERM - 1);
}

/* SoftHSM rewrites the token's file at each log-in (vault/token.h). */
static void a_vault_that_logs_in_is_left_to_it_though_its_engine_died(void **state)
{
        int started = open(fixture_path(f, "started"), O_RDWR | O_CLOEXEC), go = open(fixture_path(f, "go"), O_RDWR | O_CLOEXEC);
        struct pollfd unread = {.fd = go, .events = POLLIN};
        struct run r;
        char octet;

        (void)state;
        start(&r);
        fixture_write(f, "armed-login", "");
        assert_int_equal(msg_send(r.channel, BYTES_LIT("V"), -1), OK);
        assert_int_equal(read(started, &octet, 1), 1);
        r.vault = find_vault(&r);
        kill(r.engine, SIGKILL);
        close(r.channel);
        while (!is_asked_to_end(r.vault))
                poll(NULL, 0, 1);
        unlink(fixture_path(f, "armed-login"));
        assert_int_equal(write(go, "g", 1), 1);
        take_engine(&r); /* behind the vault's end */
        assert_true(wait_gone(r.vault));
        assert_int_equal(poll(&unread, 1, 0), 0);
        ask_vault(&r);
        stop(&r);
        close(started);
        close(go);
}

static void both_end_with_the_supervisor(void **state)
{
        struct run r;

        (void)state;
        start(&r);
        ask_vault(&r);
        kill(r.supervisor, SIGKILL);
        assert_int_equal(supervisor_code(&r), 128 + SIGKILL);
        assert_true(wait_gone(r.engine));
        assert_true(wait_gone(r.vault));
        close_ends(&r);
        close(r.channel);
        close(r.control);
}

static void sigterm_ends_the_engine_first_and_leaves_nothing_behind(void **state)
{
        struct run r;

        (void)state;
        start(&r);
        ask_vault(&r);
        stop(&r);
        assert_true(wait_gone(r.engine));
        assert_true(wait_gone(r.vault));
}

static void sighup_goes_to_the_engine(void **state)
{
        struct run r;

        (void)state;
        start(&r);
        kill(r.supervisor, SIGHUP);
        expect_report(&r, 'h');
        stop(&r);
}

/* A second engine on one store, a store of a newer schema: not tried again and again. */
static void an_engine_that_refuses_to_start_ends_the_supervisor_with_its_code(void **state)
{
        struct run r;

        (void)state;
        refusal = 7;
        start(&r);
        assert_int_equal(supervisor_code(&r), 7);
        close(r.control);
        refusal = 0;
}

static unsigned mode_of(const char *path)
{
        struct stat st;

        assert_int_equal(lstat(path, &st), 0);
        return st.st_mode & 07777;
}

static void folders_have_the_mode_that_keeps_workers_reading_only(void **state)
{
        struct run r;

        (void)state;
        start(&r);
        assert_int_equal(mode_of(f->conf->store_path), 02750);
        assert_int_equal(mode_of(f->conf->crl_path), 02750);
        assert_int_equal(mode_of(f->conf->run_path), 0755);
        stop(&r);
}

/* As root we would change the owner of what a link points at. */
static void a_folder_that_is_a_link_is_refused(void **state)
{
        struct run r;

        (void)state;
        assert_int_equal(rename(f->conf->crl_path, fixture_path(f, "elsewhere")), 0);
        assert_int_equal(symlink(fixture_path(f, "elsewhere"), f->conf->crl_path), 0);
        refusal = 7; /* no engine is awaited */
        start(&r);
        assert_int_equal(supervisor_code(&r), EXIT_FAILURE);
        refusal = 0;
        close(r.control);
        assert_int_equal(unlink(f->conf->crl_path), 0);
        assert_int_equal(rename(fixture_path(f, "elsewhere"), f->conf->crl_path), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vault_is_started_when_asked_for_and_signs),
                cmocka_unit_test(a_killed_vault_is_told_and_replaced_when_asked),
                cmocka_unit_test(a_vault_that_hangs_is_killed_and_replaced),
                cmocka_unit_test(an_engine_that_dies_is_started_again_without_its_vault),
                cmocka_unit_test(a_vault_that_logs_in_is_left_to_it_though_its_engine_died),
                cmocka_unit_test(both_end_with_the_supervisor),
                cmocka_unit_test(sigterm_ends_the_engine_first_and_leaves_nothing_behind),
                cmocka_unit_test(sighup_goes_to_the_engine),
                cmocka_unit_test(an_engine_that_refuses_to_start_ends_the_supervisor_with_its_code),
                cmocka_unit_test(folders_have_the_mode_that_keeps_workers_reading_only),
                cmocka_unit_test(a_folder_that_is_a_link_is_refused),
        };
        int failed;

        f = fixture_make(getenv("GATE_MODULE"));
        setenv("GATE_FOLDER", f->folder, 1);
        assert_int_equal(mkfifo(fixture_path(f, "started"), 0600), 0);
        assert_int_equal(mkfifo(fixture_path(f, "go"), 0600), 0);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        fixture_remove(f);
        return failed;
}
