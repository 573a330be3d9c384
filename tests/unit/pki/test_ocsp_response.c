/* What pki/ocsp_response.h promises: the bytes to sign and the rebuilt response are the same bytes, OpenSSL takes them,
 * lengths are exact, and what is read back is what went in. */
#include "pki_helper.h"

#include <openssl/ocsp.h>

#include "pki/der.h"
#include "pki/ocsp_request.h"
#include "pki/ocsp_response.h"

static const enum reason reasons[] = {REASON_UNSPECIFIED, REASON_KEY_COMPROMISE, REASON_CA_COMPROMISE,
        REASON_AFFILIATION_CHANGED, REASON_SUPERSEDED, REASON_CESSATION_OF_OPERATION, REASON_CERTIFICATE_HOLD,
        REASON_PRIVILEGE_WITHDRAWN, REASON_AA_COMPROMISE};

/* A template and the memory of its pieces. */
struct made_template {
        struct ocsp_template t;
        struct builder responder, cert_id, times, extensions, certs;
        int64_t produced_at_s, this_update_s, next_update_s;
};

static void template_done(struct made_template *m)
{
        builder_done(&m->responder);
        builder_done(&m->cert_id);
        builder_done(&m->times);
        builder_done(&m->extensions);
        builder_done(&m->certs);
}

static void template_make(struct made_template *m, enum sig_alg alg, enum hash_alg hash, unsigned variant)
{
        const struct helper_ca *ca = helper_ca(sig_alg_key(alg));
        uint8_t nonce[OCSP_NONCE_MAX];
        struct bytes nonce_bytes = BYTES_NONE;

        *m = (struct made_template){0};
        m->produced_at_s = (int64_t)helper_random_below(4102444800ULL);
        m->this_update_s = m->produced_at_s;
        m->next_update_s = m->this_update_s + 4 * 86400;
        if (variant & 1)
                ocsp_template_put_responder_by_name(&m->responder, ca->cert.subject, m->produced_at_s);
        else
                ocsp_template_put_responder_by_key(&m->responder, ca->cert.key, m->produced_at_s);
        ca_key_put_cert_id_head(&m->cert_id, &ca->ca_key, hash);
        ocsp_template_put_times(&m->times, m->this_update_s, m->next_update_s);
        if (variant & 2)
                ocsp_template_put_certs(&m->certs, ca->cert.der);
        if (variant & 4) {
                memset(nonce, 0x5a, sizeof(nonce));
                nonce_bytes = bytes_make(nonce, 1 + helper_random_below(OCSP_NONCE_MAX));
        }
        ocsp_template_put_extensions(&m->extensions, nonce_bytes, variant & 8);
        m->t = (struct ocsp_template){alg, builder_bytes(&m->responder), builder_bytes(&m->cert_id),
                builder_bytes(&m->times), builder_bytes(&m->extensions), builder_bytes(&m->certs)};
}

static struct ocsp_status random_status(void)
{
        struct ocsp_status s = {.cert_status = (enum ocsp_cert_status)helper_random_below(3)};

        if (s.cert_status == OCSP_REVOKED) {
                s.reason = reasons[helper_random_below(sizeof(reasons) / sizeof(reasons[0]))];
                s.revoked_at_s = (int64_t)helper_random_below(4102444800ULL);
        }
        return s;
}

/* Random octets of the right length; now and then the zeroes and high bits that make DER's INTEGERs shorter and longer. */
static struct bytes random_signature(enum sig_alg alg, uint8_t raw[SIG_RAW_MAX])
{
        static const size_t len[] = {[KEY_RSA] = 256, [KEY_P256] = 64, [KEY_P384] = 96};
        size_t n = len[sig_alg_key(alg)], zeroes = helper_random_below(3) ? 0 : helper_random_below(n / 2 + 1);

        for (size_t i = 0; i < n; i++)
                raw[i] = i < zeroes ? 0 : (uint8_t)helper_random();
        return bytes_make(raw, n);
}

