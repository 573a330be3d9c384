/* vault_client: packets out, answers in, and the way back up. */
#include "signer/engine/vault_client.h"

#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/msg.h"
#include "signer/engine/engine.h"
#include "signer/supervisor.h"

#define PAUSE_FIRST_MS 500
#define TICK_MS 100
/* For the supervisor to kill the old vault and start another / for the token to open. */
#define START_MS 15000
#define OPEN_MS 30000
/* For the answers of a vault that is to be replaced; a tightened policy does not wait longer for them. */
#define DRAIN_MS 2000
/* Answers taken before other events get their turn. */
#define ANSWERS_A_TURN 64

unsigned vault_next_pause(unsigned pause_ms, enum vault_end end)
{
        static const unsigned max_ms[] = {
                [VAULT_END_TOKEN] = 30000, [VAULT_END_STARTING] = 4000, [VAULT_END_RUNNING] = PAUSE_FIRST_MS};
        unsigned next_ms = pause_ms == 0 ? PAUSE_FIRST_MS : 2 * pause_ms;

        return next_ms < max_ms[end] ? next_ms : max_ms[end];
}

bool vault_is_up(const struct engine *e)
{
        return e->vault.state == VAULT_UP;
}

bool vault_is_coming(const struct engine *e)
{
        return vault_is_up(e) || e->vault.renewing;
}

static bool has_lanes(const struct vault_client *v)
{
        return v->state == VAULT_UP || v->state == VAULT_DRAINING;
}

static void set_state(struct engine *e, enum vault_state state)
{
        struct vault_client *v = &e->vault;

        if ((v->state == VAULT_UP) != (state == VAULT_UP) || v->since_s == 0)
                v->since_s = engine_clock_now_s(&e->clock);
        v->state = state;
        v->state_since_ms = clock_mono_ms();
}

static void close_lane(struct vault_client *v, enum vault_lane lane)
{
        if (v->events[lane])
                event_free(v->events[lane]);
        v->events[lane] = NULL;
        if (v->fds[lane] >= 0)
                close(v->fds[lane]);
        v->fds[lane] = -1;
}

/* Everything under way goes back to its owners. */
static void return_calls(struct vault_client *v)
{
        for (unsigned lane = 0; lane < VAULT_LANES; lane++) {
                struct vault_call *call = v->calls[lane];

                v->calls[lane] = NULL;
                v->n_calls[lane] = 0;
                while (call) {
                        struct vault_call *next = call->next;

                        call->done(call, NULL);
                        call = next;
                }
        }
}

static void go_down(struct engine *e, enum vault_end end, const char *why)
{
        struct vault_client *v = &e->vault;

        if (v->state == VAULT_DOWN)
                return;
        if (v->signed_since_up)
                v->pause_ms = 0;
        v->signed_since_up = v->renewing = v->renew_again = false;
        v->pause_ms = vault_next_pause(v->pause_ms, end);
        v->retry_at_ms = clock_mono_ms() + v->pause_ms;
        v->retry_at_s = engine_clock_now_s(&e->clock) + (v->pause_ms + 999) / 1000;
        snprintf(v->error, sizeof(v->error), "%s", why);
        set_state(e, VAULT_DOWN);
        log_warning(
                "the token is away: revocations still commit, answers not signed yet get tryLater why=\"%s\" retry_in_ms=%u",
                why, v->pause_ms);
        close_lane(v, VAULT_URGENT);
        close_lane(v, VAULT_BULK);
        return_calls(v);
        ondemand_vault_changed(e);
}

/* The process ended without a word of the token. */
static enum vault_end silent_end(const struct vault_client *v)
{
        return has_lanes(v) ? VAULT_END_RUNNING : VAULT_END_STARTING;
}

static void ask_for_vault(struct engine *e)
{
        static const uint8_t want = SUPERVISOR_WANT_VAULT;
        struct vault_client *v = &e->vault;
        enum err err = msg_send(e->channel, bytes_make(&want, 1), -1);

        v->retry_at_s = 0;
        set_state(e, VAULT_ASKED);
        if (err != OK && err != ERR_AGAIN)
                engine_quit(e, "the supervisor is gone");
}

/* Closing our ends ends the old vault, if the supervisor has not already. */
static void retire(struct engine *e)
{
        close_lane(&e->vault, VAULT_URGENT);
        close_lane(&e->vault, VAULT_BULK);
        return_calls(&e->vault);
        ask_for_vault(e);
}

static bool is_drained(const struct vault_client *v)
{
        return (v->n_calls[VAULT_URGENT] == 0 && v->n_calls[VAULT_BULK] == 0) ||
               clock_mono_ms() - v->state_since_ms > DRAIN_MS;
}

static void retire_if_drained(struct engine *e)
{
        if (e->vault.state == VAULT_DRAINING && is_drained(&e->vault))
                retire(e);
}

