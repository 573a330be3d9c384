/* mkstore: a store of many certificates in a minute or so, to see what a lookup costs among 50 million of them.
 *
 *   mkstore STORE N LIST ASKED LABEL CA.pem SIGNER.pem SIGNER.key
 *
 * Makes N records, sorted, one random serial of 16 octets in each N-th part of their range, one in a hundred revoked, through store/ as the
 * engine would; LIST gets ASKED of them, evenly spread. All belong to one window, which is real, and none is due.
 *
 * NOT ALL SIGNATURES ARE REAL: one answer in REAL_EVERY is signed with the key; the others carry random octets of a signature's length and
 * form. The responder does not verify what it serves, and costs the same; a client that verifies would refuse them. It holds what a worker
 * reads: no events, no CRL entries, no ledger; an engine must not be started on it.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/made.h"
#include "pki/certificate.h"
#include "store/ca.h"
#include "store/exception.h"
#include "store/meta.h"
#include "store/record.h"
#include "store/signer.h"
#include "store/status.h"

#define P256_RAW_LEN 64
#define REAL_EVERY 1000
#define REVOKED_EVERY 100
#define A_COMMIT 500000
#define VALIDITY_S (4 * CLOCK_DAY_S)
#define CERTIFICATE_LIFE_S (90 * CLOCK_DAY_S)
#define MAP_SIZE (1ull << 40)
#define TBS_MAX 4096

struct mkstore {
        struct env *env;
        FILE *list;
        EVP_PKEY *key;
        enum sig_alg alg; /* of the key: P-256 or RSA */
        size_t raw_len;
        struct certificate ca, signer;
        struct builder responder, cert_id, times, certs; /* the window's template */
        struct window window;
        uint64_t n, n_asked, n_real;
        uint64_t random;
        uint32_t now_s;
};

/* ---- what all share ---- */

static enum err put_ca(struct mkstore *m, struct txn *txn, const char *label)
{
        struct ca ca = {.label = bytes_str(label), .name = m->ca.subject, .spki = m->ca.spki, .ski = m->ca.ski,
                .not_after_s = m->ca.not_after, .certificate = m->ca.der};
        enum err e = ca_key_init(&ca.key, m->ca.subject, m->ca.key);

        if (e != OK)
                return e;
        ca_key_put_cert_id_head(&m->cert_id, &ca.key, HASH_SHA1);
        return ca_put(txn, &ca, &m->window.ca_key);
}

static enum err put_signer(struct mkstore *m, struct txn *txn)
{
        struct signer signer = {.ca_key = m->window.ca_key, .use = SIGNER_OCSP, .sig_alg = m->alg, .key_label = BYTES_LIT("none"),
                .spki = m->signer.spki, .certificate = m->signer.der, .not_after_s = m->signer.not_after, .raw_len = (uint32_t)m->raw_len};

        return signer_put(txn, &signer, &m->window.signer);
}

static enum err put_window(struct mkstore *m, struct txn *txn)
{
        struct window *w = &m->window;
        enum err e = meta_get_epoch(txn, &w->epoch);

        if (e != OK)
                return e;
        w->this_update_s = w->produced_at_s = m->now_s;
        w->next_update_s = w->this_update_s + VALIDITY_S;
        ocsp_template_put_responder_by_key(&m->responder, m->signer.key, w->produced_at_s);
        ocsp_template_put_times(&m->times, w->this_update_s, w->next_update_s);
        ocsp_template_put_certs(&m->certs, m->signer.der);
        if (builder_failed(&m->responder) || builder_failed(&m->cert_id) || builder_failed(&m->times) || builder_failed(&m->certs))
                return ERR_NOMEM;
        w->template = (struct ocsp_template){.sig_alg = m->alg, .responder = builder_bytes(&m->responder),
                .cert_id = builder_bytes(&m->cert_id), .times = builder_bytes(&m->times), .certs = builder_bytes(&m->certs)};
        w->id = window_put(txn, w);
        return OK;
}

