/* http1: requests go out as they were prepared, answers come back in the order of the questions (RFC 9112 9.3.2). */
#include <stdlib.h>

#include "bench/load/drive.h"

/* The questions that are out, oldest first: a ring. */
struct http1 {
        unsigned first;
        struct asked asked[DEPTH_MAX];
};

static void http1_open(struct drive *d, struct conn *c)
{
        struct http1 *h = c->state;

        (void)d;
        if (!h)
                c->state = calloc(1, sizeof(*h));
        else
                h->first = 0;
        c->failed |= !c->state;
}

static void http1_ask(struct drive *d, struct conn *c, const struct asked *asked)
{
        struct http1 *h = c->state;

        h->asked[(h->first + c->n_out) % DEPTH_MAX] = *asked;
        builder_put(&c->out, question_request(d->questions, &d->questions->items[asked->question]));
}

static size_t http1_take(struct drive *d, struct conn *c, uint64_t now_ns)
{
        struct bytes rest = bytes_make(c->in, c->in_len);
        struct http1 *h = c->state;
        struct answer answer;
        enum err e = OK;

        while (rest.len > 0 && !c->failed && (e = answer_take(&rest, &answer)) == OK) {
                struct asked asked = h->asked[h->first];

                if (c->n_out == 0) { /* an answer nobody asked for */
                        e = ERR_INVALID;
                        break;
                }
                h->first = (h->first + 1) % DEPTH_MAX;
                drive_answered(d, c, &asked, &answer, now_ns);
                c->failed |= answer.closes;
        }
        c->failed |= e == ERR_INVALID;
        return c->in_len - rest.len;
}

static void http1_close(struct drive *d, struct conn *c, enum verdict why)
{
        while (c->n_out > 0)
                drive_failed(d, c, why);
        free(c->state);
        c->state = NULL;
}

const struct protocol protocol_http1 = {
        .name = "http/1.1", .open = http1_open, .ask = http1_ask, .take = http1_take, .close = http1_close};
