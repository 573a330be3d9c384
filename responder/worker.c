#include "responder/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/jail.h"
#include "base/log.h"
#include "responder/answer/address_limits.h"
#include "responder/conn/conn.h"
#include "responder/listener.h"
#include "responder/sandbox.h"

#define TICK_MS 250
#define STORE_RETRY_MS 200
#define ACCEPTS_AT_ONCE 64

struct worker {
        const struct worker_config *config;
        struct event_base *base;
        struct env *env;
        struct service service;
        struct conn_pool pool;
        struct limits *limits;    /* NULL: none */
        struct event **listeners; /* NULL once draining */
        bool is_full;             /* as many connections as allowed: accepting rests */
        bool told_memory;         /* since the last tick: that there is none */
        struct event *tick, *on_term, *on_retire, *on_hup;
        int64_t grace_until_ms; /* 0: none, or over */
        int64_t drain_until_ms;
};

static void watch_listeners(struct worker *w, bool watch)
{
        for (unsigned i = 0; w->listeners && i < w->config->n_listeners; i++) {
                if (watch)
                        event_add(w->listeners[i], NULL);
                else
                        event_del(w->listeners[i]);
        }
}

static void rest_accepting(struct worker *w)
{
        w->is_full = true;
        watch_listeners(w, false);
}

static bool can_accept(const struct worker *w)
{
        return !w->is_full && w->pool.n_open < w->config->conf->max_connections;
}

static enum err open_connection(struct worker *w, int fd, bool is_tls)
{
        return is_tls ? conn_open_tls(&w->pool, fd, w->config->tls) : conn_open(&w->pool, fd);
}

/* The last place is kept free as long as somebody idles: silence does not keep anybody out. */
static void keep_place(struct worker *w)
{
        if (w->pool.n_open >= w->config->conf->max_connections)
                (void)conn_pool_make_room(&w->pool);
}

/* req 1.18: who has as many as it may gets no word; a word would be what the flood is after. */
static void admit(struct worker *w, int fd, const struct sockaddr *from, bool is_tls)
{
        uint64_t client = w->limits ? limits_client(w->limits, from) : 0;

        if (!limits_enter(w->limits, client)) {
                w->service.stats.n_refused_connections++;
                close(fd);
                return;
        }
        w->pool.opening = client;
        if (open_connection(w, fd, is_tls) == OK) {
                keep_place(w);
                return;
        }
        limits_leave(w->limits, client);
        if (!w->told_memory)
                log_warning("out of memory: connections are dropped; see responder.max_memory");
        w->told_memory = true;
}

/* False: nobody waits any more, or there is no room. */
static bool accept_some(struct worker *w, int listener, bool is_tls)
{
        for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
                struct sockaddr_storage from;
                socklen_t len = sizeof from;
                int fd = can_accept(w) ? accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;

                if (!can_accept(w) || (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))) {
                        rest_accepting(w); /* until the next tick or the next end of a connection */
                        return false;
                }
                if (fd < 0)
                        return errno == ECONNABORTED || errno == EINTR;
                admit(w, fd, (struct sockaddr *)&from, is_tls);
        }
        return true;
}

static void on_connection(evutil_socket_t listener, short what, void *data)
{
        (void)what;
        (void)accept_some(data, listener, false);
}

static void on_tls_connection(evutil_socket_t listener, short what, void *data)
{
        (void)what;
        (void)accept_some(data, listener, true);
}

static void on_closed(void *data)
{
        struct worker *w = data;

        if (w->pool.is_draining && w->pool.n_open == 0)
                event_base_loopbreak(w->base);
        if (!w->is_full || !w->listeners)
                return;
        w->is_full = false;
        watch_listeners(w, true);
}

/* Here and nowhere else is shared memory written. */
static void publish_stats(struct worker *w, int64_t now_ms)
{
        struct stats *s = &w->service.stats;
        const struct sign_counts *counts = sign_client_counts(w->pool.sign);
        uint64_t commit = env_newest_commit(w->env);

        access_log_flush(w->service.access_log, &s->n_logged, &s->n_log_lost);
        if (!w->config->published)
                return;
        if (commit != s->now.commit)
                s->now.commit_since_ms = (uint64_t)now_ms;
        s->now.commit = commit;
        s->now.n_open = w->pool.n_open;
        s->now.n_questions = sign_client_open(w->pool.sign);
        s->now.published_ms = (uint64_t)now_ms;
        s->n_asked = counts->n_asked;
        s->n_coalesced = counts->n_coalesced;
        s->n_refused = counts->n_refused;
        s->n_engine_lost = counts->n_lost;
        *w->config->published = *s;
        s->now.longest_turn_us = 0;
}

