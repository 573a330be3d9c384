/* What pki/crl.h promises: OpenSSL takes and verifies every CRL that is built, the lengths of the two passes agree, what is
 * built reads back, whole and in pieces of any size, and what a relying party must not be told is refused. */
#include "pki_helper.h"

#include <openssl/x509v3.h>

#include "pki/crl.h"
#include "pki/der.h"

#define URL BYTES_LIT("http://crl.example.test/7.crl")
#define DELTA_URL BYTES_LIT("http://crl.example.test/delta.crl")

static const enum reason reasons[] = {REASON_UNSPECIFIED, REASON_KEY_COMPROMISE, REASON_AFFILIATION_CHANGED,
        REASON_SUPERSEDED, REASON_CESSATION_OF_OPERATION, REASON_CERTIFICATE_HOLD, REASON_REMOVE_FROM_CRL,
        REASON_PRIVILEGE_WITHDRAWN};

struct made_crl {
        struct crl_params params;
        struct builder entries, tbs, crl;
        unsigned n_entries;
};

static void crl_done(struct made_crl *m)
{
        builder_done(&m->entries);
        builder_done(&m->tbs);
        builder_done(&m->crl);
}

static int64_t random_time(void)
{
        return (int64_t)helper_random_below(4102444800ULL); /* 1970 to 2099: both forms of Time */
}

static struct crl_entry random_entry(uint8_t memory[20])
{
        struct crl_entry e = {.serial = helper_random_serial(memory), .revoked_at_s = random_time()};

        e.reason = reasons[helper_random_below(sizeof(reasons) / sizeof(reasons[0]))];
        e.invalidity_date_s = helper_random_below(4) ? 0 : 1 + random_time();
        return e;
}

static void add_entries(struct made_crl *m, unsigned n)
{
        size_t sum = 0;
        uint8_t memory[20];

        for (unsigned i = 0; i < n; i++) {
                struct crl_entry e = random_entry(memory);

                sum += crl_entry_len(&e);
                crl_put_entry(&m->entries, &e);
                assert_int_equal(m->entries.len, sum); /* the passes agree */
        }
        m->n_entries = n;
}

static struct crl_params params_of(const struct helper_ca *ca, enum sig_alg alg)
{
        return (struct crl_params){.sig_alg = alg,
                .issuer = ca->cert.subject,
                .aki = ca->cert.ski,
                .this_update_s = HELPER_NOW_S,
                .next_update_s = HELPER_NOW_S + 7 * 86400,
                .number = helper_random() >> helper_random_below(64)};
}

/* m->params and m->entries are there. */
static void finish(struct made_crl *m, const struct helper_ca *ca)
{
        uint8_t raw_memory[SIG_RAW_MAX];
        enum sig_alg alg = m->params.sig_alg;
        struct bytes raw;

        crl_put_tbs_head(&m->tbs, &m->params, m->entries.len);
        builder_put(&m->tbs, builder_bytes(&m->entries));
        crl_put_tbs_tail(&m->tbs, &m->params);
        assert_false(builder_failed(&m->tbs));
        raw = helper_sign(alg, ca->key, builder_bytes(&m->tbs), raw_memory);
        crl_put_head(&m->crl, m->tbs.len, alg, raw);
        builder_put(&m->crl, builder_bytes(&m->tbs));
        crl_put_tail(&m->crl, alg, raw);
        assert_false(builder_failed(&m->crl));
}

static void make(struct made_crl *m, enum sig_alg alg, unsigned n_entries, unsigned variant)
{
        const struct helper_ca *ca = helper_ca(sig_alg_key(alg));

        *m = (struct made_crl){.params = params_of(ca, alg)};
        m->params.is_delta = variant & 1;
        m->params.base_number = variant & 1 ? m->params.number / 2 : 0;
        if (variant & 2)
                m->params.idp_url = URL;
        m->params.idp_only_user_certs = (variant & 12) == 4;
        m->params.idp_only_ca_certs = (variant & 12) == 8;
        if (variant & 16)
                m->params.freshest_url = DELTA_URL;
        add_entries(m, n_entries);
        finish(m, ca);
}

/* ---- OpenSSL's verdict ---- */

static void check_extension(const X509_CRL *crl, int nid, bool want, bool critical)
{
        int at = X509_CRL_get_ext_by_NID(crl, nid, -1);

        assert_int_equal(at >= 0, want);
        if (want)
                assert_int_equal(X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, at)), critical);
}

