/* What pki/ocsp_request.h promises, one row a refusal, with the section it comes from. tests/fuzz/ holds the same parser
 * against OpenSSL's on the requests of real clients. */
#include "pki_helper.h"

#include <stdio.h>

#include "pki/der.h"
#include "pki/ocsp_request.h"

/* ---- pieces, in hex ---- */

#define H20 "000102030405060708090a0b0c0d0e0f10111213"
#define OID_SHA1 "06{2b0e03021a}"
#define OID_MD5 "06{2a864886f70d0205}"
#define OID_PKIX(last) "06{2b06010505073001" last "}"
#define OID_OTHER "06{551d7f}"
#define NULL_ "0500"
#define CRITICAL "0101ff"
#define HASHES "04{" H20 "} 04{" H20 "}"
#define ONE "02{01}"
/* CertID, Request, requestList */
#define ID(algorithm, rest) "30{ 30{" algorithm "}" rest "}"
#define CERT_ID ID(OID_SHA1 NULL_, HASHES ONE)
#define REQUEST(rest) "30{" CERT_ID rest "}"
#define LIST_OF(cert_id) "30{ 30{" cert_id "} }"
#define LIST LIST_OF(CERT_ID)
#define EXT(rest) "30{" rest "}"
#define OTHER EXT(OID_OTHER "04{" NULL_ "}")
#define OTHER_CRITICAL EXT(OID_OTHER CRITICAL "04{" NULL_ "}")
#define WITH(extensions) LIST "a2{30{" extensions "}}"
#define OF_ONE(extensions) "30{" REQUEST("a0{30{" extensions "}}") "}"
#define LONG_16 "000102030405060708090a0b0c0d0e0f"
#define NONCE_OF(hex) EXT(OID_PKIX("02") "04{04{" hex "}}")

/* SEQUENCE { SEQUENCE { tbs in hex }, after in hex } */
static void put_request(struct builder *b, const char *tbs, const char *after)
{
        size_t outer = der_begin(b, DER_SEQUENCE), inner = der_begin(b, DER_SEQUENCE);

        builder_put(b, helper_hex(tbs));
        der_end(b, inner);
        builder_put(b, helper_hex(after));
        der_end(b, outer);
}

struct row {
        const char *why, *tbs, *after;
        enum err want;
};

static void check_rows(const struct row *rows, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                _cleanup_(builder_done) struct builder b = {0};
                struct ocsp_request r;
                enum err e;

                put_request(&b, rows[i].tbs, rows[i].after);
                e = ocsp_request_read(builder_bytes(&b), &r);
                if (e != rows[i].want)
                        fail_msg("%s: %s", rows[i].why, err_text(e));
        }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void requests_out_of_form_are_malformed(void **state)
{
        static const struct row rows[] = {
                {"as it should be", LIST, "", OK},
                {"version v1, spelt out (X.690 11.5, req 1.16)", "a0{020100}" LIST, "", ERR_INVALID},
                {"version v2 (RFC 6960 4.1.1, req 1.16)", "a0{020101}" LIST, "", ERR_INVALID},
                {"nothing asked (RFC 6960 4.1.1)", "30{}", "", ERR_INVALID},
                {"no list", "", "", ERR_INVALID},
                {"requestorName dNSName (req 1.12)", "a1{82{612e62}}" LIST, "", OK},
                {"requestorName directoryName (req 1.12)", "a1{a4{30{}}}" LIST, "", OK},
                {"requestorName [9]", "a1{89{612e62}}" LIST, "", ERR_INVALID},
                {"requestorName of a universal tag", "a1{0c{612e62}}" LIST, "", ERR_INVALID},
                {"two names in requestorName", "a1{82{61}82{62}}" LIST, "", ERR_INVALID},
                {"no name in requestorName", "a1{}" LIST, "", ERR_INVALID},
                {"requestExtensions", WITH(OTHER), "", OK},
                {"an element after requestExtensions", WITH(OTHER) NULL_, "", ERR_INVALID},
                {"requestExtensions [1]", LIST "a1{30{" OTHER "}}", "", ERR_INVALID},
                {"empty requestExtensions (RFC 5280 4.1)", WITH(""), "", ERR_INVALID},
                {"a SET for the list", "31{" REQUEST("") "}", "", ERR_INVALID},
                {"singleRequestExtensions", OF_ONE(OTHER), "", OK},
                {"singleRequestExtensions [1]", "30{" REQUEST("a1{30{" OTHER "}}") "}", "", ERR_INVALID},
                {"an element after singleRequestExtensions", "30{" REQUEST("a0{30{" OTHER "}}" NULL_) "}", "", ERR_INVALID},
        };

        (void)state;
        CHECK_ROWS(rows);
}

