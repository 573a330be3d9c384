/* The master's loop waits for signals only (sigwaitinfo), so nothing in it needs to be async-signal-safe.
 *
 * A change (SIGHUP: the configuration; SIGUSR2: the program itself) goes: new workers are started; once they all serve, the old ones drain.
 * Until then the old ones go on, and if the new ones never come up, that is how it stays. The sockets are the master's through all of it
 * (listener_rows.h), through exec too (handover.h). */
#include "responder/master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "responder/admin.h"
#include "responder/answer/access_log.h"
#include "responder/board.h"
#include "responder/conn/tls.h"
#include "responder/file_limit.h"
#include "responder/handover.h"
#include "responder/issuers_watch.h"
#include "responder/listener.h"
#include "responder/listener_rows.h"
#include "responder/worker.h"

#define MAX_WORKERS 256
/* The admin process has the slot behind the workers'. */
#define ADMIN MAX_WORKERS
#define N_SLOTS (MAX_WORKERS + 1)
/* A worker that dies this soon after its start is started again with a growing delay. */
#define EARLY_DEATH_MS 2000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 1000 /* a dead worker is replaced within 1 s, whatever happened before */
/* Past this the log says that the new workers do not come up. */
#define SLOW_CHANGE_MS 10000
/* A new program that takes longer to look at the configuration is no good. */
#define CHECK_PATIENCE_MS 30000

struct slot {
        pid_t pid; /* 0 = none */
        int64_t started_ms;
        int64_t start_at_ms; /* when to start the next one; 0 = not wanted */
        int64_t backoff_ms;
};

struct master {
        struct conf *conf;
        struct listener_rows rows;
        struct slot slots[N_SLOTS];
        unsigned n_workers;
        pid_t earlier[HANDOVER_PIDS_MAX]; /* they serve until the present ones do */
        unsigned n_earlier;
        int64_t change_began_ms; /* 0: none under way */
        bool is_slow_logged;
        unsigned n_draining; /* children that have been told to end */
        char *program;       /* what SIGUSR2 starts */
        pid_t check;         /* the new program's look at the configuration; 0 = none */
        int64_t check_until_ms;
        struct issuers_watch issuers;
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

        for (unsigned i = 0; i < m->rows.n; i++)
                close(m->rows.items[i].fd);
        tls_context_free(m->tls); /* it needs no key */
        board_read_only(m->board);
        begin_child(m, "admin");
        exit(admin_run(&config));
}

