#include "responder/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define BACKLOG 4096
/* Octets of an answer that the kernel holds unsent for a client. Without it a slow reader of a large CRL has as many megabytes waiting as a send
 * buffer may grow to: 2 MB each for 1,000 readers on the loopback (bench/crl.py), which is all that net.ipv4.tcp_mem allows. Whoever reads is
 * not slowed down: what is sent and not acknowledged does not count. */
#define UNSENT_MAX (128 * 1024)

static void cleanup_addrinfo(struct addrinfo **info)
{
        if (*info)
                freeaddrinfo(*info);
}

/* host ":" port, the host in brackets if it holds colons. */
static enum err split_address(const char *address, char host[LISTENER_TEXT_MAX], char port[8])
{
        const char *colon = strrchr(address, ':');
        size_t len = colon ? (size_t)(colon - address) : 0;

        if (len == 0 || len >= LISTENER_TEXT_MAX || strlen(colon + 1) >= 8)
                return ERR_INVALID;
        strcpy(port, colon + 1);
        if (address[0] == '[' && address[len - 1] == ']') {
                address++;
                len -= 2;
        }
        memcpy(host, address, len);
        host[len] = 0;
        return OK;
}

static enum err find_address(const char *address, struct addrinfo **ret_info)
{
        struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
        char host[LISTENER_TEXT_MAX], port[8];
        enum err e = split_address(address, host, port);

        if (e != OK)
                return e;
        return getaddrinfo(host, port, &hints, ret_info) == 0 ? OK : ERR_INVALID;
}

/* Those of TCP are handed down to accepted sockets. TCP_NODELAY: answers are written whole. */
static bool set_options(int fd, int family)
{
        static const int one = 1, unsent = UNSENT_MAX;

        if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0)
                return false;
        return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0 &&
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 &&
                setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) == 0;
}

enum err listener_bind(const char *address, int *ret_fd)
{
        _cleanup_(cleanup_addrinfo) struct addrinfo *info = NULL;
        _cleanup_close_ int fd = -1;
        enum err e = find_address(address, &info);

        if (e != OK)
                return e;
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || !set_options(fd, info->ai_family))
                return err_from_errno(errno);
        if (bind(fd, info->ai_addr, info->ai_addrlen) != 0)
                return errno == EADDRINUSE ? ERR_BUSY : err_from_errno(errno);
        *ret_fd = steal_fd(&fd);
        return OK;
}

enum err listener_begin(int fd)
{
        if (listen(fd, BACKLOG) == 0)
                return OK;
        return errno == EADDRINUSE ? ERR_BUSY : err_from_errno(errno);
}

enum err listener_open(const char *address, int *ret_fd)
{
        _cleanup_close_ int fd = -1;
        enum err e = listener_bind(address, &fd);

        if (e == OK)
                e = listener_begin(fd);
        if (e == OK)
                *ret_fd = steal_fd(&fd);
        return e;
}
