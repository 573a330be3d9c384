#include "responder/conn/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "responder/answer/address_limits.h"
#include "responder/conn/conn_private.h"

/* To make room: so many are looked at, whatever there are. */
#define OLDEST_LOOKED_AT 256
#define IN_GROWTH 2048
/* A reader of a large file must take this much in each write timeout. */
#define WRITE_PROGRESS (256 * 1024)
#define LINGER_MS 2000
#define TLS_READS_AT_ONCE 16
/* How often the streams of an HTTP/2 connection are looked at for timeouts of their own. */
#define STREAMS_MS 1000

enum timer_kind { TIMER_NONE, TIMER_IDLE, TIMER_HEADER, TIMER_PARK, TIMER_WRITE, TIMER_LINGER, TIMER_STREAMS };

static struct conn *conn_of_timer(struct timer *timer)
{
        return (struct conn *)((char *)timer - offsetof(struct conn, timer));
}

static void conn_free(struct conn *c)
{
        struct conn_pool *pool = c->pool;

        if (c->wants != 0)
                event_del(&c->event);
        timer_cancel(&c->timer);
        conn_group_leave(pool->group, c);
        sign_client_leave(&c->parked.waiter);
        http2_free(c->http2);
        tls_free(c->tls);
        crl_file_release(c->file);
        close(c->fd);
        free(c->in);
        free(c->out);
        if (c->next)
                c->next->previous = c->previous;
        else
                pool->last = c->previous;
        if (c->previous)
                c->previous->next = c->next;
        else
                pool->first = c->next;
        limits_leave(pool->limits, c->client);
        free(c);
        pool->n_open--;
        if (pool->on_close)
                pool->on_close(pool->data);
}

/* ---- what the connection waits for ---- */

static enum timer_kind kind_of(const struct conn *c)
{
        if (c->is_lingering)
                return TIMER_LINGER;
        if (conn_is_blocked(c))
                return TIMER_WRITE;
        if (c->http2)
                return http2_is_busy(c->http2) ? TIMER_STREAMS : TIMER_IDLE;
        if (conn_is_parked(c))
                return TIMER_PARK;
        return c->in_len > 0 || (c->tls && !tls_is_up(c->tls)) ? TIMER_HEADER : TIMER_IDLE;
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
        case TIMER_STREAMS:
                return STREAMS_MS;
        default:
                return conf->idle_timeout_s * 1000;
        }
}

/* A running timeout goes on unless what it watches is done, or a good piece of it. (The look at streams is never put off.) */
static void settle_timer(struct conn *c)
{
        enum timer_kind kind = kind_of(c);

        if (kind == c->timer_kind && ((!c->has_progress && c->n_sent < WRITE_PROGRESS) || kind == TIMER_STREAMS))
                return;
        c->timer_kind = (uint8_t)kind;
        c->has_progress = false;
        c->n_sent = 0;
        timer_set(&c->pool->wheel, &c->timer,
                (c->pool->settled_ms ? c->pool->settled_ms : clock_mono_ms()) + timeout_ms(c->pool->service->conf, kind));
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
        if (conn_is_blocked(c) || (c->tls && tls_wants_write(c->tls)))
                return EV_WRITE;
        if (conn_is_parked(c))
                return 0;
        return c->has_more ? EV_READ | EV_WRITE : EV_READ;
}

/* Closing at once with octets unread would make the kernel send RST, which can destroy the answer on its way. */
static void begin_linger(struct conn *c)
{
        shutdown(c->fd, SHUT_WR);
        c->is_lingering = true;
}

/* Where every event ends: the connection is over, or waits for the next one. */
void conn_settle(struct conn *c)
{
        bool is_done = c->is_closing && !conn_is_blocked(c);

        if (is_done && c->tls && !c->is_lingering && !c->is_broken)
                tls_shutdown(c->tls);
        if (is_done && c->must_linger && !c->is_lingering)
                begin_linger(c);
        if (!c->is_broken && (!is_done || c->is_lingering)) {
                want(c, wanted(c));
                settle_timer(c);
        }
        if (c->is_broken || (is_done && !c->is_lingering))
                conn_free(c);
}

/* ---- reading ---- */

void conn_keep_input(struct conn *c, struct bytes rest)
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
        size_t room = CONN_IN_SIZE, had = c->in_len;
        ssize_t n;

        if (c->in) {
                if (!grow_input(c))
                        return 0;
                memory = c->in;
                room = c->in_cap - c->in_len;
        }
        n = conn_receive(c, &memory[had], room);
        if (n <= 0)
                return n;
        if (c->in)
                c->in_len += (size_t)n;
        *ret_in = bytes_make(memory, had + (size_t)n);
        return n;
}