static void cert_ids_out_of_form_are_malformed(void **state)
{
        static const struct row rows[] = {
                {"parameters absent (req 1.8)", LIST_OF(ID(OID_SHA1, HASHES ONE)), "", OK},
                {"an unknown digest (req 1.8)", LIST_OF(ID(OID_MD5 NULL_, HASHES ONE)), "", OK},
                {"a known digest with other parameters", LIST_OF(ID(OID_SHA1 ONE, HASHES ONE)), "", ERR_INVALID},
                {"two parameters", LIST_OF(ID(OID_SHA1 NULL_ NULL_, HASHES ONE)), "", ERR_INVALID},
                {"an unknown digest with two parameters", LIST_OF(ID(OID_MD5 NULL_ NULL_, HASHES ONE)), "", ERR_INVALID},
                {"serial of two octets for one (X.690 8.3.2)", LIST_OF(ID(OID_SHA1 NULL_, HASHES "02{0001}")), "",
                        ERR_INVALID},
                {"serial without octets", LIST_OF(ID(OID_SHA1 NULL_, HASHES "02{}")), "", ERR_INVALID},
                {"a negative serial is well-formed", LIST_OF(ID(OID_SHA1 NULL_, HASHES "02{ff}")), "", OK},
                {"a serial of 40 octets is well-formed", LIST_OF(ID(OID_SHA1 NULL_, HASHES "02{" H20 H20 "}")), "",
                        ERR_INVALID},
                {"the same, minimal", LIST_OF(ID(OID_SHA1 NULL_, HASHES "02{7f" H20 H20 "}")), "", OK},
                {"one hash only", LIST_OF(ID(OID_SHA1 NULL_, "04{" H20 "}" ONE)), "", ERR_INVALID},
                {"an element after the serial", LIST_OF(ID(OID_SHA1 NULL_, HASHES ONE NULL_)), "", ERR_INVALID},
                {"an OID whose arc begins with 80 (X.690 8.19.2)", LIST_OF(ID("06{2b800401}", HASHES ONE)), "", ERR_INVALID},
                {"an OID that ends within an arc", LIST_OF(ID("06{2b84}", HASHES ONE)), "", ERR_INVALID},
                {"no OID", LIST_OF(ID("", HASHES ONE)), "", ERR_INVALID},
        };

        (void)state;
        CHECK_ROWS(rows);
}

static void extensions_are_held_to_their_sections(void **state)
{
        static const struct row rows[] = {
                {"unknown, not critical (RFC 6960 4.1.2, req 1.15)", WITH(OTHER), "", OK},
                {"unknown, critical (RFC 6960 4.1.2, req 1.15)", WITH(OTHER_CRITICAL), "", ERR_INVALID},
                {"critical FALSE, spelt out (X.690 11.5)",
                        WITH(EXT(OID_OTHER "010100"
                                           "04{}")),
                        "", ERR_INVALID},
                {"critical 01 (X.690 11.1)",
                        WITH(EXT(OID_PKIX("02") "010101"
                                                "04{040101}")),
                        "", ERR_INVALID},
                {"an element after the value", WITH(EXT(OID_OTHER "04{}" NULL_)), "", ERR_INVALID},
                {"no value", WITH(EXT(OID_OTHER)), "", ERR_INVALID},
                {"one OID twice (RFC 5280 4.2)", WITH(OTHER OTHER), "", ERR_INVALID},
                {"nonce of 16 (RFC 9654 2.1, req 1.10)", WITH(NONCE_OF(LONG_16)), "", OK},
                {"nonce, critical", WITH(EXT(OID_PKIX("02") CRITICAL "04{04{" LONG_16 "}}")), "", OK},
                {"nonce of 0 (RFC 9654 2.1, req 1.10)", WITH(NONCE_OF("")), "", ERR_INVALID},
                {"nonce without its own tag", WITH(EXT(OID_PKIX("02") "04{" LONG_16 "}")), "", ERR_INVALID},
                {"an element after the nonce", WITH(EXT(OID_PKIX("02") "04{ 040101" NULL_ "}")), "", ERR_INVALID},
                {"two nonces", WITH(NONCE_OF("01") NONCE_OF("02")), "", ERR_INVALID},
                {"acceptable responses (RFC 6960 4.4.3, req 1.14)", WITH(EXT(OID_PKIX("04") "04{30{" OID_PKIX("01") "}}")),
                        "", OK},
                {"others than basic (req 1.14)", WITH(EXT(OID_PKIX("04") "04{30{" OID_OTHER "}}")), "", OK},
                {"acceptable responses that are none", WITH(EXT(OID_PKIX("04") "04{" NULL_ "}")), "", ERR_INVALID},
                {"acceptable responses, one of which is no OID", WITH(EXT(OID_PKIX("04") "04{30{" OID_PKIX("01") NULL_ "}}")), "", ERR_INVALID},
                {"preferred algorithms that are none (RFC 6960 4.4.7.1)", WITH(EXT(OID_PKIX("08") "04{30{" NULL_ "}}")), "",
                        ERR_INVALID},
                {"service locator (RFC 6960 4.4.6, req 1.14)", OF_ONE(EXT(OID_PKIX("07") "04{}")), "", OK},
                {"service locator, critical", OF_ONE(EXT(OID_PKIX("07") CRITICAL "04{}")), "", OK},
                {"unknown, critical, of one CertID", OF_ONE(OTHER_CRITICAL), "", ERR_INVALID},
                {"a nonce of one CertID, critical, where it means nothing",
                        OF_ONE(EXT(OID_PKIX("02") CRITICAL "04{040101}")), "", ERR_INVALID},
        };

        (void)state;
        CHECK_ROWS(rows);
}

