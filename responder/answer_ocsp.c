/* answer_ocsp: one OCSP request, by GET or POST (RFC 6960 appendix A).
 *
 * decode -> CA key -> rows -> is the stored signature of the current status and inside its window? -> that one, or ask the engine.
 * Every row is read in the turn it is answered in, also when a parked request resumes: an answer of the engine counts only for the
 * generations it was made for. */
#include <strings.h>

#include "pki/ocsp_request.h"
#include "pki/serial.h"
#include "responder/ocsp_get.h"
#include "responder/route.h"
#include "responder/tags.h"
#include "store/status.h"

/* A truth that changed this often while its answer was signed: the client had better come back. */
#define MAX_ASKS 4

struct question {
        struct ocsp_request request;
        const struct ca_entry *ca; /* of all CertIDs */
        struct status statuses[OCSP_CERT_IDS_MAX];
        bool is_extended; /* one of them was never issued, and that is told as revoked (req 2.5) */
};

/* ---- what is asked ---- */

static bool type_fits(struct bytes type)
{
        static const struct bytes want = BYTES_LIT("application/ocsp-request");
        const uint8_t *semicolon = type.len > 0 ? memchr(type.data, ';', type.len) : NULL;
        size_t len = semicolon ? (size_t)(semicolon - type.data) : type.len;

        while (len > 0 && (type.data[len - 1] == ' ' || type.data[len - 1] == '\t'))
                len--;
        return type.len == 0 || (len == want.len && strncasecmp((const char *)type.data, (const char *)want.data, len) == 0);
}

/* The request's DER, or the HTTP status that refuses it. */
static unsigned find_der(struct service *s, const struct request *r, struct bytes rest, struct bytes *ret_der)
{
        size_t len;

        if (rest.len > 0) /* the '/' between our path and what follows */
                rest = bytes_make(&rest.data[1], rest.len - 1);
        if (r->method == METHOD_POST) { /* req 1.1 */
                if (rest.len > 0)
                        return 404;
                if (!type_fits(r->content_type))
                        return 415;
                *ret_der = r->body;
                return 200;
        }
        if (r->query.len > 0 || ocsp_get_decode(rest, s->der_memory, &len) != OK) /* req 1.6 */
                return 400;
        *ret_der = bytes_make(s->der_memory, len);
        return 200;
}

static bool serial_fits(struct bytes serial)
{
        return serial.len >= 1 && serial.len <= SERIAL_MAX && serial.data[0] < 0x80;
}

/* All CertIDs are of one CA and one algorithm: whoever asks for others in one breath gets unauthorized. */
static const struct ca_entry *find_ca(struct turn *t, const struct ocsp_request *r)
{
        const struct ocsp_cert_id *first = &r->cert_ids[0];
        const struct ca_entry *ca;

        if (first->hash == HASH_N)
                return NULL;
        ca = ca_table_find(t->service->cas, first->hash, first->name_hash, first->key_hash);
        for (unsigned i = 1; ca && i < r->n_cert_ids; i++) {
                const struct ocsp_cert_id *id = &r->cert_ids[i];

                if (id->hash != first->hash || !ca_key_matches(&ca->key, id->hash, id->name_hash, id->key_hash))
                        return NULL;
        }
        return ca;
}

/* RFC 6960 2.2, 4.4.8, req 2.5: what was never issued is on hold since 1970-01-01, where the profile and the configuration say so. */
static bool extend_revoked(struct question *q, unsigned i)
{
        const struct conf_issuer *conf = q->ca->conf;

        if (!conf->ocsp_extended_revoked || conf->profile != CONF_PROFILE_PRIVATE || !serial_fits(q->request.cert_ids[i].serial))
                return false;
        q->statuses[i] = (struct status){.ocsp = {.cert_status = OCSP_REVOKED, .reason = REASON_CERTIFICATE_HOLD}};
        q->is_extended = true;
        return true;
}

static enum ocsp_response_status read_rows(struct turn *t, struct question *q)
{
        for (unsigned i = 0; i < q->request.n_cert_ids; i++) {
                struct bytes serial = q->request.cert_ids[i].serial;
                enum err e = serial_fits(serial) ? status_get(t->txn, q->ca->key.id, serial, &q->statuses[i]) : ERR_NOT_FOUND;

                if (e == ERR_NOT_FOUND && extend_revoked(q, i))
                        continue;
                if (e == ERR_NOT_FOUND) /* req 2.2, 2.3: never good for what was not issued */
                        return OCSP_UNAUTHORIZED;
                if (e != OK)
                        return OCSP_INTERNAL_ERROR;
        }
        return OCSP_SUCCESSFUL;
}