/* RFC 5280 5.2: which extensions stand in it, and which are critical (req 4.2, 4.4, 4.12). */
static void check_extensions(X509_CRL *crl, const struct crl_params *p)
{
        bool has_idp = p->idp_url.len || p->idp_only_user_certs || p->idp_only_ca_certs;
        ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
        uint64_t value;

        assert_int_equal(ASN1_INTEGER_get_uint64(&value, number), 1);
        assert_int_equal(value, p->number);
        ASN1_INTEGER_free(number);
        check_extension(crl, NID_authority_key_identifier, true, false);
        check_extension(crl, NID_crl_number, true, false);
        check_extension(crl, NID_delta_crl, p->is_delta, true);
        check_extension(crl, NID_issuing_distribution_point, has_idp, true);
        check_extension(crl, NID_freshest_crl, p->freshest_url.len && !p->is_delta, false);
}

static void check_openssl(const struct made_crl *m)
{
        const struct helper_ca *ca = helper_ca(sig_alg_key(m->params.sig_alg));
        const unsigned char *at = m->crl.data;
        X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)m->crl.len);
        unsigned char *again = NULL;
        int len;

        assert_non_null(crl);
        assert_ptr_equal(at, m->crl.data + m->crl.len);
        assert_int_equal(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
        assert_int_equal(X509_CRL_verify(crl, ca->key), 1);
        assert_int_equal(X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca->x509)), 0);
        assert_int_equal(ASN1_TIME_cmp_time_t(X509_CRL_get0_nextUpdate(crl), m->params.next_update_s), 0);
        assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), m->n_entries ? (int)m->n_entries : -1);
        check_extensions(crl, &m->params);
        X509_CRL_sort(crl); /* forces OpenSSL to write it anew, entry by entry */
        len = i2d_re_X509_CRL_tbs(crl, &again);
        assert_int_equal(len, m->tbs.len);
        OPENSSL_free(again);
        X509_CRL_free(crl);
}

static void openssl_verifies_every_crl(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 9 * 32; i++) {
                _cleanup_(crl_done) struct made_crl m;

                make(&m, (enum sig_alg)(i % SIG_N), i % 5 ? (unsigned)helper_random_below(60) : 0, i / SIG_N);
                check_openssl(&m);
        }
}

/* RFC 5280 5.1.2.4, 5.1.2.6, req 4.6. */
static void openssl_finds_each_entry_as_it_was_put(void **state)
{
        _cleanup_(crl_done) struct made_crl m = {0};
        const struct helper_ca *ca = helper_ca(KEY_P256);
        struct crl_entry e = {.serial = helper_hex("00ff01"),
                .revoked_at_s = 2524608000,
                .reason = REASON_KEY_COMPROMISE,
                .invalidity_date_s = 1700000000};
        const unsigned char *at;
        X509_CRL *crl;
        X509_REVOKED *revoked;
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        ASN1_ENUMERATED *reason;
        ASN1_GENERALIZEDTIME *date;

        (void)state;
        m.params = params_of(ca, SIG_P256_SHA256);
        crl_put_entry(&m.entries, &e);
        finish(&m, ca);
        at = m.crl.data;
        crl = d2i_X509_CRL(NULL, &at, (long)m.crl.len);
        ASN1_INTEGER_set(serial, 0xff01);
        assert_int_equal(X509_CRL_get0_by_serial(crl, &revoked, serial), 1);
        assert_int_equal(X509_REVOKED_get0_revocationDate(revoked)->type, V_ASN1_GENERALIZEDTIME); /* 2050 */
        reason = X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, NULL, NULL);
        assert_int_equal(ASN1_ENUMERATED_get(reason), REASON_KEY_COMPROMISE);
        date = X509_REVOKED_get_ext_d2i(revoked, NID_invalidity_date, NULL, NULL);
        assert_int_equal(ASN1_TIME_cmp_time_t(date, 1700000000), 0);
        ASN1_ENUMERATED_free(reason);
        ASN1_GENERALIZEDTIME_free(date);
        ASN1_INTEGER_free(serial);
        X509_CRL_free(crl);
}

/* ---- reading back ---- */