void vault_renew(struct engine *e)
{
        struct vault_client *v = &e->vault;

        if (v->state == VAULT_DOWN)
                v->retry_at_ms = clock_mono_ms();
        else if (v->state == VAULT_ASKED || v->state == VAULT_OPENING)
                v->renew_again = true;
        if (v->state != VAULT_UP)
                return;
        v->renewing = true;
        snprintf(v->error, sizeof(v->error), "reloaded: a fresh vault takes over");
        set_state(e, VAULT_DRAINING);
        retire_if_drained(e);
}

static void come_up(struct engine *e, struct bytes text)
{
        set_state(e, VAULT_UP);
        e->vault.error[0] = '\0';
        e->vault.renewing = false;
        if (e->vault.renew_again) {
                e->vault.renew_again = false;
                vault_renew(e);
                return;
        }
        log_info("the token is open %.*s", (int)text.len, (const char *)text.data);
        engine_vault_is_up(e);
}

static void take_health(struct engine *e, const struct vault_answer *a)
{
        char why[256];

        if (a->outcome == VAULT_OK) {
                if (e->vault.state == VAULT_OPENING)
                        come_up(e, a->text);
                return;
        }
        snprintf(why, sizeof(why), "%.*s", (int)a->text.len, (const char *)a->text.data);
        go_down(e, VAULT_END_TOKEN, why);
}

static struct vault_call *take_call(struct vault_client *v, enum vault_lane lane, uint64_t id)
{
        for (struct vault_call **at = &v->calls[lane]; *at; at = &(*at)->next)
                if ((*at)->id == id) {
                        struct vault_call *call = *at;

                        *at = call->next;
                        v->n_calls[lane]--;
                        return call;
                }
        return NULL;
}

/* False: the vault went away over it. */
static bool take_answer(struct engine *e, enum vault_lane lane, struct bytes packet)
{
        static struct vault_answer a;
        struct vault_call *call;
        char why[256];

        if (vault_answer_take(packet, &a) != OK) {
                go_down(e, VAULT_END_TOKEN, "the vault sent what is no answer");
                return false;
        }
        if (a.kind == VAULT_HEALTH) {
                take_health(e, &a);
                return has_lanes(&e->vault) && e->vault.fds[lane] >= 0;
        }
        if (a.outcome == VAULT_TOKEN) {
                snprintf(why, sizeof(why), "%.*s", (int)a.text.len, (const char *)a.text.data);
                go_down(e, VAULT_END_TOKEN, why);
                return false;
        }
        call = take_call(&e->vault, lane, a.id);
        if (!call) {
                log_warning("the vault answered what was not asked id=%llu", (unsigned long long)a.id);
                return true;
        }
        if (a.outcome == VAULT_OK)
                e->vault.signed_since_up = true;
        call->done(call, &a);
        return has_lanes(&e->vault);
}

/* ERR_AGAIN: there are no more. ERR_TOKEN: the vault went away over one. */
static enum err take_answers(struct engine *e, enum vault_lane lane)
{
        static uint8_t packet[VAULT_PACKET_MAX];

        for (unsigned i = 0; i < ANSWERS_A_TURN; i++) {
                size_t len;
                enum err err = msg_receive(e->vault.fds[lane], packet, sizeof(packet), &len, NULL);

                if (err != OK)
                        return err;
                if (!take_answer(e, lane, bytes_make(packet, len)))
                        return ERR_TOKEN;
        }
        return OK;
}

/* Its last words may still wait on a lane: they tell a token that failed from a process that was killed. */
static void hear_and_go_down(struct engine *e, const char *why)
{
        for (unsigned lane = 0; lane < VAULT_LANES; lane++)
                if (e->vault.fds[lane] >= 0 && take_answers(e, lane) == ERR_TOKEN)
                        return;
        go_down(e, silent_end(&e->vault), why);
}

static void read_lane(struct engine *e, enum vault_lane lane)
{
        enum err err = take_answers(e, lane);

        if (err != OK && err != ERR_AGAIN && err != ERR_TOKEN)
                hear_and_go_down(e, "the vault is gone");
}

static void on_urgent(evutil_socket_t fd, short what, void *arg)
{
        (void)fd, (void)what;
        read_lane(arg, VAULT_URGENT);
        retire_if_drained(arg);
        engine_feed_vault(arg);
}

static void on_bulk(evutil_socket_t fd, short what, void *arg)
{
        (void)fd, (void)what;
        read_lane(arg, VAULT_BULK);
        retire_if_drained(arg);
        engine_feed_vault(arg);
}

static void take_lane(struct engine *e, enum vault_lane lane, int fd)
{
        struct vault_client *v = &e->vault;

        if (fd < 0)
                return;
        if (v->state != VAULT_ASKED) {
                close(fd);
                return;
        }
        close_lane(v, lane);
        v->fds[lane] = fd;
        v->events[lane] = event_new(e->base, fd, EV_READ | EV_PERSIST, lane == VAULT_URGENT ? on_urgent : on_bulk, e);
        if (!v->events[lane] || event_add(v->events[lane], NULL) != 0) {
                go_down(e, VAULT_END_STARTING, "out of memory");
                return;
        }
        /* An urgent answer is taken before bulk ones that wait with it. */
        if (v->fds[VAULT_URGENT] >= 0 && v->fds[VAULT_BULK] >= 0)
                set_state(e, VAULT_OPENING);
}

