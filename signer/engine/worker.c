/* worker: sockets of the responders' workers. */
#include "signer/engine/worker.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "signer/engine/engine.h"

#define WORKERS_MAX 256
#define ASKS_A_TURN 64
#define BUFFER_OCTETS (1 << 20)

struct worker *worker_ref(struct worker *w)
{
        w->n_refs++;
        return w;
}

void worker_unref(struct worker *w)
{
        if (--w->n_refs > 0)
                return;
        outbox_done(&w->out);
        free(w);
}

static void worker_close(struct worker *w)
{
        if (w->gone)
                return;
        w->gone = true;
        if (w->readable)
                event_free(w->readable);
        if (w->writable)
                event_free(w->writable);
        close(w->fd);
        outbox_done(&w->out);
        for (struct worker **at = &w->engine->workers.first; *at; at = &(*at)->next)
                if (*at == w) {
                        *at = w->next;
                        break;
                }
        worker_unref(w);
}

/* What came of sending: the rest goes when the socket takes more. */
static void note_sent(struct worker *w, enum err e)
{
        if (e == ERR_AGAIN)
                event_add(w->writable, NULL);
        else if (e != OK)
                worker_close(w);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
        struct worker *w = arg;

        (void)fd, (void)what;
        note_sent(w, outbox_flush(&w->out, w->fd));
}

void worker_answer(struct worker *w, const struct msg_sign_answer *answer)
{
        static uint8_t memory[MSG_SIGN_ANSWER_MAX];
        struct builder b = builder_fixed(memory, sizeof(memory));

        if (w->gone)
                return;
        w->n_open--;
        msg_sign_answer_put(&b, answer);
        if (builder_failed(&b)) {
                b = builder_fixed(memory, sizeof(memory));
                msg_sign_answer_put(&b, &(struct msg_sign_answer){.id = answer->id, .outcome = MSG_TRY_LATER});
        }
        /* Bounded by the worker's credit: it cannot have more answers waiting than questions open. */
        note_sent(w, outbox_send(&w->out, w->fd, builder_bytes(&b)));
}

/* One that asks beyond its credit is told so; the credit is not the worker's to count. */
static void take_ask(struct worker *w, const struct msg_sign_ask *ask)
{
        w->n_open++;
        if (w->n_open > w->engine->conf->sign_per_worker)
                worker_answer(w,
                        &(struct msg_sign_answer){.id = ask->id, .outcome = MSG_TRY_LATER, .n_cert_ids = ask->n_cert_ids});
        else
                ondemand_ask(w->engine, w, ask);
}

/* False: nothing more for now. */
static bool read_ask(struct worker *w)
{
        uint8_t packet[MSG_SIGN_ASK_MAX];
        struct msg_sign_ask ask;
        size_t len;
        enum err e = msg_receive(w->fd, packet, sizeof(packet), &len, NULL);

        if (e == ERR_AGAIN)
                return false;
        if (e == OK && msg_sign_ask_take(bytes_make(packet, len), &ask) == OK) {
                take_ask(w, &ask);
                return !w->gone;
        }
        if (e != ERR_CLOSED)
                log_warning("a worker sent what is no question: dropped");
        worker_close(w);
        return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        struct worker *w = worker_ref(arg);
        struct engine *e = w->engine;

        (void)fd, (void)what;
        for (unsigned i = 0; i < ASKS_A_TURN; i++)
                if (!read_ask(w))
                        break;
        worker_unref(w);
        ondemand_pump(e);
}

static unsigned count_workers(const struct workers *workers)
{
        unsigned n = 0;

        for (const struct worker *w = workers->first; w; w = w->next)
                n++;
        return n;
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
        struct engine *e = arg;
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), size = BUFFER_OCTETS;
        struct worker *w;

        (void)what;
        if (fd < 0)
                return;
        w = count_workers(&e->workers) < WORKERS_MAX ? calloc(1, sizeof(*w)) : NULL;
        if (!w) {
                close(fd);
                return;
        }
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        w->engine = e;
        w->fd = fd;
        w->n_refs = 1;
        w->readable = event_new(e->base, fd, EV_READ | EV_PERSIST, on_readable, w);
        w->writable = event_new(e->base, fd, EV_WRITE, on_writable, w);
        w->next = e->workers.first;
        e->workers.first = w;
        if (!w->readable || !w->writable || event_add(w->readable, NULL) != 0)
                worker_close(w);
        else
                log_debug("a worker connected");
}

/* The responder's user differs from ours: the folder's mode decides who gets to the socket. */
#define SOCKET_MODE 0666

enum err workers_start(struct engine *e)
{
        struct workers *workers = &e->workers;
        enum err err;

        workers->fd = -1;
        err = msg_listen(e->conf->sign_socket, SOCKET_MODE, &workers->fd);
        if (err != OK) {
                log_error("the sign socket cannot be opened path=%s error=\"%s\"", e->conf->sign_socket, err_text(err));
                return err;
        }
        workers->path = strdup(e->conf->sign_socket);
        workers->listener = event_new(e->base, workers->fd, EV_READ | EV_PERSIST, on_connection, e);
        return workers->path && workers->listener && event_add(workers->listener, NULL) == 0 ? OK : ERR_NOMEM;
}

void workers_stop(struct engine *e)
{
        struct workers *workers = &e->workers;

        if (!workers->listener)
                return;
        event_free(workers->listener);
        workers->listener = NULL;
        close(workers->fd);
        unlink(workers->path);
        free(workers->path);
        while (workers->first)
                worker_close(workers->first);
}