static void end_grace(struct worker *w)
{
        w->grace_until_ms = 0;
        conn_pool_drain(&w->pool);
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
        struct worker *w = data;
        int64_t now_ms = clock_mono_ms();

        (void)fd;
        (void)what;
        conn_pool_tick(&w->pool, now_ms);
        publish_stats(w, now_ms);
        keep_place(w);
        w->told_memory = false;
        if (w->is_full && w->listeners) {
                w->is_full = false;
                watch_listeners(w, true);
        }
        if (w->grace_until_ms > 0 && now_ms >= w->grace_until_ms)
                end_grace(w);
        if (w->pool.is_draining && now_ms > w->drain_until_ms) {
                log_warning("draining took too long, so connections are cut connections=%u", w->pool.n_open);
                event_base_loopbreak(w->base);
        }
}

/* Our copies only: the sockets and their queues go on while the master holds them. Were it gone, a copy kept here would go on
 * queueing connections that nobody accepts. */
static void close_listeners(struct worker *w)
{
        for (unsigned i = 0; i < w->config->n_listeners; i++) {
                event_free(w->listeners[i]);
                close(w->config->listeners[i].fd);
        }
        free(w->listeners);
        w->listeners = NULL;
}

/* What is under way is finished: nothing lasts longer than these together. */
static int64_t longest_request_ms(const struct conf *conf)
{
        return 1000 * (conf->header_timeout_s + conf->park_timeout_s + conf->write_timeout_s);
}

/* Who is in the queue by now has come in time. */
static void empty_queues(struct worker *w)
{
        for (unsigned i = 0; i < w->config->n_listeners; i++)
                while (accept_some(w, w->config->listeners[i].fd, w->config->listeners[i].is_tls))
                        ;
}

static void begin_draining(struct worker *w, int64_t grace_ms)
{
        int64_t now_ms = clock_mono_ms();

        log_info("draining connections=%u", w->pool.n_open);
        empty_queues(w);
        close_listeners(w);
        w->grace_until_ms = grace_ms > 0 ? now_ms + grace_ms : 0;
        w->drain_until_ms = now_ms + grace_ms + longest_request_ms(w->config->conf);
        if (grace_ms > 0)
                conn_pool_retire(&w->pool);
        else
                conn_pool_drain(&w->pool);
        if (w->pool.n_open == 0)
                event_base_loopbreak(w->base);
}

static void on_terminate(evutil_socket_t sig, short what, void *data)
{
        struct worker *w = data;

        (void)sig;
        (void)what;
        if (!w->pool.is_draining)
                begin_draining(w, 0);
        else if (w->grace_until_ms > 0)
                end_grace(w);
}

static void on_retire(evutil_socket_t sig, short what, void *data)
{
        struct worker *w = data;

        (void)sig;
        (void)what;
        if (!w->pool.is_draining)
                begin_draining(w, WORKER_GRACE_MS);
}

/* The master's business: a reload replaces us, with files opened anew. */
static void on_ignored(evutil_socket_t sig, short what, void *data)
{
        (void)sig;
        (void)what;
        (void)data;
}

/* The engine makes the store; a worker may well be up before it. */
static enum err open_store(const struct conf *conf, struct env **ret_env)
{
        struct env_config config = {.path = conf->store_path, .map_size = conf->store_map_size};
        unsigned version = 0;
        enum err e = env_open_reader(&config, ret_env, &version);

        if (e == ERR_NOT_FOUND)
                log_warning("waiting for the store; is tocsin-signer running? path=%s", conf->store_path);
        while (e == ERR_NOT_FOUND) {
                usleep(STORE_RETRY_MS * 1000);
                e = env_open_reader(&config, ret_env, &version);
        }
        if (e != OK)
                log_error("the store cannot be opened path=%s version=%u why=\"%s\"", conf->store_path, version, err_text(e));
        return e;
}

