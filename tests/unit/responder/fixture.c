#include "fixture_private.h"

#include <openssl/ec.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include "store/batch.h"
#include "store/meta.h"
#include "store/record.h"
#include "store/signer.h"

#define ROOM 72

/* ---- the clock ---- */

static int64_t frozen_ms; /* 0: it goes */

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void)
{
        return frozen_ms ? frozen_ms : __real_clock_mono_ms();
}

void fixture_stand_at_ms(int64_t now_ms)
{
        frozen_ms = now_ms;
}

void fixture_at_ms(struct fixture *f, int64_t now_ms)
{
        frozen_ms = now_ms;
        conn_pool_tick(&f->pool, now_ms);
}

/* ---- set-up ---- */

static void make_key(struct fixture *f)
{
        unsigned char *spki = NULL;
        int len;

        f->key = EVP_EC_gen("P-256");
        assert_non_null(f->key);
        len = i2d_PUBKEY(f->key, &spki);
        assert_true(len > 65);
        builder_put(&f->spki, bytes_make(spki, (size_t)len));
        builder_put(&f->octets, bytes_make(&spki[len - 65], 65)); /* the point ends the structure */
        OPENSSL_free(spki);
        builder_put(&f->name, BYTES_LIT("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04Test"));
        assert_int_equal(ca_key_init(&f->ca_key, builder_bytes(&f->name), builder_bytes(&f->octets)), OK);
}

static struct txn *begin(struct fixture *f)
{
        struct txn *txn;

        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        return txn;
}

static void make_rows(struct fixture *f)
{
        struct ca ca = {.label = BYTES_LIT(LABEL), .name = builder_bytes(&f->name), .spki = builder_bytes(&f->spki),
                .ski = bytes_make(f->ca_key.key_hash[HASH_SHA1], 20),
                .not_after_s = NOW + 1000000, .certificate = BYTES_LIT("\x30\x03\x02\x01\x07"), .key = f->ca_key};
        struct signer signer = {.use = SIGNER_OCSP, .sig_alg = SIG_P256_SHA256, .key_label = BYTES_LIT("k"), .spki = ca.spki,
                .not_after_s = NOW + 1000000, .raw_len = 64};
        struct txn *txn = begin(f);

        assert_int_equal(ca_put(txn, &ca, &f->ca), OK);
        signer.ca_key = f->ca;
        assert_int_equal(signer_put(txn, &signer, &f->signer), OK);
        assert_int_equal(txn_commit(txn), OK);
}

static void make_conf(struct fixture *f)
{
        f->issuer = (struct conf_issuer){.name = (char *)LABEL, .ocsp_cert_id = CONF_HASH_SHA1, .ocsp_allow_sha1_cert_id = true,
                .ocsp_max_age_good_s = 3600, .ocsp_max_age_revoked_s = 300, .crl_max_age_s = 3600};
        f->conf = (struct conf){.store_path = f->folder, .store_map_size = 1ull << 30, .crl_path = f->crl_path,
                .sign_socket = f->sign_path, .sign_per_worker = 4, .ocsp_path = (char *)"/", .max_connections = 100, .max_body = 10000,
                .max_uri = 8192, .max_cert_ids = 4, .header_timeout_s = 10, .idle_timeout_s = 60, .write_timeout_s = 30,
                .park_timeout_s = 5, .issuers = &f->issuer, .n_issuers = 1};
}

int fixture_set_up(void **state)
{
        struct fixture *f = calloc(1, sizeof *f);
        struct env_config config;

        strcpy(f->folder, "/tmp/tocsin-responder-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        snprintf(f->sign_path, sizeof f->sign_path, "%s/sign.sock", f->folder);
        snprintf(f->crl_path, sizeof f->crl_path, "%s", f->folder);
        clock_freeze_ms((int64_t)NOW * 1000);
        make_conf(f);
        make_key(f);
        config = (struct env_config){.path = f->folder, .map_size = 1ull << 30};
        assert_int_equal(env_open_writer(&config, &f->writer, NULL), OK);
        make_rows(f);
        assert_int_equal(env_open_reader(&config, &f->reader, NULL), OK);
        assert_int_equal(msg_listen(f->sign_path, 0600, &f->engine_listener), OK);
        f->engine = -1;
        f->base = event_base_new();
        assert_int_equal(service_init(&f->service, &f->conf, f->reader), OK);
        assert_int_equal(conn_pool_init(&f->pool, f->base, &f->service), OK);
        *state = f;
        return 0;
}

int fixture_tear_down(void **state)
{
        struct fixture *f = *state;
        char command[128];

        conn_pool_done(&f->pool);
        service_done(&f->service);
        event_base_free(f->base);
        env_close(f->reader);
        env_close(f->writer);
        EVP_PKEY_free(f->key);
        builder_done(&f->spki);
        builder_done(&f->name);
        builder_done(&f->octets);
        cleanup_close(&f->engine);
        cleanup_close(&f->engine_listener);
        snprintf(command, sizeof command, "rm -r %s", f->folder);
        clock_freeze_ms(0);
        frozen_ms = 0;
        free(f);
        return system(command);
}

/* ---- signing ---- */

struct bytes hex_to(struct builder *memory, const char *hex)
{
        size_t len;
        uint8_t *at = builder_extend(memory, strlen(hex) / 2);

        assert_int_equal(bytes_from_hex(bytes_str(hex), at, strlen(hex) / 2, &len), OK);
        return bytes_make(at, len);
}

void raw_sign(const struct fixture *f, struct bytes tbs, uint8_t raw[SIG_RAW_MAX], size_t *ret_len)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        uint8_t der[128];
        size_t der_len = sizeof der;

        assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, f->key), 1);
        assert_int_equal(EVP_DigestSign(context, der, &der_len, tbs.data, tbs.len), 1);
        EVP_MD_CTX_free(context);
        assert_int_equal(sig_from_der(SIG_P256_SHA256, bytes_make(der, der_len), raw, ret_len), OK);
}