/* The part of `whole` that tells of ResponseData, found by reading it. */
static struct bytes tbs_of(struct bytes whole, enum sig_alg *ret_alg, struct bytes *ret_signature)
{
        struct bytes tbs, certs;

        assert_int_equal(ocsp_response_read(whole, &tbs, ret_alg, ret_signature, &certs), OK);
        return tbs;
}

static void check_one(const struct ocsp_template *t)
{
        uint8_t serial_memory[20], raw_memory[SIG_RAW_MAX], tbs_memory[8192], whole_memory[8192], back[SIG_RAW_MAX];
        struct bytes serial = helper_random_serial(serial_memory), raw = random_signature(t->sig_alg, raw_memory), signature,
                     tbs;
        struct ocsp_status status = random_status();
        size_t tbs_len, whole_len, back_len;
        struct ocsp_layout layout;
        enum sig_alg alg;

        assert_true(ocsp_response_max(t) <= sizeof(whole_memory));
        assert_int_equal(ocsp_response_tbs(t, serial, &status, tbs_memory, &tbs_len), OK);
        assert_int_equal(ocsp_response_rebuild(t, serial, &status, raw, whole_memory, &whole_len), OK);
        assert_int_equal(ocsp_response_lay_out(t, serial, &status, raw, &layout), OK);
        assert_int_equal(whole_len, layout.whole);
        assert_true(whole_len <= ocsp_response_max(t));
        tbs = tbs_of(bytes_make(whole_memory, whole_len), &alg, &signature);
        BYTES_EQUAL(tbs, bytes_make(tbs_memory, tbs_len));
        assert_int_equal(sig_alg_hash(alg), sig_alg_hash(t->sig_alg));
        assert_int_equal(sig_from_der(t->sig_alg, signature, back, &back_len), OK);
        BYTES_EQUAL(bytes_make(back, back_len), raw);
}

static void rebuilt_responses_hold_the_very_bytes_that_were_signed(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 1000; i++) {
                _cleanup_(template_done) struct made_template m;

                template_make(
                        &m, (enum sig_alg)(i % SIG_N), (enum hash_alg)(i / 3 % HASH_N), (unsigned)helper_random_below(16));
                for (unsigned j = 0; j < 10; j++)
                        check_one(&m.t);
        }
}

/* The bytes that OpenSSL makes of what it read are the bytes it was given: so they are the DER it would write. */
static void check_openssl_reencodes(struct bytes der)
{
        const unsigned char *at = der.data;
        OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
        OCSP_BASICRESP *basic;
        unsigned char *again = NULL;
        int len;

        assert_non_null(response);
        assert_ptr_equal(at, der.data + der.len);
        basic = OCSP_response_get1_basic(response);
        assert_non_null(basic);
        len = i2d_OCSP_RESPONSE(response, &again);
        BYTES_EQUAL(bytes_make(again, (size_t)len), der);
        OPENSSL_free(again);
        OCSP_BASICRESP_free(basic);
        OCSP_RESPONSE_free(response);
}

static void openssl_parses_every_response(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 300; i++) {
                _cleanup_(template_done) struct made_template m;
                uint8_t serial[20], raw[SIG_RAW_MAX], whole[8192];
                struct ocsp_status status = random_status();
                size_t len;

                template_make(&m, (enum sig_alg)(i % SIG_N), (enum hash_alg)(i / 3 % HASH_N), i % 16);
                assert_int_equal(ocsp_response_rebuild(&m.t, helper_random_serial(serial), &status,
                                         random_signature(m.t.sig_alg, raw), whole, &len),
                        OK);
                check_openssl_reencodes(bytes_make(whole, len));
        }
}

/* ---- OpenSSL's verdict on signed ones ---- */

static OCSP_CERTID *openssl_cert_id(struct bytes head, struct bytes serial)
{
        _cleanup_(builder_done) struct builder b = {0};
        const unsigned char *at;
        OCSP_CERTID *id;
        size_t mark = der_begin(&b, DER_SEQUENCE);

        builder_put(&b, head);
        der_put(&b, DER_INTEGER, serial);
        der_end(&b, mark);
        at = b.data;
        id = d2i_OCSP_CERTID(NULL, &at, (long)b.len);
        assert_non_null(id);
        return id;
}

