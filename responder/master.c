/* The master's loop waits for signals only (sigwaitinfo), so nothing in it needs to be async-signal-safe.
 *
 * Listeners: for each address a row of sockets, one for each worker at least. They are never closed while their address is configured, since
 * closing one resets the connections in its queue: with fewer workers than before, a worker serves several. */
#include "responder/master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "responder/access_log.h"
#include "responder/admin.h"
#include "responder/board.h"
#include "responder/listener.h"
#include "responder/tls.h"
#include "responder/worker.h"

#define MAX_WORKERS 256
#define MAX_LISTENERS 4096
/* The admin process has the slot behind the workers'. */
#define ADMIN MAX_WORKERS
#define N_SLOTS (MAX_WORKERS + 1)
/* A worker that dies this soon after its start is started again with a growing delay. */
#define EARLY_DEATH_MS 2000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 1000 /* a dead worker is replaced within 1 s, whatever happened before */

struct listener {
        char *address;
        unsigned row; /* the how-manieth of its address: served by worker row % n_workers */
        int fd;
};

struct slot {
        pid_t pid; /* 0 = none */
        int64_t started_ms;
        int64_t start_at_ms; /* when to start the next one; 0 = not wanted */
        int64_t backoff_ms;
};

struct master {
        struct conf *conf;
        struct listener listeners[MAX_LISTENERS];
        unsigned n_listeners;
        struct slot slots[N_SLOTS];
        unsigned n_workers;
        unsigned n_draining; /* workers of an earlier configuration */
        struct tls_context *tls; /* NULL: no address is served with TLS */
        struct board *board;     /* NULL: no memory, no metrics */
        struct listener admin;   /* fd -1: none */
        bool is_stopping;
};

static unsigned count_workers(const struct conf *conf)
{
        long n = conf->workers > 0 ? (long)conf->workers : sysconf(_SC_NPROCESSORS_ONLN);

        if (n < 1)
                n = 1;
        return n > MAX_WORKERS ? MAX_WORKERS : (unsigned)n;
}

/* ---- listeners ---- */

static bool is_in(const struct conf_list *list, const char *address)
{
        for (unsigned i = 0; i < list->n; i++)
                if (strcmp(list->items[i], address) == 0)
                        return true;
        return false;
}

static bool is_configured(const struct conf *conf, const char *address)
{
        return is_in(&conf->listen, address) || is_in(&conf->tls_listen, address);
}

static unsigned count_rows(const struct master *m, const char *address)
{
        unsigned n = 0;

        for (unsigned i = 0; i < m->n_listeners; i++)
                n += strcmp(m->listeners[i].address, address) == 0;
        return n;
}

static enum err add_listener(struct master *m, const char *address, unsigned row)
{
        _cleanup_free_ char *copy = strdup(address);
        int fd;
        enum err e;

        if (!copy)
                return ERR_NOMEM;
        if (m->n_listeners == MAX_LISTENERS)
                return ERR_RANGE;
        e = listener_open(address, &fd);
        if (e != OK)
                return e;
        m->listeners[m->n_listeners++] = (struct listener){.address = steal(&copy), .row = row, .fd = fd};
        return OK;
}

static enum err open_rows(struct master *m, const char *address, unsigned n_workers)
{
        unsigned n = count_rows(m, address);

        if (n == 0)
                log_info("listening address=%s", address);
        for (; n < n_workers; n++) {
                enum err e = add_listener(m, address, n);

                if (e != OK) {
                        log_error("cannot listen address=%s why=\"%s\"", address, err_text(e));
                        return e;
                }
        }
        return OK;
}

/* Every address gets a socket for each worker; those that are there stay. */
static enum err open_listeners(struct master *m, const struct conf *conf, unsigned n_workers)
{
        enum err e = OK;

        for (unsigned i = 0; e == OK && i < conf->listen.n; i++)
                e = open_rows(m, conf->listen.items[i], n_workers);
        for (unsigned i = 0; e == OK && i < conf->tls_listen.n; i++)
                e = open_rows(m, conf->tls_listen.items[i], n_workers);
        return e;
}

/* Read by the master, before and apart from the workers, who may not be able to. */
static enum err load_tls(const struct conf *conf, struct tls_context **ret_tls)
{
        char problem[256] = "";
        enum err e;

        *ret_tls = NULL;
        if (conf->tls_listen.n == 0)
                return OK;
        e = tls_context_new(conf->tls_certificate, conf->tls_key, ret_tls, problem);
        if (e != OK)
                log_error("TLS cannot be served certificate=%s key=%s why=\"%s\"", conf->tls_certificate, conf->tls_key, problem);
        return e;
}

static void close_unconfigured(struct master *m, const struct conf *conf)
{
        unsigned kept = 0;

        for (unsigned i = 0; i < m->n_listeners; i++) {
                struct listener *l = &m->listeners[i];

                if (is_configured(conf, l->address)) {
                        m->listeners[kept++] = *l;
                        continue;
                }
                close(l->fd);
                free(l->address);
        }
        m->n_listeners = kept;
}

