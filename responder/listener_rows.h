/* listener_rows: the master's sockets, for each address a row of them, one for each worker at least.
 *
 * They are never closed while their address is configured, since closing one of several at an address resets the connections in its queue:
 * with fewer workers than before, a worker serves several. They outlive the program itself (handover.h). */
#pragma once

#include "base/conf.h"

#define LISTENERS_MAX 4096

struct listener {
        char *address;
        unsigned row; /* the how-manieth of its address: served by worker row % n_workers */
        int fd;
};

struct listener_rows {
        struct listener items[LISTENERS_MAX];
        unsigned n;
};

void listener_rows_done(struct listener_rows *rows);

/* Every address of `conf` gets a socket for each worker; those that are there stay. New ones are bound, and listen when their worker says
 * so: nobody connects to a socket that no worker serves yet. On failure, which is logged, what was added stays bound and silent. */
MUST_CHECK enum err listener_rows_open(struct listener_rows *rows, const struct conf *conf, unsigned n_workers);
/* Takes `fd` over, whatever happens. */
MUST_CHECK enum err listener_rows_add(struct listener_rows *rows, const char *address, unsigned row, int fd);
void listener_rows_close_unconfigured(struct listener_rows *rows, const struct conf *conf);
bool listener_is_tls(const struct conf *conf, const char *address);
