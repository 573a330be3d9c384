/* supervisor: two children, one channel, four signals.
 *
 * Invariants: one thread; at most one engine and one vault at a time; a vault's old process is dead before its successor is
 * handed over; every descriptor here is close-on-exec, so a child has only what it was given.
 */
#include "signer/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/msg.h"
#include "signer/folders.h"

#define RESTART_MS 1000
#define EXIT_NO_EXEC 127
#define STOP_ENGINE_MS 30000 /* it finishes its commit */
/* At once, but while it opens the token: a software token may be rewriting its files, and would not survive (token.h). */
#define STOP_VAULT_MS 5000
#define KILL_MS 5000 /* a process that does not even die by SIGKILL hangs in the kernel */

struct supervisor {
        const struct conf *conf;
        const char *config_file;
        const char *vault_path;
        sigset_t inherited; /* what the children's signal mask becomes again */
        pid_t self;
        int signals;
        int channel;           /* our end; -1: no engine */
        pid_t engine, vault;   /* 0: none */
        int64_t engine_due_ms; /* when the next engine starts; 0: one runs */
        bool engine_ran_before;
        bool engine_asked; /* some engine of ours got far enough to want a vault */
        bool stopping;
        int exit_code;
};

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/* ---- ending a child ---- */

static bool wait_exit(pid_t pid, int timeout_ms)
{
        _cleanup_close_
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n;

        do
                n = poll(&p, 1, timeout_ms);
        while (n < 0 && errno == EINTR);
        return waitpid(pid, NULL, WNOHANG) == pid;
}

static void end_child(pid_t *pid, const char *name, int signal, int timeout_ms)
{
        if (*pid == 0)
                return;
        kill(*pid, signal);
        if (!wait_exit(*pid, timeout_ms)) {
                log_warning("does not end, killed process=%s pid=%d", name, (int)*pid);
                kill(*pid, SIGKILL);
                if (!wait_exit(*pid, KILL_MS))
                        log_error("hangs in the kernel even after SIGKILL: look at the HSM's driver process=%s pid=%d", name,
                                (int)*pid);
        }
        *pid = 0;
}

/* ---- starting ---- */

/* In the child: as if nothing of ours had been. True while the parent still lives. */
static bool become_child(const struct supervisor *s)
{
        signal(SIGINT, SIG_IGN); /* a terminal's ^C reaches us all: the order of ending is the supervisor's */
        sigprocmask(SIG_SETMASK, &s->inherited, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        return getppid() == s->self;
}

/* An engine started again may have been ended by what a reload had changed: it reads what stands in the file now. Its log
 * stays where it is. */
static struct conf *read_again(const struct supervisor *s)
{
        struct conf *fresh = NULL;
        struct conf_problem problem;
        char *log_target;

        if (conf_load(s->config_file, &fresh, &problem) != OK) {
                log_warning("the configuration cannot be read again, the engine runs with the one from the start why=\"%s\"",
                        problem.text);
                return NULL;
        }
        log_target = strdup(s->conf->log_target);
        if (log_target) {
                free(fresh->log_target);
                fresh->log_target = log_target;
        }
        return fresh;
}

_Noreturn static void engine_child(const struct supervisor *s, int channel)
{
        struct conf *fresh = NULL;
        enum err e;
        int code;

        if (!become_child(s))
                _exit(EXIT_FAILURE);
        e = jail_user(s->conf->engine_user);
        if (e == OK)
                e = jail_no_new_privileges(SIGKILL);
        if (e != OK) {
                log_error("the engine cannot become its user: start tocsin-signer as root, or set users.engine to \"\" "
                          "user=%s why=\"%s\"",
                        s->conf->engine_user, err_text(e));
                _exit(EXIT_FAILURE);
        }
        if (s->engine_ran_before)
                fresh = read_again(s);
        code = engine_run(fresh ? fresh : (struct conf *)(uintptr_t)s->conf, channel);
        conf_free(fresh);
        exit(code);
}

static void start_engine(struct supervisor *s)
{
        int pair[2];
        pid_t pid;

        s->engine_due_ms = clock_mono_ms() + RESTART_MS; /* unless it succeeds */
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
                log_error("no socket pair for the engine why=\"%s\"", strerrordesc_np(errno));
                return;
        }
        pid = fork();
        if (pid == 0) {
                close(pair[0]);
                close(s->signals);
                engine_child(s, pair[1]);
        }
        close(pair[1]);
        s->channel = pair[0];
        if (pid < 0) {
                log_error("cannot fork the engine why=\"%s\"", strerrordesc_np(errno));
                close_fd(&s->channel);
                return;
        }
        fcntl(s->channel, F_SETFL, O_NONBLOCK);
        s->engine = pid;
        s->engine_due_ms = 0;
        s->engine_ran_before = true;
        log_info("engine started pid=%d", (int)pid);
}

