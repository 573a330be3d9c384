#include "responder/conn.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "responder/pipeline.h"

#define IN_SIZE (32 * 1024)
#define IN_GROWTH 2048
/* A reader of a large file must take this much in each write timeout. */
#define WRITE_PROGRESS (256 * 1024)
/* One connection's share of the loop while it is sent a file. */
#define FILE_SHARE (1024 * 1024)
#define LINGER_MS 2000

enum timer_kind { TIMER_NONE, TIMER_IDLE, TIMER_HEADER, TIMER_PARK, TIMER_WRITE, TIMER_LINGER };

struct conn {
        struct conn_pool *pool;
        struct conn *next, *previous;
        struct event event;
        struct timer timer;
        struct sign_waiter waiter;
        struct sign_slot sign;
        struct http1_state http1;
        int fd;
        uint8_t timer_kind;
        uint8_t wants; /* EV_READ, EV_WRITE or neither */
        bool is_broken;    /* the socket failed */
        bool is_closing;   /* ends once everything is sent */
        bool must_linger;  /* ... and its client may still be sending */
        bool is_lingering;
        bool has_progress; /* since the timer was set last: a request was answered, or an answer taken */
        size_t n_sent;     /* since then */
        uint8_t *in;       /* a request that is not whole, or waits; NULL = none */
        size_t in_len, in_cap;
        uint8_t *out;      /* what the socket did not take; NULL = none */
        size_t out_len, out_at;
        struct crl_file *file;
        uint64_t file_offset, file_left;
};

static struct conn *conn_of_timer(struct timer *timer)
{
        return (struct conn *)((char *)timer - offsetof(struct conn, timer));
}

static struct conn *conn_of_waiter(struct sign_waiter *waiter)
{
        return (struct conn *)((char *)waiter - offsetof(struct conn, waiter));
}

static void conn_free(struct conn *c)
{
        struct conn_pool *pool = c->pool;

        if (c->wants != 0)
                event_del(&c->event);
        timer_cancel(&c->timer);
        sign_client_leave(&c->waiter);
        crl_file_release(c->file);
        close(c->fd);
        free(c->in);
        free(c->out);
        if (c->next)
                c->next->previous = c->previous;
        if (c->previous)
                c->previous->next = c->next;
        else
                pool->first = c->next;
        free(c);
        pool->n_open--;
        if (pool->on_close)
                pool->on_close(pool->data);
}

static bool is_blocked(const struct conn *c)
{
        return c->out || c->file;
}

static bool is_parked(const struct conn *c)
{
        return c->waiter.question != NULL;
}

/* ---- writing ---- */

/* What the socket would not take now is kept. */
static void keep_output(struct conn *c, struct bytes rest)
{
        uint8_t *more = realloc(c->out, c->out_len + rest.len);

        if (!more) {
                c->is_broken = true;
                return;
        }
        memcpy(&more[c->out_len], rest.data, rest.len);
        c->out = more;
        c->out_len += rest.len;
}

/* Octets taken; 0 when it would block or the socket failed. */
static size_t send_some(struct conn *c, struct bytes b)
{
        ssize_t n = send(c->fd, b.data, b.len, MSG_NOSIGNAL | (c->file ? MSG_MORE : 0));

        if (n < 0 && errno != EAGAIN && errno != EINTR)
                c->is_broken = true;
        if (n <= 0)
                return 0;
        c->n_sent += (size_t)n;
        return (size_t)n;
}

static void send_or_keep(struct conn *c, struct bytes b)
{
        size_t n = 0;

        if (b.len > 0 && !c->out)
                n = send_some(c, b);
        if (n < b.len && !c->is_broken)
                keep_output(c, bytes_make(&b.data[n], b.len - n));
}

static void flush_output(struct conn *c)
{
        if (!c->out)
                return;
        c->out_at += send_some(c, bytes_make(&c->out[c->out_at], c->out_len - c->out_at));
        if (c->out_at < c->out_len)
                return;
        free(c->out);
        c->out = NULL;
        c->out_len = c->out_at = 0;
}

/* No copy passes through us; the descriptor is held, so a CRL that is replaced meanwhile still goes out whole. */
static void flush_file(struct conn *c)
{
        size_t share = FILE_SHARE;

        while (c->file && !c->out && share > 0 && !c->is_broken) {
                off_t offset = (off_t)c->file_offset;
                size_t n_wanted = c->file_left < share ? (size_t)c->file_left : share;
                ssize_t n = sendfile(c->fd, c->file->fd, &offset, n_wanted);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0) {
                        c->is_broken = true; /* cut short: the client sees that octets are missing */
                        return;
                }
                c->file_offset += (uint64_t)n;
                c->file_left -= (uint64_t)n;
                c->n_sent += (size_t)n;
                share -= (size_t)n;
                if (c->file_left == 0) {
                        crl_file_release(c->file);
                        c->file = NULL;
                }
        }
}

/* ---- what the connection waits for ---- */