static void check_status(
        OCSP_BASICRESP *basic, const struct made_template *m, struct bytes serial, const struct ocsp_status *want)
{
        static const int status_of[] = {[OCSP_GOOD] = V_OCSP_CERTSTATUS_GOOD,
                [OCSP_REVOKED] = V_OCSP_CERTSTATUS_REVOKED,
                [OCSP_UNKNOWN] = V_OCSP_CERTSTATUS_UNKNOWN};
        OCSP_CERTID *id = openssl_cert_id(m->t.cert_id, serial);
        ASN1_GENERALIZEDTIME *revoked_at, *this_update, *next_update;
        int status, reason;

        assert_int_equal(OCSP_resp_find_status(basic, id, &status, &reason, &revoked_at, &this_update, &next_update), 1);
        assert_int_equal(status, status_of[want->cert_status]);
        assert_int_equal(ASN1_TIME_cmp_time_t(this_update, m->this_update_s), 0);
        assert_int_equal(ASN1_TIME_cmp_time_t(next_update, m->next_update_s), 0);
        if (want->cert_status == OCSP_REVOKED) {
                assert_int_equal(reason, want->reason == REASON_UNSPECIFIED ? -1 : (int)want->reason);
                assert_int_equal(ASN1_TIME_cmp_time_t(revoked_at, want->revoked_at_s), 0);
        }
        OCSP_CERTID_free(id);
}

static void check_verifies(OCSP_BASICRESP *basic, const struct helper_ca *ca)
{
        X509_STORE *store = X509_STORE_new();
        STACK_OF(X509) *certs = sk_X509_new_null();

        X509_STORE_add_cert(store, ca->x509);
        X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), HELPER_NOW_S);
        sk_X509_push(certs, ca->x509);
        assert_int_equal(OCSP_basic_verify(basic, certs, store, 0), 1);
        sk_X509_free(certs);
        X509_STORE_free(store);
}

static void check_openssl_accepts(enum sig_alg alg, enum hash_alg hash, unsigned variant)
{
        const struct helper_ca *ca = helper_ca(sig_alg_key(alg));
        _cleanup_(template_done) struct made_template m;
        uint8_t serial_memory[20], raw_memory[SIG_RAW_MAX], tbs[8192], whole[8192];
        struct bytes serial = helper_random_serial(serial_memory), raw;
        struct ocsp_status status = random_status();
        const unsigned char *at = whole;
        OCSP_RESPONSE *response;
        OCSP_BASICRESP *basic;
        size_t tbs_len, len;

        template_make(&m, alg, hash, variant);
        assert_int_equal(ocsp_response_tbs(&m.t, serial, &status, tbs, &tbs_len), OK);
        raw = helper_sign(alg, ca->key, bytes_make(tbs, tbs_len), raw_memory);
        assert_int_equal(ocsp_response_rebuild(&m.t, serial, &status, raw, whole, &len), OK);
        response = d2i_OCSP_RESPONSE(NULL, &at, (long)len);
        assert_non_null(response);
        basic = OCSP_response_get1_basic(response);
        assert_non_null(basic);
        check_verifies(basic, ca);
        check_status(basic, &m, serial, &status);
        OCSP_BASICRESP_free(basic);
        OCSP_RESPONSE_free(response);
}

static void openssl_verifies_responses_of_every_algorithm(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 40; i++)
                for (enum sig_alg alg = 0; alg < SIG_N; alg++)
                        check_openssl_accepts(alg, (enum hash_alg)(i % HASH_N), (unsigned)helper_random_below(16));
}

/* ---- several CertIDs ---- */

