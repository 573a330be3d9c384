/* log: one event, one line, one write(2).
 *
 * A line is built in memory of its own on the stack: no lock, no allocation, and lines of several threads never mix
 * (O_APPEND, one write). Control bytes in what a caller passes are written as \n or \xNN, so nobody can forge a line; a
 * line that is too long ends in "...". errno is left as it was.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_LEN 4096

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

/* Set while a program starts (log_init, log_open), read by every thread. The descriptor of a file never changes its
 * number: log_reopen puts another file behind it. */
static struct {
        char program[32];
        char file[PATH_MAX];
        _Atomic int level;
        _Atomic int fd;
        _Atomic bool to_syslog;
} state = {.program = "tocsin", .level = LEVEL_INFO, .fd = STDERR_FILENO};

void log_init(const char *program, enum log_level level)
{
        snprintf(state.program, sizeof(state.program), "%s", program);
        state.level = level;
}

static int open_file(const char *path)
{
        return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

_Bool log_open(const char *target)
{
        bool is_syslog = strcmp(target, "syslog") == 0;
        int fd = STDERR_FILENO;

        if (!is_syslog && strcmp(target, "stderr") != 0) {
                if (strlen(target) >= sizeof(state.file)) {
                        errno = ENAMETOOLONG;
                        return false;
                }
                fd = open_file(target);
                if (fd < 0)
                        return false;
                strcpy(state.file, target);
        }
        if (is_syslog)
                openlog("tocsin", LOG_NDELAY, LOG_DAEMON);
        if (state.fd != STDERR_FILENO)
                close(state.fd);
        state.fd = fd;
        state.to_syslog = is_syslog;
        return true;
}

void log_reopen(void)
{
        int fd;

        if (state.fd == STDERR_FILENO || state.to_syslog)
                return;
        fd = open_file(state.file);
        if (fd < 0) {
                log_warning(
                        "cannot reopen the log, still writing to the old file: look at its folder's owner file=%s why=%s",
                        state.file, strerrordesc_np(errno));
                return;
        }
        dup3(fd, state.fd, O_CLOEXEC);
        close(fd);
}

struct line {
        size_t len;
        char text[LINE_MAX_LEN];
};

/* Room is kept for "...\n" at the end. */
static bool line_put(struct line *l, const char *text, size_t len)
{
        if (len > LINE_MAX_LEN - 4 - l->len)
                return false;
        memcpy(l->text + l->len, text, len);
        l->len += len;
        return true;
}

static void line_put_escaped(struct line *l, const char *text)
{
        static const char digits[] = "0123456789abcdef";
        bool fits = true;

        for (; *text && fits; text++) {
                unsigned char c = (unsigned char)*text;
                const char hex[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

                if (c == '\n')
                        fits = line_put(l, "\\n", 2);
                else if (c < 0x20 || c == 0x7f)
                        fits = line_put(l, hex, sizeof(hex));
                else
                        fits = line_put(l, text, 1);
        }
        if (!fits) {
                memcpy(l->text + l->len, "...", 3);
                l->len += 3;
        }
}

static void line_put_head(struct line *l, enum log_level level)
{
        char time[CLOCK_TEXT_LEN];
        int64_t now_ms = clock_now_ms();
        int n;

        clock_to_text(now_ms / 1000, time);
        n = snprintf(l->text, sizeof(l->text), "%.19s.%03dZ %s %s: ", time, (int)(now_ms % 1000), level_names[level],
                state.program);
        l->len = (size_t)n;
}

/* A log that cannot be written stops nothing: there is nobody left to tell. */
static void line_write(struct line *l)
{
        ssize_t n;

        l->text[l->len++] = '\n';
        do
                n = write(state.fd, l->text, l->len);
        while (n < 0 && errno == EINTR);
}

__attribute__((format(printf, 2, 0))) static void log_line(enum log_level level, const char *format, va_list args)
{
        char message[LINE_MAX_LEN];
        struct line l = {0};
        int saved_errno = errno;

        if ((int)level > state.level)
                return;
        if (vsnprintf(message, sizeof(message), format, args) < 0)
                snprintf(message, sizeof(message), "unprintable log line");
        if (!state.to_syslog)
                line_put_head(&l, level);
        line_put_escaped(&l, message);
        if (state.to_syslog)
                syslog(level_priorities[level], "%s: %.*s", state.program, (int)l.len, l.text);
        else
                line_write(&l);
        errno = saved_errno;
}

void log_error(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        log_line(LEVEL_ERROR, format, args);
        va_end(args);
}

void log_warning(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        log_line(LEVEL_WARNING, format, args);
        va_end(args);
}

void log_info(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        log_line(LEVEL_INFO, format, args);
        va_end(args);
}

void log_debug(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        log_line(LEVEL_DEBUG, format, args);
        va_end(args);
}
