#include "responder/http/exchange.h"

#include "base/clock.h"
#include "responder/http/http1_head.h"

static void render(struct service *s, const struct request *r, const struct answer *a, int64_t now_s)
{
        http1_head_put(&s->out, s, r, a, now_s);
        pipeline_put_body(&s->out, r, a);
}

static void put_refusal(struct service *s, unsigned status)
{
        struct request r = {.method = METHOD_UNKNOWN};
        struct answer a;

        pipeline_answer_error(s, &r, status, &a);
        a.close = true;
        render(s, &r, &a, clock_now_s());
}

void exchange_refuse(struct service *s, unsigned status)
{
        builder_reset(&s->out);
        put_refusal(s, status);
}

static void refuse(struct service *s, struct exchange *x, unsigned status)
{
        put_refusal(s, status);
        x->used = x->in.len;
        x->end = EXCHANGE_CLOSE;
        x->is_refused = true;
}

/* What was read of an exchange's input, in order. */
struct piece {
        struct exchange *x;
        enum http1_outcome outcome;
        struct request request;
        size_t len;
        unsigned status;
        struct http1_state state; /* after it */
};

/* A chunked body lies where the next would be put together. */
static bool is_put_together(const struct service *s, const struct piece *p)
{
        return p->outcome == HTTP1_REQUEST && p->request.body.data == s->body_memory;
}

static void read_piece(struct service *s, struct exchange *x, struct piece *p)
{
        struct bytes rest = bytes_make(&x->in.data[x->read], x->in.len - x->read);

        p->x = x;
        p->state = x->read == x->used ? x->state : (struct http1_state){0};
        p->status = 400;
        p->outcome = http1_read(&s->limits, &p->state, rest, s->body_memory, &p->request, &p->len, &p->status);
        if (p->outcome == HTTP1_REQUEST)
                x->read += p->len;
        else
                x->is_read = true;
}

static bool has_more(const struct exchange *x)
{
        return x->end == EXCHANGE_MORE && !x->is_read && x->read < x->in.len;
}

/* As many as are looked at together. *first: the exchange to go on with; those before it are through, so that each one's octets stand
 * in one piece. */
static unsigned read_pieces(struct service *s, struct exchange xs[], unsigned n, unsigned *first, struct piece pieces[SERVICE_AHEAD])
{
        unsigned n_pieces = 0;

        while (*first < n && n_pieces < SERVICE_AHEAD) {
                if (!has_more(&xs[*first])) {
                        ++*first;
                        continue;
                }
                read_piece(s, &xs[*first], &pieces[n_pieces++]);
                if (is_put_together(s, &pieces[n_pieces - 1]))
                        break;
        }
        return n_pieces;
}

static enum exchange_end after(struct exchange *x, const struct request *r, const struct answer *a)
{
        bool ends = a->close || !r->keep_alive;

        if (pipeline_sends_file(r, a)) {
                x->file = crl_file_hold(a->file);
                x->file_offset = a->offset;
                x->file_len = a->body_len;
                x->is_last |= ends; /* it ends, but after the file */
                return EXCHANGE_FILE;
        }
        return ends ? EXCHANGE_CLOSE : EXCHANGE_MORE;
}

static bool is_full(const struct service *s)
{
        return SERVICE_OUT_SIZE - s->out.len < SERVICE_ANSWER_MAX;
}

/* One whole request. MORE: go on with the next. */
static enum exchange_end answer_request(struct turn *t, struct piece *p)
{
        struct service *s = t->service;
        struct exchange *x = p->x;
        struct answer a;

        if (is_full(s))
                return EXCHANGE_FULL;
        p->request.keep_alive &= !x->is_last;
        if (pipeline_answer(t, &p->request, &x->sign, &a) == VERDICT_PARKED) {
                *x->ask = s->ask;
                return EXCHANGE_PARKED;
        }
        render(s, &p->request, &a, t->now_s);
        x->used += p->len;
        x->state = (struct http1_state){0};
        x->sign.answer = NULL; /* it was the first request's */
        x->sign.refused = false;
        x->sign.n_asked = 0;
        return after(x, &p->request, &a);
}

