/* outbox: a list of copies. */
#include "signer/engine/outbox.h"

#include <stdlib.h>

#include "base/msg.h"

struct out_packet {
        struct out_packet *next;
        size_t len;
        uint8_t data[];
};

static void drop_first(struct outbox *o)
{
        struct out_packet *p = o->first;

        o->first = p->next;
        if (!o->first)
                o->last = NULL;
        o->len -= p->len;
        free(p);
}

static enum err keep(struct outbox *o, struct bytes packet)
{
        struct out_packet *p = malloc(sizeof(*p) + packet.len);

        if (!p)
                return ERR_NOMEM;
        *p = (struct out_packet){.len = packet.len};
        memcpy(p->data, packet.data, packet.len);
        if (o->last)
                o->last->next = p;
        else
                o->first = p;
        o->last = p;
        o->len += p->len;
        return ERR_AGAIN;
}

enum err outbox_send(struct outbox *o, int socket, struct bytes packet)
{
        enum err e = outbox_is_empty(o) ? msg_send(socket, packet, -1) : ERR_AGAIN;

        return e == ERR_AGAIN ? keep(o, packet) : e;
}

enum err outbox_flush(struct outbox *o, int socket)
{
        enum err e = OK;

        while (e == OK && !outbox_is_empty(o)) {
                e = msg_send(socket, bytes_make(o->first->data, o->first->len), -1);
                if (e == OK)
                        drop_first(o);
        }
        return e;
}

void outbox_done(struct outbox *o)
{
        while (!outbox_is_empty(o))
                drop_first(o);
}