static void check_info(const struct crl_info *info, const struct made_crl *m)
{
        const struct crl_params *p = &m->params;
        uint64_t number;
        _cleanup_(builder_done) struct builder b = {0};
        struct bytes in;

        assert_int_equal(sig_alg_hash(info->sig_alg), sig_alg_hash(p->sig_alg));
        BYTES_EQUAL(info->issuer, p->issuer);
        BYTES_EQUAL(info->aki, p->aki);
        assert_int_equal(info->this_update_s, p->this_update_s);
        assert_int_equal(info->next_update_s, p->next_update_s);
        assert_int_equal(info->has_entries, m->n_entries > 0);
        assert_int_equal(info->is_delta, p->is_delta);
        assert_int_equal(info->has_idp, p->idp_url.len || p->idp_only_ca_certs || p->idp_only_user_certs);
        BYTES_EQUAL(info->idp_url, p->idp_url);
        BYTES_EQUAL(info->freshest_url, p->is_delta ? BYTES_NONE : p->freshest_url);
        der_put(&b, DER_INTEGER, info->number);
        in = builder_bytes(&b);
        assert_int_equal(der_read_uint(&in, DER_INTEGER, &number), OK);
        assert_int_equal(number, p->number);
}

static void whole_crls_read_back(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 9 * 32; i++) {
                _cleanup_(crl_done) struct made_crl m;
                _cleanup_(builder_done) struct builder again = {0};
                struct bytes tbs, entries, signature;
                struct crl_info info;
                struct crl_entry e;

                make(&m, (enum sig_alg)(i % SIG_N), i % 5 ? (unsigned)helper_random_below(60) : 0, i / SIG_N);
                assert_int_equal(crl_read(builder_bytes(&m.crl), &tbs, &info, &entries, &signature), OK);
                BYTES_EQUAL(tbs, builder_bytes(&m.tbs));
                BYTES_EQUAL(entries, builder_bytes(&m.entries));
                check_info(&info, &m);
                while (entries.len > 0) {
                        assert_int_equal(crl_read_entry(&entries, &e), OK);
                        crl_put_entry(&again, &e);
                }
                BYTES_EQUAL(builder_bytes(&again), builder_bytes(&m.entries));
        }
}

/* Each beginning that is too short says ERR_AGAIN and nothing else; each that suffices says the same. */
static void a_head_in_pieces_asks_for_more_until_it_is_whole(void **state)
{
        _cleanup_(crl_done) struct made_crl m;
        struct crl_info info;
        size_t tbs_len = 0;

        (void)state;
        make(&m, SIG_P256_SHA256, 40, 2);
        for (size_t n = 0; n <= m.tbs.len; n++) {
                enum err e = crl_read_tbs_head(bytes_make(m.tbs.data, n), &tbs_len, &info);

                if (e == OK) {
                        assert_int_equal(tbs_len, m.tbs.len);
                        assert_int_equal(info.entries_len, m.entries.len);
                        assert_memory_equal(m.tbs.data + info.entries_offset, m.entries.data, m.entries.len);
                        assert_true(n >= info.entries_offset);
                } else {
                        assert_int_equal(e, ERR_AGAIN);
                        assert_int_equal(tbs_len, 0);
                }
        }
}

static void an_entry_in_pieces_asks_for_more_until_it_is_whole(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct crl_entry e = {.serial = helper_hex("0a0b0c"), .revoked_at_s = HELPER_NOW_S, .reason = REASON_SUPERSEDED},
                         read;

        (void)state;
        crl_put_entry(&b, &e);
        for (size_t n = 0; n < b.len; n++) {
                struct bytes in = bytes_make(b.data, n);

                assert_int_equal(crl_read_entry(&in, &read), ERR_AGAIN);
                assert_int_equal(in.len, n);
        }
        assert_int_equal(crl_read_entry(&(struct bytes){b.data, b.len}, &read), OK);
        BYTES_EQUAL(read.serial, e.serial);
        assert_int_equal(crl_read_entry(&(struct bytes){(const uint8_t *)"\x30\x82\x20\x00", 4}, &read), ERR_INVALID);
}

/* ---- refusals ---- */

#define SERIAL "02{01}"
#define WHEN "17{3236303932313139313332305a}"
#define REASON(hex) "30{06{551d15} 04{0a01" hex "}}"
#define OTHER "30{06{551d7f} 04{0500}}"
#define OTHER_CRITICAL "30{06{551d7f} 0101ff 04{0500}}"

static enum err read_entry(struct bytes in)
{
        struct crl_entry entry;

        return crl_read_entry(&in, &entry);
}