static enum timer_kind kind_of(const struct conn *c)
{
        if (c->is_lingering)
                return TIMER_LINGER;
        if (is_blocked(c))
                return TIMER_WRITE;
        if (is_parked(c))
                return TIMER_PARK;
        return c->in_len > 0 ? TIMER_HEADER : TIMER_IDLE;
}

static int64_t timeout_ms(const struct conf *conf, enum timer_kind kind)
{
        switch (kind) {
        case TIMER_HEADER:
                return conf->header_timeout_s * 1000;
        case TIMER_PARK:
                return conf->park_timeout_s * 1000;
        case TIMER_WRITE:
                return conf->write_timeout_s * 1000;
        case TIMER_LINGER:
                return LINGER_MS;
        default:
                return conf->idle_timeout_s * 1000;
        }
}

/* A running timeout goes on unless what it watches is done, or a good piece of it. */
static void settle_timer(struct conn *c)
{
        enum timer_kind kind = kind_of(c);

        if (kind == c->timer_kind && !c->has_progress && c->n_sent < WRITE_PROGRESS)
                return;
        c->timer_kind = (uint8_t)kind;
        c->has_progress = false;
        c->n_sent = 0;
        timer_set(&c->pool->wheel, &c->timer, clock_mono_ms() + timeout_ms(c->pool->service->conf, kind));
}

static void on_event(evutil_socket_t fd, short what, void *data);

static void want(struct conn *c, short wants)
{
        if (c->wants == wants)
                return;
        if (c->wants != 0)
                event_del(&c->event);
        c->wants = (uint8_t)wants;
        if (wants == 0)
                return;
        if (event_assign(&c->event, c->pool->base, c->fd, (short)(wants | EV_PERSIST), on_event, c) != 0 ||
                event_add(&c->event, NULL) != 0)
                c->is_broken = true;
}

static short wanted(const struct conn *c)
{
        if (is_blocked(c))
                return EV_WRITE;
        return is_parked(c) ? 0 : EV_READ;
}

/* Closing at once with octets unread would make the kernel send RST, which can destroy the answer on its way. */
static void begin_linger(struct conn *c)
{
        shutdown(c->fd, SHUT_WR);
        c->is_lingering = true;
}

/* Where every event ends: the connection is over, or waits for the next one. `c` may be gone afterwards. */
static void settle(struct conn *c)
{
        bool is_done = c->is_closing && !is_blocked(c);

        if (is_done && c->must_linger && !c->is_lingering)
                begin_linger(c);
        if (!c->is_broken && (!is_done || c->is_lingering)) {
                want(c, wanted(c));
                settle_timer(c);
        }
        if (c->is_broken || (is_done && !c->is_lingering))
                conn_free(c);
}

/* ---- answering ---- */

static void keep_input(struct conn *c, struct bytes rest)
{
        if (rest.len == 0) {
                free(c->in);
                c->in = NULL;
                c->in_len = c->in_cap = 0;
                return;
        }
        if (c->in) {
                if (rest.data != c->in)
                        memmove(c->in, rest.data, rest.len);
                c->in_len = rest.len;
                return;
        }
        c->in = malloc(rest.len + IN_GROWTH);
        if (!c->in) {
                c->is_broken = true;
                return;
        }
        memcpy(c->in, rest.data, rest.len);
        c->in_len = rest.len;
        c->in_cap = rest.len + IN_GROWTH;
}

static void take_exchange(struct conn *c, const struct exchange *x)
{
        struct builder *out = &c->pool->service->out;

        c->sign = x->sign;
        c->sign.answer = NULL; /* it borrows from a packet that is gone soon */
        c->has_progress |= x->used > 0;
        c->is_closing = x->end == EXCHANGE_CLOSE || (x->end == EXCHANGE_FILE && x->is_last);
        c->must_linger = x->is_refused || (c->is_closing && x->used < x->in.len);
        c->file = x->file;
        c->file_offset = x->file_offset;
        c->file_left = x->file_len;
        send_or_keep(c, builder_bytes(out));
        flush_file(c);
        if (x->end == EXCHANGE_PARKED && sign_client_ask(c->pool->sign, &c->pool->service->ask, &c->waiter) != OK)
                c->sign.refused = true; /* round again: tryLater */
}

/* Answers what can be answered of `in`, which may be the pool's buffer or the connection's own. `c` may be gone afterwards. */
static void run(struct conn *c, struct bytes in)
{
        bool has_more = true;

        while (has_more && in.len > 0 && !is_blocked(c) && !is_parked(c) && !c->is_closing && !c->is_broken) {
                struct exchange x = {.in = in, .state = &c->http1, .is_last = c->pool->is_draining, .sign = c->sign};

                pipeline_run(c->pool->service, &x);
                take_exchange(c, &x);
                in = bytes_make(&in.data[x.used], in.len - x.used);
                has_more = x.end != EXCHANGE_MORE;
        }
        keep_input(c, in);
        settle(c);
}

static void resume(struct sign_waiter *waiter, const struct msg_sign_answer *answer)
{
        struct conn *c = conn_of_waiter(waiter);

        c->sign.answer = answer;
        c->sign.refused = answer == NULL;
        run(c, bytes_make(c->in, c->in_len));
}