/* In the child: keeps the worker's listeners, closes the others', and never returns. */
static void be_worker(struct master *m, unsigned index, unsigned board_slot)
{
        struct worker_listener mine[LISTENERS_MAX];
        struct worker_config config = {.conf = m->conf, .index = index, .listeners = mine, .tls = m->tls};
        char name[32];

        snprintf(name, sizeof name, "worker %u", index);
        begin_child(m, name);
        cleanup_close(&m->admin.fd);
        if (m->board)
                config.published = board_keep_own(m->board, board_slot);
        if (access_log_new(m->conf, &config.access_log) != OK)
                log_error("no access log: it cannot be opened file=%s", m->conf->access_log);
        for (unsigned i = 0; i < m->rows.n; i++) {
                const struct listener *l = &m->rows.items[i];

                if (l->row % m->n_workers == index)
                        mine[config.n_listeners++] = (struct worker_listener){l->fd, listener_is_tls(m->conf, l->address)};
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
        admin_listen(&m->admin, m->board ? m->conf->admin_listen : "");
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

/* One of those that serve until the new ones do? Then no longer. */
static bool forget_earlier(struct master *m, pid_t pid)
{
        for (unsigned i = 0; i < m->n_earlier; i++)
                if (m->earlier[i] == pid) {
                        m->earlier[i] = m->earlier[--m->n_earlier];
                        return true;
                }
        return false;
}

static void bury_check(struct master *m, int status);

static void bury(struct master *m, pid_t pid, int status)
{
        struct slot *slot = find_slot(m, pid);

        if (pid == m->check) {
                bury_check(m, status);
                return;
        }
        if (m->board)
                board_give_back(m->board, board_find(m->board, pid));
        if (!slot) {
                if (!forget_earlier(m, pid) && m->n_draining > 0)
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

/* ---- a change ---- */

static void retire(struct master *m, pid_t pid, int sig)
{
        kill(pid, sig);
        m->n_draining++;
}

/* The present ones become the earlier ones. */
static void begin_change(struct master *m)
{
        for (unsigned i = 0; i < N_SLOTS; i++) {
                pid_t pid = m->slots[i].pid;

                m->slots[i] = (struct slot){0};
                if (pid <= 0)
                        continue;
                if (m->n_earlier < HANDOVER_PIDS_MAX)
                        m->earlier[m->n_earlier++] = pid;
                else
                        retire(m, pid, WORKER_RETIRE);
        }
        m->change_began_ms = clock_mono_ms();
        m->is_slow_logged = false;
}

/* It has published its counters, which it does when it begins to serve. */
static bool is_serving(const struct master *m, pid_t pid)
{
        unsigned slot = pid > 0 && m->board ? board_find(m->board, pid) : BOARD_SLOTS;

        return pid > 0 && (slot == BOARD_SLOTS || board_slot(m->board, slot)->now.published_ms > 0);
}

static bool all_serve(const struct master *m)
{
        for (unsigned i = 0; i < m->n_workers; i++)
                if (!is_serving(m, m->slots[i].pid))
                        return false;
        return true;
}

/* Once the new ones serve, the earlier ones finish what they have: somebody accepts all the time. */
static void go_on_changing(struct master *m)
{
        if (m->change_began_ms == 0 || m->is_stopping)
                return;
        if (!all_serve(m)) {
                if (!m->is_slow_logged && clock_mono_ms() - m->change_began_ms > SLOW_CHANGE_MS) {
                        log_error("the new workers do not come up; the earlier ones go on");
                        m->is_slow_logged = true;
                }
                return;
        }
        m->change_began_ms = 0;
        for (; m->n_earlier > 0; m->n_earlier--)
                retire(m, m->earlier[m->n_earlier - 1], WORKER_RETIRE);
        log_info("reloaded workers=%u", m->n_workers);
}

static void use(struct master *m, struct conf *conf, struct tls_context *tls)
{
        file_limit_fit(conf);
        tls_context_free(m->tls);
        m->tls = tls;
        conf_free(m->conf);
        m->conf = conf;
        m->n_workers = count_workers(conf);
        listener_rows_close_unconfigured(&m->rows, conf);
}

static void reload(struct master *m)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;
        struct conf_problem problem;
        struct tls_context *tls = NULL;
        enum err e;

        issuers_watch_begin(&m->issuers, m->conf->issuers_path);
        e = conf_load(m->conf->file, &conf, &problem);
        if (e != OK) {
                log_error("the new configuration is refused, the old one stays: %s", problem.text);
                return;
        }
        if (load_tls(conf, &tls) != OK || listener_rows_open(&m->rows, conf, count_workers(conf)) != OK) {
                log_error("the new configuration cannot be used, the old one stays");
                listener_rows_close_unconfigured(&m->rows, m->conf);
                tls_context_free(tls);
                return;
        }
        log_reopen();
        begin_change(m);
        use(m, steal(&conf), tls);
        start_all(m);
}

static void follow_issuers(struct master *m)
{
        if (m->is_stopping || m->change_began_ms > 0 || !issuers_watch_asks(&m->issuers, m->conf->issuers_path, clock_mono_ms()))
                return;
        log_info("the issuers' folder has changed: loading the configuration anew");
        reload(m);
}

/* ---- a new program ---- */

/* Ours, by the path it was started by where that is whole: what stands there now is what is wanted. */
static char *find_program(const char *started_as)
{
        char path[4096];
        ssize_t n;

        if (started_as && started_as[0] == '/')
                return strdup(started_as);
        n = readlink("/proc/self/exe", path, sizeof path - 1);
        if (n <= 0)
                return NULL;
        path[n] = '\0';
        return strdup(path);
}

/* Would the new program start? It says so itself, beside us, before there is no way back. */
static void begin_upgrade(struct master *m)
{
        sigset_t none;

        if (m->is_stopping || m->check > 0 || !m->program)
                return;
        log_info("upgrade: asking the program whether it would start program=%s", m->program);
        m->check_until_ms = clock_mono_ms() + CHECK_PATIENCE_MS;
        m->check = fork();
        if (m->check < 0)
                log_error("upgrade: cannot start the program; this one goes on errno=%d", errno);
        if (m->check != 0)
                return;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execl(m->program, m->program, "--check", "--config", m->conf->file, (char *)NULL);
        _exit(127);
}

static void limit_check(struct master *m)
{
        if (m->check > 0 && clock_mono_ms() > m->check_until_ms)
                kill(m->check, SIGKILL);
}

static void hand_over(struct master *m)
{
        struct handover *h = calloc(1, sizeof *h);
        enum err e;

        if (!h)
                return;
        h->rows = m->rows;
        h->admin = m->admin;
        h->n_draining = m->n_draining;
        for (unsigned i = 0; i < m->n_earlier; i++)
                h->serving[h->n_serving++] = m->earlier[i];
        for (unsigned i = 0; i < N_SLOTS; i++) {
                if (m->slots[i].pid <= 0)
                        continue;
                if (h->n_serving < HANDOVER_PIDS_MAX)
                        h->serving[h->n_serving++] = m->slots[i].pid;
                else
                        h->n_draining++;
        }
        e = handover_exec(h, m->program, m->conf->file);
        log_error("upgrade: the program cannot be started; this one goes on program=%s why=\"%s\"", m->program, err_text(e));
        free(h);
}

static void bury_check(struct master *m, int status)
{
        m->check = 0;
        if (m->is_stopping)
                return;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
                hand_over(m);
        else
                log_error("upgrade: the program would not start; this one goes on program=%s status=%d", m->program, status);
}

static void take_over(struct master *m)
{
        struct handover *h = calloc(1, sizeof *h);
        enum err e = h ? handover_take(h) : ERR_NOMEM;

        if (e == ERR_INVALID)
                log_error("upgrade: what the program before left makes no sense");
        if (h && e != ERR_NOT_FOUND) {
                m->rows = h->rows;
                m->admin = h->admin;
                memcpy(m->earlier, h->serving, sizeof m->earlier);
                m->n_earlier = h->n_serving;
                m->n_draining = h->n_draining;
                m->change_began_ms = clock_mono_ms();
        }
        free(h);
}

/* ---- signals ---- */

static void stop(struct master *m)
{
        if (m->is_stopping)
                return;
        m->is_stopping = true;
        log_info("stopping: the workers finish what is under way");
        begin_change(m);
        for (; m->n_earlier > 0; m->n_earlier--)
                retire(m, m->earlier[m->n_earlier - 1], SIGTERM);
}

static void on_signal(struct master *m, int sig)
{
        if (sig == SIGHUP && !m->is_stopping)
                reload(m);
        else if (sig == SIGUSR2)
                begin_upgrade(m);
        else if (sig == SIGTERM || sig == SIGINT)
                stop(m);
        bury_dead(m);
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
                go_on_changing(m);
                limit_check(m);
                follow_issuers(m);
        }
}

static void block_signals(sigset_t *ret_signals)
{
        static const int signals[] = {SIGCHLD, SIGHUP, SIGUSR2, SIGTERM, SIGINT};

        sigemptyset(ret_signals);
        for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
                sigaddset(ret_signals, signals[i]);
        sigprocmask(SIG_BLOCK, ret_signals, NULL);
}

/* From the start, so that who comes before the first worker is up waits for it. */
static enum err begin_listening(struct master *m)
{
        enum err e = listener_rows_open(&m->rows, m->conf, m->n_workers);

        for (unsigned i = 0; e == OK && m->change_began_ms == 0 && i < m->rows.n; i++)
                e = listener_begin(m->rows.items[i].fd);
        listener_rows_close_unconfigured(&m->rows, m->conf);
        return e;
}

static void master_free(struct master *m)
{
        listener_rows_done(&m->rows);
        cleanup_close(&m->admin.fd);
        free(m->admin.address);
        board_free(m->board);
        tls_context_free(m->tls);
        conf_free(m->conf);
        free(m->program);
        free(m);
}

int master_check(const struct conf *conf)
{
        struct tls_context *tls;
        enum err e = load_tls(conf, &tls);

        tls_context_free(tls);
        return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int master_run(struct conf *conf, const char *started_as)
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
        m->program = find_program(started_as);
        block_signals(&signals);
        file_limit_fit(conf);
        take_over(m);
        issuers_watch_begin(&m->issuers, conf->issuers_path);
        e = load_tls(conf, &m->tls);
        if (e == OK)
                e = begin_listening(m);
        if (e == OK) {
                serve(m, &signals);
                log_info("stopped");
        }
        master_free(m);
        return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