/* The admin process' own, beside that of the configuration before where the address is another one. */
static void open_admin(struct master *m)
{
        const char *address = m->conf->admin_listen;
        enum err e;

        if (m->admin.fd >= 0 && strcmp(m->admin.address, address) == 0)
                return;
        cleanup_close(&m->admin.fd);
        free(m->admin.address);
        m->admin = (struct listener){.address = strdup(address), .fd = -1};
        if (*address == '\0' || !m->board || !m->admin.address)
                return;
        e = listener_open(address, &m->admin.fd);
        if (e != OK)
                log_error("no metrics: cannot listen address=%s why=\"%s\"", address, err_text(e));
}

/* ---- workers ---- */

static void begin_child(const struct master *m, const char *name)
{
        sigset_t none;

        log_init(name, m->conf->log_level);
        log_open(m->conf->log_target);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: never returns. */
static void be_admin(struct master *m)
{
        struct admin_config config = {.conf = m->conf, .board = m->board, .listener = m->admin.fd};

        for (unsigned i = 0; i < m->n_listeners; i++)
                close(m->listeners[i].fd);
        tls_context_free(m->tls); /* it needs no key */
        board_read_only(m->board);
        begin_child(m, "admin");
        exit(admin_run(&config));
}

/* In the child: keeps the worker's listeners, closes the others', and never returns. */
static void be_worker(struct master *m, unsigned index, unsigned board_slot)
{
        struct worker_listener mine[MAX_LISTENERS];
        struct worker_config config = {.conf = m->conf, .index = index, .listeners = mine, .tls = m->tls};
        char name[32];

        snprintf(name, sizeof name, "worker %u", index);
        begin_child(m, name);
        cleanup_close(&m->admin.fd);
        if (m->board)
                config.published = board_keep_own(m->board, board_slot);
        if (access_log_new(m->conf, &config.access_log) != OK)
                log_error("no access log: it cannot be opened file=%s", m->conf->access_log);
        for (unsigned i = 0; i < m->n_listeners; i++) {
                const struct listener *l = &m->listeners[i];

                if (l->row % m->n_workers == index)
                        mine[config.n_listeners++] = (struct worker_listener){l->fd, is_in(&m->conf->tls_listen, l->address)};
                else
                        close(l->fd);
        }
        exit(worker_run(&config));
}

static pid_t fork_worker(struct master *m, unsigned index)
{
        unsigned board_slot = m->board ? board_take(m->board) : BOARD_SLOTS;
        pid_t pid = fork();

        if (pid == 0)
                be_worker(m, index, board_slot);
        if (m->board && pid > 0)
                board_set_owner(m->board, board_slot, pid);
        else if (m->board)
                board_give_back(m->board, board_slot);
        return pid;
}

static pid_t fork_admin(struct master *m)
{
        pid_t pid = fork();

        if (pid == 0)
                be_admin(m);
        return pid;
}

static void start_worker(struct master *m, unsigned index)
{
        struct slot *slot = &m->slots[index];
        pid_t pid = index == ADMIN ? fork_admin(m) : fork_worker(m, index);

        slot->start_at_ms = 0;
        slot->started_ms = clock_mono_ms();
        if (pid < 0) {
                log_error("a worker cannot be started; trying again worker=%u errno=%d", index, errno);
                slot->start_at_ms = slot->started_ms + BACKOFF_MAX_MS;
                return;
        }
        slot->pid = pid;
        if (index == ADMIN)
                log_info("admin started pid=%d", (int)pid);
        else
                log_info("worker started worker=%u pid=%d", index, (int)pid);
}

static void start_due_workers(struct master *m)
{
        for (unsigned i = 0; i < N_SLOTS && !m->is_stopping; i++)
                if (m->slots[i].start_at_ms > 0 && m->slots[i].start_at_ms <= clock_mono_ms())
                        start_worker(m, i);
}

static void start_all(struct master *m)
{
        for (unsigned i = 0; i < m->n_workers; i++) {
                m->slots[i] = (struct slot){0};
                start_worker(m, i);
        }
        open_admin(m);
        if (m->admin.fd >= 0)
                start_worker(m, ADMIN);
}

static void plan_restart(struct slot *slot)
{
        int64_t now_ms = clock_mono_ms();
        bool is_early = now_ms - slot->started_ms < EARLY_DEATH_MS;

        if (!is_early)
                slot->backoff_ms = 0;
        slot->start_at_ms = now_ms + slot->backoff_ms;
        slot->backoff_ms = slot->backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * slot->backoff_ms;
        if (slot->backoff_ms > BACKOFF_MAX_MS)
                slot->backoff_ms = BACKOFF_MAX_MS;
}

static struct slot *find_slot(struct master *m, pid_t pid)
{
        for (unsigned i = 0; i < N_SLOTS; i++)
                if (m->slots[i].pid == pid)
                        return &m->slots[i];
        return NULL;
}

static void bury(struct master *m, pid_t pid, int status)
{
        struct slot *slot = find_slot(m, pid);

        if (m->board)
                board_give_back(m->board, board_find(m->board, pid));
        if (!slot) {
                if (m->n_draining > 0)
                        m->n_draining--;
                log_info("an earlier worker is done pid=%d", (int)pid);
                return;
        }
        slot->pid = 0;
        if (m->is_stopping)
                return;
        if (WIFSIGNALED(status))
                log_error("a worker died and is replaced pid=%d signal=%d", (int)pid, WTERMSIG(status));
        else
                log_error("a worker ended and is replaced pid=%d exit=%d", (int)pid, WEXITSTATUS(status));
        plan_restart(slot);
}

static void bury_dead(struct master *m)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                bury(m, pid, status);
}

