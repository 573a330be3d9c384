/* engine_fixture: certificates made by OpenSSL, an engine driven by hand. */
#include "engine_fixture.h"

#include <event2/event.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rowfile.h"
#include "store/import.h"
#include "store/meta.h"
#include "store/record.h"

static void make_folder(char *path, size_t cap)
{
        snprintf(path, cap, "%s/tocsin-engine-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        assert_non_null(mkdtemp(path));
}

static void remove_folder(const char *path)
{
        char command[128];

        snprintf(command, sizeof(command), "rm -rf '%s'", path);
        assert_int_equal(system(command), 0);
}

static struct env *open_env(const char *path)
{
        struct env_config config = {.path = path, .map_size = UINT64_C(1) << 32, .reserve = 1 << 20};
        struct env *env;

        assert_int_equal(env_open_writer(&config, &env, NULL), OK);
        return env;
}

void fixture_store_open(struct fixture_store *s)
{
        make_folder(s->path, sizeof(s->path));
        s->env = open_env(s->path);
}

void fixture_store_close(struct fixture_store *s)
{
        env_close(s->env);
        remove_folder(s->path);
}

/* ---- certificates ---- */

static void add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, ctx, nid, value);

        assert_non_null(extension);
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, const char *cn, X509 *issuer, EVP_PKEY *issuer_key)
{
        X509 *x = X509_new();
        X509V3_CTX ctx;

        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 77 : 1);
        X509_gmtime_adj(X509_getm_notBefore(x), -3600);
        X509_gmtime_adj(X509_getm_notAfter(x), issuer ? 30 * 86400 : 3650 * 86400L);
        X509_set_pubkey(x, key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
        X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
        X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
        add_extension(x, &ctx, NID_subject_key_identifier, "hash");
        if (issuer) {
                add_extension(x, &ctx, NID_authority_key_identifier, "keyid");
                add_extension(x, &ctx, NID_key_usage, "critical,digitalSignature");
                add_extension(x, &ctx, NID_ext_key_usage, "OCSPSigning");
                add_extension(x, &ctx, NID_id_pkix_OCSP_noCheck, "");
        } else {
                add_extension(x, &ctx, NID_basic_constraints, "critical,CA:TRUE");
                add_extension(x, &ctx, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign");
        }
        assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
        return x;
}

static void write_certificate(const char *path, X509 *x)
{
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        PEM_write_X509(file, x);
        fclose(file);
}

static void make_certificates(struct fixture *f)
{
        X509 *ca, *ocsp;

        f->ca_key = EVP_EC_gen("P-256");
        f->ocsp_key = EVP_EC_gen("P-256");
        ca = make_certificate(f->ca_key, "Test CA", NULL, f->ca_key);
        ocsp = make_certificate(f->ocsp_key, "Test OCSP", ca, f->ca_key);
        snprintf(f->paths[0], sizeof(f->paths[0]), "%s/ca.pem", f->path);
        snprintf(f->paths[1], sizeof(f->paths[1]), "%s/ocsp.pem", f->path);
        write_certificate(f->paths[0], ca);
        write_certificate(f->paths[1], ocsp);
        X509_free(ca);
        X509_free(ocsp);
}

/* ---- configuration ---- */

static char *path_of(struct fixture *f, unsigned i, const char *name)
{
        snprintf(f->paths[i], sizeof(f->paths[i]), "%s/%s", f->path, name);
        return f->paths[i];
}

static char empty[] = "";

void fixture_init(struct fixture *f)
{
        static char name[] = "test-ca", key_ca[] = "ca", key_ocsp[] = "ocsp";

        *f = (struct fixture){.worker = -1, .control = -1};
        log_init("test", LEVEL_ERROR);
        make_folder(f->path, sizeof(f->path));
        make_certificates(f);
        f->certificates[0] = f->paths[0];
        f->issuer = (struct conf_issuer){
                .name = name,
                .folder = f->path,
                .certificates = {f->certificates, 1},
                .ocsp_key = key_ocsp,
                .ocsp_certificate = f->paths[1],
                .ocsp_hash = CONF_HASH_SHA256,
                .ocsp_cert_id = CONF_HASH_SHA1,
                .ocsp_allow_sha1_cert_id = true,
                .ocsp_validity_s = 4 * CLOCK_DAY_S,
                .crl_key = key_ca,
                .crl_hash = CONF_HASH_SHA256,
                .crl_validity_s = 7 * CLOCK_DAY_S,
                .crl_period_s = CLOCK_DAY_S,
                .crl_after_revocation_s = 60,
                .crl_url = empty,
                .crl_delta_url = empty,
        };
        f->conf = (struct conf){
                .file = empty,
                .store_path = path_of(f, 2, "store"),
                .store_map_size = UINT64_C(1) << 32,
                .store_reserve = 1 << 20,
                .crl_path = path_of(f, 3, "crl"),
                .issuers_path = f->path,
                .run_path = f->path,
                .control_socket = path_of(f, 4, "control.sock"),
                .control_group = empty,
                .sign_socket = path_of(f, 5, "sign.sock"),
                .token_sessions = 1,
                .token_timeout_s = 10,
                .sign_in_flight = 64,
                .sign_extras_rate = 10,
                .sign_per_worker = 32,
                .issuers = &f->issuer,
                .n_issuers = 1,
        };
        assert_int_equal(mkdir(f->conf.crl_path, 0755), 0);
}

void fixture_free(struct fixture *f)
{
        EVP_PKEY_free(f->ca_key);
        EVP_PKEY_free(f->ocsp_key);
        remove_folder(f->path);
}

/* ---- the engine ---- */

struct serial fixture_serial(unsigned i)
{
        return (struct serial){.len = 4, .data = {0x10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static void add_records(struct fixture *f, unsigned n)
{
        struct txn *txn;

        assert_int_equal(txn_begin_write(f->engine.env, &txn), OK);
        for (unsigned i = 1; i <= n; i++) {
                struct serial serial = fixture_serial(i);
                struct rowfile_row row = {.serial_len = serial.len};
                enum import_effect effect;

                memcpy(row.serial, serial.data, serial.len);
                assert_int_equal(import_row(txn, f->engine.issuers->items[0].ca_key, &row, clock_now_s(), BYTES_LIT("test"),
                                         64, &effect),
                        OK);
                assert_int_equal(effect, IMPORT_NEW);
        }
        assert_int_equal(txn_commit(txn), OK);
}

void fixture_turn(struct fixture *f)
{
        struct timespec pause = {.tv_nsec = 1000000};

        event_base_loop(f->engine.base, EVLOOP_NONBLOCK);
        nanosleep(&pause, NULL);
}

void fixture_run_until(struct fixture *f, bool (*is_true)(struct fixture *f))
{
        int64_t until = clock_mono_ms() + 20000;

        while (!is_true(f)) {
                if (clock_mono_ms() > until)
                        fail_msg("what the test waits for does not happen");
                fixture_turn(f);
        }
}

static bool is_up(struct fixture *f)
{
        return vault_is_up(&f->engine);
}

void fixture_start(struct fixture *f, unsigned n_records)
{
        int channel;

        fake_vault_start(&f->vault, f->ca_key, f->ocsp_key, &channel);
        fake_vault_hold(&f->vault, f->hold);
        assert_int_equal(engine_open(&f->engine, &f->conf, channel), OK);
        add_records(f, n_records);
        assert_int_equal(engine_start(&f->engine), OK);
        assert_int_equal(msg_connect(f->conf.sign_socket, &f->worker), OK);
        assert_int_equal(msg_connect(f->conf.control_socket, &f->control), OK);
        fixture_run_until(f, is_up);
}

void fixture_stop(struct fixture *f)
{
        int channel = f->engine.channel;

        fake_vault_hold(&f->vault, false);
        engine_close(&f->engine);
        fake_vault_stop(&f->vault);
        close(channel);
        close(f->worker);
        close(f->control);
        fixture_free(f);
}

/* ---- questions ---- */

struct msg_sign_ask fixture_ask(struct fixture *f, unsigned i)
{
        struct msg_sign_ask ask = {.id = ++f->last_id, .lane = MSG_LANE_TRUTH, .cert_id_hash = HASH_SHA1, .n_cert_ids = 1};
        struct serial serial = fixture_serial(i);

        ask.cert_ids[0].ca_key = f->engine.issuers->items[0].ca_key;
        ask.cert_ids[0].serial_len = serial.len;
        memcpy(ask.cert_ids[0].serial, serial.data, serial.len);
        return ask;
}

void fixture_send(struct fixture *f, const struct msg_sign_ask *ask)
{
        _cleanup_(builder_done) struct builder b = {0};

        msg_sign_ask_put(&b, ask);
        assert_int_equal(msg_send(f->worker, builder_bytes(&b), -1), OK);
}

static uint8_t packet[MSG_SIGN_ANSWER_MAX];
static size_t packet_len;

static bool worker_has_packet(struct fixture *f)
{
        return msg_receive(f->worker, packet, sizeof(packet), &packet_len, NULL) == OK;
}

struct msg_sign_answer fixture_answer(struct fixture *f)
{
        struct msg_sign_answer answer;

        fixture_run_until(f, worker_has_packet);
        assert_int_equal(msg_sign_answer_take(bytes_make(packet, packet_len), &answer), OK);
        return answer;
}

struct ocsp_status fixture_read(struct fixture *f, struct bytes response)
{
        struct bytes tbs, signature, certs;
        struct ocsp_response_data data;
        struct ocsp_single_read single;
        enum sig_alg alg;
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len;

        assert_int_equal(ocsp_response_read(response, &tbs, &alg, &signature, &certs), OK);
        assert_int_equal(sig_from_der(alg, signature, raw, &raw_len), OK);
        assert_int_equal(sig_verify(alg, f->engine.issuers->items[0].ocsp.spki, tbs, bytes_make(raw, raw_len)), OK);
        assert_int_equal(ocsp_response_data_read(tbs, &data), OK);
        assert_int_equal(ocsp_single_read(&data.responses, &single), OK);
        return single.status;
}

/* ---- control ---- */

static int make_list(unsigned from, unsigned to, enum reason reason)
{
        int fd = memfd_create("list", MFD_CLOEXEC);
        FILE *file = fdopen(dup(fd), "w");
        struct rowfile_writer w;

        assert_non_null(file);
        rowfile_begin(&w, file, ROWFILE_REVOKE);
        for (unsigned i = from; i <= to; i++) {
                struct serial serial = fixture_serial(i);
                struct rowfile_row row = {.line = i, .serial_len = serial.len, .reason = (uint8_t)reason};

                memcpy(row.serial, serial.data, serial.len);
                rowfile_put(&w, &row);
        }
        assert_int_equal(rowfile_end(&w), OK);
        fclose(file);
        return fd;
}

void fixture_revoke_by(int control, unsigned from, unsigned to, enum reason reason)
{
        _cleanup_close_
        int fd = make_list(from, to, reason);

        assert_int_equal(msg_send(control, BYTES_LIT("{\"command\": \"revoke\", \"issuer\": \"test-ca\"}"), fd), OK);
}

void fixture_revoke(struct fixture *f, unsigned from, unsigned to)
{
        fixture_revoke_by(f->control, from, to, REASON_KEY_COMPROMISE);
}

static char text[CONTROL_PACKET_MAX + 1];

static bool control_has_packet(struct fixture *f)
{
        size_t len;

        if (msg_receive(f->control, text, CONTROL_PACKET_MAX, &len, NULL) != OK)
                return false;
        text[len] = '\0';
        return true;
}

json_t *fixture_final(struct fixture *f)
{
        for (;;) {
                json_t *object;

                fixture_run_until(f, control_has_packet);
                object = json_loads(text, 0, NULL);
                assert_non_null(object);
                if (json_object_get(object, "ok"))
                        return object;
                json_decref(object);
        }
}

struct status fixture_status(struct fixture *f, unsigned i)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct serial serial = fixture_serial(i);
        struct status status;

        assert_int_equal(txn_begin_read(f->engine.env, &txn), OK);
        assert_int_equal(status_get(txn, f->engine.issuers->items[0].ca_key, serial_bytes(&serial), &status), OK);
        status.signature = BYTES_NONE;
        return status;
}

/* ---- set-up of a test ---- */

int fixture_set_up_unstarted(void **state)
{
        static struct fixture f;

        fixture_init(&f);
        *state = &f;
        return 0;
}

int fixture_set_up(void **state)
{
        fixture_set_up_unstarted(state);
        fixture_start(*state, N_RECORDS);
        return 0;
}

static bool has_nothing_to_write(struct fixture *f)
{
        struct runner *writer = &f->engine.writer.runner;

        return runner_waiting(writer) == 0 && writer->finished.first == NULL;
}

/* An engine that ends in the middle of its work leaves that to the end of the process; a leak checker would tell of it. */
int fixture_tear_down(void **state)
{
        struct fixture *f = *state;

        clock_freeze_ms(0);
        f->engine.stopping = true;
        fixture_run_until(f, has_nothing_to_write);
        fixture_stop(*state);
        return 0;
}

/* ---- what tests wait for ---- */

bool fixture_is_all_signed(struct fixture *f)
{
        for (unsigned i = 1; i <= N_RECORDS; i++)
                if (fixture_status(f, i).window == 0)
                        return false;
        return true;
}

static bool is_written_back(const struct writeback *wb)
{
        unsigned n_idle = 0;

        for (const struct writeback_chunk *c = wb->free; c; c = c->next)
                n_idle++;
        return wb->filling && wb->filling->n == 0 && n_idle == WRITEBACK_CHUNKS - 1;
}

bool fixture_is_idle(struct fixture *f)
{
        const struct engine *e = &f->engine;

        return fixture_is_all_signed(f) && is_written_back(&e->writeback) && e->bulk.stats.in_flight == 0 &&
               e->ondemand.n_open == 0 && e->refresh.n_slices == 0 && !e->refresh.pass_open && !e->crls.work &&
               !e->crls.orders;
}

static bool has_asked(struct fixture *f)
{
        return fake_vault_urgent(&f->vault) >= f->wanted_urgent;
}

void fixture_hold_question(struct fixture *f, unsigned i)
{
        struct msg_sign_ask ask = fixture_ask(f, i);

        f->wanted_urgent = fake_vault_urgent(&f->vault) + 1;
        fake_vault_hold(&f->vault, true);
        fixture_send(f, &ask);
        fixture_run_until(f, has_asked);
}

static bool has_asked_in_bulk(struct fixture *f)
{
        return fake_vault_bulk(&f->vault) > 0;
}

void fixture_start_holding(struct fixture *f, unsigned n_records)
{
        f->issuer.crl_key = f->conf.file; /* "": no CRL is asked for before it */
        f->hold = true;
        fixture_start(f, n_records);
        fixture_run_until(f, has_asked_in_bulk);
}

/* ---- in words ---- */

void fixture_assert_final(struct fixture *f, bool ok)
{
        json_t *final = fixture_final(f);

        assert_int_equal(json_is_true(json_object_get(final, "ok")), ok);
        json_decref(final);
}

void fixture_revoke_list(struct fixture *f, unsigned from, unsigned to)
{
        fixture_revoke(f, from, to);
        fixture_assert_final(f, true);
}

void fixture_assert_answer(struct fixture *f, enum ocsp_cert_status status)
{
        struct msg_sign_answer answer = fixture_answer(f);

        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(fixture_read(f, answer.response).cert_status, status);
}

struct window fixture_window(struct fixture *f, uint32_t id)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct window w;

        assert_int_equal(txn_begin_read(f->engine.env, &txn), OK);
        assert_int_equal(window_get(txn, id, &w), OK);
        return w;
}

void fixture_add_record(struct fixture *f, uint32_t ca_key, unsigned i)
{
        struct serial serial = fixture_serial(i);
        struct record record = {.not_after = UINT32_MAX};
        struct txn *txn;

        assert_int_equal(txn_begin_write(f->engine.env, &txn), OK);
        record_put(txn, ca_key, serial_bytes(&serial), &record, 64);
        assert_int_equal(txn_commit(txn), OK);
}

void fixture_begin_epoch(struct fixture *f)
{
        struct txn *txn;

        assert_int_equal(txn_begin_write(f->engine.env, &txn), OK);
        meta_bump_epoch(txn);
        assert_int_equal(meta_get_epoch(txn, &f->engine.epoch), OK);
        assert_int_equal(txn_commit(txn), OK);
}

void fixture_go_to(struct fixture *f, int64_t time_s)
{
        clock_freeze_ms(time_s * 1000);
        engine_clock_accept(&f->engine.clock);
}
