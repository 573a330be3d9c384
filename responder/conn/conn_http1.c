/* conn_http1: one exchange after another over the pipeline, in the order of the requests; or those of many connections at once. */
#include <event2/event.h>

#include "responder/conn/conn_private.h"

static struct exchange make_exchange(struct conn *c, struct bytes in, struct msg_sign_ask *ask)
{
        return (struct exchange){
                .in = in,
                .state = c->http1,
                .is_last = c->pool->is_draining,
                .sign = c->sign,
                .client = c->fd,
                .client_address = c->client,
                .ask = ask,
        };
}

static void take_exchange(struct conn *c, const struct exchange *x)
{
        c->http1 = x->state;
        c->sign = x->sign;
        c->sign.answer = NULL; /* it borrows from a packet that is gone soon */
        c->has_progress |= x->used > 0;
        c->is_closing = x->end == EXCHANGE_CLOSE || (x->end == EXCHANGE_FILE && x->is_last);
        c->must_linger = x->is_refused || (c->is_closing && x->used < x->in.len);
        c->file = x->file;
        c->file_offset = x->file_offset;
        c->file_left = x->file_len;
        conn_send(c, bytes_make(&c->pool->service->out.data[x->out_at], x->out_len));
        conn_flush_file(c);
        if (x->end == EXCHANGE_PARKED && sign_client_ask(c->pool->sign, x->ask, &c->parked.waiter) != OK)
                c->sign.refused = true; /* round again: tryLater */
}

/* Behind the exchange that was taken last. */
static void go_on(struct conn *c, struct bytes in, bool has_more)
{
        while (has_more && in.len > 0 && !conn_is_blocked(c) && !conn_is_parked(c) && !c->is_closing && !c->is_broken) {
                struct msg_sign_ask ask;
                struct exchange x = make_exchange(c, in, &ask);

                exchange_run(c->pool->service, &x, 1);
                take_exchange(c, &x);
                in = bytes_make(&in.data[x.used], in.len - x.used);
                has_more = x.end != EXCHANGE_MORE;
        }
        conn_keep_input(c, in);
}

void conn_http1_serve(struct conn *c, struct bytes in)
{
        go_on(c, in, true);
}

/* All is sent before anything goes on: what goes on renders anew. */
void conn_http1_serve_all(struct conn *conns[], const struct bytes ins[], unsigned n)
{
        struct msg_sign_ask asks[CONN_GROUP];
        struct exchange xs[CONN_GROUP];

        for (unsigned i = 0; i < n; i++)
                xs[i] = make_exchange(conns[i], ins[i], &asks[i]);
        exchange_run(conns[0]->pool->service, xs, n);
        for (unsigned i = 0; i < n; i++)
                take_exchange(conns[i], &xs[i]);
        for (unsigned i = 0; i < n; i++)
                go_on(conns[i], bytes_make(&xs[i].in.data[xs[i].used], xs[i].in.len - xs[i].used), xs[i].end != EXCHANGE_MORE);
}

void conn_http1_resume(struct parked *parked, const struct msg_sign_answer *answer)
{
        struct conn *c = (struct conn *)((char *)parked - offsetof(struct conn, parked));

        c->sign.answer = answer;
        c->sign.refused = answer == NULL;
        conn_http1_serve(c, bytes_make(c->in, c->in_len));
        conn_settle(c);
}
