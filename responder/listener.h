/* listener: the sockets that connections come in by. The master opens them once and keeps them for its life: a worker that died
 * leaves its queue to its successor. */
#pragma once

#include "base/conf.h"

#define LISTENER_TEXT_MAX 64

/* One SO_REUSEPORT socket at "127.0.0.1:8080" or "[::]:80" (v6 only), non-blocking, close-on-exec, not listening yet. ERR_INVALID: no
 * such address; ERR_BUSY: taken; ERR_DENIED. */
MUST_CHECK enum err listener_bind(const char *address, int *ret_fd);
/* From now on connections come to it. Nothing happens to one that listens already. */
MUST_CHECK enum err listener_begin(int fd);
/* Both at once. */
MUST_CHECK enum err listener_open(const char *address, int *ret_fd);
