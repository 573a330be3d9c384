/* drive: the loop. Connections that can ask stand in a ring; whenever a request is due, the first of them asks it. */
#include "bench/load/drive.h"

#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define EVENTS_MAX 256
#define DRAIN_NS 2000000000ull
#define STALL_NS 10000000000ull /* a server that answers nothing for so long has stopped */
#define NS_PER_S 1e9
#define SPIN_BELOW_NS 2000000ull

static uint64_t mono_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* ---- what comes next ---- */

static void queue_put(struct drive *d, struct conn *c)
{
        if (c->queued)
                return;
        c->queued = true;
        d->queue[(d->queue_first + d->queue_len++) % d->config->n_conns] = c;
}

static struct conn *queue_take(struct drive *d)
{
        struct conn *c = d->queue[d->queue_first];

        d->queue_first = (d->queue_first + 1) % d->config->n_conns;
        d->queue_len--;
        c->queued = false;
        return c;
}

static bool asking_over(const struct drive *d, uint64_t now_ns)
{
        if (d->config->max_requests > 0 && d->result->n_asked >= d->config->max_requests)
                return true;
        if (d->config->rate > 0 && d->config->seconds > 0) /* what was due in time is asked, if late */
                return d->due_ns >= d->end_ns || now_ns >= d->end_ns + DRAIN_NS;
        return d->end_ns > 0 && now_ns >= d->end_ns;
}

static uint64_t random_gap_ns(struct drive *d)
{
        double u = (double)(random_next(&d->random) >> 11) / 9007199254740992.0; /* [0, 1) of 53 bits */

        return (uint64_t)(-log(1.0 - u) * NS_PER_S / d->config->rate);
}

/* Is a request due? Then since when. */
static bool take_due(struct drive *d, uint64_t now_ns, uint64_t *ret_due_ns)
{
        if (asking_over(d, now_ns))
                return false;
        if (d->config->rate <= 0) {
                *ret_due_ns = now_ns;
                return true;
        }
        if (d->due_ns > now_ns)
                return false;
        *ret_due_ns = d->due_ns;
        d->due_ns += random_gap_ns(d);
        return true;
}

static size_t choose_question(struct drive *d)
{
        double share = d->config->hot_share;
        size_t i;

        if (share > 0 && (double)(random_next(&d->random) >> 11) < share * 9007199254740992.0)
                return random_next(&d->random) % d->config->hot_set;
        i = d->next_question++;
        if (d->next_question == d->questions->n)
                d->next_question = 0;
        return i;
}

/* ---- judging ---- */

static void judge(struct drive *d, const struct asked *asked, const struct answer *answer)
{
        enum verdict v;

        if (!d->rule.is_ocsp && d->rule.expected_body.len == 0 && answer->status == 200) {
                builder_put(&d->first_body, answer->body);
                d->rule.expected_body = builder_bytes(&d->first_body);
        }
        v = answer_check(answer, &d->rule);
        if (v == VERDICT_RIGHT && (d->result->n_right % d->config->sample_every) == 0) {
                d->result->n_sampled++;
                v = answer_check_whole(answer, &d->rule, &d->questions->items[asked->question]);
        }
        d->result->verdicts[v]++;
        d->result->n_right += v == VERDICT_RIGHT;
}

static void note_length(struct drive_result *r, uint64_t len)
{
        if (r->body_len_min == 0 || len < r->body_len_min)
                r->body_len_min = len;
        if (len > r->body_len_max)
                r->body_len_max = len;
}

void drive_answered(struct drive *d, struct conn *c, const struct asked *asked, const struct answer *answer, uint64_t now_ns)
{
        c->n_out--;
        c->answered = true;
        d->n_out--;
        d->n_refused = 0;
        d->last_answer_ns = now_ns;
        histogram_add(&d->result->latency, now_ns > asked->due_ns ? now_ns - asked->due_ns : 0);
        note_length(d->result, answer->body.len);
        judge(d, asked, answer);
}

void drive_failed(struct drive *d, struct conn *c, enum verdict why)
{
        c->n_out--;
        d->n_out--;
        d->result->verdicts[why]++;
}

/* ---- connections ---- */

