#include "responder/answer/sign_client.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 250 /* an attempt costs microseconds; a longer pause would only hold up the first answer after a restart */

struct sign_question {
        uint64_t id; /* 0: the slot is free */
        int64_t asked_ms;
        struct msg_sign_ask ask;
        struct sign_waiter waiters; /* head of a ring */
};

struct sign_client {
        struct sign_client_config config;
        int socket; /* -1: away */
        struct event *event;
        int64_t try_ms; /* not connected: no attempt before */
        int64_t backoff_ms;
        bool is_away_logged;
        uint64_t last_id;
        uint64_t lost_id;   /* questions up to it went with the engine */
        struct event *lost; /* tells those who asked them */
        unsigned n_open;
        struct sign_counts counts;
        struct sign_question *questions; /* config.max_questions slots */
        uint8_t packet[MSG_SIGN_ANSWER_MAX];
};

static void on_lost(evutil_socket_t fd, short what, void *data);

struct sign_client *sign_client_new(const struct sign_client_config *config)
{
        struct sign_client *client = calloc(1, sizeof *client);

        if (!client)
                return NULL;
        client->config = *config;
        client->socket = -1;
        client->questions = calloc(config->max_questions, sizeof *client->questions);
        client->lost = event_new(config->base, -1, 0, on_lost, client);
        if (!client->questions || !client->lost) {
                sign_client_free(client);
                return NULL;
        }
        return client;
}

static void ring_init(struct sign_waiter *head)
{
        head->next = head->previous = head;
}

static void ring_append(struct sign_waiter *head, struct sign_waiter *waiter)
{
        waiter->next = head;
        waiter->previous = head->previous;
        head->previous->next = waiter;
        head->previous = waiter;
}

void sign_client_leave(struct sign_waiter *waiter)
{
        if (!waiter->question)
                return;
        waiter->next->previous = waiter->previous;
        waiter->previous->next = waiter->next;
        *waiter = (struct sign_waiter){0};
}

/* The question's slot is free before anybody is told: a waiter may ask again at once. */
static void question_end(struct sign_client *client, struct sign_question *question, const struct msg_sign_answer *answer)
{
        struct sign_waiter waiting;

        ring_init(&waiting);
        while (question->waiters.next != &question->waiters) {
                struct sign_waiter *waiter = question->waiters.next;

                sign_client_leave(waiter);
                ring_append(&waiting, waiter);
                waiter->question = question; /* so that it can still leave, should its connection end meanwhile */
        }
        question->id = 0;
        client->n_open--;
        while (waiting.next != &waiting) {
                struct sign_waiter *waiter = waiting.next;

                sign_client_leave(waiter);
                client->config.on_answer(waiter, answer);
        }
}

static void hang_up(struct sign_client *client)
{
        if (client->event)
                event_free(client->event);
        client->event = NULL;
        cleanup_close(&client->socket);
        client->socket = -1;
        client->backoff_ms = client->backoff_ms * 2 < BACKOFF_MAX_MS ? client->backoff_ms * 2 : BACKOFF_MAX_MS;
        if (client->backoff_ms < BACKOFF_MIN_MS)
                client->backoff_ms = BACKOFF_MIN_MS;
        client->try_ms = clock_mono_ms() + client->backoff_ms;
}

static void on_lost(evutil_socket_t fd, short what, void *data)
{
        struct sign_client *client = data;

        (void)fd;
        (void)what;
        for (unsigned i = 0; i < client->config.max_questions; i++)
                if (client->questions[i].id != 0 && client->questions[i].id <= client->lost_id)
                        question_end(client, &client->questions[i], NULL);
}

/* The engine is gone: what was asked of it will not be answered. Who waits is told of it by the loop, not at once: whoever asks just now
 * may have answers of others in hand, and who is told renders his where they lie. */
static void lose_engine(struct sign_client *client, const char *why)
{
        if (!client->is_away_logged)
                log_warning("the engine is away: what is not signed yet gets tryLater until it is back why=\"%s\"", why);
        client->is_away_logged = true;
        client->counts.n_lost++;
        hang_up(client);
        client->lost_id = client->last_id;
        event_active(client->lost, EV_READ, 1);
}

void sign_client_free(struct sign_client *client)
{
        if (!client)
                return;
        hang_up(client);
        if (client->lost)
                event_free(client->lost);
        for (unsigned i = 0; client->questions && i < client->config.max_questions; i++) {
                struct sign_question *question = &client->questions[i];

                while (question->id != 0 && question->waiters.next != &question->waiters)
                        sign_client_leave(question->waiters.next);
        }
        free(client->questions);
        free(client);
}

static struct sign_question *find_id(struct sign_client *client, uint64_t id)
{
        for (unsigned i = 0; i < client->config.max_questions; i++)
                if (id != 0 && client->questions[i].id == id)
                        return &client->questions[i];
        return NULL;
}

