/* conn_group: idle connections that the same look at the sockets found readable. All are read, then all are answered in one turn,
 * then all are sent to: what their requests need of the store is fetched from memory together, and the kernel's code for each of the
 * three stays in the CPU's caches meanwhile. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "responder/conn/conn_private.h"

struct conn_group {
        struct conn_pool *pool;
        struct event *event; /* behind the events that are being told */
        struct conn *conns[CONN_GROUP]; /* NULL: gone meanwhile */
        unsigned n;
        uint8_t memory[CONN_GROUP][CONN_GROUP_IN];
};

/* False: nothing came, or it is broken. */
static bool receive(struct conn *c, uint8_t memory[CONN_GROUP_IN], struct bytes *ret_in)
{
        ssize_t n = conn_receive(c, memory, CONN_GROUP_IN);

        if (n > 0) {
                *ret_in = bytes_make(memory, (size_t)n);
                return true;
        }
        c->is_broken = n == 0 || (errno != EAGAIN && errno != EINTR);
        return false;
}

/* Of one protocol. */
struct readable {
        struct conn *conns[CONN_GROUP];
        struct bytes ins[CONN_GROUP];
        unsigned n;
};

static void add(struct readable *r, struct conn *c, struct bytes in)
{
        r->conns[r->n] = c;
        r->ins[r->n++] = in;
}

static void settle(const struct readable *r)
{
        for (unsigned i = 0; i < r->n; i++)
                conn_settle(r->conns[i]);
}

static void serve(struct conn_group *g)
{
        struct readable http1 = {.n = 0}, http2 = {.n = 0};
        unsigned n_conns = g->n;

        g->n = 0;
        for (unsigned i = 0; i < n_conns; i++) {
                struct conn *c = g->conns[i];
                struct bytes in;

                if (!c)
                        continue;
                c->group_place = 0;
                if (receive(c, g->memory[i], &in))
                        add(c->http2 ? &http2 : &http1, c, in);
                else
                        conn_settle(c);
        }
        if (http1.n > 0)
                conn_http1_serve_all(http1.conns, http1.ins, http1.n);
        if (http2.n > 0)
                conn_http2_serve_all(http2.conns, http2.ins, http2.n);
        settle(&http1);
        settle(&http2);
}

static void run(struct conn_group *g)
{
        g->pool->settled_ms = clock_mono_ms();
        serve(g);
        g->pool->settled_ms = 0;
}

static void on_all_told(evutil_socket_t fd, short what, void *data)
{
        (void)fd;
        (void)what;
        run(data);
}

struct conn_group *conn_group_new(struct conn_pool *pool)
{
        struct conn_group *g = malloc(sizeof *g);

        if (!g)
                return NULL;
        g->pool = pool;
        g->n = 0;
        g->event = event_new(pool->base, -1, 0, on_all_told, g);
        if (g->event)
                return g;
        free(g);
        return NULL;
}

void conn_group_free(struct conn_group *g)
{
        if (!g)
                return;
        event_free(g->event);
        free(g);
}

/* Events are told in the order in which they were found: ours comes behind all that are found by now. */
void conn_group_join(struct conn_group *g, struct conn *c)
{
        if (c->group_place > 0)
                return;
        if (g->n == 0)
                event_active(g->event, EV_READ, 1);
        g->conns[g->n++] = c;
        c->group_place = (uint8_t)g->n;
        if (g->n == CONN_GROUP)
                run(g);
}

void conn_group_leave(struct conn_group *g, struct conn *c)
{
        if (c->group_place > 0)
                g->conns[c->group_place - 1] = NULL;
        c->group_place = 0;
}
