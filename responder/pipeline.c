/* The way of a request, in order:
 *
 *   1. conn.c reads octets from the socket; conn_http1.c calls pipeline_run.
 *   2. http1_read makes one struct request of them                                    (RFC 9112; http1.c)
 *   3. a read turn begins, after the octets came: nothing committed before them is missed      (service.c)
 *   4. the route's handler makes one struct answer, or says that a signature must be asked for (answer_*.c)
 *   5. finish: conditions, counters; the one place that ends a request; then head and body are written down
 *   6. the next request of the same octets, in the same turn; none behind a parked one
 *   7. the turn ends. ERR_STALE: all that was rendered in it is thrown away, and it is done again
 *   8. conn_http1.c sends what was rendered in one call.
 *
 * HTTP/2 (http2_answer.c) takes steps 3 to 7 for as many streams as can be sent to; only its heads differ. */
#include "responder/pipeline.h"

#include "base/clock.h"
#include "responder/address_limits.h"
#include "responder/condition.h"

enum { TAKES_GET = 1, TAKES_HEAD = 2, TAKES_POST = 4 };

static const unsigned METHOD_BITS[] = {[METHOD_GET] = TAKES_GET, [METHOD_HEAD] = TAKES_HEAD, [METHOD_POST] = TAKES_POST,
        [METHOD_OTHER] = 0, [METHOD_UNKNOWN] = 0};

/* The first whose prefix fits. OCSP is behind a path of the configuration, by default all others: its requests begin with 'M', for
 * DER begins with 30. */
static const struct route {
        struct bytes prefix;
        unsigned methods;
        const char *allow;
        route_handler *handler;
} ROUTES[] = {
        {BYTES_LIT("/crl/"), TAKES_GET | TAKES_HEAD, "GET, HEAD", answer_crl},
        {BYTES_LIT("/ca/"), TAKES_GET | TAKES_HEAD, "GET, HEAD", answer_issuer},
        {BYTES_LIT("/healthz"), TAKES_GET | TAKES_HEAD, "GET, HEAD", answer_health},
};
static const struct route ARI_ROUTE = {.methods = TAKES_GET | TAKES_HEAD, .allow = "GET, HEAD", .handler = answer_ari};
static const struct route OCSP_ROUTE = {.methods = TAKES_GET | TAKES_HEAD | TAKES_POST, .allow = "GET, HEAD, POST", .handler = answer_ocsp};

static bool take_prefix(struct bytes path, struct bytes prefix, struct bytes *ret_rest)
{
        if (path.len < prefix.len || memcmp(path.data, prefix.data, prefix.len) != 0)
                return false;
        *ret_rest = bytes_make(&path.data[prefix.len], path.len - prefix.len);
        return true;
}

/* A path of the configuration, without a '/' at its end; the rest is empty or begins with one. */
static bool is_below(struct bytes path, struct bytes prefix, struct bytes *ret_rest)
{
        if (prefix.len > 0 && prefix.data[prefix.len - 1] == '/')
                prefix.len--;
        return take_prefix(path, prefix, ret_rest) && (ret_rest->len == 0 || ret_rest->data[0] == '/');
}

static const struct route *find_route(const struct conf *conf, struct bytes path, struct bytes *ret_rest)
{
        for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++)
                if (take_prefix(path, ROUTES[i].prefix, ret_rest))
                        return &ROUTES[i];
        if (conf->ari_path && *conf->ari_path && is_below(path, bytes_str(conf->ari_path), ret_rest))
                return &ARI_ROUTE;
        return is_below(path, bytes_str(conf->ocsp_path), ret_rest) ? &OCSP_ROUTE : NULL;
}

static enum verdict handle(struct turn *t, const struct request *r, struct sign_slot *sign, struct answer *ret_answer)
{
        struct bytes rest;
        const struct route *route = find_route(t->service->conf, r->path, &rest);

        if (r->method == METHOD_UNKNOWN || !route) {
                answer_set_status(ret_answer, route || r->method == METHOD_UNKNOWN ? 501 : 404);
                return VERDICT_ANSWERED;
        }
        if (!(route->methods & METHOD_BITS[r->method])) { /* RFC 9110 15.5.6, req 3.7 */
                answer_set_status(ret_answer, 405);
                ret_answer->allow = route->allow;
                return VERDICT_ANSWERED;
        }
        return route->handler(t, r, rest, sign, ret_answer);
}

