/* What a worker cannot do any more once it is in the sandbox. Each attempt is a process of its own that enters it and tries. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/jail.h"
#include "responder/sandbox.h"

static char folder[] = "/tmp/tocsin-sandbox-XXXXXX";
static char store[128], crls[128], file_inside[160], file_outside[160];
static struct conf conf = {.store_path = store, .crl_path = crls, .sandbox = true};

static void write_file(const char *path)
{
        int fd = open(path, O_WRONLY | O_CREAT, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "x", 1), 1);
        close(fd);
}

static int set_up(void **state)
{
        (void)state;
        assert_non_null(mkdtemp(folder));
        snprintf(store, sizeof store, "%s/store", folder);
        snprintf(crls, sizeof crls, "%s/crl", folder);
        snprintf(file_inside, sizeof file_inside, "%s/file", crls);
        snprintf(file_outside, sizeof file_outside, "%s/secret", folder);
        mkdir(store, 0755);
        mkdir(crls, 0755);
        write_file(file_inside);
        write_file(file_outside);
        return 0;
}

static int tear_down(void **state)
{
        char command[128];

        (void)state;
        snprintf(command, sizeof command, "rm -r %s", folder);
        return system(command);
}

/* How a process ends that tries this in the sandbox: its exit code, or 256 + the signal. */
static int try(int (*attempt)(void))
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (jail_no_new_privileges(0) != OK || sandbox_files(&conf) != OK || sandbox_calls(&conf) != OK)
                        _exit(99);
                _exit(attempt());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- attempts ---- */

static int attempt_nothing(void)
{
        return 0;
}

static int attempt_exec(void)
{
        char *const words[] = {(char *)"/bin/true", NULL};

        execve(words[0], words, NULL);
        return 1;
}

static int attempt_fork(void)
{
        return fork() < 0;
}

static void *idle(void *data)
{
        return data;
}

static int attempt_thread(void)
{
        pthread_t thread;

        return pthread_create(&thread, NULL, idle, NULL);
}

static int attempt_internet_socket(void)
{
        return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int attempt_unix_socket(void)
{
        return socket(AF_UNIX, SOCK_SEQPACKET, 0) < 0;
}

static int attempt_write(void)
{
        return open(file_inside, O_WRONLY) < 0;
}

static int attempt_create(void)
{
        return open("/tmp/tocsin-sandbox-escape", O_RDONLY | O_CREAT, 0600) < 0;
}

static int attempt_unlink(void)
{
        return unlink(file_inside);
}

static int attempt_executable_memory(void)
{
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int attempt_kill(void)
{
        return kill(1, 0);
}

static int attempt_ptrace(void)
{
        return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int attempt_memory(void)
{
        void *large = malloc(1 << 24);

        free(large);
        return large == NULL;
}

static int attempt_read_inside(void)
{
        char octet;
        int fd = open(file_inside, O_RDONLY);

        return fd < 0 || read(fd, &octet, 1) != 1;
}

static int attempt_read_outside(void)
{
        return open(file_outside, O_RDONLY) < 0 && errno == EACCES ? 77 : 0;
}

/* ---- promises ---- */

static void what_serving_does_not_need_kills(void **state)
{
        static int (*const attempts[])(void) = {attempt_exec, attempt_fork, attempt_thread, attempt_internet_socket, attempt_write,
                attempt_create, attempt_unlink, attempt_executable_memory, attempt_kill, attempt_ptrace};

        (void)state;
        for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
                if (try(attempts[i]) != 256 + SIGSYS)
                        fail_msg("attempt %zu", i);
}

static void what_serving_needs_goes_on(void **state)
{
        (void)state;
        assert_int_equal(try(attempt_nothing), 0);
        assert_int_equal(try(attempt_unix_socket), 0);
        assert_int_equal(try(attempt_memory), 0);
        assert_int_equal(try(attempt_read_inside), 0);
}

static int enter_twice(void)
{
        return sandbox_calls(&conf) != OK;
}

static void there_is_no_way_back(void **state)
{
        (void)state;
        assert_int_equal(try(enter_twice), 256 + SIGSYS); /* not even another filter */
}

/* Where the kernel has it. */
static void no_file_outside_is_read(void **state)
{
        static const char *const none[] = {NULL};
        pid_t pid = fork();
        int status;

        (void)state;
        if (pid == 0)
                _exit(jail_no_new_privileges(0) == OK && jail_read_only(none) == ERR_UNSUPPORTED ? 1 : 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WEXITSTATUS(status) == 1)
                skip();
        assert_int_equal(try(attempt_read_outside), 77);
}

static int exec_outside(void)
{
        attempt_exec();
        return 1;
}

#define MEMORY_MAX (64u << 20)

/* In pieces, as buffers are; how many MB came. */
static int attempt_much_memory(void)
{
        void *volatile piece; /* a compiler may leave out what nobody looks at */
        int n = 0;

        for (; n < 200; n++) {
                piece = malloc(1 << 20);
                if (!piece)
                        break;
        }
        return n;
}

static void more_memory_than_allowed_is_not_had_and_nobody_dies_of_it(void **state)
{
        (void)state;
        for (unsigned with_filter = 0; with_filter < 2; with_filter++) {
                int n;

                conf.sandbox = with_filter;
                conf.max_memory = MEMORY_MAX;
                n = try(attempt_much_memory);
                assert_true(JAIL_IS_SANITIZED || (n > 30 && n < (int)(MEMORY_MAX >> 20)));
                conf.max_memory = 0;
                assert_int_equal(try(attempt_much_memory), 200);
        }
        conf.sandbox = true;
}

static void it_can_be_switched_off(void **state)
{
        (void)state;
        conf.sandbox = false;
        assert_int_equal(try(exec_outside), 0); /* /bin/true */
        conf.sandbox = true;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_serving_does_not_need_kills),
                cmocka_unit_test(what_serving_needs_goes_on),
                cmocka_unit_test(there_is_no_way_back),
                cmocka_unit_test(no_file_outside_is_read),
                cmocka_unit_test(more_memory_than_allowed_is_not_had_and_nobody_dies_of_it),
                cmocka_unit_test(it_can_be_switched_off),
        };

        if (JAIL_IS_SANITIZED)
                return 77; /* meson: skipped */
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
