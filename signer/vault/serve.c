/* serve: one thread a session; all wait on one epoll of both pairs, and look at `urgent` first and between any two
 * signatures of a bulk packet.
 *
 * Level-triggered, so one packet wakes one thread, and the next packet the next. A thread that finds its packet taken waits
 * again.
 */
#include "signer/vault/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/msg.h"
#include "signer/supervisor.h"
#include "signer/vault/seal.h"
#include "signer/vault/sign.h"

static void send_reply(int fd, struct lane *lane)
{
        struct builder b = builder_fixed(lane->answer, sizeof(lane->answer));
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        enum err e;

        vault_answer_put(&b, &lane->reply);
        if (builder_failed(&b))
                log_error("an answer is larger than a packet id=%llu", (unsigned long long)lane->reply.id);
        while ((e = msg_send(fd, builder_bytes(&b), -1)) == ERR_AGAIN)
                poll(&p, 1, -1);
        if (e != OK)
                _exit(EXIT_SUCCESS); /* the engine is gone, and we with it */
}

/* A token that has failed once is not asked again by this process (sessions, logins and handles may all be void). */
static void end_if_failed(const struct lane *lane)
{
        if (lane->reply.outcome != VAULT_TOKEN)
                return;
        log_error("the token failed, this vault ends: see whether the HSM is there why=\"%.*s\"", (int)lane->reply.text.len,
                (const char *)lane->reply.text.data);
        _exit(SERVE_EXIT_TOKEN);
}

static void log_refusal(const struct lane *lane)
{
        if (lane->reply.outcome == VAULT_REFUSED || lane->reply.outcome == VAULT_NO_KEY)
                log_warning("not signed kind=%u id=%llu why=\"%.*s\"", lane->reply.kind, (unsigned long long)lane->reply.id,
                        (int)lane->reply.text.len, (const char *)lane->reply.text.data);
}

/* One packet from `fd`, answered there. False when there is none. */
static bool serve_one(struct signer *s, struct lane *lane, int fd)
{
        _cleanup_close_
        int crl = -1;
        size_t len;
        enum err e = msg_receive(fd, lane->packet, sizeof(lane->packet), &len, &crl);

        if (e == ERR_AGAIN)
                return false;
        if (e == ERR_CLOSED || e == ERR_IO)
                _exit(EXIT_SUCCESS);
        if (e == OK)
                e = vault_question_take(bytes_make(lane->packet, len), &lane->question);
        else
                lane->question = (struct vault_question){0};
        if (e == OK)
                sign_answer(s, lane, crl);
        else
                sign_refuse(lane, "the packet is no question");
        log_refusal(lane);
        send_reply(fd, lane);
        end_if_failed(lane);
        return true;
}

static void serve_urgent(struct signer *s)
{
        void (*between)(struct signer *) = s->between;

        s->between = NULL; /* urgent questions do not overtake each other */
        while (serve_one(s, s->urgent, s->vault->urgent))
                ;
        s->between = between;
}

static void *serve_thread(void *argument)
{
        struct signer *s = argument;
        struct epoll_event event;

        s->between = serve_urgent;
        for (;;) {
                serve_urgent(s);
                if (!serve_one(s, s->bulk, s->vault->bulk))
                        epoll_wait(s->vault->events, &event, 1, -1);
        }
        return NULL;
}

/* ---- starting ---- */

static bool watch(int events, int fd)
{
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

        return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
               epoll_ctl(events, EPOLL_CTL_ADD, fd, &event) == 0;
}

static enum err open_vault(struct vault *v, const struct conf *conf, struct token_problem *ret_problem)
{
        const struct token_options options = {
                .module = conf->token_module,
                .label = conf->token_label,
                .pin_file = conf->token_pin_file,
                .n_sessions = conf->token_sessions,
        };
        enum err e = token_open(&v->token, &options, ret_problem);

        if (e == OK)
                e = shelf_open(&v->shelf, conf, &v->token);
        if (e == OK)
                e = seal();
        if (e != OK && ret_problem->text[0] == '\0')
                snprintf(ret_problem->text, sizeof(ret_problem->text), "%s", err_text(e));
        return e;
}

/* The unasked first packet: the token opened, or why it did not. */
static void announce(struct vault *v, struct lane *lane, enum err e, const char *text)
{
        lane->reply = (struct vault_answer){
                .kind = VAULT_HEALTH, .outcome = e == OK ? VAULT_OK : VAULT_TOKEN, .text = bytes_str(text)};
        send_reply(v->urgent, lane);
        end_if_failed(lane);
}

static enum err start_threads(struct vault *v, struct signer *signers)
{
        for (unsigned i = 0; i < v->token.n_sessions; i++) {
                enum err e = signer_init(&signers[i], v, v->token.sessions[i]);
                pthread_t thread;

                if (e != OK)
                        return e;
                if (i > 0 && pthread_create(&thread, NULL, serve_thread, &signers[i]) != 0)
                        return ERR_NOMEM;
        }
        return OK;
}

/* This thread is the first session's. */
_Noreturn void serve_run(const struct conf *conf)
{
        static struct signer signers[TOKEN_SESSIONS_MAX];
        static struct lane first;
        struct vault v = {
                .shelf = SHELF_INIT, .numbers = NUMBERS_INIT, .urgent = SUPERVISOR_URGENT_FD, .bulk = SUPERVISOR_BULK_FD};
        struct token_problem problem = {0};
        enum err e;

        v.events = epoll_create1(EPOLL_CLOEXEC);
        if (v.events < 0 || !watch(v.events, v.urgent) || !watch(v.events, v.bulk)) {
                log_error("no sockets to serve: tocsin-signer starts this program why=\"%s\"", strerrordesc_np(errno));
                _exit(EXIT_FAILURE);
        }
        e = open_vault(&v, conf, &problem);
        if (e == OK)
                snprintf(problem.text, sizeof(problem.text), "sessions=%u keys=%u missing=%u", v.token.n_sessions,
                        v.shelf.present->policy.n_keys, v.shelf.present->n_missing);
        if (e == OK)
                log_info("the token is open %s", problem.text);
        announce(&v, &first, e, problem.text);
        if (start_threads(&v, signers) != OK) {
                log_error("cannot start the signing threads");
                _exit(EXIT_FAILURE);
        }
        serve_thread(&signers[0]);
        _exit(EXIT_FAILURE);
}
