/* The way of a request, in order:
 *
 *   1. conn.c reads octets from the socket; conn_http1.c calls pipeline_run, for one connection or for all of a group.
 *   2. http1_read makes struct requests of them                                       (RFC 9112; http1.c)
 *   3. a read turn begins, after the octets came: nothing committed before them is missed      (service.c)
 *   4. what they will read of the store is looked up together                         (pipeline_look_ahead)
 *   5. the route's handler makes one struct answer, or says that a signature must be asked for (answer_*.c)
 *   6. finish: conditions, counters; the one place that ends a request; then head and body are written down
 *   7. the next request, in the same turn; none of a connection behind a parked one
 *   8. the turn ends. ERR_STALE: all that was rendered in it is thrown away, and it is done again
 *   9. conn_http1.c sends what was rendered, in one call for each connection.
 *
 * HTTP/2 (http2_answer.c) takes steps 3 to 8 for as many streams as can be sent to; only its heads differ. */
#include "responder/pipeline.h"

#include "base/clock.h"
#include "responder/address_limits.h"
#include "responder/condition.h"
#include "responder/ocsp_question.h"

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

static bool takes(const struct route *route, enum method method)
{
        return route->methods & METHOD_BITS[method];
}

static enum verdict handle(struct turn *t, const struct request *r, struct sign_slot *sign, struct answer *ret_answer)
{
        struct bytes rest = r->rest;
        const struct route *route = r->route ? r->route : find_route(t->service->conf, r->path, &rest);

        if (r->method == METHOD_UNKNOWN || !route) {
                answer_set_status(ret_answer, route || r->method == METHOD_UNKNOWN ? 501 : 404);
                return VERDICT_ANSWERED;
        }
        if (!takes(route, r->method)) { /* RFC 9110 15.5.6, req 3.7 */
                answer_set_status(ret_answer, 405);
                ret_answer->allow = route->allow;
                return VERDICT_ANSWERED;
        }
        return route->handler(t, r, rest, sign, ret_answer);
}

/* Most requests are OCSP's; nothing else reads rows that nobody else reads. */
void pipeline_look_ahead(struct turn *t, struct request *requests[], unsigned n)
{
        struct service *s = t->service;
        struct status_place *places[SERVICE_AHEAD];
        uint32_t windows[SERVICE_AHEAD];
        unsigned n_places = 0;

        for (unsigned i = 0; i < n && i < SERVICE_AHEAD; i++) {
                struct request *r = requests[i];

                r->route = find_route(s->conf, r->path, &r->rest);
                if (r->route != &OCSP_ROUTE || !takes(r->route, r->method) || r->rest.len >= SERVICE_AHEAD_PATH)
                        continue;
                r->question = &s->ahead[i];
                ocsp_question_read(t, r, r->rest, s->ahead_memory[i], r->question);
                if (r->question->is_sought)
                        places[n_places++] = &r->question->place;
        }
        status_seek_together(places, n_places);
        for (unsigned i = 0; i < n && i < SERVICE_AHEAD; i++)
                windows[i] = requests[i]->question ? ocsp_question_look_up(t, requests[i]->question) : 0;
        window_cache_expect(s->windows, windows, n < SERVICE_AHEAD ? n : SERVICE_AHEAD);
}

static void put_ocsp(struct builder *out, const struct ocsp_body *body)
{
        uint8_t *room = builder_extend(out, body->layout.whole);

        if (room)
                ocsp_response_write(room, &body->layout, body->template, body->serial, &body->status, body->signature);
}

void pipeline_put_body(struct builder *out, const struct request *r, const struct answer *a)
{
        if (r->method == METHOD_HEAD) /* req 3.6 */
                return;
        if (a->kind == BODY_BYTES)
                builder_put(out, a->bytes);
        else if (a->kind == BODY_OCSP)
                put_ocsp(out, &a->ocsp);
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
        if (sign->n_asked > 0) /* all others take as long as their turn */
                metric_observe(&t->service->stats.wait_us, (uint64_t)(clock_mono_us() - sign->since_us), 1);
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

static void put_refusal(struct service *s, unsigned status)
{
        struct request r = {.method = METHOD_UNKNOWN};
        struct answer a;

        pipeline_answer_error(s, &r, status, &a);
        a.close = true;
        render(s, &r, &a, clock_now_s());
}

void pipeline_refuse(struct service *s, unsigned status)
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

void pipeline_run(struct service *s, struct exchange xs[], unsigned n)
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
