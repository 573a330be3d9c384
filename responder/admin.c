/* One connection after another, a request each: there are few who ask, and none may take longer than PATIENCE_MS in all. */
#include "responder/admin.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/jail.h"
#include "base/log.h"
#include "responder/answer/http_status.h"
#include "responder/http/http1.h"
#include "responder/listener.h"
#include "responder/metrics.h"
#include "responder/sandbox.h"
#include "responder/worker.h"

#define PATIENCE_MS 2000
#define IN_SIZE 8192

static volatile sig_atomic_t is_stopping;

static void on_terminate(int sig)
{
        (void)sig;
        is_stopping = 1;
}

/* ---- answers ---- */

struct page {
        unsigned status;
        const char *type;
        struct builder body;
};

static void make_metrics(const struct admin_config *config, struct page *page)
{
        struct board_view view;

        board_read(config->board, &view);
        page->type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_put(&page->body, &view);
}

/* Well: somebody serves, and whoever serves moves. */
static void make_health(const struct admin_config *config, struct page *page)
{
        struct board_view view;

        board_read(config->board, &view);
        if (view.n_workers > view.n_silent) {
                builder_put_str(&page->body, "ok\n");
                return;
        }
        page->status = 503;
        builder_printf(&page->body, "of %u workers %u do not move\n", view.n_workers, view.n_silent);
}

static const struct {
        struct bytes path;
        void (*make)(const struct admin_config *config, struct page *page);
} PAGES[] = {
        {BYTES_LIT("/metrics"), make_metrics},
        {BYTES_LIT("/healthz"), make_health},
};

static void make_page(const struct admin_config *config, const struct request *r, struct page *page)
{
        if (r->method != METHOD_GET && r->method != METHOD_HEAD) {
                page->status = 405;
                return;
        }
        page->status = 404;
        for (size_t i = 0; i < sizeof PAGES / sizeof PAGES[0]; i++)
                if (bytes_equal(PAGES[i].path, r->path)) {
                        page->status = 200;
                        PAGES[i].make(config, page);
                }
}

static void put_page(struct builder *b, const struct page *page, bool with_body)
{
        builder_printf(b, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n", page->status,
                http_status_reason(page->status), page->type, page->body.len);
        builder_put_str(b, page->status == 405 ? "Allow: GET, HEAD\r\nConnection: close\r\n\r\n" : "Connection: close\r\n\r\n");
        if (with_body)
                builder_put(b, builder_bytes(&page->body));
}

void admin_answer(const struct admin_config *config, struct bytes in, struct builder *ret_answer)
{
        static const struct request_limits limits = {.max_uri = 1024, .max_head = IN_SIZE - 1, .max_body = 0};
        struct page page = {.status = 400, .type = "text/plain"};
        struct http1_state state = {0};
        struct request r = {0};
        uint8_t no_body[1];
        size_t used;
        enum http1_outcome outcome = http1_read(&limits, &state, in, no_body, &r, &used, &page.status);

        if (outcome == HTTP1_MORE || outcome == HTTP1_CONTINUE)
                return;
        if (outcome == HTTP1_REFUSED)
                r.method = METHOD_UNKNOWN;
        else
                make_page(config, &r, &page);
        put_page(ret_answer, &page, r.method != METHOD_HEAD);
        builder_done(&page.body);
}

/* ---- one connection ---- */

/* False: the time is over, or we stop. */
static bool wait_for(int fd, short what, int64_t until_ms)
{
        struct pollfd p = {.fd = fd, .events = what};
        int64_t left_ms = until_ms - clock_mono_ms();

        return left_ms > 0 && poll(&p, 1, (int)left_ms) == 1;
}

static void send_all(int fd, struct bytes b, int64_t until_ms)
{
        while (b.len > 0 && wait_for(fd, POLLOUT, until_ms)) {
                ssize_t n = send(fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return;
                if (n > 0)
                        b = bytes_make(&b.data[n], b.len - (size_t)n);
        }
}

static void serve(const struct admin_config *config, int fd)
{
        int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
        uint8_t in[IN_SIZE];
        size_t len = 0;
        _cleanup_(builder_done) struct builder answer = {0};

        while (answer.len == 0 && len < sizeof in && wait_for(fd, POLLIN, until_ms)) {
                ssize_t n = recv(fd, &in[len], sizeof in - len, MSG_DONTWAIT);

                if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                        return;
                len += n > 0 ? (size_t)n : 0;
                admin_answer(config, bytes_make(in, len), &answer);
        }
        if (!builder_failed(&answer))
                send_all(fd, builder_bytes(&answer), until_ms);
        shutdown(fd, SHUT_WR);
}

static void accept_all(const struct admin_config *config)
{
        struct pollfd p = {.fd = config->listener, .events = POLLIN};
        int fd;

        if (poll(&p, 1, 1000) != 1)
                return;
        fd = accept4(config->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
                return;
        serve(config, fd);
        close(fd);
}

void admin_listen(struct listener *listener, const char *address)
{
        enum err e;

        if (listener->fd >= 0 && strcmp(listener->address, address) == 0)
                return;
        cleanup_close(&listener->fd);
        free(listener->address);
        *listener = (struct listener){.address = strdup(address), .fd = -1};
        if (*address == '\0' || !listener->address)
                return;
        e = listener_open(address, &listener->fd);
        if (e != OK)
                log_error("no metrics: cannot listen address=%s why=\"%s\"", address, err_text(e));
}

int admin_run(const struct admin_config *config)
{
        struct sigaction stop = {.sa_handler = on_terminate}; /* no SA_RESTART: poll is to end */
        enum err e = jail_user(config->conf->responder_user);

        if (e == OK)
                e = jail_no_new_privileges(SIGTERM);
        if (e == OK)
                e = sandbox_files(config->conf);
        if (e == OK)
                e = sandbox_calls(config->conf);
        if (e != OK) {
                log_error("privileges cannot be given up user=%s why=\"%s\"", config->conf->responder_user, err_text(e));
                return EXIT_FAILURE;
        }
        sigaction(SIGTERM, &stop, NULL);
        sigaction(WORKER_RETIRE, &stop, NULL);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        log_info("serving address=%s", config->conf->admin_listen);
        while (!is_stopping)
                accept_all(config);
        return EXIT_SUCCESS;
}