struct ocsp_template make_template(const struct fixture *f, struct parts *p, enum hash_alg hash, int64_t from, int64_t until)
{
        ocsp_template_put_responder_by_key(&p->responder, builder_bytes(&f->octets), from);
        ca_key_put_cert_id_head(&p->cert_id, &f->ca_key, hash);
        ocsp_template_put_times(&p->times, from, until);
        return (struct ocsp_template){.sig_alg = SIG_P256_SHA256, .responder = builder_bytes(&p->responder),
                .cert_id = builder_bytes(&p->cert_id), .times = builder_bytes(&p->times)};
}

void parts_done(struct parts *p)
{
        builder_done(&p->responder);
        builder_done(&p->cert_id);
        builder_done(&p->times);
}

static void sign_status(const struct fixture *f, const struct ocsp_template *t, struct bytes serial, const struct ocsp_status *status,
        uint8_t raw[SIG_RAW_MAX], size_t *ret_len)
{
        uint8_t tbs[2048];
        size_t tbs_len;

        assert_true(ocsp_response_max(t) <= sizeof tbs);
        assert_int_equal(ocsp_response_tbs(t, serial, status, tbs, &tbs_len), OK);
        raw_sign(f, bytes_make(tbs, tbs_len), raw, ret_len);
}

/* ---- the store ---- */

void fixture_import(struct fixture *f, const char *serial_hex)
{
        _cleanup_(builder_done) struct builder memory = {0};
        struct record record = {.not_after = NOW + 900000};
        struct txn *txn = begin(f);

        record_put(txn, f->ca, hex_to(&memory, serial_hex), &record, ROOM);
        assert_int_equal(txn_commit(txn), OK);
}

void fixture_sign(struct fixture *f, const char *serial_hex, int64_t this_update_s, int64_t next_update_s)
{
        _cleanup_(builder_done) struct builder memory = {0};
        _cleanup_(parts_done) struct parts parts = {0};
        struct bytes serial = hex_to(&memory, serial_hex);
        struct window w = {.ca_key = f->ca, .signer = f->signer, .epoch = 1, .this_update_s = this_update_s,
                .next_update_s = next_update_s, .produced_at_s = this_update_s};
        struct status status;
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len;
        struct txn *txn = begin(f);

        w.template = make_template(f, &parts, HASH_SHA1, this_update_s, next_update_s);
        assert_int_equal(meta_get_epoch(txn, &w.epoch), OK);
        assert_int_equal(status_get(txn, f->ca, serial, &status), OK);
        w.id = window_put(txn, &w);
        sign_status(f, &w.template, serial, &status.ocsp, raw, &raw_len);
        assert_int_equal(status_sign(txn, f->ca, serial, status.generation, &w, bytes_make(raw, raw_len)), OK);
        assert_int_equal(txn_commit(txn), OK);
}

void fixture_import_good(struct fixture *f, const char *serial_hex)
{
        fixture_import(f, serial_hex);
        fixture_sign(f, serial_hex, NOW - 100, NOW + 86400);
}

static struct revocation revocation_of(struct fixture *f, struct bytes serial)
{
        return (struct revocation){.ca_key = f->ca, .serial = serial, .reason = REASON_KEY_COMPROMISE};
}

void fixture_revoke(struct fixture *f, const char *serial_hex, int64_t now_s)
{
        _cleanup_(builder_done) struct builder memory = {0};
        struct revocation r = revocation_of(f, hex_to(&memory, serial_hex));
        enum revocation_effect effect;
        struct txn *txn = begin(f);

        assert_int_equal(revocation_apply(txn, &r, now_s, BYTES_LIT("test"), ROOM, &effect), OK);
        assert_int_equal(effect, REVOCATION_NEW);
        assert_int_equal(txn_commit(txn), OK);
}

uint32_t fixture_stage(struct fixture *f, const char *serial_hex)
{
        _cleanup_(builder_done) struct builder memory = {0};
        struct revocation r = revocation_of(f, hex_to(&memory, serial_hex));
        struct batch batch = {.state = BATCH_STAGED, .ca_key = f->ca, .created_at = NOW, .actor = BYTES_LIT("test")};
        enum revocation_effect effect;
        struct txn *txn = begin(f);
        uint32_t id = batch_put(txn, &batch);

        assert_int_equal(batch_stage(txn, id, &r, ROOM, &effect), OK);
        assert_int_equal(effect, REVOCATION_NEW);
        assert_int_equal(txn_commit(txn), OK);
        return id;
}

void fixture_activate(struct fixture *f, uint32_t batch, int64_t now_s)
{
        struct txn *txn = begin(f);

        assert_int_equal(batch_activate(txn, batch, now_s, BYTES_LIT("test"), ROOM), OK);
        assert_int_equal(txn_commit(txn), OK);
}

void fixture_disable_signer(struct fixture *f)
{
        struct txn *txn = begin(f);

        assert_int_equal(signer_disable(txn, f->signer, NOW), OK);
        assert_int_equal(txn_commit(txn), OK);
}
