/* conn_http2: an HTTP/2 session on a connection: octets in, and what it has to say in one call of the socket. */
#include <event2/event.h>

#include "responder/conn/conn_private.h"

enum err conn_http2_detect(struct bytes in)
{
        static const struct bytes preface = BYTES_LIT(HTTP2_PREFACE);
        size_t n = in.len < preface.len ? in.len : preface.len;

        if (memcmp(in.data, preface.data, n) != 0)
                return ERR_INVALID;
        return n < preface.len ? ERR_AGAIN : OK;
}

void conn_http2_begin(struct conn *c)
{
        c->http2 = http2_new(c->pool->http2, c);
        if (!c->http2) {
                c->is_broken = true;
                return;
        }
        http2_set_client(c->http2, c->fd, c->client);
        if (c->pool->is_draining)
                http2_drain(c->http2);
}

/* All that can be said now: one call of the socket for all streams that are ready. */
static void put_and_send(struct conn *c)
{
        struct builder *out = http2_pool_out(c->pool->http2);
        size_t n_sent = 0;
        bool has_more = http2_has_more(c->http2);

        while (has_more && !conn_is_blocked(c) && !c->is_broken && n_sent < CONN_FILE_SHARE) {
                builder_reset(out);
                http2_put(c->http2, out);
                conn_send(c, builder_bytes(out));
                n_sent += out->len;
                has_more = out->len > 0 && http2_has_more(c->http2);
        }
        c->has_more = has_more && !conn_is_blocked(c);
        c->has_progress |= http2_take_progress(c->http2);
        if (http2_is_over(c->http2))
                c->is_closing = c->must_linger = true;
}

static void receive(struct conn *c, struct bytes in)
{
        size_t n = http2_receive(c->http2, in);

        conn_keep_input(c, bytes_make(&in.data[n], in.len - n));
}

void conn_http2_serve(struct conn *c, struct bytes in)
{
        if (in.len > 0)
                receive(c, in);
        if (!conn_is_blocked(c) && !c->is_broken)
                put_and_send(c);
}

static void put_and_send_together(struct conn *const conns[], struct http2_part parts[], unsigned n)
{
        struct builder *out = http2_pool_out(conns[0]->pool->http2);
        size_t at = 0;

        builder_reset(out);
        http2_put_together(parts, n, out);
        for (unsigned i = 0; i < n; i++) {
                conn_send(conns[i], bytes_make(&out->data[at], parts[i].len));
                at += parts[i].len;
        }
}

/* First all are read and what they ask is answered together; then each says what else it has to. */
void conn_http2_serve_all(struct conn *conns[], const struct bytes ins[], unsigned n)
{
        struct http2_part parts[CONN_GROUP];
        struct conn *ready[CONN_GROUP];
        unsigned n_ready = 0;

        for (unsigned i = 0; i < n; i++) {
                receive(conns[i], ins[i]);
                if (conns[i]->is_broken || !http2_is_ready(conns[i]->http2))
                        continue;
                ready[n_ready] = conns[i];
                parts[n_ready++] = (struct http2_part){.session = conns[i]->http2};
        }
        if (n_ready > 0)
                put_and_send_together(ready, parts, n_ready);
        for (unsigned i = 0; i < n; i++)
                conn_http2_serve(conns[i], BYTES_NONE);
}

void conn_http2_on_resumed(void *owner)
{
        conn_http2_serve(owner, BYTES_NONE);
}