/* Its two ends become descriptors 3 and 4, whatever stood there. They are moved out of the way first, lest one overwrite the
 * other. */
static bool place_ends(int urgent, int bulk)
{
        int high_urgent = fcntl(urgent, F_DUPFD_CLOEXEC, SUPERVISOR_BULK_FD + 1);
        int high_bulk = fcntl(bulk, F_DUPFD_CLOEXEC, SUPERVISOR_BULK_FD + 1);

        return high_urgent >= 0 && high_bulk >= 0 && dup2(high_urgent, SUPERVISOR_URGENT_FD) >= 0 &&
               dup2(high_bulk, SUPERVISOR_BULK_FD) >= 0;
}

_Noreturn static void vault_child(const struct supervisor *s, int urgent, int bulk)
{
        /* From place_ends on there may be no log: descriptor 3 or 4 may have been its file. The exit code is seen by reap.
         */
        if (become_child(s) && place_ends(urgent, bulk))
                execl(s->vault_path, "tocsin-vault", "--config", s->config_file, "--serve", s->conf->log_target,
                        (char *)NULL);
        _exit(EXIT_NO_EXEC);
}

struct pairs {
        int urgent[2], bulk[2]; /* [0] the engine's, [1] the vault's */
};

static void pairs_done(struct pairs *p)
{
        close_fd(&p->urgent[0]);
        close_fd(&p->urgent[1]);
        close_fd(&p->bulk[0]);
        close_fd(&p->bulk[1]);
}

static bool hand_over(struct supervisor *s, const struct pairs *p)
{
        static const uint8_t urgent = SUPERVISOR_URGENT, bulk = SUPERVISOR_BULK;

        return msg_send(s->channel, bytes_make(&urgent, 1), p->urgent[0]) == OK &&
               msg_send(s->channel, bytes_make(&bulk, 1), p->bulk[0]) == OK;
}

static void start_vault(struct supervisor *s)
{
        _cleanup_(pairs_done) struct pairs p = {{-1, -1}, {-1, -1}};
        const int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
        pid_t pid;

        if (socketpair(AF_UNIX, type, 0, p.urgent) != 0 || socketpair(AF_UNIX, type, 0, p.bulk) != 0) {
                log_error("no socket pairs for the vault why=\"%s\"", strerrordesc_np(errno));
                return;
        }
        pid = fork();
        if (pid == 0)
                vault_child(s, p.urgent[1], p.bulk[1]);
        if (pid < 0) {
                log_error("cannot fork the vault why=\"%s\"", strerrordesc_np(errno));
                return;
        }
        s->vault = pid;
        log_info("vault started pid=%d", (int)pid);
        if (!hand_over(s, &p))
                log_warning("the engine does not take its vault");
}

static void tell_engine(struct supervisor *s, uint8_t word)
{
        if (s->channel >= 0 && msg_send(s->channel, bytes_make(&word, 1), -1) != OK)
                log_warning("the engine cannot be told how its vault is word=%c", word);
}

/* Whatever keeps a new vault from being there, the engine hears of it and asks again with its own backoff. */
static void replace_vault(struct supervisor *s)
{
        end_child(&s->vault, "vault", SIGTERM, STOP_VAULT_MS);
        start_vault(s);
        if (s->vault == 0)
                tell_engine(s, SUPERVISOR_NO_VAULT);
}

/* ---- events ---- */

static void read_channel(struct supervisor *s)
{
        uint8_t packet[16];
        size_t len;
        enum err e = msg_receive(s->channel, packet, sizeof(packet), &len, NULL);

        if (e == OK && len == 1 && packet[0] == SUPERVISOR_WANT_VAULT) {
                s->engine_asked = true;
                replace_vault(s);
        } else if (e == ERR_CLOSED) {
                close_fd(&s->channel); /* its SIGCHLD follows */
        } else if (e != ERR_AGAIN) {
                log_warning("the engine sent what is no question");
        }
}

static void log_death(const char *name, pid_t pid, int status)
{
        if (WIFSIGNALED(status))
                log_warning("died process=%s pid=%d signal=%s", name, (int)pid, sigabbrev_np(WTERMSIG(status)));
        else
                log_warning("ended process=%s pid=%d exit=%d", name, (int)pid, WEXITSTATUS(status));
}

