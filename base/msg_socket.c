/* msg_socket: SEQPACKET sockets and the descriptors that ride on them.
 *
 * Whatever the kernel put into this process's descriptor table is either handed to the caller or closed here: a peer
 * cannot fill the table.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/msg.h"

/* At most this many descriptors are looked at; the kernel closes what does not fit and says MSG_CTRUNC. */
#define MSG_FDS_MAX 4

static enum err make_address(const char *path, struct sockaddr_un *ret)
{
        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (strlen(path) >= sizeof(ret->sun_path))
                return ERR_RANGE;
        memcpy(ret->sun_path, path, strlen(path));
        return OK;
}

static int make_socket(void)
{
        return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

enum err msg_connect(const char *path, int *ret_fd)
{
        _cleanup_close_
        int fd = -1;
        struct sockaddr_un address;
        enum err e = make_address(path, &address);

        if (e != OK)
                return e;
        fd = make_socket();
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
                return err_from_errno(errno);
        *ret_fd = steal_fd(&fd);
        return OK;
}

/* Removes the socket file of a dead process. Anything that is not a socket stays: ERR_EXISTS. */
static enum err remove_dead(const char *path)
{
        _cleanup_close_
        int probe = -1;
        struct stat st;
        enum err e;

        if (lstat(path, &st) != 0)
                return errno == ENOENT ? OK : err_from_errno(errno);
        if (!S_ISSOCK(st.st_mode))
                return ERR_EXISTS;
        e = msg_connect(path, &probe);
        if (e == OK || e == ERR_AGAIN) /* answered, or its queue is full */
                return ERR_BUSY;
        if (e != ERR_CLOSED)
                return e;
        return unlink(path) == 0 || errno == ENOENT ? OK : err_from_errno(errno);
}

/* Nobody can connect before listen(), so nobody connects before the mode is right. */
enum err msg_listen(const char *path, unsigned mode, int *ret_fd)
{
        _cleanup_close_
        int fd = -1;
        struct sockaddr_un address;
        enum err e = make_address(path, &address);

        if (e == OK)
                e = remove_dead(path);
        if (e != OK)
                return e;
        fd = make_socket();
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
                return err_from_errno(errno);
        if (chmod(path, mode) != 0 || listen(fd, SOMAXCONN) != 0) {
                e = err_from_errno(errno);
                unlink(path);
                return e;
        }
        *ret_fd = steal_fd(&fd);
        return OK;
}

union control {
        struct cmsghdr header; /* for its alignment */
        uint8_t memory[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
};

static void attach_fd(struct msghdr *m, union control *control, int fd)
{
        struct cmsghdr *c;

        m->msg_control = control;
        m->msg_controllen = CMSG_SPACE(sizeof(int));
        c = CMSG_FIRSTHDR(m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

/* An empty packet looks like the end to its reader, so there is none. */
enum err msg_send(int socket, struct bytes packet, int fd)
{
        struct iovec part = {.iov_base = (void *)(uintptr_t)packet.data, .iov_len = packet.len};
        struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
        union control control = {0};
        ssize_t n;

        if (packet.len == 0)
                return ERR_INVALID;
        if (fd >= 0)
                attach_fd(&m, &control, fd);
        do
                n = sendmsg(socket, &m, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == ETOOMANYREFS || errno == ENOBUFS ? ERR_AGAIN : err_from_errno(errno);
        return OK;
}

/* Collects the descriptors that came along; returns how many. */
static unsigned collect_fds(struct msghdr *m, int fds[MSG_FDS_MAX])
{
        unsigned n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                size_t len = c->cmsg_len - CMSG_LEN(0);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t at = 0; at + sizeof(int) <= len && n < MSG_FDS_MAX; at += sizeof(int))
                        memcpy(&fds[n++], CMSG_DATA(c) + at, sizeof(int));
        }
        return n;
}

static enum err judge(ssize_t n, int flags, unsigned n_fds, bool wants_fd)
{
        if (n == 0)
                return ERR_CLOSED;
        if (flags & MSG_TRUNC)
                return ERR_RANGE;
        if ((flags & MSG_CTRUNC) || n_fds > 1 || (n_fds == 1 && !wants_fd))
                return ERR_INVALID;
        return OK;
}

enum err msg_receive(int socket, void *memory, size_t cap, size_t *ret_len, int *ret_fd)
{
        struct iovec part = {.iov_base = memory, .iov_len = cap};
        union control control = {0};
        struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        int fds[MSG_FDS_MAX];
        unsigned n_fds;
        enum err e;
        ssize_t n;

        do
                n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_from_errno(errno);
        n_fds = collect_fds(&m, fds);
        e = judge(n, m.msg_flags, n_fds, ret_fd != NULL);
        for (unsigned i = 0; e != OK && i < n_fds; i++)
                close(fds[i]);
        if (e != OK)
                return e;
        *ret_len = (size_t)n;
        if (ret_fd)
                *ret_fd = n_fds == 1 ? fds[0] : -1;
        return OK;
}