static void put_ocsp(struct builder *out, const struct ocsp_body *body, size_t body_len)
{
        uint8_t *room = builder_extend(out, body_len);
        size_t len = 0;

        if (!room)
                return;
        if (ocsp_response_rebuild(body->template, body->serial, &body->status, body->signature, room, &len) != OK || len != body_len)
                out->failed = true;
}

void pipeline_put_body(struct builder *out, const struct request *r, const struct answer *a)
{
        if (r->method == METHOD_HEAD) /* req 3.6 */
                return;
        if (a->kind == BODY_BYTES)
                builder_put(out, a->bytes);
        else if (a->kind == BODY_OCSP)
                put_ocsp(out, &a->ocsp, a->body_len);
}

static void name_row(char *name, struct bytes label)
{
        size_t len = label.len < STATS_NAME_MAX ? label.len : STATS_NAME_MAX;

        memcpy(name, label.data, len);
        name[len] = '\0';
}

static unsigned issuer_row(struct stats *stats, const struct ca_entry *ca)
{
        if (!ca)
                return 0;
        if (ca->key.id >= STATS_ISSUERS - 1)
                return STATS_ISSUERS - 1;
        if (stats->names[ca->key.id][0] == '\0')
                name_row(stats->names[ca->key.id], ca->label);
        return ca->key.id;
}

static void count(struct service *s, const struct request *r, const struct answer *a)
{
        s->n_in_turn++;
        s->stats.n_requests[r->method][r->protocol][a->status / 100]++;
        if (a->about.serial.len > 0)
                s->stats.n_cert_id_hashes[a->about.hash]++; /* req 1.9 */
        if (a->about.outcome != OUTCOME_NONE)
                s->stats.n_outcomes[issuer_row(&s->stats, a->about.ca)][a->about.outcome]++;
}

/* Where every request ends, whatever the protocol; what is left is to write it down. */
static void finish(struct service *s, const struct request *r, struct answer *a)
{
        condition_apply(r, a);
        count(s, r, a);
}

/* `since_us`: when its octets were there. */
static void log_access(struct service *s, const struct request *r, const struct answer *a, int64_t since_us)
{
        if (!s->access_log || !access_log_wants(s->access_log))
                return;
        access_log_put(s->access_log, &(struct access_line){.request = r, .answer = a, .client = s->client, .now_ms = clock_now_ms(),
                                              .us = since_us == 0 ? 0 : (uint64_t)(clock_mono_us() - since_us)});
}

/* req 1.18 */
static void refuse_flood(struct service *s, struct answer *ret_answer)
{
        answer_set_status(ret_answer, 429);
        ret_answer->retry_after_s = 1;
        s->stats.n_refused_requests++;
}

enum verdict pipeline_answer(struct turn *t, const struct request *r, struct sign_slot *sign, struct answer *ret_answer)
{
        if (sign->since_us == 0 || sign->n_asked == 0)
                sign->since_us = t->begun_us;
        if (sign->n_asked == 0 && !limits_take_request(t->service->address_limits, t->service->client_address, t->begun_us))
                refuse_flood(t->service, ret_answer);
        else if (handle(t, r, sign, ret_answer) == VERDICT_PARKED)
                return VERDICT_PARKED;
        finish(t->service, r, ret_answer);
        log_access(t->service, r, ret_answer, sign->since_us);
        return VERDICT_ANSWERED;
}

void pipeline_answer_error(struct service *s, const struct request *r, unsigned status, struct answer *ret_answer)
{
        answer_set_status(ret_answer, status);
        if (status == 503)
                ret_answer->retry_after_s = 1;
        finish(s, r, ret_answer);
        log_access(s, r, ret_answer, 0);
}

/* ---- HTTP/1 ---- */

static void render(struct service *s, const struct request *r, const struct answer *a, int64_t now_s)
{
        head_put(&s->out, &s->dates, r, a, now_s);
        pipeline_put_body(&s->out, r, a);
}

