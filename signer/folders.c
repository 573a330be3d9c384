/* folders: one table row a folder.
 *
 * The engine owns and writes all of them. The responder's group reads the store and the CRLs: setgid, so that files made
 * later belong to that group. A folder that is a symbolic link is refused: as root we would change the owner of whatever it
 * points at.
 */
#include "signer/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/jail.h"
#include "base/log.h"

struct folder_row {
        size_t path; /* offset of the path in struct conf */
        mode_t mode;
        bool for_responder; /* its group is the responder's, else the engine's */
};

static const struct folder_row rows[] = {
        {offsetof(struct conf, store_path), 02750, true},
        {offsetof(struct conf, crl_path), 02750, true},
        {offsetof(struct conf, run_path), 0755, false},
};

struct owners {
        uid_t engine_uid;
        gid_t engine_gid, responder_gid;
};

/* A group may be changed to one of our own without root; only root can give a folder away. */
static bool give(int fd, const struct folder_row *row, const struct owners *owners)
{
        gid_t gid = row->for_responder ? owners->responder_gid : owners->engine_gid;

        return geteuid() != 0 || fchown(fd, owners->engine_uid, gid) == 0;
}

static enum err prepare(const char *path, const struct folder_row *row, const struct owners *owners)
{
        _cleanup_close_
        int fd = -1;

        if (mkdir(path, 0700) != 0 && errno != EEXIST)
                return err_from_errno(errno);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || !give(fd, row, owners) || fchmod(fd, row->mode) != 0)
                return err_from_errno(errno);
        return OK;
}

static enum err find_owners(const struct conf *conf, struct owners *ret)
{
        uid_t responder_uid;
        enum err e = jail_find_user(conf->engine_user, &ret->engine_uid, &ret->engine_gid);

        if (e == OK)
                e = jail_find_user(conf->responder_user, &responder_uid, &ret->responder_gid);
        if (e != OK)
                log_error("no such user: create it, or set it in users engine=%s responder=%s", conf->engine_user,
                        conf->responder_user);
        return e;
}

enum err folders_prepare(const struct conf *conf)
{
        struct owners owners;
        enum err e = find_owners(conf, &owners);

        for (size_t i = 0; e == OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
                const char *path = *(char *const *)((const char *)conf + rows[i].path);

                e = prepare(path, &rows[i], &owners);
                if (e != OK)
                        log_error("cannot prepare a folder: make its parent, or give it to us path=%s why=\"%s\"", path,
                                strerrordesc_np(errno));
        }
        return e;
}