/* Most requests are like one before but for the serial. Somewhere in the middle stand the issuer's hashes. */
static enum err read_request(struct service *s, struct bytes der, struct ocsp_request *ret_request)
{
        struct ocsp_shape *shape = &s->shapes[(der.len + (der.len > 0 ? der.data[der.len / 2] : 0)) % SERVICE_SHAPES];
        enum err e;

        if (ocsp_shape_read(shape, der, ret_request))
                return OK;
        e = ocsp_request_read(der, ret_request);
        if (e == OK)
                ocsp_shape_remember(shape, der, ret_request);
        return e;
}

/* Whom and what is asked for, and how it stands. */
static enum ocsp_response_status read_question(struct turn *t, struct bytes der, struct question *q)
{
        struct service *s = t->service;
        enum err e = read_request(s, der, &q->request);

        if (e == ERR_RANGE) /* req 1.7: more than we answer at once */
                return OCSP_UNAUTHORIZED;
        if (e != OK)
                return OCSP_MALFORMED_REQUEST;
        if (q->request.n_cert_ids > s->conf->max_cert_ids)
                return OCSP_UNAUTHORIZED;
        q->ca = find_ca(t, &q->request);
        if (!q->ca || !q->ca->conf) /* req 2.2: a foreign issuer */
                return OCSP_UNAUTHORIZED;
        if (q->request.cert_ids[0].hash == HASH_SHA1 && !q->ca->conf->ocsp_allow_sha1_cert_id) /* req 1.9 */
                return OCSP_UNAUTHORIZED;
        return read_rows(t, q);
}

static bool echoes_nonce(const struct question *q)
{
        return q->request.nonce.len > 0 && q->ca->conf->ocsp_nonce == CONF_NONCE_ECHO; /* req 1.11 */
}

/* RFC 6960 4.4.7, 5.1.2, req 1.13: `own` unless others are preferred to it, then the first that the signer's key can make. Weak ones are
 * not among those that were read. */
static enum sig_alg choose_alg(const struct question *q, enum sig_alg own)
{
        enum sig_alg chosen = own;

        for (unsigned i = q->request.n_preferred; own != SIG_N && i > 0; i--) {
                enum sig_alg alg = q->request.preferred[i - 1];

                if (alg == own)
                        return own;
                if (sig_alg_key(alg) == sig_alg_key(own))
                        chosen = alg;
        }
        return chosen;
}

/* ---- how it is answered ---- */

static int64_t cap_of(const struct conf_issuer *conf, const struct status *status)
{
        return status->ocsp.cert_status == OCSP_GOOD ? conf->ocsp_max_age_good_s : conf->ocsp_max_age_revoked_s;
}

static void set_caching(struct answer *a, int64_t now_s, int64_t cap_s, int64_t this_update_s, int64_t next_update_s)
{
        a->status = 200;
        a->content = CONTENT_OCSP;
        a->cacheable = true;
        a->max_age_s = answer_max_age(cap_s, now_s, next_update_s);
        a->last_modified_s = this_update_s;
        a->expires_s = next_update_s;
}

static void set_etag(struct answer *a, struct bytes signature)
{
        a->etag_len = (uint8_t)(signature.len < 16 ? signature.len : 16);
        memcpy(a->etag, signature.data, a->etag_len);
}

/* Of several: revoked if one is. */
static enum outcome outcome_of(const struct question *q)
{
        for (unsigned i = 0; i < q->request.n_cert_ids; i++)
                if (q->statuses[i].ocsp.cert_status == OCSP_REVOKED)
                        return OUTCOME_REVOKED;
        return OUTCOME_GOOD;
}

static void put_tags(struct service *s, const struct question *q, struct answer *a)
{
        tags_begin(s, q->ca, a);
        for (unsigned i = 0; i < q->request.n_cert_ids; i++)
                tags_add_serial(s, q->ca, q->request.cert_ids[i].serial, &q->statuses[i], a);
}

