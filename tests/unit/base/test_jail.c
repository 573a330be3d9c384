/* test_jail: privileges go and stay gone. Each test jails a child; those that need root are skipped without it. */
#include "tests/unit/base/test.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/jail.h"

/* Runs `body` in a child; true if it returned true. */
static bool in_child(bool (*body)(void))
{
        pid_t pid = fork();
        int status = -1;

        if (pid == 0)
                _exit(body() ? 0 : 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void users_are_found_by_name(void **state)
{
        uid_t uid = 42;
        gid_t gid = 42;

        (void)state;
        assert_int_equal(jail_find_user("tocsin-no-such-user", &uid, &gid), ERR_NOT_FOUND);
        assert_true(uid == 42 && gid == 42);
        assert_int_equal(jail_find_user("root", &uid, &gid), OK);
        assert_true(uid == 0 && gid == 0);
        assert_int_equal(jail_find_user("", &uid, &gid), OK);
        assert_true(uid == getuid() && gid == getgid());
}

static void no_name_changes_nothing(void **state)
{
        (void)state;
        assert_int_equal(jail_user(""), OK);
        assert_int_equal(jail_user("tocsin-no-such-user"), ERR_NOT_FOUND);
}

static bool becomes_nobody(void)
{
        const struct passwd *nobody = getpwnam("nobody");
        uid_t real, effective, saved;
        gid_t groups[64] = {0, 12345};
        int n_groups;

        if (setgroups(2, groups) != 0)
                return false;
        if (!nobody || jail_user("nobody") != OK || getresuid(&real, &effective, &saved) != 0)
                return false;
        if (real != nobody->pw_uid || effective != real || saved != real || getegid() != nobody->pw_gid)
                return false;
        n_groups = getgroups(64, groups);
        for (int i = 0; i < n_groups; i++)
                if (groups[i] == 0 || groups[i] == 12345)
                        return false;
        return setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0;
}

static void root_becomes_the_user_for_good(void **state)
{
        (void)state;
        if (geteuid() != 0)
                skip();
        assert_true(in_child(becomes_nobody));
}

static bool cannot_become_another(void)
{
        return (geteuid() != 0 || jail_user("nobody") == OK) && jail_user("root") == ERR_DENIED &&
               jail_user("daemon") == ERR_DENIED;
}

static void who_is_not_root_becomes_nobody_else(void **state)
{
        (void)state;
        assert_true(in_child(cannot_become_another));
}

static bool gives_up_privileges(void)
{
        struct rlimit limit;
        int death_signal = 0;

        if (jail_no_new_privileges(SIGTERM) != OK || getrlimit(RLIMIT_CORE, &limit) != 0 ||
                prctl(PR_GET_PDEATHSIG, &death_signal) != 0)
                return false;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
        if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
                return false;
#endif
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && limit.rlim_cur == 0 && limit.rlim_max == 0 &&
               death_signal == SIGTERM;
}

static void nothing_is_gained_dumped_or_left_behind(void **state)
{
        (void)state;
        assert_true(in_child(gives_up_privileges));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(users_are_found_by_name),
                cmocka_unit_test(no_name_changes_nothing),
                cmocka_unit_test(root_becomes_the_user_for_good),
                cmocka_unit_test(who_is_not_root_becomes_nobody_else),
                cmocka_unit_test(nothing_is_gained_dumped_or_left_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