static enum err put_shared(struct mkstore *m, const char *label)
{
        struct txn *txn;
        enum err e = txn_begin_write(m->env, &txn);

        if (e != OK)
                return e;
        e = put_ca(m, txn, label);
        if (e == OK)
                e = put_signer(m, txn);
        if (e == OK)
                e = put_window(m, txn);
        if (e == OK)
                return txn_commit(txn);
        txn_abort(txn);
        return e;
}

/* ---- the certificates ---- */

static enum err sign(struct mkstore *m, struct bytes tbs, uint8_t raw[SIG_RAW_MAX])
{
        uint8_t der[SIG_RAW_MAX];
        size_t der_len = sizeof(der), raw_len;
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, m->key) == 1 &&
                EVP_DigestSign(context, der, &der_len, tbs.data, tbs.len) == 1;

        EVP_MD_CTX_free(context);
        return ok ? sig_from_der(m->alg, bytes_make(der, der_len), raw, &raw_len) : ERR_CRYPTO;
}

static enum err sign_really(struct mkstore *m, const struct serial *serial, const struct ocsp_status *status, uint8_t raw[SIG_RAW_MAX])
{
        uint8_t tbs[TBS_MAX];
        size_t tbs_len;
        enum err e = ocsp_response_max(&m->window.template) <= sizeof(tbs) ? OK : ERR_RANGE;

        if (e == OK)
                e = ocsp_response_tbs(&m->window.template, serial_bytes(serial), status, tbs, &tbs_len);
        if (e == OK)
                e = sign(m, bytes_make(tbs, tbs_len), raw);
        m->n_real += e == OK;
        return e;
}

static enum err fill_signature(
        struct mkstore *m, uint64_t i, const struct serial *serial, const struct ocsp_status *status, uint8_t raw[SIG_RAW_MAX])
{
        if (i % REAL_EVERY == 0)
                return sign_really(m, serial, status, raw);
        for (size_t at = 0; at < m->raw_len; at += sizeof(uint64_t)) {
                uint64_t word = made_random(&m->random);

                memcpy(&raw[at], &word, sizeof(word));
        }
        return OK;
}

static void put_rows(struct mkstore *m, struct txn *txn, const struct serial *serial, const struct ocsp_status *status, struct bytes raw)
{
        struct record record = {.window = m->window.id, .not_after = m->now_s + CERTIFICATE_LIFE_S,
                .good_until = (uint32_t)m->window.next_update_s, .signature = raw};
        struct exception exception = {.status = EXCEPTION_REVOKED, .reason = (uint8_t)status->reason,
                .revoked_at = (uint32_t)status->revoked_at_s, .generation = 1, .changed_at = (uint32_t)status->revoked_at_s,
                .window = m->window.id, .signature = raw};

        record_put(txn, m->window.ca_key, serial_bytes(serial), &record, m->raw_len);
        if (status->cert_status == OCSP_REVOKED)
                exception_put(txn, m->window.ca_key, serial_bytes(serial), &exception, m->raw_len);
}

static bool is_asked(const struct mkstore *m, uint64_t i)
{
        return (i + 1) * m->n_asked / m->n > i * m->n_asked / m->n;
}

static enum err put_one(struct mkstore *m, struct txn *txn, uint64_t i)
{
        static const struct ocsp_status good = {.cert_status = OCSP_GOOD};
        struct ocsp_status revoked = {.cert_status = OCSP_REVOKED, .reason = REASON_SUPERSEDED, .revoked_at_s = m->now_s - CLOCK_HOUR_S};
        bool is_revoked = made_random(&m->random) % REVOKED_EVERY == 0;
        const struct ocsp_status *status = is_revoked ? &revoked : &good;
        struct serial serial = made_serial(&m->random, i, m->n);
        char text[SERIAL_TEXT_LEN];
        uint8_t raw[SIG_RAW_MAX];
        enum err e = fill_signature(m, i, &serial, status, raw);

