/* Master and workers as real processes over the fixture's store: what a worker can reach, and that no request is lost when one dies,
 * when the configuration is loaded anew, and when all stops. Waiting is for events, with a generous end; nothing is timed. */
#include "fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "responder/listener.h"

#define TRIES 1000
#define TRY_US 10000

static const char *program; /* tocsin-responder, the first argument */

struct daemon {
        struct fixture *f;
        pid_t master;
        uint16_t port;
        char config[160];
};

/* A port that was free a moment ago: bound and let go, so that the master can have it. */
static uint16_t free_port(void)
{
        struct sockaddr_in at = {.sin_family = AF_INET};
        socklen_t len = sizeof at;
        int fd;

        assert_int_equal(listener_open("127.0.0.1:0", &fd), OK);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
        close(fd);
        return ntohs(at.sin_port);
}

static void write_config(const struct daemon *d, unsigned n_workers, const char *more)
{
        FILE *file = fopen(d->config, "w");

        assert_non_null(file);
        fprintf(file, "users:\n  engine: \"\"\n  vault: \"\"\n  responder: \"\"\n");
        fprintf(file, "store:\n  path: .\nresponder:\n  listen: [\"127.0.0.1:%u\"]\n  workers: %u\n%s", d->port, n_workers, more);
        fclose(file);
}

static pid_t start_master(const struct daemon *d)
{
        pid_t pid = fork();

        if (pid == 0) {
                int log = open("/dev/null", O_WRONLY);

                dup2(log, STDERR_FILENO);
                execl(program, program, "--config", d->config, (char *)NULL);
                _exit(127);
        }
        return pid;
}