static struct event_base *new_base(void)
{
        struct event_config *config = event_config_new();
        struct event_base *base = NULL;

        if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
                base = event_base_new_with_config(config);
        if (config)
                event_config_free(config);
        return base;
}

static bool add_events(struct worker *w)
{
        static const struct timeval tick = {.tv_usec = TICK_MS * 1000};
        const struct worker_config *config = w->config;

        w->listeners = calloc(config->n_listeners, sizeof *w->listeners);
        for (unsigned i = 0; w->listeners && i < config->n_listeners; i++) {
                const struct worker_listener *l = &config->listeners[i];

                if (listener_begin(l->fd) != OK)
                        return false;
                w->listeners[i] = event_new(w->base, l->fd, EV_READ | EV_PERSIST, l->is_tls ? on_tls_connection : on_connection, w);
                if (!w->listeners[i] || event_add(w->listeners[i], NULL) != 0)
                        return false;
        }
        w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
        w->on_term = evsignal_new(w->base, SIGTERM, on_terminate, w);
        w->on_retire = evsignal_new(w->base, WORKER_RETIRE, on_retire, w);
        w->on_hup = evsignal_new(w->base, SIGHUP, on_ignored, w);
        return w->listeners && w->tick && w->on_term && w->on_retire && w->on_hup && event_add(w->tick, &tick) == 0 &&
                event_add(w->on_term, NULL) == 0 && event_add(w->on_retire, NULL) == 0 && event_add(w->on_hup, NULL) == 0;
}

static enum err start(struct worker *w)
{
        const struct conf *conf = w->config->conf;
        enum err e = open_store(conf, &w->env);

        if (e == OK)
                e = service_init(&w->service, conf, w->env);
        if (e != OK)
                return e;
        w->base = new_base();
        if (!w->base)
                return ERR_NOMEM;
        w->service.access_log = w->config->access_log;
        e = conn_pool_init(&w->pool, w->base, &w->service);
        if (e == OK)
                e = limits_new(conf, &w->limits);
        if (e == OK)
                e = sandbox_files(conf);
        if (e == OK)
                e = access_log_start(w->service.access_log);
        if (e != OK)
                return e;
        w->pool.limits = w->service.address_limits = w->limits;
        w->pool.on_close = on_closed;
        w->pool.data = w;
        return add_events(w) ? sandbox_calls(conf) : ERR_NOMEM;
}

/* The order matters: first who we are, then what we read. */
static enum err enter_jail(const struct conf *conf)
{
        enum err e = jail_user(conf->responder_user);

        if (e == OK)
                e = jail_no_new_privileges(SIGTERM);
        if (e != OK)
                log_error("privileges cannot be given up user=%s why=\"%s\"", conf->responder_user, err_text(e));
        return e;
}

static void stop(struct worker *w)
{
        struct event *events[] = {w->tick, w->on_term, w->on_retire, w->on_hup};

        conn_pool_done(&w->pool);
        if (w->listeners)
                close_listeners(w);
        for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
                if (events[i])
                        event_free(events[i]);
        limits_free(w->limits);
        service_done(&w->service);
        if (w->base)
                event_base_free(w->base);
        env_close(w->env);
}

int worker_run(const struct worker_config *config)
{
        struct worker *w;
        enum err e = enter_jail(config->conf);

        if (e != OK)
                return EXIT_FAILURE;
        signal(SIGPIPE, SIG_IGN);
        signal(SIGINT, SIG_IGN); /* the terminal sends it to the whole group; the master tells us what it means */
        w = calloc(1, sizeof *w);
        if (!w)
                return EXIT_FAILURE;
        w->config = config;
        e = start(w);
        if (e == OK) {
                log_info("serving listeners=%u", config->n_listeners);
                publish_stats(w, clock_mono_ms());
                event_base_dispatch(w->base);
                publish_stats(w, clock_mono_ms());
                log_info("done");
                stop(w);
        } else {
                log_error("the worker cannot start why=\"%s\"", err_text(e));
        }
        access_log_free(config->access_log);
        free(w);
        return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
