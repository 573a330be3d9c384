#include "fixture.h"

#include <openssl/ec.h>
#include <openssl/x509.h>
#include <strings.h>
#include <sys/socket.h>

#include "pki/der.h"
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

static struct bytes hex_to(struct builder *memory, const char *hex)
{
        size_t len;
        uint8_t *at = builder_extend(memory, strlen(hex) / 2);

        assert_int_equal(bytes_from_hex(bytes_str(hex), at, strlen(hex) / 2, &len), OK);
        return bytes_make(at, len);
}

static void raw_sign(const struct fixture *f, struct bytes tbs, uint8_t raw[SIG_RAW_MAX], size_t *ret_len)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        uint8_t der[128];
        size_t der_len = sizeof der;

        assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, f->key), 1);
        assert_int_equal(EVP_DigestSign(context, der, &der_len, tbs.data, tbs.len), 1);
        EVP_MD_CTX_free(context);
        assert_int_equal(sig_from_der(SIG_P256_SHA256, bytes_make(der, der_len), raw, ret_len), OK);
}

struct parts {
        struct builder responder, cert_id, times;
};

static struct ocsp_template make_template(const struct fixture *f, struct parts *p, enum hash_alg hash, int64_t from, int64_t until)
{
        ocsp_template_put_responder_by_key(&p->responder, builder_bytes(&f->octets), from);
        ca_key_put_cert_id_head(&p->cert_id, &f->ca_key, hash);
        ocsp_template_put_times(&p->times, from, until);
        return (struct ocsp_template){.sig_alg = SIG_P256_SHA256, .responder = builder_bytes(&p->responder),
                .cert_id = builder_bytes(&p->cert_id), .times = builder_bytes(&p->times)};
}

static void parts_done(struct parts *p)
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

/* ---- requests ---- */

static void put_cert_id(const struct fixture *f, struct builder *b, const struct asking *a, const char *serial_hex, bool is_foreign)
{
        _cleanup_(builder_done) struct builder head = {0}, memory = {0};
        struct bytes rest, alg;
        size_t mark = der_begin(b, DER_SEQUENCE);

        ca_key_put_cert_id_head(&head, &f->ca_key, a->hash);
        if (is_foreign)
                head.data[head.len - 1] ^= 1;
        rest = builder_bytes(&head);
        if (a->no_null) {
                size_t inner;
                struct bytes oid;

                assert_int_equal(der_read(&rest, DER_SEQUENCE, &alg), OK);
                assert_int_equal(der_read_tlv(&alg, DER_OID, &oid), OK);
                inner = der_begin(b, DER_SEQUENCE);
                builder_put(b, oid);
                der_end(b, inner);
        }
        builder_put(b, rest);
        der_put(b, DER_INTEGER, hex_to(&memory, serial_hex));
        der_end(b, mark);
}

static void put_nonce(struct builder *b, const char *nonce_hex)
{
        _cleanup_(builder_done) struct builder memory = {0};
        size_t context = der_begin(b, DER_CONTEXT_CONS(2)), list = der_begin(b, DER_SEQUENCE), one = der_begin(b, DER_SEQUENCE), value;

        builder_put(b, BYTES_LIT("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02"));
        value = der_begin(b, DER_OCTET_STRING);
        der_put(b, DER_OCTET_STRING, hex_to(&memory, nonce_hex));
        der_end(b, value);
        der_end(b, one);
        der_end(b, list);
        der_end(b, context);
}

static void put_preferred(struct builder *b, const struct asking *a)
{
        size_t context = der_begin(b, DER_CONTEXT_CONS(2)), list = der_begin(b, DER_SEQUENCE), one = der_begin(b, DER_SEQUENCE), value, algs;

        builder_put(b, BYTES_LIT("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x08"));
        value = der_begin(b, DER_OCTET_STRING);
        algs = der_begin(b, DER_SEQUENCE);
        builder_put(b, BYTES_LIT("\x30\x0b\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"));
        for (unsigned i = 0; i < a->n_preferred; i++) {
                size_t alg = der_begin(b, DER_SEQUENCE);

                builder_put(b, sig_alg_identifier(a->preferred[i]));
                der_end(b, alg);
        }
        der_end(b, algs);
        der_end(b, value);
        der_end(b, one);
        der_end(b, list);
        der_end(b, context);
}

void fixture_put_request(const struct fixture *f, struct builder *ret, const struct asking *a)
{
        size_t outer = der_begin(ret, DER_SEQUENCE), tbs = der_begin(ret, DER_SEQUENCE), list = der_begin(ret, DER_SEQUENCE);

        for (size_t i = 0; a->serials[i]; i++) {
                size_t one = der_begin(ret, DER_SEQUENCE);

                put_cert_id(f, ret, a, a->serials[i], a->foreign || (a->second_foreign && i == 1));
                der_end(ret, one);
        }
        der_end(ret, list);
        if (a->nonce_hex)
                put_nonce(ret, a->nonce_hex);
        else if (a->n_preferred > 0)
                put_preferred(ret, a);
        der_end(ret, tbs);
        der_end(ret, outer);
}