static void engine_died(struct supervisor *s, int status)
{
        s->engine = 0;
        close_fd(&s->channel);
        end_child(&s->vault, "vault", SIGTERM, STOP_VAULT_MS);
        if (!s->engine_asked && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
                log_error("the engine refused to start: its own lines above say why");
                s->stopping = true;
                s->exit_code = WEXITSTATUS(status);
                return;
        }
        s->engine_due_ms = clock_mono_ms() + RESTART_MS;
}

static void reap(struct supervisor *s)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                if (pid == s->engine) {
                        log_death("engine", pid, status);
                        engine_died(s, status);
                } else if (pid == s->vault) {
                        log_death("vault", pid, status);
                        s->vault = 0;
                        tell_engine(s, SUPERVISOR_VAULT_DIED);
                }
        }
}

static void read_signal(struct supervisor *s)
{
        struct signalfd_siginfo info;

        if (read(s->signals, &info, sizeof(info)) != sizeof(info))
                return;
        if (info.ssi_signo == SIGCHLD) {
                reap(s);
        } else if (info.ssi_signo == SIGHUP) {
                log_reopen();
                if (s->engine)
                        kill(s->engine, SIGHUP);
        } else {
                log_info("stopping signal=%s", sigabbrev_np((int)info.ssi_signo));
                s->stopping = true;
        }
}

static int timeout_ms(const struct supervisor *s)
{
        int64_t left;

        if (s->engine_due_ms == 0)
                return -1;
        left = s->engine_due_ms - clock_mono_ms();
        return left > 0 ? (int)left : 0;
}

static void turn(struct supervisor *s)
{
        struct pollfd p[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->channel, .events = POLLIN}};
        int n = poll(p, 2, timeout_ms(s));

        if (n > 0 && p[0].revents)
                read_signal(s);
        else if (n > 0 && p[1].revents)
                read_channel(s);
        if (!s->stopping && s->engine_due_ms != 0 && clock_mono_ms() >= s->engine_due_ms)
                start_engine(s);
}

/* Blocked for good: they come through the descriptor, and the children get the old mask back. */
static bool catch_signals(struct supervisor *s)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, &s->inherited) != 0)
                return false;
        s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return s->signals >= 0;
}

int supervisor_run_vault(const struct conf *conf, const char *config_file, const char *vault_path)
{
        struct supervisor s = {.conf = conf,
                .config_file = config_file,
                .vault_path = vault_path,
                .self = getpid(),
                .signals = -1,
                .channel = -1};

        if (folders_prepare(conf) != OK)
                return EXIT_FAILURE;
        if (!catch_signals(&s)) {
                log_error("no signal descriptor why=\"%s\"", strerrordesc_np(errno));
                return EXIT_FAILURE;
        }
        start_engine(&s);
        while (!s.stopping)
                turn(&s);
        end_child(&s.engine, "engine", SIGTERM, STOP_ENGINE_MS);
        end_child(&s.vault, "vault", SIGTERM, STOP_VAULT_MS);
        close_fd(&s.channel);
        close_fd(&s.signals);
        log_info("stopped");
        return s.exit_code;
}

/* ---- finding the vault ---- */

static bool own_folder(char ret_folder[PATH_MAX])
{
        ssize_t n = readlink("/proc/self/exe", ret_folder, PATH_MAX - 1);
        char *slash;

        if (n < 0)
                return false;
        ret_folder[n] = '\0';
        slash = strrchr(ret_folder, '/');
        if (!slash)
                return false;
        *slash = '\0';
        return true;
}

/* Beside us as in a build folder, beside us as `meson install` lays it out, also under a DESTDIR; else where it was to be installed. */
static bool find_vault(char ret_path[PATH_MAX])
{
        static const char *const beside[] = {"tocsin-vault", "vault/tocsin-vault", "../libexec/tocsin/tocsin-vault"};
        char folder[PATH_MAX];

        for (size_t i = 0; own_folder(folder) && i < sizeof(beside) / sizeof(beside[0]); i++) {
                int n = snprintf(ret_path, PATH_MAX, "%s/%s", folder, beside[i]);

                if (n > 0 && n < PATH_MAX && access(ret_path, X_OK) == 0)
                        return true;
        }
        snprintf(ret_path, PATH_MAX, "%s", TOCSIN_LIBEXECDIR "/tocsin-vault");
        return access(ret_path, X_OK) == 0;
}

int supervisor_run(const struct conf *conf, const char *config_file)
{
        char vault_path[PATH_MAX];

        if (!find_vault(vault_path)) {
                log_error("tocsin-vault is neither beside this program nor installed path=%s", vault_path);
                return EXIT_FAILURE;
        }
        return supervisor_run_vault(conf, config_file, vault_path);
}
