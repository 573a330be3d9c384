/* What signer/vault/seal.h promises, each in a process of its own that has sealed itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/jail.h"
#include "signer/vault/seal.h"

/* The exit code of `act` in a sealed child, or 128 + signal. */
static int sealed(int (*act)(void))
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (jail_no_new_privileges(0) != OK || seal() != OK)
                        _exit(99);
                _exit(act());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int act_nothing(void)
{
        return 0;
}

static int act_socket(void)
{
        return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM && socket(AF_UNIX, SOCK_STREAM, 0) < 0 &&
               errno == EPERM;
}

static int act_exec(void)
{
        execl("/bin/true", "true", (char *)NULL);
        return 1;
}

static int act_fork(void)
{
        return fork() < 0 && errno == EPERM;
}

static void *run_thread(void *argument)
{
        return argument;
}

static int act_thread(void)
{
        pthread_t thread;
        void *ret = NULL;
        int argument;

        return pthread_create(&thread, NULL, run_thread, &argument) == 0 && pthread_join(thread, &ret) == 0 &&
               ret == &argument;
}

static void a_sealed_process_runs_on(void **state)
{
        (void)state;
        assert_int_equal(sealed(act_nothing), 0);
}

static void a_sealed_process_opens_no_socket(void **state)
{
        (void)state;
        assert_int_equal(sealed(act_socket), 1);
}

static void a_sealed_process_dies_of_exec(void **state)
{
        (void)state;
        assert_int_equal(sealed(act_exec), 128 + SIGSYS);
}

static void a_sealed_process_starts_threads_but_no_processes(void **state)
{
        (void)state;
        assert_int_equal(sealed(act_thread), 1);
        assert_int_equal(sealed(act_fork), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_sealed_process_runs_on),
                cmocka_unit_test(a_sealed_process_opens_no_socket),
                cmocka_unit_test(a_sealed_process_dies_of_exec),
                cmocka_unit_test(a_sealed_process_starts_threads_but_no_processes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
