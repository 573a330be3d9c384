/* extras: answers that are made for one client: a nonce, another CertID hash, several CertIDs, a preferred algorithm, a
 * serial that was never issued (extended revoked). Signed live under the issuer's live window, never stored.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "signer/engine/engine.h"

struct extras {
        enum hash_alg hash;
        unsigned n;
        struct serial serials[MSG_CERT_IDS_MAX];
        uint32_t ca_keys[MSG_CERT_IDS_MAX];
        uint32_t generations[MSG_CERT_IDS_MAX];
        bool never_issued[MSG_CERT_IDS_MAX];
        uint8_t nonce[MSG_NONCE_MAX];
        size_t nonce_len;
        enum sig_alg preferred; /* SIG_N: the signer's own */
        struct ocsp_template template; /* the window's, with our extensions */
        struct builder head, extensions, tbs;
};

enum err extras_new(const struct msg_sign_ask *ask, struct extras **ret)
{
        struct extras *x;

        if (ask->cert_id_hash >= HASH_N || ask->preferred > SIG_N)
                return ERR_UNSUPPORTED;
        x = calloc(1, sizeof(*x));
        if (!x)
                return ERR_NOMEM;
        x->hash = (enum hash_alg)ask->cert_id_hash;
        x->n = ask->n_cert_ids;
        x->preferred = ask->preferred > 0 ? (enum sig_alg)(ask->preferred - 1) : SIG_N;
        x->nonce_len = ask->nonce_len;
        memcpy(x->nonce, ask->nonce, ask->nonce_len);
        for (unsigned i = 0; i < x->n; i++) {
                x->ca_keys[i] = ask->cert_ids[i].ca_key;
                x->serials[i].len = ask->cert_ids[i].serial_len;
                memcpy(x->serials[i].data, ask->cert_ids[i].serial, ask->cert_ids[i].serial_len);
        }
        *ret = x;
        return OK;
}

void extras_free(struct extras *x)
{
        if (!x)
                return;
        builder_done(&x->head);
        builder_done(&x->extensions);
        builder_done(&x->tbs);
        free(x);
}

/* RFC 6960 4.4.7, req 1.13: another digest than usual. All algorithms that there are to choose from are strong. */
enum sig_alg extras_sig_alg(const struct question *q)
{
        enum sig_alg own = q->issuer->ocsp.sig_alg;

        return q->extras && q->extras->preferred != SIG_N ? q->extras->preferred : own;
}

/* RFC 6960 2.2, 4.4.8, req 2.5: never issued: revoked with certificateHold since 1970-01-01. */
static const struct ocsp_status never_issued = {
        .cert_status = OCSP_REVOKED, .reason = REASON_CERTIFICATE_HOLD, .revoked_at_s = 0};

static bool says_extended_revoked(const struct issuer *is)
{
        return is->conf->ocsp_extended_revoked && is->conf->profile == CONF_PROFILE_PRIVATE;
}

/* Fills the singles; *ret_changed_at_s is the latest change among them. */
static enum err read_statuses(
        struct txn *txn, struct question *q, struct ocsp_single *singles, int64_t *ret_changed_at_s, bool *ret_extended)
{
        struct extras *x = q->extras;
        int64_t changed_at_s = 0;
        bool extended = false;

        for (unsigned i = 0; i < x->n; i++) {
                struct status status = {0};
                enum err e;

                if (x->ca_keys[i] != q->issuer->ca_key)
                        return ERR_NOT_FOUND; /* its signer may not speak for another CA key */
                e = status_get(txn, x->ca_keys[i], serial_bytes(&x->serials[i]), &status);
                x->never_issued[i] = e == ERR_NOT_FOUND && says_extended_revoked(q->issuer);
                if (x->never_issued[i]) {
                        status = (struct status){.ocsp = never_issued};
                        extended = true;
                } else if (e != OK) {
                        return e;
                }
                singles[i].serial = serial_bytes(&x->serials[i]);
                singles[i].status = status.ocsp;
                x->generations[i] = status.generation;
                if (status.changed_at_s > changed_at_s)
                        changed_at_s = status.changed_at_s;
        }
        *ret_changed_at_s = changed_at_s;
        *ret_extended = extended;
        return OK;
}

enum err extras_prepare(struct engine *e, struct txn *txn, struct question *q, struct bytes *ret_tbs)
{
        struct ocsp_single singles[MSG_CERT_IDS_MAX];
        struct extras *x = q->extras;
        struct open_window *w;
        int64_t changed_at_s;
        bool extended;
        enum err err;

        if (sig_alg_key(extras_sig_alg(q)) != sig_alg_key(q->issuer->ocsp.sig_alg))
                return ERR_UNSUPPORTED; /* its key cannot */
        err = read_statuses(txn, q, singles, &changed_at_s, &extended);
        if (err != OK)
                return err;
        w = live_window_get(e, q->issuer, changed_at_s);
        if (!w)
                return ERR_AGAIN;
        builder_reset(&x->head);
        builder_reset(&x->extensions);
        builder_reset(&x->tbs);
        ca_key_put_cert_id_head(&x->head, &q->issuer->hashes, x->hash);
        ocsp_template_put_extensions(&x->extensions, bytes_make(x->nonce, x->nonce_len), extended);
        x->template = w->row.template;
        x->template.sig_alg = extras_sig_alg(q);
        x->template.extensions = builder_bytes(&x->extensions);
        for (unsigned i = 0; i < x->n; i++)
                singles[i].cert_id_head = builder_bytes(&x->head);
        ocsp_response_put_tbs(&x->tbs, &x->template, singles, x->n);
        if (builder_failed(&x->head) || builder_failed(&x->extensions) || builder_failed(&x->tbs))
                return ERR_NOMEM;
        open_window_unref(q->window);
        q->window = open_window_ref(w);
        *ret_tbs = builder_bytes(&x->tbs);
        return OK;
}

bool extras_is_current(struct txn *txn, const struct question *q)
{
        const struct extras *x = q->extras;

        for (unsigned i = 0; i < x->n; i++) {
                struct status status;
                enum err err = status_get(txn, x->ca_keys[i], serial_bytes(&x->serials[i]), &status);

                if (x->never_issued[i] ? err != ERR_NOT_FOUND : err != OK || status.generation != x->generations[i])
                        return false;
        }
        return true;
}

void extras_finish(struct engine *e, struct question *q, struct bytes raw)
{
        _cleanup_(builder_done) struct builder der = {0};
        struct extras *x = q->extras;
        struct msg_sign_answer answer = {
                .outcome = MSG_SIGNED,
                .n_cert_ids = (uint8_t)x->n,
                .this_update_s = q->window->row.this_update_s,
                .next_update_s = q->window->row.next_update_s,
        };

        memcpy(answer.generations, x->generations, sizeof(answer.generations));
        ocsp_response_put(&der, &x->template, builder_bytes(&x->tbs), raw);
        if (builder_failed(&der)) {
                question_refuse(e, q, MSG_TRY_LATER);
                return;
        }
        answer.response = builder_bytes(&der);
        question_answer(e, q, &answer);
}