static void one_single_through_put_tbs_equals_tbs(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 200; i++) {
                _cleanup_(template_done) struct made_template m;
                _cleanup_(builder_done) struct builder many = {0}, whole_many = {0};
                uint8_t serial_memory[20], raw_memory[SIG_RAW_MAX], tbs[8192], whole[8192];
                struct bytes serial = helper_random_serial(serial_memory), raw;
                struct ocsp_single single = {.serial = serial, .status = random_status()};
                size_t tbs_len, len;

                template_make(&m, (enum sig_alg)(i % SIG_N), HASH_SHA256, i % 16);
                raw = random_signature(m.t.sig_alg, raw_memory);
                single.cert_id_head = m.t.cert_id;
                assert_int_equal(ocsp_response_tbs(&m.t, serial, &single.status, tbs, &tbs_len), OK);
                assert_int_equal(ocsp_response_rebuild(&m.t, serial, &single.status, raw, whole, &len), OK);
                ocsp_response_put_tbs(&many, &m.t, &single, 1);
                ocsp_response_put(&whole_many, &m.t, builder_bytes(&many), raw);
                assert_false(builder_failed(&many) || builder_failed(&whole_many));
                BYTES_EQUAL(builder_bytes(&many), bytes_make(tbs, tbs_len));
                BYTES_EQUAL(builder_bytes(&whole_many), bytes_make(whole, len));
        }
}

static void check_single(const struct ocsp_single_read *read, const struct ocsp_single *want, const struct made_template *m)
{
        BYTES_EQUAL(read->serial, want->serial);
        assert_int_equal(read->status.cert_status, want->status.cert_status);
        assert_int_equal(read->status.reason, want->status.reason);
        assert_int_equal(read->status.revoked_at_s, want->status.revoked_at_s);
        assert_int_equal(read->this_update_s, m->this_update_s);
        assert_int_equal(read->next_update_s, m->next_update_s);
}

static void sixteen_singles_read_back_as_they_went_in(void **state)
{
        _cleanup_(template_done) struct made_template m;
        _cleanup_(builder_done) struct builder tbs = {0}, whole = {0};
        struct ocsp_single singles[16];
        uint8_t serials[16][20], raw[SIG_RAW_MAX];
        struct ocsp_response_data data;
        struct ocsp_single_read read;

        (void)state;
        template_make(&m, SIG_P256_SHA256, HASH_SHA1, 4);
        for (unsigned i = 0; i < 16; i++)
                singles[i] = (struct ocsp_single){m.t.cert_id, helper_random_serial(serials[i]), random_status()};
        ocsp_response_put_tbs(&tbs, &m.t, singles, 16);
        ocsp_response_put(&whole, &m.t, builder_bytes(&tbs), random_signature(SIG_P256_SHA256, raw));
        assert_false(builder_failed(&tbs) || builder_failed(&whole));
        check_openssl_reencodes(builder_bytes(&whole));
        assert_int_equal(ocsp_response_data_read(builder_bytes(&tbs), &data), OK);
        assert_int_equal(data.produced_at_s, m.produced_at_s);
        assert_int_equal(data.responder_key_hash.len, 20);
        BYTES_EQUAL(data.extensions, m.t.extensions);
        for (unsigned i = 0; i < 16; i++) {
                assert_int_equal(ocsp_single_read(&data.responses, &read), OK);
                check_single(&read, &singles[i], &m);
        }
        assert_int_equal(data.responses.len, 0);
}

/* ---- refusals ---- */

static void bad_serials_and_signatures_make_no_response(void **state)
{
        static const struct ocsp_status good = {.cert_status = OCSP_GOOD};
        static const uint8_t zeroes[SIG_RAW_MAX];
        static const char *const serials[] = {"", "80", "00", "0001", "017f0102030405060708090a0b0c0d0e0f1011121314"};
        _cleanup_(template_done) struct made_template m;
        _cleanup_(builder_done) struct builder b = {0};
        uint8_t out[8192];
        size_t len = 77;

        (void)state;
        template_make(&m, SIG_P256_SHA256, HASH_SHA1, 0);
        for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
                struct bytes serial = helper_hex(serials[i]);
                bool is_zero = i == 2; /* the serial number 0 is one */

                assert_int_equal(ocsp_response_tbs(&m.t, serial, &good, out, &len), is_zero ? OK : ERR_INVALID);
        }
        len = 77;
        assert_int_equal(
                ocsp_response_rebuild(&m.t, helper_hex("01"), &good, bytes_make(zeroes, 63), out, &len), ERR_INVALID);
        assert_int_equal(
                ocsp_response_rebuild(&m.t, helper_hex("01"), &good, bytes_make(zeroes, 96), out, &len), ERR_INVALID);
        assert_int_equal(len, 77);
        ocsp_response_put(&b, &m.t, BYTES_LIT("\x30\x00"), bytes_make(zeroes, 65));
        assert_true(builder_failed(&b));
}