static enum err conn_open(struct drive *d, struct conn *c)
{
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
        int one = 1;

        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
                return ERR_IO;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(c->fd, (const struct sockaddr *)&d->config->address, sizeof(d->config->address)) != 0 && errno != EINPROGRESS)
                return ERR_IO;
        if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
                return ERR_IO;
        c->answered = c->failed = false;
        c->in_len = c->out_sent = 0;
        builder_reset(&c->out);
        d->config->protocol->open(d, c);
        return OK;
}

static void conn_close(struct drive *d, struct conn *c)
{
        if (c->fd < 0)
                return;
        d->n_refused += !c->answered;
        d->config->protocol->close(d, c, c->answered ? VERDICT_CLOSED : VERDICT_NO_CONNECTION);
        close(c->fd);
        c->fd = -1;
        c->failed = false;
}

/* Opened anew only when there is something to ask: a server that takes one request a connection (openssl ocsp) need not survive a connection
 * that asks nothing, and it does not. */
static void conn_open_again(struct drive *d, struct conn *c)
{
        d->result->n_reconnects++;
        if (d->n_refused > 2ull * d->config->n_conns + 8)
                d->broken = ERR_CLOSED;
        else
                d->broken = conn_open(d, c);
}

static void conn_flush(struct conn *c)
{
        ssize_t n;

        if (c->out_sent == c->out.len)
                return;
        n = send(c->fd, c->out.data + c->out_sent, c->out.len - c->out_sent, MSG_NOSIGNAL);
        if (n < 0) {
                c->failed |= errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN;
                return;
        }
        c->out_sent += (size_t)n;
        if (c->out_sent == c->out.len) {
                builder_reset(&c->out);
                c->out_sent = 0;
        }
}

static void conn_ask_due(struct drive *d, struct conn *c, uint64_t now_ns)
{
        struct asked asked;

        while (d->broken == OK && c->n_out < d->config->depth && take_due(d, now_ns, &asked.due_ns)) {
                if (c->fd < 0)
                        conn_open_again(d, c);
                if (d->broken != OK)
                        return;
                asked.question = choose_question(d);
                d->config->protocol->ask(d, c, &asked);
                c->n_out++;
                d->n_out++;
                d->result->n_asked++;
        }
        conn_flush(c);
}

/* Due requests to connections that can ask, until one or the other runs out. */
static void dispatch(struct drive *d, uint64_t now_ns)
{
        unsigned n = d->queue_len;

        while (n-- > 0) {
                struct conn *c = queue_take(d);
                uint64_t asked_before = d->result->n_asked;

                if (!c->failed)
                        conn_ask_due(d, c, now_ns);
                if (c->n_out < d->config->depth)
                        queue_put(d, c);
                if (!c->failed && d->result->n_asked == asked_before)
                        return; /* nothing is due */
        }
}

static void conn_take(struct drive *d, struct conn *c, uint64_t now_ns)
{
        size_t taken = d->config->protocol->take(d, c, now_ns);

        c->in_len -= taken;
        memmove(c->in, c->in + taken, c->in_len);
        c->failed |= c->in_len == INPUT_CAP; /* an answer longer than all of our memory */
}

/* Edge-triggered: reads until the socket is empty. */
static void conn_read(struct drive *d, struct conn *c, bool to_end)
{
        for (;;) {
                size_t room = INPUT_CAP - c->in_len;
                ssize_t n = recv(c->fd, c->in + c->in_len, room, 0);

                if (n <= 0) {
                        c->failed |= n == 0 || (errno != EAGAIN && errno != ENOTCONN);
                        return;
                }
                c->in_len += (size_t)n;
                conn_take(d, c, mono_ns());
                if (c->failed || ((size_t)n < room && !to_end))
                        return;
        }
}

static void conn_event(struct drive *d, struct conn *c, uint32_t events)
{
        if (c->fd < 0)
                return;
        if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP))
                conn_read(d, c, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
        if (!c->failed)
                conn_flush(c);
        if (c->failed)
                conn_close(d, c);
        if (c->n_out < d->config->depth)
                queue_put(d, c);
}

/* ---- the run ---- */

/* How long to sleep: in an open loop not past the next due time, and near it not at all (epoll's clock is too coarse). */
static int wait_ms(const struct drive *d, uint64_t now_ns)
{
        if (asking_over(d, now_ns) || d->config->rate <= 0 || d->queue_len == 0)
                return 20;
        if (d->due_ns < now_ns + SPIN_BELOW_NS)
                return 0;
        return 1;
}