static void take_word(struct engine *e, uint8_t word, int fd)
{
        if (word == SUPERVISOR_URGENT)
                take_lane(e, VAULT_URGENT, fd);
        else if (word == SUPERVISOR_BULK)
                take_lane(e, VAULT_BULK, fd);
        else if (fd >= 0)
                close(fd);
        /* While a new one is asked for it speaks of the old one. */
        if (word == SUPERVISOR_VAULT_DIED && e->vault.state != VAULT_ASKED)
                hear_and_go_down(e, "the vault died");
        if (word == SUPERVISOR_NO_VAULT && e->vault.state == VAULT_ASKED)
                go_down(e, VAULT_END_STARTING, "the supervisor could start no vault: its log says why");
}

static void on_channel(evutil_socket_t channel, short what, void *arg)
{
        struct engine *e = arg;
        uint8_t packet[16];
        size_t len;
        int fd;
        enum err err = msg_receive(channel, packet, sizeof(packet), &len, &fd);

        (void)what;
        if (err == ERR_AGAIN)
                return;
        if (err != OK)
                engine_quit(e, "the supervisor is gone");
        else
                take_word(e, packet[0], fd);
}

static int64_t oldest_due(const struct vault_client *v)
{
        int64_t due = INT64_MAX;

        for (unsigned lane = 0; lane < VAULT_LANES; lane++)
                for (const struct vault_call *c = v->calls[lane]; c; c = c->next)
                        if (c->due_ms < due)
                                due = c->due_ms;
        return due;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
        struct engine *e = arg;
        struct vault_client *v = &e->vault;
        int64_t now = clock_mono_ms();

        (void)fd, (void)what;
        if (v->state == VAULT_DOWN && now >= v->retry_at_ms)
                ask_for_vault(e);
        else if (v->state == VAULT_ASKED && now - v->state_since_ms > START_MS)
                go_down(e, VAULT_END_STARTING, "the supervisor started no vault");
        else if (v->state == VAULT_OPENING && now - v->state_since_ms > OPEN_MS)
                go_down(e, VAULT_END_TOKEN, "the token does not open");
        else if (has_lanes(v) && now >= oldest_due(v))
                go_down(e, VAULT_END_TOKEN, "the token hangs: the vault is killed and started again");
        retire_if_drained(e);
}

enum err vault_client_start(struct engine *e)
{
        struct vault_client *v = &e->vault;
        struct timeval tick = {.tv_usec = TICK_MS * 1000};

        *v = (struct vault_client){.fds = {-1, -1}};
        evutil_make_socket_nonblocking(e->channel);
        v->channel = event_new(e->base, e->channel, EV_READ | EV_PERSIST, on_channel, e);
        v->timer = event_new(e->base, -1, EV_PERSIST, on_timer, e);
        if (!v->channel || !v->timer || event_add(v->channel, NULL) != 0 || event_add(v->timer, &tick) != 0)
                return ERR_NOMEM;
        ask_for_vault(e);
        return OK;
}

void vault_client_stop(struct engine *e)
{
        struct vault_client *v = &e->vault;

        close_lane(v, VAULT_URGENT);
        close_lane(v, VAULT_BULK);
        if (v->channel)
                event_free(v->channel);
        if (v->timer)
                event_free(v->timer);
        v->channel = v->timer = NULL;
        v->state = VAULT_DOWN;
}

/* Answers come mostly in the order of the questions: the oldest stands first. */
static void append_call(struct vault_client *v, enum vault_lane lane, struct vault_call *call)
{
        struct vault_call **at = &v->calls[lane];

        while (*at)
                at = &(*at)->next;
        call->next = NULL;
        *at = call;
        v->n_calls[lane]++;
}

enum err vault_ask(struct engine *e, enum vault_lane lane, struct vault_call *call, struct vault_question *q, int fd,
        int64_t timeout_ms)
{
        static uint8_t memory[VAULT_PACKET_MAX];
        struct vault_client *v = &e->vault;
        struct builder b = builder_fixed(memory, sizeof(memory));
        enum err err;

        if (v->state != VAULT_UP)
                return ERR_TOKEN;
        q->id = ++v->last_id;
        vault_question_put(&b, q);
        if (builder_failed(&b))
                return ERR_RANGE;
        err = msg_send(v->fds[lane], builder_bytes(&b), fd);
        if (err == ERR_AGAIN)
                return err;
        if (err != OK) {
                go_down(e, VAULT_END_RUNNING, "the vault is gone");
                return ERR_TOKEN;
        }
        call->id = q->id;
        call->due_ms = clock_mono_ms() + (timeout_ms ? timeout_ms : e->conf->token_timeout_s * 1000);
        append_call(v, lane, call);
        return OK;
}