/* TLS: what the client chose. Cleartext: the first octets tell. OK: it is known now. */
MUST_CHECK static enum err find_protocol(struct conn *c, struct bytes in)
{
        bool is_http2 = c->tls && tls_is_http2(c->tls);

        if (!c->tls) {
                enum err e = conn_http2_detect(in);

                if (e == ERR_AGAIN)
                        return e;
                is_http2 = e == OK;
        }
        c->is_new = false;
        if (is_http2)
                conn_http2_begin(c);
        return OK;
}

static void serve(struct conn *c, struct bytes in)
{
        if (c->is_new && in.len > 0 && find_protocol(c, in) != OK)
                conn_keep_input(c, in);
        else if (c->is_broken)
                return;
        else if (c->http2)
                conn_http2_serve(c, in);
        else
                conn_http1_serve(c, in);
}

static bool can_read(const struct conn *c)
{
        return !c->is_broken && !c->is_closing && !conn_is_blocked(c) && !conn_is_parked(c);
}

/* Of TLS all is read that came, or its share: what OpenSSL holds back, no event would tell of. */
static void on_readable(struct conn *c)
{
        unsigned share = TLS_READS_AT_ONCE;
        ssize_t n = 1;

        while (n > 0 && can_read(c)) {
                struct bytes in;

                if (share-- == 0) {
                        c->has_more = true;
                        return;
                }
                n = read_some(c, &in);
                if (n > 0)
                        serve(c, in);
                else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                        c->is_broken = true;
                if (!c->tls)
                        return;
        }
}

/* On with what waited behind the output, or behind a signature. */
static void go_on(struct conn *c)
{
        c->has_more = false;
        serve(c, bytes_make(c->in, c->in_len));
        if (c->tls)
                on_readable(c);
}

static void on_writable(struct conn *c)
{
        bool was_blocked = conn_is_blocked(c);

        conn_flush(c);
        if (conn_is_blocked(c) || c->is_broken)
                return;
        c->has_progress |= was_blocked;
        go_on(c);
}

