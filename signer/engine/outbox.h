/* outbox: packets that a socket did not take yet, in order. Its owner watches the socket, and bounds what waits.
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct out_packet;

/* Zeroed: empty. */
struct outbox {
        struct out_packet *first, *last;
        size_t len; /* octets that wait */
};

/* Behind what waits already. OK: the socket has it; ERR_AGAIN: it waits for outbox_flush; else it is lost: ERR_NOMEM, or the peer is
 * gone. */
MUST_CHECK enum err outbox_send(struct outbox *o, int socket, struct bytes packet);
/* When the socket takes more. OK: nothing waits any longer; ERR_AGAIN: something does; else the peer is gone. */
MUST_CHECK enum err outbox_flush(struct outbox *o, int socket);
void outbox_done(struct outbox *o);
static inline bool outbox_is_empty(const struct outbox *o)
{
        return o->first == NULL;
}