void fixture_put_post(const struct fixture *f, struct builder *ret, const struct asking *a, const char *fields)
{
        _cleanup_(builder_done) struct builder der = {0};

        fixture_put_request(f, &der, a);
        builder_printf(ret, "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\nContent-Length: %zu\r\n%s\r\n", der.len,
                fields);
        builder_put(ret, builder_bytes(&der));
}

void fixture_put_get(const struct fixture *f, struct builder *ret, const char *method, const struct asking *a, const char *fields)
{
        _cleanup_(builder_done) struct builder der = {0};
        _cleanup_free_ char *text = NULL;

        fixture_put_request(f, &der, a);
        text = malloc(der.len * 2 + 8);
        EVP_EncodeBlock((unsigned char *)text, der.data, (int)der.len);
        builder_printf(ret, "%s /%s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, text, fields);
}

/* ---- clients ---- */

void client_open(struct client *c, struct fixture *f)
{
        static const int small = 32 * 1024; /* so that what a socket takes at once is known: the kernel doubles it */
        int fds[2];

        *c = (struct client){.f = f};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
        c->fd = fds[1];
        assert_int_equal(conn_open(&f->pool, fds[0]), OK);
}

void client_close(struct client *c)
{
        cleanup_close(&c->fd);
        c->fd = -1;
        builder_done(&c->received);
        pump(c->f);
}

void client_send(struct client *c, struct bytes b)
{
        assert_int_equal(send(c->fd, b.data, b.len, MSG_NOSIGNAL), b.len);
}

void pump(struct fixture *f)
{
        for (int i = 0; i < 6; i++)
                event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void receive(struct client *c)
{
        uint8_t buffer[4096];
        ssize_t n;

        while ((n = recv(c->fd, buffer, sizeof buffer, 0)) > 0) {
                builder_put(&c->received, bytes_make(buffer, (size_t)n));
                pump(c->f);
        }
        c->is_closed = n == 0;
}

bool client_take(struct client *c, bool is_head, struct reply *ret_reply)
{
        struct bytes rest;
        struct reply r = {0};
        const uint8_t *end = NULL;
        size_t len;

        pump(c->f);
        receive(c);
        if (c->at == c->received.len)
                return false;
        rest = bytes_make(&c->received.data[c->at], c->received.len - c->at);
        for (size_t i = 0; !end && i + 4 <= rest.len; i++)
                end = memcmp(&rest.data[i], "\r\n\r\n", 4) == 0 ? &rest.data[i] : NULL;
        if (!end)
                return false;
        r.head = bytes_make(rest.data, (size_t)(end - rest.data) + 4);
        r.status = (unsigned)strtoul((const char *)&rest.data[9], NULL, 10);
        len = is_head ? 0 : strtoul((const char *)reply_field(&r, "Content-Length").data, NULL, 10);
        if (rest.len < r.head.len + len)
                return false;
        r.body = bytes_make(&rest.data[r.head.len], len);
        c->at += r.head.len + len;
        *ret_reply = r;
        return true;
}

struct reply client_ask(struct client *c, const struct asking *a, const char *method, const char *fields)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct reply r;

        if (method)
                fixture_put_get(c->f, &b, method, a, fields);
        else
                fixture_put_post(c->f, &b, a, fields);
        client_send(c, builder_bytes(&b));
        assert_true(client_take(c, method && strcmp(method, "HEAD") == 0, &r));
        return r;
}

void client_post(struct client *c, const struct asking *a)
{
        _cleanup_(builder_done) struct builder b = {0};

        fixture_put_post(c->f, &b, a, "");
        client_send(c, builder_bytes(&b));
}

struct reply client_ask_text(struct client *c, const char *text)
{
        struct reply r;

        client_send(c, bytes_str(text));
        assert_true(client_take(c, false, &r));
        return r;
}

void client_expect(struct client *c, enum ocsp_cert_status want)
{
        struct reply r;

        assert_true(client_take(c, false, &r));
        assert_int_equal(reply_status(c->f, &r).cert_status, want);
}

struct bytes reply_field(const struct reply *r, const char *name)
{
        size_t name_len = strlen(name);

        for (size_t i = 0; i + name_len + 4 < r->head.len; i++) {
                const char *at = (const char *)&r->head.data[i];
                const char *end;

                if (memcmp(at, "\r\n", 2) != 0 || strncasecmp(&at[2], name, name_len) != 0 || at[2 + name_len] != ':')
                        continue;
                at = &at[2 + name_len + 2];
                end = strstr(at, "\r\n");
                return bytes_make(at, (size_t)(end - at));
        }
        return bytes_make("0", 0);
}

void assert_field(const struct reply *r, const char *name, const char *want)
{
        struct bytes got = reply_field(r, name);

        if (!bytes_equal(got, bytes_str(want)))
                fail_msg("%s: got \"%.*s\", want \"%s\"", name, (int)got.len, (const char *)got.data, want);
}

struct ocsp_status reply_status(const struct fixture *f, const struct reply *r)
{
        struct ocsp_response_data data;
        struct ocsp_single_read single;
        struct bytes tbs, signature_der, certs;
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len;
        enum sig_alg alg;

        assert_int_equal(r->status, 200);
        assert_int_equal(ocsp_response_read(r->body, &tbs, &alg, &signature_der, &certs), OK);
        assert_int_equal(sig_from_der(alg, signature_der, raw, &raw_len), OK);
        assert_int_equal(sig_verify(SIG_P256_SHA256, builder_bytes(&f->spki), tbs, bytes_make(raw, raw_len)), OK);
        assert_int_equal(ocsp_response_data_read(tbs, &data), OK);
        assert_int_equal(ocsp_single_read(&data.responses, &single), OK);
        assert_int_equal(data.responses.len, 0);
        return single.status;
}

void assert_ocsp_error(const struct reply *r, enum ocsp_response_status want)
{
        assert_int_equal(r->status, 200);
        if (!bytes_equal(r->body, ocsp_response_error(want)))
                fail_msg("not the OCSP error %u", (unsigned)want);
        assert_field(r, "Content-Type", "application/ocsp-response");
        assert_field(r, "Cache-Control", "no-store, max-age=0");
}

/* ---- the double of the engine ---- */

bool engine_take(struct fixture *f, struct msg_sign_ask *ret_ask)
{
        uint8_t packet[MSG_SIGN_ASK_MAX];
        size_t len;

        pump(f);
        if (f->engine < 0)
                f->engine = accept4(f->engine_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (f->engine < 0 || msg_receive(f->engine, packet, sizeof packet, &len, NULL) != OK)
                return false;
        assert_int_equal(msg_sign_ask_take(bytes_make(packet, len), ret_ask), OK);
        return true;
}

struct msg_sign_ask engine_expect(struct client *c)
{
        struct msg_sign_ask ask;
        struct reply r;

        assert_true(engine_take(c->f, &ask));
        assert_false(client_take(c, false, &r));
        return ask;
}

void engine_send(struct fixture *f, const struct msg_sign_answer *answer)
{
        _cleanup_(builder_done) struct builder b = {0};

        msg_sign_answer_put(&b, answer);
        assert_false(builder_failed(&b));
        assert_int_equal(msg_send(f->engine, builder_bytes(&b), -1), OK);
        pump(f);
}

void engine_answer_each(struct fixture *f, const struct msg_sign_ask *ask, const struct ocsp_status statuses[],
        const uint32_t generations[], int64_t this_update_s)
{
        _cleanup_(parts_done) struct parts parts = {0};
        _cleanup_(builder_done) struct builder tbs = {0}, der = {0};
        struct ocsp_template t = make_template(f, &parts, ask->cert_id_hash, this_update_s, NOW + 86400);
        struct msg_sign_answer answer = {.id = ask->id, .outcome = MSG_SIGNED, .n_cert_ids = ask->n_cert_ids,
                .this_update_s = this_update_s, .next_update_s = NOW + 86400};
        struct ocsp_single singles[OCSP_CERT_IDS_MAX];
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len;

        for (unsigned i = 0; i < ask->n_cert_ids; i++) {
                singles[i] = (struct ocsp_single){
                        t.cert_id, bytes_make(ask->cert_ids[i].serial, ask->cert_ids[i].serial_len), statuses[i]};
                answer.generations[i] = generations[i];
        }
        ocsp_response_put_tbs(&tbs, &t, singles, ask->n_cert_ids);
        raw_sign(f, builder_bytes(&tbs), raw, &raw_len);
        ocsp_response_put(&der, &t, builder_bytes(&tbs), bytes_make(raw, raw_len));
        assert_false(builder_failed(&tbs) || builder_failed(&der));
        answer.response = builder_bytes(&der);
        engine_send(f, &answer);
}

void engine_answer(struct fixture *f, const struct msg_sign_ask *ask, const struct ocsp_status *status, uint32_t generation,
        int64_t this_update_s)
{
        struct ocsp_status statuses[OCSP_CERT_IDS_MAX];
        uint32_t generations[OCSP_CERT_IDS_MAX];

        for (unsigned i = 0; i < ask->n_cert_ids; i++) {
                statuses[i] = *status;
                generations[i] = generation;
        }
        engine_answer_each(f, ask, statuses, generations, this_update_s);
}

void engine_refuse(struct fixture *f, const struct msg_sign_ask *ask, enum msg_outcome outcome)
{
        struct msg_sign_answer answer = {.id = ask->id, .outcome = (uint8_t)outcome, .n_cert_ids = ask->n_cert_ids};

        engine_send(f, &answer);
}
