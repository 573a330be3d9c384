/* conn_http1: one exchange after another over the pipeline, in the order of the requests. */
#include <event2/event.h>

#include "responder/conn_private.h"

static void take_exchange(struct conn *c, const struct exchange *x)
{
        struct builder *out = &c->pool->service->out;

        c->sign = x->sign;
        c->sign.answer = NULL; /* it borrows from a packet that is gone soon */
        c->has_progress |= x->used > 0;
        c->is_closing = x->end == EXCHANGE_CLOSE || (x->end == EXCHANGE_FILE && x->is_last);
        c->must_linger = x->is_refused || (c->is_closing && x->used < x->in.len);
        c->file = x->file;
        c->file_offset = x->file_offset;
        c->file_left = x->file_len;
        conn_send(c, builder_bytes(out));
        conn_flush_file(c);
        if (x->end == EXCHANGE_PARKED && sign_client_ask(c->pool->sign, &c->pool->service->ask, &c->parked.waiter) != OK)
                c->sign.refused = true; /* round again: tryLater */
}

void conn_http1_serve(struct conn *c, struct bytes in)
{
        bool has_more = true;

        c->pool->service->client = c->fd;
        c->pool->service->client_address = c->client;
        while (has_more && in.len > 0 && !conn_is_blocked(c) && !conn_is_parked(c) && !c->is_closing && !c->is_broken) {
                struct exchange x = {.in = in, .state = &c->http1, .is_last = c->pool->is_draining, .sign = c->sign};

                pipeline_run(c->pool->service, &x);
                take_exchange(c, &x);
                in = bytes_make(&in.data[x.used], in.len - x.used);
                has_more = x.end != EXCHANGE_MORE;
        }
        conn_keep_input(c, in);
}

void conn_http1_resume(struct parked *parked, const struct msg_sign_answer *answer)
{
        struct conn *c = (struct conn *)((char *)parked - offsetof(struct conn, parked));

        c->sign.answer = answer;
        c->sign.refused = answer == NULL;
        conn_http1_serve(c, bytes_make(c->in, c->in_len));
        conn_settle(c);
}
