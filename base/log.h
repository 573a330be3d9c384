/* log: one line an event, logfmt: `2026-11-21T10:00:00.123Z info engine: batch active batch=3 serials=100000`.
 *
 * Programs log; libraries do not. The text before the pairs says what happened; what an operator should do next
 * stands in it when there is something to do. Values that hold spaces or quotes are written quoted.
 * Nothing secret (a PIN, a key) ever goes in.
 */
#pragma once

#include <stdarg.h>

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* `program` names the process in each line ("engine", "worker 0"): copied. Lines go to standard error until log_open. */
void log_init(const char *program, enum log_level level);
/* "stderr", "syslog", or a file to append to (reopened by log_reopen, for logrotate). False and errno if it cannot be
 * opened. */
_Bool log_open(const char *target);
void log_reopen(void);

/* A line is cut at 4 KiB; control characters become \xNN. `format` is printf's: log_info("listening address=%s", text). */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
