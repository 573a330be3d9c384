/* floor: what serving cannot cost less than. A bare epoll loop that finds the end of an HTTP/1.1 request and writes a constant.
 *
 *   floor --port P [--cpu N] [--file BODY | --size TOTAL]
 *
 * It looks at nothing but "\r\n\r\n" and, behind a POST, Content-Length as bench/load writes it. Answers to pipelined requests leave in one
 * write, as a good server's would. For benches only: it trusts its peer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/cleanup.h"

#define ANSWER_TOTAL_DEFAULT 730
#define ANSWERS_PER_WRITE 64
#define INPUT_MAX 32768
#define EVENTS_MAX 256

struct options {
        uint16_t port;
        int cpu; /* -1: wherever the kernel likes */
        const char *file;
        size_t total;
};

struct conn {
        int fd;
        size_t len;
        char in[INPUT_MAX];
};

struct answers {
        struct builder repeated; /* ANSWERS_PER_WRITE times the same */
        size_t one_len;
};

static int options_read(struct options *o, int argc, char **argv)
{
        static const struct option names[] = {
                {"port", required_argument, NULL, 'p'},
                {"cpu", required_argument, NULL, 'c'},
                {"file", required_argument, NULL, 'f'},
                {"size", required_argument, NULL, 's'},
                {0},
        };
        int c;

        *o = (struct options){.port = 18300, .cpu = -1, .total = ANSWER_TOTAL_DEFAULT};
        while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
                if (c == 'p')
                        o->port = (uint16_t)atoi(optarg);
                else if (c == 'c')
                        o->cpu = atoi(optarg);
                else if (c == 'f')
                        o->file = optarg;
                else if (c == 's')
                        o->total = (size_t)atol(optarg);
                else
                        return -1;
        }
        return optind == argc ? 0 : -1;
}

static void put_file(struct builder *b, const char *path)
{
        FILE *f = fopen(path, "rb");
        char piece[4096];
        size_t n;

        if (!f) {
                b->failed = true;
                return;
        }
        while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
                builder_put(b, bytes_make(piece, n));
        fclose(f);
}

static void put_head(struct builder *b, size_t body_len)
{
        builder_printf(b, "HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: %zu\r\n\r\n", body_len);
}

/* The body's length that makes the whole answer `total` octets long. */
static size_t body_len_for(size_t total)
{
        _cleanup_(builder_done) struct builder head = {0};

        put_head(&head, total);
        return total > head.len ? total - head.len : 0;
}

static int answers_make(struct answers *ret, const struct options *o)
{
        _cleanup_(builder_done) struct builder body = {0};

        if (o->file)
                put_file(&body, o->file);
        else
                for (size_t n = body_len_for(o->total); n > 0; n--)
                        builder_put_u8(&body, 'x');
        for (int i = 0; i < ANSWERS_PER_WRITE; i++) {
                put_head(&ret->repeated, body.len);
                builder_put(&ret->repeated, builder_bytes(&body));
        }
        ret->one_len = ret->repeated.len / ANSWERS_PER_WRITE;
        return builder_failed(&body) || builder_failed(&ret->repeated) ? -1 : 0;
}

static int listen_on(uint16_t port)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int one = 1;

        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1024) != 0)
                return -1;
        return fd;
}

static void accept_all(int listener, int epoll)
{
        int fd, one = 1;

        while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                struct conn *c = malloc(sizeof(*c));
                struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

                if (!c) {
                        close(fd);
                        return;
                }
                c->fd = fd;
                c->len = 0;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
}

/* Octets of the first request in `in`, or 0: not all there. */
static size_t request_len(struct bytes in)
{
        static const char length_field[] = "\r\nContent-Length: ";
        const char *start = (const char *)in.data;
        const char *end = memmem(in.data, in.len, "\r\n\r\n", 4);
        const char *field;
        size_t len;

        if (!end)
                return 0;
        len = (size_t)(end - start) + 4;
        if (start[0] != 'P')
                return len;
        field = memmem(start, len, length_field, sizeof(length_field) - 1);
        if (field)
                len += strtoul(field + sizeof(length_field) - 1, NULL, 10);
        return len <= in.len ? len : 0;
}

/* How many whole requests were there; what is left is moved to the front. */
static unsigned conn_consume(struct conn *c)
{
        struct bytes rest = bytes_make(c->in, c->len), request;
        unsigned n = 0;
        size_t len;

        while (rest.len > 0 && (len = request_len(rest)) > 0 && bytes_take(&rest, len, &request) == OK)
                n++;
        memmove(c->in, rest.data, rest.len);
        c->len = rest.len;
        return n;
}

static int conn_write(const struct conn *c, const struct answers *answers, unsigned n)
{
        while (n > 0) {
                unsigned now = n < ANSWERS_PER_WRITE ? n : ANSWERS_PER_WRITE;
                size_t len = now * answers->one_len;

                if (send(c->fd, answers->repeated.data, len, MSG_NOSIGNAL) != (ssize_t)len) /* blocking: whole or gone */
                        return -1;
                n -= now;
        }
        return 0;
}

/* -1: the peer is gone, or has sent a request that does not fit. */
static int conn_serve(struct conn *c, const struct answers *answers)
{
        ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - c->len, MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN ? 0 : -1;
        if (n == 0)
                return -1;
        c->len += (size_t)n;
        return conn_write(c, answers, conn_consume(c));
}

static void serve(int listener, int epoll, const struct answers *answers)
{
        struct epoll_event events[EVENTS_MAX];

        for (;;) {
                int n = epoll_wait(epoll, events, EVENTS_MAX, -1);

                for (int i = 0; i < n; i++) {
                        struct conn *c = events[i].data.ptr;

                        if (!c) {
                                accept_all(listener, epoll);
                        } else if (conn_serve(c, answers) != 0) {
                                close(c->fd);
                                free(c);
                        }
                }
        }
}

static int pin_to(int cpu)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        return sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
        struct answers answers = {0};
        struct options o;
        int listener, epoll;

        if (options_read(&o, argc, argv) != 0) {
                fprintf(stderr, "usage: floor [--port P] [--cpu N] [--file BODY | --size TOTAL]\n");
                return 2;
        }
        if (o.cpu >= 0 && pin_to(o.cpu) != 0) {
                perror("floor: cpu");
                return 1;
        }
        if (answers_make(&answers, &o) != 0) {
                fprintf(stderr, "floor: the answer cannot be read from %s\n", o.file ? o.file : "memory");
                return 1;
        }
        listener = listen_on(o.port);
        epoll = epoll_create1(EPOLL_CLOEXEC);
        if (listener < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
                perror("floor: listen");
                return 1;
        }
        serve(listener, epoll, &answers);
        return 0;
}
