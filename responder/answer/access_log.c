#include "responder/answer/access_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pki/serial.h"
#include "responder/answer/ca_table.h"

#define MEMORY_SIZE (256 * 1024)
/* More than any line takes: the target, which may be long, is not in it. */
#define LINE_SIZE 512

struct access_log {
        int fd;
        unsigned every, n_seen;
        uint64_t n_logged, n_lost;
        struct builder filling;  /* the loop's */

        pthread_t thread;
        bool has_thread;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        struct builder writing; /* the thread's while its length is not 0 */
        bool is_stopping;
};

enum err access_log_new(const struct conf *conf, struct access_log **ret_log)
{
        struct access_log *log;

        *ret_log = NULL;
        if (!conf->access_log || *conf->access_log == '\0')
                return OK;
        log = calloc(1, sizeof *log);
        if (!log)
                return ERR_NOMEM;
        log->fd = open(conf->access_log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
        log->every = conf->access_log_sample > 0 ? conf->access_log_sample : 1;
        log->filling = builder_fixed(malloc(MEMORY_SIZE), MEMORY_SIZE);
        log->writing = builder_fixed(malloc(MEMORY_SIZE), MEMORY_SIZE);
        pthread_mutex_init(&log->mutex, NULL);
        pthread_cond_init(&log->changed, NULL);
        if (log->fd < 0 || !log->filling.data || !log->writing.data) {
                enum err e = log->fd < 0 ? err_from_errno(errno) : ERR_NOMEM;

                access_log_free(log);
                return e;
        }
        *ret_log = log;
        return OK;
}

/* ---- the thread ---- */

/* A disk that is full costs lines, nothing else. */
static void write_all(int fd, struct bytes b)
{
        while (b.len > 0) {
                ssize_t n = write(fd, b.data, b.len);

                if (n < 0 && errno != EINTR)
                        return;
                if (n > 0)
                        b = bytes_make(&b.data[n], b.len - (size_t)n);
        }
}

static void *run(void *data)
{
        struct access_log *log = data;

        pthread_mutex_lock(&log->mutex);
        while (!log->is_stopping || log->writing.len > 0) {
                struct bytes b = builder_bytes(&log->writing);

                if (b.len == 0) {
                        pthread_cond_wait(&log->changed, &log->mutex);
                        continue;
                }
                pthread_mutex_unlock(&log->mutex);
                write_all(log->fd, b);
                pthread_mutex_lock(&log->mutex);
                builder_reset(&log->writing);
        }
        pthread_mutex_unlock(&log->mutex);
        return NULL;
}

/* Signals are the loop's. */
enum err access_log_start(struct access_log *log)
{
        sigset_t all, before;

        if (!log)
                return OK;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        log->has_thread = pthread_create(&log->thread, NULL, run, log) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return log->has_thread ? OK : ERR_NOMEM;
}

void access_log_flush(struct access_log *log, uint64_t *ret_n_logged, uint64_t *ret_n_lost)
{
        if (!log)
                return;
        if (log->filling.len > 0 && pthread_mutex_trylock(&log->mutex) == 0) {
                if (log->writing.len == 0) {
                        struct builder full = log->filling;

                        log->filling = log->writing;
                        log->writing = full;
                        pthread_cond_signal(&log->changed);
                }
                pthread_mutex_unlock(&log->mutex);
        }
        *ret_n_logged = log->n_logged;
        *ret_n_lost = log->n_lost;
}

static void stop_thread(struct access_log *log)
{
        pthread_mutex_lock(&log->mutex);
        log->is_stopping = true;
        pthread_cond_signal(&log->changed);
        pthread_mutex_unlock(&log->mutex);
        pthread_join(log->thread, NULL);
}

void access_log_free(struct access_log *log)
{
        if (!log)
                return;
        if (log->has_thread)
                stop_thread(log);
        if (log->fd >= 0) {
                write_all(log->fd, builder_bytes(&log->writing));
                write_all(log->fd, builder_bytes(&log->filling));
        }
        cleanup_close(&log->fd);
        pthread_cond_destroy(&log->changed);
        pthread_mutex_destroy(&log->mutex);
        free(log->filling.data);
        free(log->writing.data);
        free(log);
}

/* ---- a line ---- */

bool access_log_wants(struct access_log *log)
{
        if (++log->n_seen < log->every)
                return false;
        log->n_seen = 0;
        return true;
}

static const char *const METHODS[] = {
        [METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD", [METHOD_POST] = "POST", [METHOD_OTHER] = "other", [METHOD_UNKNOWN] = "unknown"};
static const char *const PROTOCOLS[] = {[PROTOCOL_HTTP1] = "http1", [PROTOCOL_HTTP2] = "http2"};
static const char *const OUTCOMES[] = {[OUTCOME_GOOD] = "good", [OUTCOME_REVOKED] = "revoked", [OUTCOME_UNAUTHORIZED] = "unauthorized",
        [OUTCOME_MALFORMED] = "malformed", [OUTCOME_TRY_LATER] = "tryLater", [OUTCOME_INTERNAL_ERROR] = "internalError"};

static void put_time(struct builder *b, int64_t now_ms)
{
        char text[CLOCK_TEXT_LEN];

        clock_to_text(now_ms / 1000, text);
        builder_printf(b, "{\"time\":\"%.19s.%03dZ\"", text, (int)(now_ms % 1000));
}

static void put_client(struct builder *b, int socket)
{
        struct sockaddr_in6 address = {0};
        socklen_t len = sizeof address;
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;
        char text[INET6_ADDRSTRLEN] = "";

        if (socket < 0 || getpeername(socket, (struct sockaddr *)&address, &len) != 0)
                return;
        if (address.sin6_family == AF_INET6)
                inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
        else if (v4->sin_family == AF_INET)
                inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        if (*text)
                builder_printf(b, ",\"client\":\"%s\"", text);
}

/* An issuer's name has letters, digits, '-', '_' and '.' only: nothing to escape. */
static void put_about(struct builder *b, const struct about *about)
{
        char text[SERIAL_TEXT_LEN];

        if (about->outcome != OUTCOME_NONE)
                builder_printf(b, ",\"outcome\":\"%s\"", OUTCOMES[about->outcome]);
        if (about->ca)
                builder_printf(b, ",\"issuer\":\"%.*s\"", (int)about->ca->label.len, (const char *)about->ca->label.data);
        if (about->serial.len > 0 && about->serial.len <= SERIAL_MAX)
                builder_printf(b, ",\"serial\":\"%s\"", serial_to_text(about->serial, text));
}

void access_log_put(struct access_log *log, const struct access_line *line)
{
        struct builder *b = &log->filling;
        const struct request *r = line->request;
        const struct answer *a = line->answer;

        if (b->cap - b->len < LINE_SIZE) {
                log->n_lost++;
                return;
        }
        put_time(b, line->now_ms);
        put_client(b, line->client);
        builder_printf(b, ",\"method\":\"%s\",\"protocol\":\"%s\",\"status\":%u", METHODS[r->method], PROTOCOLS[r->protocol], a->status);
        put_about(b, &a->about);
        builder_printf(b, ",\"octets\":%llu,\"us\":%llu}\n", (unsigned long long)(r->method == METHOD_HEAD ? 0 : a->body_len),
                (unsigned long long)line->us);
        log->n_logged++;
}

size_t access_log_mark(const struct access_log *log)
{
        return log ? log->filling.len : 0;
}

void access_log_rewind(struct access_log *log, size_t mark)
{
        if (log)
                log->filling.len = mark;
}
