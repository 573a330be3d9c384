/* The way of a request, in order:
 *
 *   1. conn.c reads octets from the socket; conn_http1.c calls exchange_run, for one connection or for all of a group (exchange.c).
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
#include "responder/answer/pipeline.h"

#include "base/clock.h"
#include "responder/answer/address_limits.h"
#include "responder/answer/condition.h"
#include "responder/answer/ocsp_question.h"

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

bool pipeline_sends_file(const struct request *r, const struct answer *a)
{
        return a->kind == BODY_FILE && r->method == METHOD_GET && a->body_len > 0;
}
