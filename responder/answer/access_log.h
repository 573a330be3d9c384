/* access_log: one JSON object a line for every so-manieth request (conf responder.access_log, access_log_sample).
 *
 *  - The loop puts lines into memory; a thread writes them out, so that a slow disk or a full pipe stops no request. Lines for which there is
 *    no room are dropped and counted.
 *  - Switched off there is no access_log, and a request costs one look at a NULL.
 *  - A line counts only when its read turn does: access_log_mark, access_log_rewind. */
#pragma once

#include "base/conf.h"
#include "responder/answer/answer.h"
#include "responder/answer/request.h"

struct access_log;

/* OK and NULL: switched off. The file is opened now, by whoever we are: before the jail. ERR_NOT_FOUND, ERR_DENIED, ... */
MUST_CHECK enum err access_log_new(const struct conf *conf, struct access_log **ret_log);
/* Its thread: once the process has its last shape (signals, user), before the sandbox. ERR_NOMEM. */
MUST_CHECK enum err access_log_start(struct access_log *log);
/* Everything is written out. NULL is fine. */
void access_log_free(struct access_log *log);

/* Is this request one of those that are logged? Counts it. */
bool access_log_wants(struct access_log *log);
struct access_line {
        const struct request *request;
        const struct answer *answer;
        int client;          /* its socket, or -1 */
        int64_t now_ms;      /* wall clock */
        uint64_t us;         /* that the request took */
};
void access_log_put(struct access_log *log, const struct access_line *line);

size_t access_log_mark(const struct access_log *log);
void access_log_rewind(struct access_log *log, size_t mark);
/* Hands what is there to the thread. Call a few times a second, never within a turn. */
void access_log_flush(struct access_log *log, uint64_t *ret_n_logged, uint64_t *ret_n_lost);
