/* admin: the process that answers operators' machines: GET /metrics (Prometheus' text format) and GET /healthz, on an address of its own
 * (conf responder.admin_listen). It reads the board and nothing else: no store, no key, no client of the workers. */
#pragma once

#include "base/conf.h"
#include "responder/board.h"
#include "responder/listener_rows.h"

/* Makes `listener` that of the address ("" = none; its fd is -1 then, or when it cannot be had: logged); stays as it is when it was that
 * before. */
void admin_listen(struct listener *listener, const char *address);

struct admin_config {
        const struct conf *conf;
        const struct board *board;
        int listener;
};

/* Serves until SIGTERM. Returns the exit code. Expects to be a fresh child of the master. */
int admin_run(const struct admin_config *config);

/* The whole HTTP answer to the octets of one request; nothing as long as it is not whole. For admin_run, and for tests. */
void admin_answer(const struct admin_config *config, struct bytes in, struct builder *ret_answer);
