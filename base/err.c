/* err: the words for each error, and what errno values mean in ours.
 *
 * Both are tables: an error added to the enum without its words is caught by a test.
 */
#include "base/err.h"

#include <errno.h>
#include <stddef.h>

static const char *const texts[ERR_N] = {
        [OK] = "success",
        [ERR_NOMEM] = "out of memory",
        [ERR_IO] = "input/output error",
        [ERR_NOSPC] = "no space left",
        [ERR_NOT_FOUND] = "not found",
        [ERR_EXISTS] = "already there",
        [ERR_INVALID] = "malformed",
        [ERR_RANGE] = "out of range",
        [ERR_UNSUPPORTED] = "not supported",
        [ERR_AGAIN] = "not ready, try again",
        [ERR_STALE] = "changed meanwhile",
        [ERR_DENIED] = "not permitted",
        [ERR_VERSION] = "made by a newer version",
        [ERR_BUSY] = "in use by another process",
        [ERR_CLOSED] = "the other side has closed",
        [ERR_TIMEOUT] = "timed out",
        [ERR_TOKEN] = "the token failed or is away",
        [ERR_CRYPTO] = "a cryptographic operation failed",
        [ERR_CORRUPT] = "the store contradicts itself",
};

static const struct {
        int errnum;
        enum err err;
} errnos[] = {
        {0, OK},
        {ENOMEM, ERR_NOMEM},
        {ENOSPC, ERR_NOSPC},
        {EDQUOT, ERR_NOSPC},
        {EFBIG, ERR_NOSPC},
        {ENOENT, ERR_NOT_FOUND},
        {ENOTDIR, ERR_NOT_FOUND},
        {EEXIST, ERR_EXISTS},
        {EINVAL, ERR_INVALID},
        {ERANGE, ERR_RANGE},
        {EMSGSIZE, ERR_RANGE},
        {ENAMETOOLONG, ERR_RANGE},
        {ENOTSUP, ERR_UNSUPPORTED},
        {EAGAIN, ERR_AGAIN},
        {EINTR, ERR_AGAIN},
        {EPERM, ERR_DENIED},
        {EACCES, ERR_DENIED},
        {EROFS, ERR_DENIED},
        {EBUSY, ERR_BUSY},
        {EADDRINUSE, ERR_BUSY},
        {EPIPE, ERR_CLOSED},
        {ECONNRESET, ERR_CLOSED},
        {ECONNREFUSED, ERR_CLOSED},
        {ENOTCONN, ERR_CLOSED},
        {ETIMEDOUT, ERR_TIMEOUT},
};

const char *err_text(enum err e)
{
        if ((unsigned)e >= ERR_N || !texts[e])
                return "unknown error";
        return texts[e];
}

enum err err_from_errno(int errnum)
{
        for (size_t i = 0; i < sizeof(errnos) / sizeof(*errnos); i++)
                if (errnos[i].errnum == errnum)
                        return errnos[i].err;
        return ERR_IO;
}