#define RSA_SHA1_ID "30{06{2a864886f70d010105}" NULL_ "}"

static void signatures_are_ignored_if_they_have_the_form(void **state)
{
        static const struct row rows[] = {
                {"signed (req 1.12)", LIST, "a0{30{" RSA_SHA1_ID "03{00}}}", OK},
                {"signed, with certificates", LIST, "a0{30{" RSA_SHA1_ID "03{00} a0{30{" NULL_ "}}}}", OK},
                {"unused bits", LIST, "a0{30{" RSA_SHA1_ID "03{0100}}}", ERR_INVALID},
                {"no BIT STRING", LIST, "a0{30{" RSA_SHA1_ID "}}", ERR_INVALID},
                {"certificates that are no list", LIST, "a0{30{" RSA_SHA1_ID "03{00} a0{" NULL_ "}}}", ERR_INVALID},
                {"an element after it", LIST, "a0{30{" RSA_SHA1_ID "03{00}" NULL_ "}}", ERR_INVALID},
                {"an element beside it", LIST, "a0{30{" RSA_SHA1_ID "03{00}}}" NULL_, ERR_INVALID},
                {"signature [1]", LIST, "a1{30{" RSA_SHA1_ID "03{00}}}", ERR_INVALID},
        };

        (void)state;
        CHECK_ROWS(rows);
}

/* ---- what is read ---- */

static void each_part_is_read_where_it_stands(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct ocsp_request r;

        (void)state;
        put_request(&b, "30{" REQUEST("") "30{" ID(OID_SHA1, HASHES "02{02}") "}} a2{30{" NONCE_OF(LONG_16) "}}",
                "a0{30{" RSA_SHA1_ID "03{00}}}");
        assert_int_equal(ocsp_request_read(builder_bytes(&b), &r), OK);
        assert_int_equal(r.n_cert_ids, 2);
        assert_true(r.is_signed);
        BYTES_EQUAL(r.nonce, helper_hex(LONG_16));
        assert_int_equal(r.cert_ids[0].hash, HASH_SHA1);
        assert_true(r.cert_ids[0].null_parameters);
        assert_false(r.cert_ids[1].null_parameters);
        BYTES_EQUAL(r.cert_ids[0].der, helper_hex(CERT_ID));
        BYTES_EQUAL(r.cert_ids[1].name_hash, helper_hex(H20));
        BYTES_EQUAL(r.cert_ids[1].key_hash, helper_hex(H20));
        BYTES_EQUAL(r.cert_ids[1].serial, helper_hex("02"));
}

static void an_unknown_digest_is_told_as_such(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct ocsp_request r;

        (void)state;
        put_request(&b, LIST_OF(ID(OID_MD5 NULL_, HASHES ONE)), "");
        assert_int_equal(ocsp_request_read(builder_bytes(&b), &r), OK);
        assert_int_equal(r.cert_ids[0].hash, HASH_N);
        assert_false(r.is_signed);
        assert_int_equal(r.nonce.len, 0);
}

static enum err read_with_nonce(size_t n, struct ocsp_request *r)
{
        static const char zeroes[2 * 200 + 1] = {[0 ... 399] = '0'};
        _cleanup_(builder_done) struct builder b = {0};
        char tbs[1024];

        snprintf(tbs, sizeof(tbs), WITH(NONCE_OF("%.*s")), (int)(2 * n), zeroes);
        put_request(&b, tbs, "");
        return ocsp_request_read(builder_bytes(&b), r);
}