static void signal_workers(struct master *m, int sig)
{
        for (unsigned i = 0; i < N_SLOTS; i++)
                if (m->slots[i].pid > 0)
                        kill(m->slots[i].pid, sig);
}

/* The present workers go on as earlier ones: they finish what they have. */
static void retire_workers(struct master *m)
{
        signal_workers(m, SIGTERM);
        for (unsigned i = 0; i < N_SLOTS; i++) {
                m->n_draining += m->slots[i].pid > 0;
                m->slots[i] = (struct slot){0};
        }
}

/* ---- signals ---- */

/* New workers with the new configuration, then the old ones drain: somebody accepts all the time. */
static void reload(struct master *m)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;
        struct conf_problem problem;
        struct tls_context *tls = NULL;
        struct slot old[N_SLOTS];
        enum err e = conf_load(m->conf->file, &conf, &problem);

        if (e != OK) {
                log_error("the new configuration is refused, the old one stays: %s", problem.text);
                return;
        }
        if (load_tls(conf, &tls) != OK || open_listeners(m, conf, count_workers(conf)) != OK) {
                log_error("the new configuration cannot be used, the old one stays");
                close_unconfigured(m, m->conf);
                tls_context_free(tls);
                return;
        }
        log_reopen();
        memcpy(old, m->slots, sizeof old);
        memset(m->slots, 0, sizeof m->slots);
        tls_context_free(m->tls);
        m->tls = tls;
        conf_free(m->conf);
        m->conf = steal(&conf);
        m->n_workers = count_workers(m->conf);
        close_unconfigured(m, m->conf);
        start_all(m);
        for (unsigned i = 0; i < N_SLOTS; i++) {
                if (old[i].pid <= 0)
                        continue;
                kill(old[i].pid, SIGTERM);
                m->n_draining++;
        }
        log_info("reloaded workers=%u", m->n_workers);
}

static void stop(struct master *m)
{
        if (m->is_stopping)
                return;
        m->is_stopping = true;
        log_info("stopping: the workers finish what is under way");
        retire_workers(m);
}

static void on_signal(struct master *m, int sig)
{
        if (sig == SIGHUP)
                reload(m);
        else if (sig == SIGTERM || sig == SIGINT)
                stop(m);
        bury_dead(m);
}

static void raise_file_limit(const struct conf *conf)
{
        struct rlimit limit;
        rlim_t want = (rlim_t)conf->max_connections + 1024;

        if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
                return;
        limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < want)
                log_warning("fewer connections than configured: raise the limit of open files (ulimit -n) limit=%llu wanted=%llu",
                        (unsigned long long)limit.rlim_cur, (unsigned long long)want);
}

static void serve(struct master *m, const sigset_t *signals)
{
        static const struct timespec tick = {.tv_nsec = 100 * 1000 * 1000};

        start_all(m);
        while (!m->is_stopping || m->n_draining > 0) {
                int sig = sigtimedwait(signals, NULL, &tick);

                if (sig > 0)
                        on_signal(m, sig);
                start_due_workers(m);
        }
}

int master_run(struct conf *conf)
{
        struct master *m = calloc(1, sizeof *m);
        sigset_t signals;
        enum err e;

        if (!m)
                return EXIT_FAILURE;
        m->conf = conf;
        m->n_workers = count_workers(conf);
        m->board = board_new();
        m->admin.fd = -1;
        sigemptyset(&signals);
        sigaddset(&signals, SIGCHLD);
        sigaddset(&signals, SIGHUP);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        raise_file_limit(conf);
        e = load_tls(conf, &m->tls);
        if (e == OK)
                e = open_listeners(m, conf, m->n_workers);
        if (e == OK) {
                serve(m, &signals);
                log_info("stopped");
        }
        for (unsigned i = 0; i < m->n_listeners; i++) {
                close(m->listeners[i].fd);
                free(m->listeners[i].address);
        }
        cleanup_close(&m->admin.fd);
        free(m->admin.address);
        board_free(m->board);
        tls_context_free(m->tls);
        conf_free(m->conf);
        free(m);
        return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
