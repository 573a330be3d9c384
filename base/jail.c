/* jail: giving up privileges, and proof that they are gone.
 *
 * Every step is checked, and after the last one root is asked for again: that must fail. A process whose step failed must
 * not go on.
 */
#include "base/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

enum err jail_no_new_privileges(int death_signal)
{
        const struct rlimit none = {0, 0};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0 ||
                prctl(PR_SET_DUMPABLE, JAIL_IS_SANITIZED, 0, 0, 0) != 0)
                return err_from_errno(errno);
        /* After jail_user: a change of uid clears it. */
        if (death_signal != 0 && prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0)
                return err_from_errno(errno);
        return OK;
}

/* ---- landlock: by number, for libc has no names for it ---- */

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* All that version 1 knows: bits 0 to 12. */
#define ALL_RIGHTS ((1ull << 13) - 1)

/* The folder, or the one above while it is not made yet. */
static int open_folder(const char *path)
{
        char above[PATH_MAX];
        char *slash;
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0 || errno != ENOENT || strlen(path) >= sizeof(above))
                return fd;
        strcpy(above, path);
        slash = strrchr(above, '/');
        if (!slash || slash == above)
                return fd;
        *slash = '\0';
        return open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static enum err allow_beneath(int ruleset, const char *path)
{
        _cleanup_close_ int fd = open_folder(path);
        struct landlock_path_beneath_attr rule = {.allowed_access = READ_RIGHTS, .parent_fd = fd};

        if (fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
                return err_from_errno(errno);
        return OK;
}

enum err jail_read_only(const char *const *folders)
{
        const struct landlock_ruleset_attr rules = {.handled_access_fs = ALL_RIGHTS};
        _cleanup_close_ int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

        if (ruleset < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? ERR_UNSUPPORTED : err_from_errno(errno);
        for (; *folders; folders++) {
                enum err e = allow_beneath(ruleset, *folders);

                if (e != OK)
                        return e;
        }
        return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? OK : err_from_errno(errno);
}