static int connect_to(const struct daemon *d)
{
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(d->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct timeval patience = {.tv_sec = 10};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
                return fd;
        close(fd);
        return -1;
}

static bool is_healthy_over(int fd)
{
        static const char text[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
        char answer[512] = "";

        return send(fd, text, sizeof text - 1, MSG_NOSIGNAL) == sizeof text - 1 && recv(fd, answer, sizeof answer - 1, 0) > 0 &&
                strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

static bool is_healthy(const struct daemon *d)
{
        _cleanup_close_ int fd = connect_to(d);

        return fd >= 0 && is_healthy_over(fd);
}

static void await_health(const struct daemon *d)
{
        for (int i = 0; i < TRIES; i++) {
                if (is_healthy(d))
                        return;
                usleep(TRY_US);
        }
        fail_msg("the daemon does not answer");
}

/* Children of the master, as the kernel lists them. */
static unsigned list_workers(const struct daemon *d, pid_t *ret_pids, unsigned max)
{
        char path[96];
        unsigned n = 0;
        FILE *file;

        snprintf(path, sizeof path, "/proc/%d/task/%d/children", d->master, d->master);
        file = fopen(path, "r");
        if (!file)
                return 0;
        while (n < max && fscanf(file, "%d", &ret_pids[n]) == 1)
                n++;
        fclose(file);
        return n;
}

static void await_workers(const struct daemon *d, pid_t *ret_pids, unsigned want)
{
        for (int i = 0; i < TRIES; i++) {
                if (list_workers(d, ret_pids, 8) == want)
                        return;
                usleep(TRY_US);
        }
        fail_msg("not the workers that were wanted");
}

static int start_daemon(void **state)
{
        struct daemon *d = calloc(1, sizeof *d);

        if (fixture_set_up((void **)&d->f) != 0)
                return -1;
        d->port = free_port();
        snprintf(d->config, sizeof d->config, "%s/tocsin.yaml", d->f->folder);
        write_config(d, 2, "");
        d->master = start_master(d);
        *state = d;
        await_health(d);
        return 0;
}

static int await_end(struct daemon *d)
{
        int status = -1;

        waitpid(d->master, &status, 0);
        d->master = 0;
        return status;
}

static int stop_daemon(void **state)
{
        struct daemon *d = *state;
        void *fixture = d->f;

        if (d->master > 0) {
                kill(d->master, SIGTERM);
                await_end(d);
        }
        free(d);
        return fixture_tear_down(&fixture);
}

/* A descriptor of anything in the store's folder is open for reading only, and is not the lock file's. */
static void assert_only_read(const struct daemon *d, pid_t pid, int fd)
{
        char path[64], target[512] = "", line[128];
        unsigned flags = O_RDWR;
        FILE *info;

        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
        if (readlink(path, target, sizeof target - 1) <= 0 || !strstr(target, d->f->folder))
                return;
        assert_null(strstr(target, "lock"));
        snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
        info = fopen(path, "r");
        assert_non_null(info);
        while (fgets(line, sizeof line, info) && sscanf(line, "flags: %o", &flags) != 1)
                ;
        fclose(info);
        assert_int_equal(flags & O_ACCMODE, O_RDONLY);
}

/* DESIGN promise 5. */
static void a_worker_maps_the_store_for_reading_only_and_has_no_lock_file(void **state)
{
        struct daemon *d = *state;
        char path[64], line[512];
        pid_t pids[8];
        bool has_store = false;
        FILE *maps;

        await_workers(d, pids, 2);
        snprintf(path, sizeof path, "/proc/%d/maps", pids[0]);
        for (int i = 0; i < TRIES && !has_store; i++) {
                maps = fopen(path, "r");
                assert_non_null(maps);
                while (fgets(line, sizeof line, maps)) {
                        assert_null(strstr(line, "lock.mdb"));
                        if (!strstr(line, "data.mdb"))
                                continue;
                        has_store = true;
                        assert_non_null(strstr(line, " r--s "));
                }
                fclose(maps);
                usleep(TRY_US);
        }
        assert_true(has_store);
        for (int fd = 0; fd < 256; fd++)
                assert_only_read(d, pids[0], fd);
}

static void a_worker_that_dies_is_replaced(void **state)
{
        struct daemon *d = *state;
        pid_t before[8], after[8];

        await_workers(d, before, 2);
        kill(before[0], SIGKILL);
        kill(before[1], SIGKILL);
        for (int i = 0; i < TRIES; i++) {
                if (list_workers(d, after, 8) == 2 && after[0] != before[0] && after[0] != before[1] && after[1] != before[0] &&
                        after[1] != before[1])
                        break;
                usleep(TRY_US);
        }
        assert_int_not_equal(after[0], before[0]);
        await_health(d);
}

/* The successor takes over the queue: who connects while nobody is there is answered all the same. */
static void a_connection_made_while_no_worker_lives_is_served(void **state)
{
        struct daemon *d = *state;
        pid_t pids[8];

        await_workers(d, pids, 2);
        for (int i = 0; i < 2; i++)
                kill(pids[i], SIGSTOP);
        {
                _cleanup_close_ int fd = connect_to(d);

                assert_true(fd >= 0);
                for (int i = 0; i < 2; i++)
                        kill(pids[i], SIGKILL);
                assert_true(is_healthy_over(fd));
        }
}

static void a_reload_brings_new_workers_and_loses_nobody(void **state)
{
        struct daemon *d = *state;
        pid_t before[8], after[8];

        await_workers(d, before, 2);
        write_config(d, 3, "  max_body: 20000\n");
        kill(d->master, SIGHUP);
        for (int i = 0; i < 300; i++)
                assert_true(is_healthy(d)); /* at every moment */
        await_workers(d, after, 3);
        for (int i = 0; i < 3; i++)
                for (int k = 0; k < 2; k++)
                        assert_int_not_equal(after[i], before[k]);
}

static void a_configuration_that_is_wrong_changes_nothing(void **state)
{
        struct daemon *d = *state;
        pid_t before[8], after[8];

        await_workers(d, before, 2);
        write_config(d, 2, "  no_such_option: 1\n");
        kill(d->master, SIGHUP);
        for (int i = 0; i < 50; i++)
                assert_true(is_healthy(d));
        await_workers(d, after, 2);
        assert_memory_equal(before, after, 2 * sizeof before[0]);
}

static void fewer_workers_serve_all_listeners(void **state)
{
        struct daemon *d = *state;
        pid_t pids[8];

        write_config(d, 1, "");
        kill(d->master, SIGHUP);
        await_workers(d, pids, 1);
        for (int i = 0; i < 100; i++)
                assert_true(is_healthy(d));
}

static unsigned count_left(const struct daemon *d, const pid_t before[2])
{
        pid_t now[8];
        unsigned n = list_workers(d, now, 8), n_left = 0;

        for (unsigned i = 0; i < n; i++)
                n_left += now[i] == before[0] || now[i] == before[1];
        return n_left;
}

/* Whoever keeps a connection is told that it ends, and never finds it closed. */
static void an_idle_connection_gets_one_more_answer_after_a_reload(void **state)
{
        struct daemon *d = *state;
        _cleanup_close_ int fd = connect_to(d);
        pid_t before[8];

        await_workers(d, before, 2);
        assert_true(is_healthy_over(fd));
        kill(d->master, SIGHUP);
        for (int i = 0; i < TRIES && count_left(d, before) != 1; i++)
                usleep(TRY_US); /* until the other one is gone: they have been told */
        assert_int_equal(count_left(d, before), 1);
        assert_true(is_healthy_over(fd));
        {
                char rest;

                assert_int_equal(recv(fd, &rest, 1, 0), 0); /* and that was the last */
        }
}

static void await_other_workers(const struct daemon *d, const pid_t before[2])
{
        pid_t after[8];

        for (int i = 0; i < TRIES; i++) {
                if (list_workers(d, after, 8) == 2 && after[0] > before[1] && after[1] > before[1])
                        return;
                usleep(TRY_US);
        }
        fail_msg("the workers are the same");
}

static void an_upgrade_keeps_the_process_and_loses_nobody(void **state)
{
        struct daemon *d = *state;
        pid_t before[8];

        await_workers(d, before, 2);
        kill(d->master, SIGUSR2);
        for (int i = 0; i < 300; i++)
                assert_true(is_healthy(d)); /* at every moment */
        await_other_workers(d, before);
        assert_int_equal(waitpid(d->master, NULL, WNOHANG), 0);
        await_workers(d, before, 2);
        kill(before[0], SIGKILL); /* the new program looks after its own */
        await_workers(d, before, 2);
        await_health(d);
}

static void a_program_that_would_not_start_is_not_started(void **state)
{
        struct daemon *d = *state;
        pid_t before[8], after[8];

        await_workers(d, before, 2);
        write_config(d, 2, "  no_such_option: 1\n");
        kill(d->master, SIGUSR2);
        for (int i = 0; i < 100; i++)
                assert_true(is_healthy(d));
        await_workers(d, after, 2);
        assert_memory_equal(before, after, 2 * sizeof before[0]);
}

static uint16_t move_to_new_port(struct daemon *d)
{
        uint16_t old = d->port;

        d->port = free_port();
        write_config(d, 2, "");
        kill(d->master, SIGHUP);
        return old;
}

static void a_reload_adds_and_removes_addresses(void **state)
{
        struct daemon *d = *state;
        struct daemon old = *d;

        old.port = move_to_new_port(d);
        await_health(d);
        for (int i = 0; i < TRIES; i++) {
                int fd = connect_to(&old);

                if (fd < 0)
                        return;
                close(fd);
                usleep(TRY_US);
        }
        fail_msg("the old address is still there");
}

/* tocsin issuer add writes there: nobody has to send a signal. */
static void the_issuers_folder_is_followed(void **state)
{
        struct daemon *d = *state;
        pid_t before[8];
        char path[160];

        await_workers(d, before, 2);
        snprintf(path, sizeof path, "%s/issuers", d->f->folder);
        assert_int_equal(mkdir(path, 0755), 0);
        await_other_workers(d, before);
        await_health(d);
}

static void term_ends_all_and_well(void **state)
{
        struct daemon *d = *state;
        int status;

        kill(d->master, SIGTERM);
        status = await_end(d);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(connect_to(d), -1);
}

static void workers_do_not_outlive_their_master(void **state)
{
        struct daemon *d = *state;
        pid_t pids[8];

        await_workers(d, pids, 2);
        await_health(d);
        kill(d->master, SIGKILL);
        await_end(d);
        for (int i = 0; i < TRIES; i++) {
                if (connect_to(d) < 0)
                        return;
                usleep(TRY_US);
        }
        fail_msg("somebody still listens");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                TEST(a_worker_maps_the_store_for_reading_only_and_has_no_lock_file),
                TEST(a_worker_that_dies_is_replaced),
                TEST(a_connection_made_while_no_worker_lives_is_served),
                TEST(a_reload_brings_new_workers_and_loses_nobody),
                TEST(a_configuration_that_is_wrong_changes_nothing),
                TEST(fewer_workers_serve_all_listeners),
                TEST(an_idle_connection_gets_one_more_answer_after_a_reload),
                TEST(an_upgrade_keeps_the_process_and_loses_nobody),
                TEST(a_program_that_would_not_start_is_not_started),
                TEST(a_reload_adds_and_removes_addresses),
                TEST(the_issuers_folder_is_followed),
                TEST(term_ends_all_and_well),
                TEST(workers_do_not_outlive_their_master),
        };

        if (argc < 2)
                return 2;
        program = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