/* RFC 9654 2.1, req 1.10. */
static void nonces_of_1_to_128_octets_are_read_and_no_others(void **state)
{
        struct ocsp_request r;

        (void)state;
        for (size_t n = 0; n < 200; n++)
                assert_int_equal(read_with_nonce(n, &r), n >= 1 && n <= OCSP_NONCE_MAX ? OK : ERR_INVALID);
}

static enum err read_many(unsigned n, struct ocsp_request *r)
{
        _cleanup_(builder_done) struct builder b = {0};
        size_t outer = der_begin(&b, DER_SEQUENCE), tbs = der_begin(&b, DER_SEQUENCE), list = der_begin(&b, DER_SEQUENCE);

        for (unsigned i = 0; i < n; i++)
                builder_put(&b, helper_hex(REQUEST("")));
        der_end(&b, list);
        der_end(&b, tbs);
        der_end(&b, outer);
        return ocsp_request_read(builder_bytes(&b), r);
}

/* Req 1.7. */
static void sixteen_cert_ids_are_read_and_seventeen_are_told_apart_from_malformed(void **state)
{
        struct ocsp_request r;

        (void)state;
        assert_int_equal(read_many(OCSP_CERT_IDS_MAX, &r), OK);
        assert_int_equal(r.n_cert_ids, OCSP_CERT_IDS_MAX);
        assert_int_equal(read_many(OCSP_CERT_IDS_MAX + 1, &r), ERR_RANGE);
}

#define PREFERRED(identifier) "30{ 30{" identifier "} }"
#define ECDSA_256 PREFERRED("06{2a8648ce3d040302}")
#define RSA_256 PREFERRED("06{2a864886f70d01010b}" NULL_)
#define RSA_SHA1 PREFERRED("06{2a864886f70d010105}" NULL_)
#define ED25519_WITH_KEY "30{ 30{06{2b6570}} 30{06{2b6570}} }"

/* RFC 6960 4.4.7.1, 5.1.2, req 1.13. */
static void preferred_algorithms_keep_the_clients_order_without_those_we_lack(void **state)
{
        static const enum sig_alg want[] = {SIG_P256_SHA256, SIG_P384_SHA256, SIG_RSA_SHA256};
        _cleanup_(builder_done) struct builder b = {0};
        struct ocsp_request r;

        (void)state;
        put_request(&b, WITH(EXT(OID_PKIX("08") "04{30{" RSA_SHA1 ECDSA_256 RSA_256 ECDSA_256 ED25519_WITH_KEY "}}")), "");
        assert_int_equal(ocsp_request_read(builder_bytes(&b), &r), OK);
        assert_int_equal(r.n_preferred, 3);
        assert_memory_equal(r.preferred, want, sizeof(want));
}

/* Neither a crash nor OK: each prefix, and each request with an octet after it. */
static void truncated_and_trailing_requests_are_malformed(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct ocsp_request r;

        (void)state;
        put_request(&b, WITH(NONCE_OF(LONG_16)), "a0{30{" RSA_SHA1_ID "03{00}}}");
        assert_int_equal(ocsp_request_read(builder_bytes(&b), &r), OK);
        for (size_t n = 0; n < b.len; n++)
                assert_int_equal(ocsp_request_read(bytes_make(b.data, n), &r), ERR_INVALID);
        builder_put_u8(&b, 0);
        assert_int_equal(ocsp_request_read(builder_bytes(&b), &r), ERR_INVALID);
}

/* X.690 10.1: BER lengths, indefinite or longer than need be, anywhere. */
static void ber_lengths_are_malformed(void **state)
{
        struct bytes tbs = helper_hex("30{" LIST "}");
        static const struct {
                const char *why, *head, *tail;
                enum err want;
        } rows[] = {
                {"as it should be", "3042", "", OK},
                {"two octets for a short length", "308142", "", ERR_INVALID},
                {"three octets for a short length", "30820042", "", ERR_INVALID},
                {"indefinite", "3080", "0000", ERR_INVALID},
                {"longer than what is there", "3043", "", ERR_INVALID},
                {"shorter than what is there", "3041", "", ERR_INVALID},
                {"a high tag number", "3f1042", "", ERR_INVALID},
        };

        (void)state;
        assert_int_equal(tbs.len, 0x42);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_(builder_done) struct builder b = {0};
                struct ocsp_request r;

                builder_put(&b, helper_hex(rows[i].head));
                builder_put(&b, tbs);
                builder_put(&b, helper_hex(rows[i].tail));
                if (ocsp_request_read(builder_bytes(&b), &r) != rows[i].want)
                        fail_msg("%s", rows[i].why);
        }
}