/* With the signature in the store, if it is of the status as it is now, for the CertID as it was asked, and still in its window. */
static bool answer_stored(struct turn *t, const struct question *q, struct answer *ret_answer)
{
        const struct status *status = &q->statuses[0];
        const struct window *w = window_cache_get(t->service->windows, t->txn, status->window);
        struct answer a = {0};

        if (!w || !status_is_usable(status, w, q->ca->key.id, t->epoch, t->now_s) ||
                !ca_table_signer_enabled(t->service->cas, w->signer) ||
                !bytes_equal(w->template.cert_id, q->ca->heads[q->request.cert_ids[0].hash]) ||
                choose_alg(q, w->template.sig_alg) != w->template.sig_alg)
                return false;
        set_caching(&a, t->now_s, cap_of(q->ca->conf, status), w->this_update_s, w->next_update_s);
        a.changed_at_s = status->changed_at_s;
        set_etag(&a, status->signature);
        a.kind = BODY_OCSP;
        a.ocsp = (struct ocsp_body){&w->template, q->request.cert_ids[0].serial, status->ocsp, status->signature};
        a.body_len = ocsp_response_len(&w->template, a.ocsp.serial, &a.ocsp.status, a.ocsp.signature);
        put_tags(t->service, q, &a);
        a.about.outcome = outcome_of(q);
        *ret_answer = a;
        t->service->stats.n_ocsp_stored++;
        return true;
}

/* Rows that came meanwhile may have the generation of no row. */
static bool says_extended(const struct question *q, const struct msg_sign_answer *live)
{
        static const struct bytes oid = BYTES_LIT("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x09");

        return q->ca->conf->ocsp_extended_revoked && memmem(live->response.data, live->response.len, oid.data, oid.len) != NULL;
}

/* Was it signed for what the rows say now? */
static bool is_of_now(const struct turn *t, const struct question *q, const struct msg_sign_answer *live)
{
        if (live->n_cert_ids != q->request.n_cert_ids || live->next_update_s <= t->now_s || says_extended(q, live) != q->is_extended)
                return false;
        for (unsigned i = 0; i < live->n_cert_ids; i++)
                if (live->generations[i] != q->statuses[i].generation || live->this_update_s < q->statuses[i].changed_at_s)
                        return false;
        return true;
}

/* The same tag as when the signature comes back from the store later. */
static void set_live_etag(struct answer *a, struct bytes response)
{
        struct bytes tbs, signature_der, certs;
        uint8_t raw[SIG_RAW_MAX];
        enum sig_alg alg;
        size_t len;

        if (ocsp_response_read(response, &tbs, &alg, &signature_der, &certs) == OK &&
                sig_from_der(alg, signature_der, raw, &len) == OK)
                set_etag(a, bytes_make(raw, len));
}

static void answer_live(struct turn *t, const struct question *q, const struct msg_sign_answer *live, struct answer *ret_answer)
{
        struct answer a = {0};
        int64_t cap_s = INT64_MAX;

        for (unsigned i = 0; i < q->request.n_cert_ids; i++) {
                const struct status *status = &q->statuses[i];

                cap_s = cap_of(q->ca->conf, status) < cap_s ? cap_of(q->ca->conf, status) : cap_s;
                a.changed_at_s = status->changed_at_s > a.changed_at_s ? status->changed_at_s : a.changed_at_s;
        }
        set_caching(&a, t->now_s, cap_s, live->this_update_s, live->next_update_s);
        a.cacheable = !echoes_nonce(q); /* somebody's nonce is nobody else's answer */
        a.bytes = live->response;
        a.body_len = live->response.len;
        if (a.cacheable)
                set_live_etag(&a, live->response);
        else
                a.last_modified_s = a.expires_s = 0;
        if (a.cacheable)
                put_tags(t->service, q, &a);
        a.about.outcome = outcome_of(q);
        *ret_answer = a;
        t->service->stats.n_ocsp_live++;
}