bool pipeline_sends_file(const struct request *r, const struct answer *a)
{
        return a->kind == BODY_FILE && r->method == METHOD_GET && a->body_len > 0;
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

static void put_refusal(struct service *s, unsigned status)
{
        struct request r = {.method = METHOD_UNKNOWN};
        struct answer a;

        pipeline_answer_error(s, &r, status, &a);
        a.close = true;
        render(s, &r, &a, clock_now_s());
}

static void refuse(struct service *s, struct exchange *x, unsigned status)
{
        put_refusal(s, status);
        x->used = x->in.len;
        x->end = EXCHANGE_CLOSE;
        x->is_refused = true;
}

void pipeline_refuse(struct service *s, unsigned status)
{
        builder_reset(&s->out);
        put_refusal(s, status);
}

/* One whole request. MORE: go on with the next. */
static enum exchange_end answer_one(struct service *s, struct exchange *x, struct turn *t, struct request *r, size_t len)
{
        struct answer a;

        r->keep_alive &= !x->is_last;
        if (pipeline_answer(t, r, &x->sign, &a) == VERDICT_PARKED)
                return EXCHANGE_PARKED;
        render(s, r, &a, t->now_s);
        x->used += len;
        *x->state = (struct http1_state){0};
        x->sign.answer = NULL; /* it was the first request's */
        x->sign.refused = false;
        x->sign.n_asked = 0;
        return after(x, r, &a);
}

struct lazy_turn {
        struct turn turn;
        bool has_begun;
};

/* The next request of the input, if it is whole. OK: x->end may be looked at; else the turn could not begin. */
static enum err step(struct service *s, struct exchange *x, struct lazy_turn *lazy)
{
        struct bytes rest = bytes_make(&x->in.data[x->used], x->in.len - x->used);
        struct request r;
        size_t len = 0;
        unsigned status = 400;
        enum http1_outcome outcome;
        enum err e;

        x->end = EXCHANGE_MORE;
        outcome = http1_read(&s->limits, x->state, rest, s->body_memory, &r, &len, &status);
        if (outcome == HTTP1_MORE)
                return ERR_AGAIN;
        if (outcome == HTTP1_CONTINUE) {
                builder_put(&s->out, BYTES_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
                return ERR_AGAIN;
        }
        if (outcome == HTTP1_REFUSED) {
                refuse(s, x, status);
                return OK;
        }
        if (!lazy->has_begun) {
                e = turn_begin(s, &lazy->turn);
                if (e != OK)
                        return e == ERR_AGAIN ? ERR_STALE : e;
                lazy->has_begun = true;
        }
        x->end = answer_one(s, x, &lazy->turn, &r, len);
        return OK;
}

/* As many requests as there are and fit, in one turn. ERR_STALE: none of it counts. */
static enum err run_turn(struct service *s, struct exchange *x)
{
        struct lazy_turn lazy = {.has_begun = false};
        enum err e = OK;

        while (e == OK && x->end == EXCHANGE_MORE) {
                if (SERVICE_OUT_SIZE - s->out.len < SERVICE_ANSWER_MAX)
                        x->end = EXCHANGE_FULL;
                else
                        e = step(s, x, &lazy);
        }
        if (lazy.has_begun && turn_end(&lazy.turn) != OK)
                return ERR_STALE;
        return e == ERR_AGAIN ? OK : e;
}

static void undo(struct service *s, struct exchange *x, const struct exchange *before, const struct http1_state *state)
{
        crl_file_release(x->file);
        *x = *before;
        *x->state = *state;
        builder_reset(&s->out);
}

void pipeline_run(struct service *s, struct exchange *x)
{
        struct http1_state state = *x->state;
        struct exchange before = *x;
        enum err e = ERR_STALE;

        for (unsigned i = 0; i < PIPELINE_MAX_TURNS && e == ERR_STALE; i++) {
                undo(s, x, &before, &state);
                e = run_turn(s, x);
        }
        if (e == OK && !builder_failed(&s->out))
                return;
        undo(s, x, &before, &state); /* the store cannot be read: say so, once, and let them come back */
        refuse(s, x, 503);
}