        if (e != OK)
                return e;
        put_rows(m, txn, &serial, status, bytes_make(raw, m->raw_len));
        if (is_asked(m, i))
                fprintf(m->list, "%s %s\n", serial_to_text(serial_bytes(&serial), text), is_revoked ? "revoked" : "good");
        return OK;
}

static enum err put_some(struct mkstore *m, uint64_t from, uint64_t until)
{
        struct txn *txn;
        enum err e = txn_begin_write(m->env, &txn);

        for (uint64_t i = from; e == OK && i < until; i++)
                e = put_one(m, txn, i);
        if (e == OK)
                return txn_commit(txn);
        txn_abort(txn);
        return e;
}

static enum err put_all(struct mkstore *m)
{
        enum err e = OK;

        for (uint64_t i = 0; e == OK && i < m->n; i += A_COMMIT)
                e = put_some(m, i, i + A_COMMIT < m->n ? i + A_COMMIT : m->n);
        return e;
}

/* ---- the program ---- */

static void mkstore_done(struct mkstore *m)
{
        struct builder *builders[] = {&m->responder, &m->cert_id, &m->times, &m->certs};

        for (size_t i = 0; i < sizeof(builders) / sizeof(builders[0]); i++)
                builder_done(builders[i]);
        certificate_done(&m->ca);
        certificate_done(&m->signer);
        EVP_PKEY_free(m->key);
        if (m->env)
                env_close(m->env);
        if (m->list)
                fclose(m->list);
}

static enum err open_all(struct mkstore *m, char **argv)
{
        struct env_config config = {.path = argv[1], .map_size = MAP_SIZE};
        enum err e = certificate_from_file(argv[6], &m->ca);

        if (e == OK)
                e = certificate_from_file(argv[7], &m->signer);
        if (e == OK)
                e = env_open_writer(&config, &m->env, NULL);
        if (e != OK)
                return e;
        m->key = made_read_key(argv[8]);
        m->list = fopen(argv[3], "w");
        if (!m->key || !m->list)
                return ERR_IO;
        m->alg = EVP_PKEY_get_base_id(m->key) == EVP_PKEY_RSA ? SIG_RSA_SHA256 : SIG_P256_SHA256;
        m->raw_len = m->alg == SIG_RSA_SHA256 ? (size_t)EVP_PKEY_get_size(m->key) : P256_RAW_LEN;
        return m->raw_len <= SIG_RAW_MAX ? OK : ERR_UNSUPPORTED;
}

static enum err make(struct mkstore *m, char **argv)
{
        enum err e = open_all(m, argv);

        if (e == OK)
                e = put_shared(m, argv[5]);
        if (e == OK)
                e = put_all(m);
        if (e == OK && fflush(m->list) != 0)
                e = ERR_IO;
        return e;
}

int main(int argc, char **argv)
{
        _cleanup_(mkstore_done) struct mkstore m = {.random = (uint64_t)clock_now_ms() | 1, .now_s = (uint32_t)clock_now_s()};
        enum err e;

        if (argc != 9) {
                fprintf(stderr, "usage: mkstore STORE N LIST ASKED LABEL CA.pem SIGNER.pem SIGNER.key\n");
                return 2;
        }
        m.n = strtoull(argv[2], NULL, 10);
        m.n_asked = strtoull(argv[4], NULL, 10);
        if (m.n == 0 || m.n > UINT32_MAX || m.n_asked == 0 || m.n_asked > m.n) {
                fprintf(stderr, "mkstore: N in 1..%u, ASKED in 1..N\n", UINT32_MAX);
                return 2;
        }
        e = make(&m, argv);
        if (e != OK) {
                fprintf(stderr, "mkstore: %s\n", err_text(e));
                return 1;
        }
        printf("{\"records\": %llu, \"asked\": %llu, \"real_signatures\": %llu, \"other_signatures\": \"random octets\"}\n",
                (unsigned long long)m.n, (unsigned long long)m.n_asked, (unsigned long long)m.n_real);
        return 0;
}