static void assert_same_part(struct bytes a, struct bytes b)
{
        assert_int_equal(a.len, b.len);
        assert_ptr_equal(a.data, b.data);
}

static void assert_read_alike(struct bytes der, const struct ocsp_request *got)
{
        const struct ocsp_cert_id *a = &got->cert_ids[0], *b;
        struct ocsp_request want;

        assert_int_equal(ocsp_request_read(der, &want), OK);
        b = &want.cert_ids[0];
        assert_int_equal(got->n_cert_ids, want.n_cert_ids);
        assert_int_equal(a->hash, b->hash);
        assert_int_equal(a->null_parameters, b->null_parameters);
        assert_same_part(a->name_hash, b->name_hash);
        assert_same_part(a->key_hash, b->key_hash);
        assert_same_part(a->serial, b->serial);
        assert_same_part(a->der, b->der);
        assert_int_equal(got->nonce.len, want.nonce.len);
        assert_int_equal(got->n_preferred, want.n_preferred);
        assert_int_equal(got->is_signed, want.is_signed);
}

/* Each octet of a request is changed to each other: what the shape takes, the reader takes, and both make the same of it. */
static void a_shape_takes_only_what_the_reader_takes_and_reads_it_alike(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct ocsp_shape shape = {0};
        struct ocsp_request r;
        unsigned n_taken = 0;

        (void)state;
        memset(&r, 0x5a, sizeof r);
        assert_false(ocsp_shape_read(&shape, BYTES_NONE, &r));
        put_request(&b, LIST_OF(ID(OID_SHA1 NULL_, HASHES "02{0091}")), "");
        assert_int_equal(ocsp_request_read(builder_bytes(&b), &r), OK);
        ocsp_shape_remember(&shape, builder_bytes(&b), &r);
        for (size_t i = 0; i < b.len; i++) {
                uint8_t was = b.data[i];

                for (unsigned octet = 0; octet < 256; octet++) {
                        b.data[i] = (uint8_t)octet;
                        if (!ocsp_shape_read(&shape, builder_bytes(&b), &r))
                                continue;
                        assert_read_alike(builder_bytes(&b), &r);
                        n_taken++;
                }
                b.data[i] = was;
        }
        /* itself once for each octet before the serial; its first octet may be all but FF, which would be one too many; its second
         * all but those that make the zero before them one too many */
        assert_int_equal(n_taken, b.len - 2 + 255 + 128);
        assert_false(ocsp_shape_read(&shape, bytes_make(b.data, b.len - 1), &r));
}

static void only_a_plain_request_has_a_shape(void **state)
{
        static const struct {
                const char *tbs, *after;
        } others[] = {
                {"30{" REQUEST("") REQUEST("") "}", ""},
                {WITH(NONCE_OF("00")), ""},
                {OF_ONE(OTHER), ""},
                {LIST_OF(ID(OID_MD5 NULL_, HASHES ONE)), ""},
                {LIST, "a0{30{ 30{" OID_SHA1 "} 03{0001} }}"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                _cleanup_(builder_done) struct builder b = {0};
                struct ocsp_shape shape = {0};
                struct ocsp_request r;

                put_request(&b, others[i].tbs, others[i].after);
                assert_int_equal(ocsp_request_read(builder_bytes(&b), &r), OK);
                ocsp_shape_remember(&shape, builder_bytes(&b), &r);
                assert_int_equal(shape.der_len, 0);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(requests_out_of_form_are_malformed),
                cmocka_unit_test(cert_ids_out_of_form_are_malformed),
                cmocka_unit_test(extensions_are_held_to_their_sections),
                cmocka_unit_test(signatures_are_ignored_if_they_have_the_form),
                cmocka_unit_test(each_part_is_read_where_it_stands),
                cmocka_unit_test(an_unknown_digest_is_told_as_such),
                cmocka_unit_test(nonces_of_1_to_128_octets_are_read_and_no_others),
                cmocka_unit_test(sixteen_cert_ids_are_read_and_seventeen_are_told_apart_from_malformed),
                cmocka_unit_test(preferred_algorithms_keep_the_clients_order_without_those_we_lack),
                cmocka_unit_test(truncated_and_trailing_requests_are_malformed),
                cmocka_unit_test(ber_lengths_are_malformed),
                cmocka_unit_test(a_shape_takes_only_what_the_reader_takes_and_reads_it_alike),
                cmocka_unit_test(only_a_plain_request_has_a_shape),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