static bool run_is_over(const struct drive *d, uint64_t now_ns)
{
        if (now_ns > d->last_answer_ns + STALL_NS && d->n_out > 0)
                return true;
        return asking_over(d, now_ns) && (d->n_out == 0 || now_ns > d->end_ns + DRAIN_NS);
}

static enum err run_loop(struct drive *d)
{
        struct epoll_event events[EVENTS_MAX];
        uint64_t now_ns = mono_ns();

        while (d->broken == OK && !run_is_over(d, now_ns)) {
                int n = epoll_wait(d->epoll, events, EVENTS_MAX, wait_ms(d, now_ns));

                for (int i = 0; i < n; i++) {
                        conn_event(d, events[i].data.ptr, events[i].events);
                        dispatch(d, mono_ns());
                }
                now_ns = mono_ns();
                dispatch(d, now_ns);
                if (asking_over(d, now_ns) && d->end_ns == 0)
                        d->end_ns = now_ns; /* the drain's time starts */
        }
        return d->broken;
}

/* What was due inside the run and never asked: the server did not keep up. A failure, and a latency of at least what it waited so far. */
static void count_never_asked(struct drive *d, uint64_t now_ns)
{
        if (d->config->rate <= 0 || d->config->max_requests > 0)
                return;
        for (; d->due_ns < d->end_ns; d->due_ns += random_gap_ns(d)) {
                d->result->n_asked++;
                d->result->verdicts[VERDICT_UNANSWERED]++;
                histogram_add(&d->result->latency, now_ns - d->due_ns);
        }
}

static void finish(struct drive *d)
{
        uint64_t now_ns = mono_ns();

        d->result->seconds = (double)(now_ns - d->start_ns) / NS_PER_S;
        count_never_asked(d, now_ns);
        for (unsigned i = 0; i < d->config->n_conns; i++) {
                struct conn *c = &d->conns[i];

                if (c->fd >= 0)
                        d->config->protocol->close(d, c, VERDICT_UNANSWERED);
                if (c->fd >= 0)
                        close(c->fd);
                builder_done(&c->out);
                free(c->in);
        }
}

static void drive_done(struct drive *d)
{
        builder_done(&d->first_body);
        free(d->conns);
        free(d->queue);
        if (d->epoll >= 0)
                close(d->epoll);
}

static enum err drive_init(struct drive *d, const struct drive_config *config)
{
        d->conns = calloc(config->n_conns, sizeof(*d->conns));
        d->queue = calloc(config->n_conns, sizeof(struct conn *));
        if (!d->conns || !d->queue)
                return ERR_NOMEM;
        d->epoll = epoll_create1(EPOLL_CLOEXEC);
        for (unsigned i = 0; i < config->n_conns; i++) {
                d->conns[i].fd = -1;
                d->conns[i].in = malloc(INPUT_CAP);
                if (!d->conns[i].in)
                        return ERR_NOMEM;
        }
        return d->epoll >= 0 ? OK : ERR_IO;
}

static enum err open_all(struct drive *d)
{
        for (unsigned i = 0; i < d->config->n_conns; i++) {
                enum err e = conn_open(d, &d->conns[i]);

                if (e != OK)
                        return e;
                queue_put(d, &d->conns[i]);
        }
        return OK;
}

enum err drive_run(const struct drive_config *config, const struct questions *questions, struct drive_result *ret)
{
        _cleanup_(drive_done) struct drive d = {.config = config, .questions = questions, .result = ret, .epoll = -1};
        enum err e = drive_init(&d, config);

        if (e != OK)
                return e;
        *ret = (struct drive_result){0};
        d.random = config->seed | 1;
        d.next_question = random_next(&d.random) % questions->n;
        d.rule = config->rule;
        d.rule.now_s = clock_now_s();
        d.start_ns = d.due_ns = d.last_answer_ns = mono_ns();
        d.end_ns = config->seconds > 0 ? d.start_ns + (uint64_t)(config->seconds * NS_PER_S) : 0;
        e = open_all(&d);
        if (e == OK)
                e = run_loop(&d);
        finish(&d);
        return e;
}