/* The turn has begun if the piece is a request. */
static void answer_piece(struct service *s, struct turn *t, struct piece *p)
{
        struct exchange *x = p->x;

        if (x->end != EXCHANGE_MORE) /* what came before it ended the connection, or waits */
                return;
        if (x->out_len == 0)
                x->out_at = s->out.len;
        s->client = x->client;
        s->client_address = x->client_address;
        if (p->outcome == HTTP1_REQUEST) {
                x->end = answer_request(t, p);
        } else {
                x->state = p->state;
                if (p->outcome == HTTP1_CONTINUE)
                        builder_put(&s->out, BYTES_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
                else if (p->outcome == HTTP1_REFUSED)
                        refuse(s, x, p->status);
        }
        x->out_len = s->out.len - x->out_at;
}

struct lazy_turn {
        struct turn turn;
        bool has_begun;
};

/* The turn begins with the first whole request. */
static enum err look_ahead(struct service *s, struct lazy_turn *lazy, struct piece pieces[], unsigned n)
{
        struct request *requests[SERVICE_AHEAD];
        unsigned n_requests = 0;
        enum err e = OK;

        for (unsigned i = 0; i < n; i++)
                if (pieces[i].outcome == HTTP1_REQUEST)
                        requests[n_requests++] = &pieces[i].request;
        if (n_requests > 0 && !lazy->has_begun)
                e = turn_begin(s, &lazy->turn);
        if (e != OK)
                return e == ERR_AGAIN ? ERR_STALE : e;
        lazy->has_begun |= n_requests > 0;
        if (n_requests > 0)
                pipeline_look_ahead(&lazy->turn, requests, n_requests);
        return OK;
}

/* What nobody has room for is not read yet. */
static void end_full(struct exchange xs[], unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (has_more(&xs[i]))
                        xs[i].end = EXCHANGE_FULL;
}

/* As many requests as there are and fit, in one turn. ERR_STALE: none of it counts. */
static enum err run_turn(struct service *s, struct exchange xs[], unsigned n)
{
        struct lazy_turn lazy = {.has_begun = false};
        struct piece pieces[SERVICE_AHEAD];
        unsigned first = 0, n_pieces;
        enum err e = OK;

        do {
                if (is_full(s))
                        end_full(&xs[first], n - first);
                n_pieces = read_pieces(s, xs, n, &first, pieces);
                e = look_ahead(s, &lazy, pieces, n_pieces);
                for (unsigned i = 0; e == OK && i < n_pieces; i++)
                        answer_piece(s, &lazy.turn, &pieces[i]);
        } while (e == OK && n_pieces > 0);
        if (lazy.has_begun && turn_end(&lazy.turn) != OK)
                return ERR_STALE;
        return e == OK && builder_failed(&s->out) ? ERR_NOMEM : e;
}

static void undo(struct service *s, struct exchange xs[], const struct exchange before[], unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                crl_file_release(xs[i].file);
                xs[i] = before[i];
        }
        builder_reset(&s->out);
}

/* The store cannot be read: say so, once, and let them come back. Of several nobody is told by what another one asked. */
static void give_up(struct service *s, struct exchange xs[], unsigned n)
{
        if (n == 1) {
                s->client = xs[0].client;
                refuse(s, &xs[0], 503);
                xs[0].out_len = s->out.len;
        }
        for (unsigned i = 0; n > 1 && i < n; i++)
                xs[i].end = EXCHANGE_FULL;
}

void exchange_run(struct service *s, struct exchange xs[], unsigned n)
{
        struct exchange before[SERVICE_AHEAD];
        enum err e = ERR_STALE;

        for (unsigned i = 0; i < n; i++) {
                xs[i].used = xs[i].read = xs[i].out_at = xs[i].out_len = 0;
                xs[i].end = EXCHANGE_MORE;
                xs[i].is_refused = xs[i].is_read = false;
                xs[i].file = NULL;
                before[i] = xs[i];
        }
        builder_reset(&s->out);
        for (unsigned i = 0; i < PIPELINE_MAX_TURNS && e == ERR_STALE; i++) {
                if (i > 0)
                        undo(s, xs, before, n);
                e = run_turn(s, xs, n);
        }
        if (e == OK)
                return;
        undo(s, xs, before, n);
        give_up(s, xs, n);
}