/* RFC 6960 4.2.1, req 2.1. */
static void errors_are_five_octets(void **state)
{
        static const struct {
                enum ocsp_response_status status;
                const char *hex;
        } rows[] = {{OCSP_MALFORMED_REQUEST, "30030a0101"}, {OCSP_INTERNAL_ERROR, "30030a0102"},
                {OCSP_TRY_LATER, "30030a0103"}, {OCSP_SIG_REQUIRED, "30030a0105"}, {OCSP_UNAUTHORIZED, "30030a0106"},
                {OCSP_SUCCESSFUL, "30030a0102"} /* there is no bare success */};

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                BYTES_EQUAL(ocsp_response_error(rows[i].status), helper_hex(rows[i].hex));
}

/* One good ResponseData in pieces, of which one is exchanged for something wrong. */
#define H20 "000102030405060708090a0b0c0d0e0f10111213"
#define RESPONDER "a2{04{" H20 "}}"
#define PRODUCED "18{32303236303932313139313332305a}"
#define CERT_ID "30{30{06{2b0e03021a}0500} 04{" H20 "} 04{" H20 "} 020101}"
#define GOOD_STATUS "8000"
#define THIS_UPDATE PRODUCED
#define NEXT_UPDATE "a0{18{32303236303932323139313332305a}}"

static void put_hex(struct builder *b, const char *hex)
{
        builder_put(b, helper_hex(hex));
}

static void put_single(struct builder *b, const char *cert_id, const char *status, const char *rest)
{
        size_t mark = der_begin(b, DER_SEQUENCE);

        put_hex(b, cert_id);
        put_hex(b, status);
        put_hex(b, rest);
        der_end(b, mark);
}

static enum err read_single_of(const char *cert_id, const char *status, const char *rest)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct ocsp_single_read read;
        struct bytes in;

        put_single(&b, cert_id, status, rest);
        in = builder_bytes(&b);
        return ocsp_single_read(&in, &read);
}

static void singles_not_of_our_kind_are_refused(void **state)
{
        static const struct {
                const char *why, *status, *rest;
                enum err want;
        } rows[] = {
                {"as it should be", GOOD_STATUS, THIS_UPDATE NEXT_UPDATE, OK},
                {"nextUpdate is missing (req 2.6)", GOOD_STATUS, THIS_UPDATE, ERR_INVALID},
                {"good is not empty (RFC 6960 4.2.1)", "800101", THIS_UPDATE NEXT_UPDATE, ERR_INVALID},
                {"good is an explicit NULL", "a0020500", THIS_UPDATE NEXT_UPDATE, ERR_INVALID},
                {"revoked without a time", "a100", THIS_UPDATE NEXT_UPDATE, ERR_INVALID},
                {"reason 7 (RFC 5280 5.3.1)", "a1{" PRODUCED "a0{0a0107}}", THIS_UPDATE NEXT_UPDATE, ERR_INVALID},
                {"reason 11", "a1{" PRODUCED "a0{0a010b}}", THIS_UPDATE NEXT_UPDATE, ERR_INVALID},
                {"reason 9", "a1{" PRODUCED "a0{0a0109}}", THIS_UPDATE NEXT_UPDATE, OK},
                {"UTCTime (RFC 6960 4.2.2.1, req 2.12)", GOOD_STATUS, "17{3236303932313139313332305a}" NEXT_UPDATE,
                        ERR_INVALID},
                {"singleExtensions (req 2.10)", GOOD_STATUS, THIS_UPDATE NEXT_UPDATE "a1023000", ERR_UNSUPPORTED},
                {"something trails", GOOD_STATUS, THIS_UPDATE NEXT_UPDATE "0500", ERR_INVALID},
                {"status [3]", "8300", THIS_UPDATE NEXT_UPDATE, ERR_INVALID},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                enum err e = read_single_of(CERT_ID, rows[i].status, rows[i].rest);

                if (e != rows[i].want)
                        fail_msg("%s: %s", rows[i].why, err_text(e));
        }
}