static void discard(struct conn *c)
{
        ssize_t n = recv(c->fd, c->pool->in_memory, CONN_IN_SIZE, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                c->is_broken = true;
}

/* Nothing but a client that asks again. */
static bool can_join_group(const struct conn *c)
{
        return !c->tls && !c->is_new && !c->in && !c->is_lingering && can_read(c);
}

static void on_event(evutil_socket_t fd, short what, void *data)
{
        struct conn *c = data;

        (void)fd;
        if (what == EV_READ && can_join_group(c)) {
                conn_group_join(c->pool->group, c);
                return;
        }
        if (c->is_lingering)
                discard(c);
        if (!c->is_lingering && what & EV_WRITE)
                on_writable(c);
        if (!c->is_lingering && what & EV_READ)
                on_readable(c);
        conn_settle(c);
}

static void give_up_waiting(struct conn *c)
{
        sign_client_leave(&c->parked.waiter);
        c->sign.refused = true;
        go_on(c);
}

static void refuse_slow_request(struct conn *c)
{
        c->pool->service->client = c->fd;
        exchange_refuse(c->pool->service, 408);
        c->is_closing = c->must_linger = true;
        conn_send(c, builder_bytes(&c->pool->service->out));
}

static void end_idle_session(struct conn *c)
{
        http2_end(c->http2);
        conn_http2_serve(c, BYTES_NONE);
}

static void look_at_streams(struct conn *c)
{
        http2_tick(c->http2);
        conn_http2_serve(c, BYTES_NONE);
}

static void on_timer(struct timer *timer)
{
        struct conn *c = conn_of_timer(timer);
        enum timer_kind kind = c->timer_kind;

        c->pool->service->stats.n_timeouts += kind != TIMER_STREAMS;
        c->timer_kind = TIMER_NONE;
        if (kind == TIMER_PARK)
                give_up_waiting(c);
        else if (kind == TIMER_STREAMS)
                look_at_streams(c);
        else if (kind == TIMER_IDLE && c->http2)
                end_idle_session(c);
        else if (kind == TIMER_HEADER && (!c->tls || tls_is_up(c->tls)))
                refuse_slow_request(c);
        else
                c->is_broken = true;
        if (kind == TIMER_WRITE)
                conn_drop_unsent(c);
        conn_settle(c);
}

/* ---- the pool ---- */

static enum err open_with(struct conn_pool *pool, int fd, struct tls *tls)
{
        struct conn *c = calloc(1, sizeof *c);

        if (!c) {
                tls_free(tls);
                close(fd);
                return ERR_NOMEM;
        }
        c->pool = pool;
        c->fd = fd;
        c->client = pool->opening;
        c->tls = tls;
        c->is_new = true;
        c->parked.on_answer = conn_http1_resume;
        c->next = pool->first;
        if (c->next)
                c->next->previous = c;
        else
                pool->last = c;
        pool->first = c;
        pool->n_open++;
        pool->service->stats.n_connections++;
        conn_settle(c);
        return OK;
}

enum err conn_open(struct conn_pool *pool, int fd)
{
        return open_with(pool, fd, NULL);
}

enum err conn_open_tls(struct conn_pool *pool, int fd, struct tls_context *context)
{
        struct tls *tls = tls_new(context, fd);

        if (tls)
                return open_with(pool, fd, tls);
        close(fd);
        return ERR_NOMEM;
}

static void on_answer(struct sign_waiter *waiter, const struct msg_sign_answer *answer)
{
        struct parked *parked = (struct parked *)waiter;

        parked->on_answer(parked, answer);
}

static void settle_resumed(void *owner)
{
        conn_settle(owner);
}

enum err conn_pool_init(struct conn_pool *ret_pool, struct event_base *base, struct service *service)
{
        struct sign_client_config config = {
                .base = base,
                .path = service->conf->sign_socket,
                .max_questions = service->conf->sign_per_worker,
                .patience_ms = 2000 * service->conf->park_timeout_s,
                .on_answer = on_answer,
        };
        struct http2_pool_config http2_config = {.service = service, .on_resumed = conn_http2_on_resumed, .on_settle = settle_resumed};

        *ret_pool = (struct conn_pool){.base = base, .service = service};
        ret_pool->in_memory = malloc(CONN_IN_SIZE);
        ret_pool->group = conn_group_new(ret_pool);
        ret_pool->sign = http2_config.sign = sign_client_new(&config);
        ret_pool->http2 = http2_pool_new(&http2_config);
        if (!ret_pool->in_memory || !ret_pool->group || !ret_pool->sign || !ret_pool->http2) {
                conn_pool_done(ret_pool);
                return ERR_NOMEM;
        }
        timer_wheel_init(&ret_pool->wheel, clock_mono_ms());
        http2_pool_set_time(ret_pool->http2, clock_mono_ms());
        return OK;
}

void conn_pool_done(struct conn_pool *pool)
{
        pool->on_close = NULL;
        while (pool->first)
                conn_free(pool->first);
        conn_group_free(pool->group);
        sign_client_free(pool->sign);
        http2_pool_free(pool->http2);
        free(pool->in_memory);
        *pool = (struct conn_pool){0};
}

static bool is_idle(const struct conn *c)
{
        return !conn_is_blocked(c) && !conn_is_parked(c) && !c->is_lingering && !c->is_closing && c->in_len == 0;
}

static void drain(struct conn *c)
{
        if (c->http2) {
                http2_drain(c->http2);
                conn_http2_serve(c, BYTES_NONE);
                conn_settle(c);
        } else if (is_idle(c) && (!c->tls || tls_is_up(c->tls))) {
                shutdown(c->fd, SHUT_RD);
        }
}

void conn_pool_retire(struct conn_pool *pool)
{
        struct conn *next;

        pool->is_draining = true;
        for (struct conn *c = pool->first; c; c = next) {
                next = c->next;
                if (c->http2)
                        drain(c); /* GOAWAY says all there is to say */
        }
}

/* An idle connection reads whatever its client has sent by now, gets it answered, and then reads the end. */
void conn_pool_drain(struct conn_pool *pool)
{
        struct conn *next;

        pool->is_draining = true;
        for (struct conn *c = pool->first; c; c = next) {
                next = c->next;
                drain(c);
        }
}

static bool has_unread(const struct conn *c)
{
        uint8_t octet;

        return recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

bool conn_pool_make_room(struct conn_pool *pool)
{
        struct conn *c = pool->last;

        for (unsigned i = 0; c && i < OLDEST_LOOKED_AT; i++, c = c->previous) {
                if (c->http2 || !is_idle(c) || has_unread(c))
                        continue;
                conn_free(c);
                return true;
        }
        return false;
}

void conn_pool_tick(struct conn_pool *pool, int64_t now_ms)
{
        http2_pool_set_time(pool->http2, now_ms);
        timer_wheel_advance(&pool->wheel, now_ms, on_timer);
        sign_client_tick(pool->sign, now_ms);
}