static enum err take_answer(struct sign_client *client)
{
        struct msg_sign_answer answer;
        struct sign_question *question;
        size_t len;
        enum err e = msg_receive(client->socket, client->packet, sizeof client->packet, &len, NULL);

        if (e != OK)
                return e;
        e = msg_sign_answer_take(bytes_make(client->packet, len), &answer);
        if (e != OK)
                return e;
        question = find_id(client, answer.id);
        if (question)
                question_end(client, question, &answer);
        return OK;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
        struct sign_client *client = data;
        enum err e = OK;

        (void)fd;
        (void)what;
        for (unsigned i = 0; e == OK && client->socket >= 0 && i < 64; i++)
                e = take_answer(client);
        if (e != OK && e != ERR_AGAIN && client->socket >= 0)
                lose_engine(client, err_text(e));
}

static enum err connect_engine(struct sign_client *client)
{
        enum err e;

        if (client->socket >= 0)
                return OK;
        if (clock_mono_ms() < client->try_ms)
                return ERR_CLOSED;
        e = msg_connect(client->config.path, &client->socket);
        if (e == OK) {
                client->event = event_new(client->config.base, client->socket, EV_READ | EV_PERSIST, on_readable, client);
                e = client->event && event_add(client->event, NULL) == 0 ? OK : ERR_NOMEM;
        }
        if (e != OK) {
                lose_engine(client, err_text(e));
                return ERR_CLOSED;
        }
        if (client->is_away_logged)
                log_info("the engine is back");
        client->is_away_logged = false;
        client->backoff_ms = 0;
        return OK;
}

static bool cert_ids_equal(const struct msg_cert_id *a, const struct msg_cert_id *b)
{
        return a->ca_key == b->ca_key && bytes_equal(bytes_make(a->serial, a->serial_len), bytes_make(b->serial, b->serial_len));
}

static bool asks_equal(const struct msg_sign_ask *a, const struct msg_sign_ask *b)
{
        if (a->lane != b->lane || a->cert_id_hash != b->cert_id_hash || a->n_cert_ids != b->n_cert_ids || a->preferred != b->preferred ||
                !bytes_equal(bytes_make(a->nonce, a->nonce_len), bytes_make(b->nonce, b->nonce_len)))
                return false;
        for (unsigned i = 0; i < a->n_cert_ids; i++)
                if (!cert_ids_equal(&a->cert_ids[i], &b->cert_ids[i]))
                        return false;
        return true;
}

static struct sign_question *find_same(struct sign_client *client, const struct msg_sign_ask *ask)
{
        for (unsigned i = 0; i < client->config.max_questions; i++)
                if (client->questions[i].id > client->lost_id && asks_equal(&client->questions[i].ask, ask))
                        return &client->questions[i];
        return NULL;
}

static struct sign_question *find_free(struct sign_client *client)
{
        for (unsigned i = 0; i < client->config.max_questions; i++)
                if (client->questions[i].id == 0)
                        return &client->questions[i];
        return NULL;
}

static enum err send_question(struct sign_client *client, const struct msg_sign_ask *ask, struct sign_question **ret_question)
{
        uint8_t memory[MSG_SIGN_ASK_MAX];
        struct builder b = builder_fixed(memory, sizeof memory);
        struct sign_question *question = find_free(client);
        enum err e;

        if (!question)
                return ERR_AGAIN;
        question->ask = *ask;
        question->ask.id = client->last_id + 1;
        msg_sign_ask_put(&b, &question->ask);
        if (builder_failed(&b))
                return ERR_INVALID;
        e = msg_send(client->socket, builder_bytes(&b), -1);
        if (e == ERR_AGAIN)
                return e;
        if (e != OK) {
                lose_engine(client, err_text(e));
                return ERR_CLOSED;
        }
        question->id = ++client->last_id;
        question->asked_ms = clock_mono_ms();
        ring_init(&question->waiters);
        client->n_open++;
        *ret_question = question;
        return OK;
}

enum err sign_client_ask(struct sign_client *client, const struct msg_sign_ask *ask, struct sign_waiter *waiter)
{
        struct sign_question *question = find_same(client, ask);

        if (!question) {
                enum err e = connect_engine(client);

                if (e == OK)
                        e = send_question(client, ask, &question);
                if (e != OK) {
                        client->counts.n_refused++;
                        return e;
                }
                client->counts.n_asked++;
        } else {
                client->counts.n_coalesced++;
        }
        ring_append(&question->waiters, waiter);
        waiter->question = question;
        return OK;
}

void sign_client_tick(struct sign_client *client, int64_t now_ms)
{
        for (unsigned i = 0; i < client->config.max_questions; i++)
                if (client->questions[i].id > client->lost_id && now_ms - client->questions[i].asked_ms > client->config.patience_ms) {
                        lose_engine(client, "no answer in time");
                        return;
                }
}

const struct sign_counts *sign_client_counts(const struct sign_client *client)
{
        return &client->counts;
}

unsigned sign_client_open(const struct sign_client *client)
{
        return client->n_open;
}
