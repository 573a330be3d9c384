/* answer_ocsp: how one OCSP request is answered (RFC 6960); what it asks is ocsp_question's.
 *
 * Is the stored signature of the current status and inside its window? -> that one, or ask the engine. Every row is read in the turn it is
 * answered in, also when a parked request resumes: an answer of the engine counts only for the generations it was made for. */
#include "responder/answer/ocsp_question.h"
#include "responder/answer/route.h"
#include "responder/answer/tags.h"

/* A truth that changed this often while its answer was signed: the client had better come back. */
#define MAX_ASKS 4

static bool echoes_nonce(const struct ocsp_question *q)
{
        return q->request.nonce.len > 0 && q->ca->conf->ocsp_nonce == CONF_NONCE_ECHO; /* req 1.11 */
}

/* RFC 6960 4.4.7, 5.1.2, req 1.13: `own` unless others are preferred to it, then the first that the signer's key can make. Weak ones are
 * not among those that were read. */
static enum sig_alg choose_alg(const struct ocsp_question *q, enum sig_alg own)
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
static enum outcome outcome_of(const struct ocsp_question *q)
{
        for (unsigned i = 0; i < q->request.n_cert_ids; i++)
                if (q->statuses[i].ocsp.cert_status == OCSP_REVOKED)
                        return OUTCOME_REVOKED;
        return OUTCOME_GOOD;
}

static void put_tags(struct service *s, const struct ocsp_question *q, struct answer *a)
{
        if (!tags_are_on(s))
                return;
        tags_begin(s, q->ca, a);
        for (unsigned i = 0; i < q->request.n_cert_ids; i++)
                tags_add_serial(s, q->ca, q->request.cert_ids[i].serial, &q->statuses[i], a);
}

/* With the signature in the store, if it is of the status as it is now, for the CertID as it was asked, and still in its window. */
static bool answer_stored(struct turn *t, const struct ocsp_question *q, struct answer *ret_answer)
{
        const struct status *status = &q->statuses[0];
        const struct window *w = window_cache_get(t->service->windows, t->txn, status->window);
        struct answer *a = ret_answer;

        if (!w || !status_is_usable(status, w, q->ca->key.id, t->epoch, t->now_s) ||
                !ca_table_signer_enabled(t->service->cas, w->signer) ||
                !bytes_equal(w->template.cert_id, q->ca->heads[q->request.cert_ids[0].hash]) ||
                choose_alg(q, w->template.sig_alg) != w->template.sig_alg)
                return false;
        *a = (struct answer){
                .kind = BODY_OCSP,
                .ocsp = {&w->template, q->request.cert_ids[0].serial, status->ocsp, status->signature, {0}},
                .changed_at_s = status->changed_at_s,
                .about.outcome = outcome_of(q),
        };
        if (ocsp_response_lay_out(&w->template, a->ocsp.serial, &status->ocsp, status->signature, &a->ocsp.layout) != OK)
                return false;
        a->body_len = a->ocsp.layout.whole;
        set_caching(a, t->now_s, cap_of(q->ca->conf, status), w->this_update_s, w->next_update_s);
        set_etag(a, status->signature);
        put_tags(t->service, q, a);
        t->service->stats.n_ocsp_stored++;
        return true;
}

/* Rows that came meanwhile may have the generation of no row. */
static bool says_extended(const struct ocsp_question *q, const struct msg_sign_answer *live)
{
        static const struct bytes oid = BYTES_LIT("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x09");

        return q->ca->conf->ocsp_extended_revoked && memmem(live->response.data, live->response.len, oid.data, oid.len) != NULL;
}

/* Does it answer these CertIDs, with what the rows say? Whatever may have gone wrong on the way, nobody gets another's answer, nor an old
 * one, for being validly signed. */
static bool speaks_of(const struct ocsp_question *q, struct bytes response)
{
        struct bytes tbs, signature_der, certs;
        struct ocsp_response_data data;
        enum sig_alg alg;

        if (ocsp_response_read(response, &tbs, &alg, &signature_der, &certs) != OK || ocsp_response_data_read(tbs, &data) != OK)
                return false;
        for (unsigned i = 0; i < q->request.n_cert_ids; i++) {
                const struct ocsp_cert_id *id = &q->request.cert_ids[i];
                struct ocsp_single_read single;

                if (ocsp_single_read(&data.responses, &single) != OK || single.hash != id->hash || !bytes_equal(single.serial, id->serial) ||
                        !bytes_equal(single.name_hash, id->name_hash) || !bytes_equal(single.key_hash, id->key_hash) ||
                        single.status.cert_status != q->statuses[i].ocsp.cert_status)
                        return false;
        }
        return data.responses.len == 0;
}

/* Was it signed for what the rows say now? */
static bool is_of_now(const struct turn *t, const struct ocsp_question *q, const struct msg_sign_answer *live)
{
        if (live->n_cert_ids != q->request.n_cert_ids || live->next_update_s <= t->now_s || says_extended(q, live) != q->is_extended)
                return false;
        for (unsigned i = 0; i < live->n_cert_ids; i++)
                if (live->generations[i] != q->statuses[i].generation || live->this_update_s < q->statuses[i].changed_at_s)
                        return false;
        return speaks_of(q, live->response);
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

static void answer_live(struct turn *t, const struct ocsp_question *q, const struct msg_sign_answer *live, struct answer *ret_answer)
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

static void fill_ask(const struct ocsp_question *q, struct msg_sign_ask *ask)
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
static enum verdict ask_engine(struct turn *t, const struct ocsp_question *q, struct sign_slot *sign, struct answer *ret_answer)
{
        if (sign->answer && sign->answer->outcome == MSG_UNAUTHORIZED)
                return refuse(OCSP_UNAUTHORIZED, ret_answer);
        if (sign->refused || (sign->answer && sign->answer->outcome == MSG_TRY_LATER) || sign->n_asked >= MAX_ASKS)
                return refuse(q->is_extended ? OCSP_UNAUTHORIZED : OCSP_TRY_LATER, ret_answer);
        fill_ask(q, &t->service->ask);
        sign->n_asked++;
        return VERDICT_PARKED;
}

static enum verdict decide(struct turn *t, struct sign_slot *sign, struct ocsp_question *q, struct answer *ret_answer)
{
        if (q->http_status != 200) {
                answer_set_status(ret_answer, q->http_status);
                return VERDICT_ANSWERED;
        }
        if (q->outcome != OCSP_SUCCESSFUL)
                return refuse(q->outcome, ret_answer);
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
        struct ocsp_question own, *q = r->question;
        enum verdict verdict;

        if (!q) {
                q = &own;
                ocsp_question_read(t, r, rest, t->service->der_memory, q);
                (void)ocsp_question_look_up(t, q);
        }
        verdict = decide(t, sign, q, ret_answer);
        if (verdict == VERDICT_ANSWERED && q->request.n_cert_ids > 0) {
                ret_answer->about.ca = q->ca;
                ret_answer->about.serial = q->request.cert_ids[0].serial;
                ret_answer->about.hash = q->request.cert_ids[0].hash;
        }
        return verdict;
}