static void entries_with_wrong_or_foreign_meaning_are_refused(void **state)
{
        static const struct helper_row rows[] = {
                {"as it should be", "30{" SERIAL WHEN "}", OK},
                {"with a reason", "30{" SERIAL WHEN "30{" REASON("01") "}}", OK},
                {"reason 7 (RFC 5280 5.3.1)", "30{" SERIAL WHEN "30{" REASON("07") "}}", ERR_INVALID},
                {"reason 11", "30{" SERIAL WHEN "30{" REASON("0b") "}}", ERR_INVALID},
                {"two reasons (RFC 5280 4.2)", "30{" SERIAL WHEN "30{" REASON("01") REASON("01") "}}", ERR_INVALID},
                {"invalidityDate", "30{" SERIAL WHEN "30{30{06{551d18} 04{18{32303236303932313139313332305a}}}}}", OK},
                {"invalidityDate in UTCTime (RFC 5280 5.3.2)", "30{" SERIAL WHEN "30{30{06{551d18} 04{" WHEN "}}}}",
                        ERR_INVALID},
                {"empty extensions", "30{" SERIAL WHEN "30{}}", ERR_INVALID},
                {"unknown, not critical", "30{" SERIAL WHEN "30{" OTHER "}}", OK},
                {"unknown and critical (RFC 5280 5.3)", "30{" SERIAL WHEN "30{" OTHER_CRITICAL "}}", ERR_UNSUPPORTED},
                {"certificateIssuer (RFC 5280 5.3.3)", "30{" SERIAL WHEN "30{30{06{551d1d} 0101ff 04{30{}}}}}",
                        ERR_UNSUPPORTED},
                {"critical FALSE, spelt out (X.690 11.5)", "30{" SERIAL WHEN "30{30{06{551d7f} 010100 04{}}}}", ERR_INVALID},
                {"serial not minimal (X.690 8.3.2)", "30{02{0001}" WHEN "}", ERR_INVALID},
                {"no time", "30{" SERIAL "}", ERR_INVALID},
                {"an element after the extensions", "30{" SERIAL WHEN "30{" REASON("01") "} 0500}", ERR_INVALID},
                {"a SET", "31{" SERIAL WHEN "}", ERR_INVALID},
                {0},
        };

        (void)state;
        helper_read_rows(rows, read_entry);
}

#define V2 "020101"
#define ALG "30{06{2a8648ce3d040302}}"
#define ISSUER "30{31{30{06{550403} 0c{54657374}}}}"
#define NEXT "17{3236303932323139313332305a}"
#define ENTRY "30{" SERIAL WHEN "}"

static enum err read_head_of(struct bytes content)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct crl_info info;
        size_t tbs_len, mark = der_begin(&b, DER_SEQUENCE);

        builder_put(&b, content);
        der_end(&b, mark);
        return crl_read_tbs_head(builder_bytes(&b), &tbs_len, &info);
}

static void heads_not_of_a_v2_crl_are_refused(void **state)
{
        static const struct helper_row rows[] = {
                {"as it should be", V2 ALG ISSUER WHEN NEXT, OK},
                {"with an entry", V2 ALG ISSUER WHEN NEXT "30{" ENTRY "}", OK},
                {"v1 (RFC 5280 5.1.2.1)", ALG ISSUER WHEN NEXT, ERR_UNSUPPORTED},
                {"v3", "020102" ALG ISSUER WHEN NEXT, ERR_UNSUPPORTED},
                {"v1, spelt out", "020100" ALG ISSUER WHEN NEXT, ERR_UNSUPPORTED},
                {"another algorithm", V2 "30{06{2b6570}}" ISSUER WHEN NEXT, ERR_UNSUPPORTED},
                {"SHA-1 with RSA", V2 "30{06{2a864886f70d010105}0500}" ISSUER WHEN NEXT, ERR_UNSUPPORTED},
                {"an algorithm that is none", V2 "30{0500}" ISSUER WHEN NEXT, ERR_INVALID},
                {"nextUpdate is missing (RFC 5280 5.1.2.5)", V2 ALG ISSUER WHEN, ERR_INVALID},
                {"nextUpdate is missing before entries", V2 ALG ISSUER WHEN "30{" ENTRY "}", ERR_INVALID},
                {"an empty list (RFC 5280 5.1.2.6, req 4.6)", V2 ALG ISSUER WHEN NEXT "30{}", ERR_INVALID},
                {"a list longer than the whole", V2 ALG ISSUER WHEN NEXT "3030" ENTRY, ERR_INVALID},
                {"an issuer that is none", V2 ALG "0500" WHEN NEXT, ERR_INVALID},
                {0},
        };

        (void)state;
        helper_read_rows(rows, read_head_of);
}

#define TAIL(extensions) "a0{30{" extensions "}}"
#define NUMBER "30{06{551d14} 04{02{05}}}"
#define NUMBER_OF(hex) "30{06{551d14} 04{02{" hex "}}}"
#define IDP(content) "30{06{551d1c} 0101ff 04{30{" content "}}}"

static enum err read_tail(struct bytes in)
{
        struct crl_info info = {0};

        return crl_read_tbs_tail(in, &info);
}

