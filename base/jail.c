/* jail: giving up privileges, and proof that they are gone.
 *
 * Every step is checked, and after the last one root is asked for again: that must fail. A process whose step failed must
 * not go on.
 */
#include "base/jail.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PASSWD_LINE_MAX 16384

enum err jail_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
        _cleanup_free_
        char *memory = NULL;
        struct passwd entry, *found = NULL;
        int errnum;

        if (*name == '\0') {
                *ret_uid = getuid();
                *ret_gid = getgid();
                return OK;
        }
        memory = malloc(PASSWD_LINE_MAX);
        if (!memory)
                return ERR_NOMEM;
        errnum = getpwnam_r(name, &entry, memory, PASSWD_LINE_MAX, &found);
        if (!found)
                return errnum == 0 ? ERR_NOT_FOUND : err_from_errno(errnum);
        *ret_uid = entry.pw_uid;
        *ret_gid = entry.pw_gid;
        return OK;
}

static bool is_user(uid_t uid, gid_t gid)
{
        uid_t real_uid, effective_uid, saved_uid;
        gid_t real_gid, effective_gid, saved_gid;

        if (getresuid(&real_uid, &effective_uid, &saved_uid) != 0 || getresgid(&real_gid, &effective_gid, &saved_gid) != 0)
                return false;
        return real_uid == uid && effective_uid == uid && saved_uid == uid && real_gid == gid && effective_gid == gid &&
               saved_gid == gid;
}

/* True if no way leads back to root. */
static bool root_is_gone(void)
{
        return setresuid(0, 0, 0) != 0 && setresgid(0, 0, 0) != 0 && seteuid(0) != 0;
}

enum err jail_user(const char *name)
{
        uid_t uid;
        gid_t gid;
        enum err e = jail_find_user(name, &uid, &gid);

        if (e != OK)
                return e;
        if (*name == '\0' || is_user(uid, gid))
                return OK;
        if (geteuid() != 0)
                return ERR_DENIED;
        /* Groups first: without the uid they can no longer be given up. */
        if (initgroups(name, gid) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
                return err_from_errno(errno);
        if (!is_user(uid, gid) || (uid != 0 && !root_is_gone()))
                return ERR_DENIED;
        return OK;
}

/* LeakSanitizer reads its own process by ptrace, which a process that is not dumpable forbids. */
#if defined(__SANITIZE_ADDRESS__)
#define JAIL_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JAIL_DUMPABLE 1
#endif
#endif
#ifndef JAIL_DUMPABLE
#define JAIL_DUMPABLE 0
#endif

enum err jail_no_new_privileges(int death_signal)
{
        const struct rlimit none = {0, 0};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0 ||
                prctl(PR_SET_DUMPABLE, JAIL_DUMPABLE, 0, 0, 0) != 0)
                return err_from_errno(errno);
        /* After jail_user: a change of uid clears it. */
        if (death_signal != 0 && prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0)
                return err_from_errno(errno);
        return OK;
}