static enum err read_data_of(const char *head, const char *list, const char *tail)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct ocsp_response_data data;
        size_t mark = der_begin(&b, DER_SEQUENCE);

        put_hex(&b, head);
        put_hex(&b, list);
        put_hex(&b, tail);
        der_end(&b, mark);
        return ocsp_response_data_read(builder_bytes(&b), &data);
}

static void response_data_not_of_our_kind_is_refused(void **state)
{
        static const struct {
                const char *why, *head, *list, *tail;
                enum err want;
        } rows[] = {
                {"as it should be", RESPONDER PRODUCED, "30020500", "", OK},
                {"explicit version v1 (X.690 11.5)", "a0{020100}" RESPONDER PRODUCED, "30020500", "", ERR_INVALID},
                {"no responses", RESPONDER PRODUCED, "3000", "", ERR_INVALID},
                {"a key hash of 19 octets", "a2{04{000102030405060708090a0b0c0d0e0f101112}}" PRODUCED, "30020500", "",
                        ERR_INVALID},
                {"a name that is none", "a1{0500}" PRODUCED, "30020500", "", ERR_INVALID},
                {"empty extensions", RESPONDER PRODUCED, "30020500", "a1023000", ERR_INVALID},
                {"extensions [0]", RESPONDER PRODUCED, "30020500", "a0023000", ERR_INVALID},
                {"something trails", RESPONDER PRODUCED, "30020500", "a1{30{0500}} 0500", ERR_INVALID},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                enum err e = read_data_of(rows[i].head, rows[i].list, rows[i].tail);

                if (e != rows[i].want)
                        fail_msg("%s: %s", rows[i].why, err_text(e));
        }
}

static void truncated_responses_are_refused_at_every_length(void **state)
{
        static const struct ocsp_status good = {.cert_status = OCSP_GOOD};
        _cleanup_(template_done) struct made_template m;
        uint8_t raw[SIG_RAW_MAX], whole[8192];
        struct bytes tbs, signature, certs;
        enum sig_alg alg;
        size_t len;

        (void)state;
        template_make(&m, SIG_P256_SHA256, HASH_SHA1, 2);
        assert_int_equal(
                ocsp_response_rebuild(&m.t, helper_hex("1234"), &good, random_signature(SIG_P256_SHA256, raw), whole, &len),
                OK);
        for (size_t n = 0; n < len; n++)
                assert_int_equal(ocsp_response_read(bytes_make(whole, n), &tbs, &alg, &signature, &certs), ERR_INVALID);
        assert_int_equal(ocsp_response_read(bytes_make(whole, len), &tbs, &alg, &signature, &certs), OK);
        assert_int_equal(
                ocsp_response_read(ocsp_response_error(OCSP_TRY_LATER), &tbs, &alg, &signature, &certs), ERR_INVALID);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(rebuilt_responses_hold_the_very_bytes_that_were_signed),
                cmocka_unit_test(openssl_parses_every_response),
                cmocka_unit_test(openssl_verifies_responses_of_every_algorithm),
                cmocka_unit_test(one_single_through_put_tbs_equals_tbs),
                cmocka_unit_test(sixteen_singles_read_back_as_they_went_in),
                cmocka_unit_test(bad_serials_and_signatures_make_no_response),
                cmocka_unit_test(errors_are_five_octets),
                cmocka_unit_test(singles_not_of_our_kind_are_refused),
                cmocka_unit_test(response_data_not_of_our_kind_is_refused),
                cmocka_unit_test(truncated_responses_are_refused_at_every_length),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