static void tails_with_wrong_or_foreign_meaning_are_refused(void **state)
{
        static const struct helper_row rows[] = {
                {"nothing at all", "", OK},
                {"a number", TAIL(NUMBER), OK},
                {"no extension", TAIL(""), ERR_INVALID},
                {"two numbers (RFC 5280 4.2)", TAIL(NUMBER NUMBER), ERR_INVALID},
                {"a negative number (RFC 5280 5.2.3)", TAIL(NUMBER_OF("85")), ERR_INVALID},
                {"a number of 20 octets (RFC 5280 5.2.3)", TAIL(NUMBER_OF("0102030405060708090a0b0c0d0e0f1011121314")), OK},
                {"a number of 21 octets (RFC 5280 5.2.3)", TAIL(NUMBER_OF("0102030405060708090a0b0c0d0e0f101112131415")),
                        ERR_INVALID},
                {"unknown, not critical", TAIL(OTHER), OK},
                {"unknown and critical (RFC 5280 5.2)", TAIL(OTHER_CRITICAL), ERR_UNSUPPORTED},
                {"onlyContainsUserCerts", TAIL(IDP("81{ff}")), OK},
                {"onlySomeReasons (RFC 5280 5.2.5)", TAIL(IDP("83{0640}")), ERR_UNSUPPORTED},
                {"indirectCRL", TAIL(IDP("84{ff}")), ERR_UNSUPPORTED},
                {"onlyContainsAttributeCerts", TAIL(IDP("85{ff}")), ERR_UNSUPPORTED},
                {"FALSE, spelt out (X.690 11.5)", TAIL(IDP("81{00}")), ERR_INVALID},
                {"flags out of order", TAIL(IDP("82{ff}81{ff}")), ERR_INVALID},
                {"something trails", TAIL(NUMBER) "0500", ERR_INVALID},
                {0},
        };

        (void)state;
        helper_read_rows(rows, read_tail);
}

/* RFC 5280 5.1.1.2, req 4.1. */
static void an_outer_algorithm_that_differs_is_refused(void **state)
{
        _cleanup_(crl_done) struct made_crl m;
        struct bytes tbs, entries, signature;
        struct crl_info info;
        uint8_t *outer;

        (void)state;
        make(&m, SIG_P256_SHA256, 2, 0);
        outer = memmem(m.crl.data + (m.crl.len - 100), 100, "\xce\x3d\x04\x03\x02", 5);
        assert_non_null(outer);
        assert_int_equal(crl_read(builder_bytes(&m.crl), &tbs, &info, &entries, &signature), OK);
        outer[4] = 0x03;
        assert_int_equal(crl_read(builder_bytes(&m.crl), &tbs, &info, &entries, &signature), ERR_INVALID);
}

/* RFC 5280 5.2.1, req 4.2. */
static void a_crl_without_key_identifier_is_not_built(void **state)
{
        _cleanup_(builder_done) struct builder head = {0}, tail = {0};
        struct crl_params p = params_of(helper_ca(KEY_P256), SIG_P256_SHA256);

        (void)state;
        p.aki = BYTES_NONE;
        crl_put_tbs_head(&head, &p, 0);
        crl_put_tbs_tail(&tail, &p);
        assert_true(builder_failed(&head));
        assert_true(builder_failed(&tail));
}

static void truncated_crls_are_refused_at_every_length(void **state)
{
        _cleanup_(crl_done) struct made_crl m;
        struct bytes tbs, entries, signature;
        struct crl_info info;

        (void)state;
        make(&m, SIG_P256_SHA256, 3, 18);
        for (size_t n = 0; n < m.crl.len; n++)
                assert_int_equal(crl_read(bytes_make(m.crl.data, n), &tbs, &info, &entries, &signature), ERR_INVALID);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(openssl_verifies_every_crl),
                cmocka_unit_test(openssl_finds_each_entry_as_it_was_put),
                cmocka_unit_test(whole_crls_read_back),
                cmocka_unit_test(a_head_in_pieces_asks_for_more_until_it_is_whole),
                cmocka_unit_test(an_entry_in_pieces_asks_for_more_until_it_is_whole),
                cmocka_unit_test(entries_with_wrong_or_foreign_meaning_are_refused),
                cmocka_unit_test(heads_not_of_a_v2_crl_are_refused),
                cmocka_unit_test(tails_with_wrong_or_foreign_meaning_are_refused),
                cmocka_unit_test(an_outer_algorithm_that_differs_is_refused),
                cmocka_unit_test(a_crl_without_key_identifier_is_not_built),
                cmocka_unit_test(truncated_crls_are_refused_at_every_length),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