static void fill_ask(const struct question *q, struct msg_sign_ask *ask)
{
        const struct ocsp_request *r = &q->request;
        enum sig_alg alg = choose_alg(q, q->ca->sig_alg);
        bool is_truth = r->n_cert_ids == 1 && !echoes_nonce(q) && (unsigned)r->cert_ids[0].hash == (unsigned)q->ca->conf->ocsp_cert_id &&
                alg == q->ca->sig_alg && !q->is_extended;

        ask->id = 0;
        ask->lane = is_truth ? MSG_LANE_TRUTH : MSG_LANE_EXTRAS;
        ask->cert_id_hash = (uint8_t)r->cert_ids[0].hash;
        ask->preferred = alg == q->ca->sig_alg ? 0 : (uint8_t)(1 + alg);
        ask->n_cert_ids = (uint8_t)r->n_cert_ids;
        ask->nonce_len = echoes_nonce(q) ? (uint8_t)r->nonce.len : 0;
        memcpy(ask->nonce, r->nonce.len > 0 ? r->nonce.data : (const uint8_t *)"", ask->nonce_len);
        for (unsigned i = 0; i < r->n_cert_ids; i++) {
                ask->cert_ids[i].ca_key = q->ca->key.id;
                ask->cert_ids[i].serial_len = (uint8_t)r->cert_ids[i].serial.len;
                memcpy(ask->cert_ids[i].serial, r->cert_ids[i].serial.data, r->cert_ids[i].serial.len);
        }
}

static const enum outcome OUTCOMES[] = {
        [OCSP_MALFORMED_REQUEST] = OUTCOME_MALFORMED,
        [OCSP_INTERNAL_ERROR] = OUTCOME_INTERNAL_ERROR,
        [OCSP_TRY_LATER] = OUTCOME_TRY_LATER,
        [OCSP_UNAUTHORIZED] = OUTCOME_UNAUTHORIZED,
};

static enum verdict refuse(enum ocsp_response_status status, struct answer *ret_answer)
{
        answer_set_ocsp_error(ret_answer, status);
        ret_answer->about.outcome = OUTCOMES[status];
        return VERDICT_ANSWERED;
}

/* The engine said no, will not be asked again, or: ask it. */
static enum verdict ask_engine(struct turn *t, const struct question *q, struct sign_slot *sign, struct answer *ret_answer)
{
        if (sign->answer && sign->answer->outcome == MSG_UNAUTHORIZED)
                return refuse(OCSP_UNAUTHORIZED, ret_answer);
        if (sign->refused || (sign->answer && sign->answer->outcome == MSG_TRY_LATER) || sign->n_asked >= MAX_ASKS)
                return refuse(q->is_extended ? OCSP_UNAUTHORIZED : OCSP_TRY_LATER, ret_answer);
        fill_ask(q, &t->service->ask);
        sign->n_asked++;
        return VERDICT_PARKED;
}

static enum verdict decide(struct turn *t, const struct request *r, struct bytes rest, struct sign_slot *sign, struct question *q,
        struct answer *ret_answer)
{
        struct bytes der;
        enum ocsp_response_status outcome;
        unsigned status = find_der(t->service, r, rest, &der);

        if (status != 200) {
                answer_set_status(ret_answer, status);
                return VERDICT_ANSWERED;
        }
        outcome = read_question(t, der, q);
        if (outcome != OCSP_SUCCESSFUL)
                return refuse(outcome, ret_answer);
        if (q->request.n_cert_ids == 1 && !echoes_nonce(q) && !q->is_extended && answer_stored(t, q, ret_answer))
                return VERDICT_ANSWERED;
        if (sign->answer && sign->answer->outcome == MSG_SIGNED && is_of_now(t, q, sign->answer)) {
                answer_live(t, q, sign->answer, ret_answer);
                return VERDICT_ANSWERED;
        }
        return ask_engine(t, q, sign, ret_answer);
}

enum verdict answer_ocsp(struct turn *t, const struct request *r, struct bytes rest, struct sign_slot *sign, struct answer *ret_answer)
{
        struct question q;
        enum verdict verdict;

        q.ca = NULL;
        q.is_extended = false;
        q.request.n_cert_ids = 0;
        verdict = decide(t, r, rest, sign, &q, ret_answer);
        if (verdict == VERDICT_ANSWERED && q.request.n_cert_ids > 0) {
                ret_answer->about.ca = q.ca;
                ret_answer->about.serial = q.request.cert_ids[0].serial;
                ret_answer->about.hash = q.request.cert_ids[0].hash;
        }
        return verdict;
}