/* ---- reading ---- */

static bool grow_input(struct conn *c)
{
        uint8_t *more;

        if (c->in_cap - c->in_len >= IN_GROWTH)
                return true;
        more = realloc(c->in, 2 * c->in_cap);
        if (!more)
                return false;
        c->in = more;
        c->in_cap *= 2;
        return true;
}

static ssize_t read_some(struct conn *c, struct bytes *ret_in)
{
        uint8_t *memory = c->pool->in_memory;
        size_t room = IN_SIZE, had = c->in_len;
        ssize_t n;

        if (c->in) {
                if (!grow_input(c))
                        return 0;
                memory = c->in;
                room = c->in_cap - c->in_len;
        }
        n = recv(c->fd, &memory[had], room, 0);
        if (n <= 0)
                return n;
        if (c->in)
                c->in_len += (size_t)n;
        *ret_in = bytes_make(memory, had + (size_t)n);
        return n;
}

static void on_readable(struct conn *c)
{
        struct bytes in;
        ssize_t n = read_some(c, &in);

        if (n > 0)
                run(c, in);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                conn_free(c);
}

static void on_writable(struct conn *c)
{
        flush_output(c);
        flush_file(c);
        if (is_blocked(c) || c->is_broken) {
                settle(c);
                return;
        }
        c->has_progress = true;
        run(c, bytes_make(c->in, c->in_len));
}

static void discard(struct conn *c)
{
        ssize_t n = recv(c->fd, c->pool->in_memory, IN_SIZE, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                conn_free(c);
}

static void on_event(evutil_socket_t fd, short what, void *data)
{
        struct conn *c = data;

        (void)fd;
        if (c->is_lingering)
                discard(c);
        else if (what & EV_WRITE)
                on_writable(c);
        else
                on_readable(c);
}

static void give_up_waiting(struct conn *c)
{
        sign_client_leave(&c->waiter);
        c->sign.refused = true;
        run(c, bytes_make(c->in, c->in_len));
}

static void refuse_slow_request(struct conn *c)
{
        pipeline_refuse(c->pool->service, 408);
        c->is_closing = c->must_linger = true;
        send_or_keep(c, builder_bytes(&c->pool->service->out));
        settle(c);
}

static void on_timer(struct timer *timer)
{
        struct conn *c = conn_of_timer(timer);
        enum timer_kind kind = c->timer_kind;

        c->pool->service->stats.n_timeouts++;
        c->timer_kind = TIMER_NONE;
        if (kind == TIMER_PARK)
                give_up_waiting(c);
        else if (kind == TIMER_HEADER)
                refuse_slow_request(c);
        else
                conn_free(c);
}

/* ---- the pool ---- */

enum err conn_open(struct conn_pool *pool, int fd)
{
        struct conn *c = calloc(1, sizeof *c);

        if (!c) {
                close(fd);
                return ERR_NOMEM;
        }
        c->pool = pool;
        c->fd = fd;
        c->next = pool->first;
        if (c->next)
                c->next->previous = c;
        pool->first = c;
        pool->n_open++;
        pool->service->stats.n_connections++;
        settle(c);
        return OK;
}

enum err conn_pool_init(struct conn_pool *ret_pool, struct event_base *base, struct service *service)
{
        struct sign_client_config config = {
                .base = base,
                .path = service->conf->sign_socket,
                .max_questions = service->conf->sign_per_worker,
                .patience_ms = 2000 * service->conf->park_timeout_s,
                .on_answer = resume,
        };

        *ret_pool = (struct conn_pool){.base = base, .service = service};
        ret_pool->in_memory = malloc(IN_SIZE);
        ret_pool->sign = sign_client_new(&config);
        if (!ret_pool->in_memory || !ret_pool->sign) {
                conn_pool_done(ret_pool);
                return ERR_NOMEM;
        }
        timer_wheel_init(&ret_pool->wheel, clock_mono_ms());
        return OK;
}

void conn_pool_done(struct conn_pool *pool)
{
        pool->on_close = NULL;
        while (pool->first)
                conn_free(pool->first);
        sign_client_free(pool->sign);
        free(pool->in_memory);
        *pool = (struct conn_pool){0};
}

static bool is_idle(const struct conn *c)
{
        return !is_blocked(c) && !is_parked(c) && !c->is_lingering && !c->is_closing && c->in_len == 0;
}

/* An idle connection reads whatever its client has sent by now, gets it answered, and then reads the end. */
void conn_pool_drain(struct conn_pool *pool)
{
        pool->is_draining = true;
        for (struct conn *c = pool->first; c; c = c->next)
                if (is_idle(c))
                        shutdown(c->fd, SHUT_RD);
}

void conn_pool_tick(struct conn_pool *pool, int64_t now_ms)
{
        timer_wheel_advance(&pool->wheel, now_ms, on_timer);
        sign_client_tick(pool->sign, now_ms);
}
