/* What pki/certificate.h promises: each fact read as OpenSSL made it, bundles read one by one, and each refusal of a signer
 * or issuer by its section. */
#include "pki_helper.h"

#include <stdio.h>

#include <openssl/pem.h>

#define CA_EXTENSIONS "basicConstraints", "critical,CA:TRUE", "subjectKeyIdentifier", "hash"
#define KU_SIGN "keyUsage", "critical,digitalSignature"
#define EKU_OCSP "extendedKeyUsage", "OCSPSigning"
#define NOCHECK "noCheck", "ignored"
#define POISON "1.3.6.1.4.1.11129.2.4.3", "critical,DER:0500"

static struct certificate issue(const struct helper_ca *issuer, enum key_kind kind, const char *const *extensions)
{
        _cleanup_free_
        uint8_t *memory = NULL;
        EVP_PKEY *key = helper_key(kind);
        X509 *x = helper_issue(key, "Test signer", issuer, extensions);
        struct certificate c;

        assert_int_equal(certificate_from_der(helper_der(x, &memory), &c), OK);
        X509_free(x);
        EVP_PKEY_free(key);
        return c;
}

struct signer_row {
        const char *extensions[16];
        const char *why; /* a word of the refusal; NULL = taken */
};

static void check_verdict(const char *got, const char *want)
{
        if (!want && got)
                fail_msg("refused: %s", got);
        if (want && (!got || !strstr(got, want)))
                fail_msg("want %s, got %s", want, got ? got : "taken");
}

/* RFC 6960 4.2.2.2, BR 7.1.2.8, req 2.14, 2.15. */
static void signers_are_refused_with_the_reason(void **state)
{
        static const struct signer_row rows[] = {
                {{KU_SIGN, EKU_OCSP, NOCHECK, NULL}, NULL},
                {{KU_SIGN, NOCHECK, NULL}, "OCSPSigning"},
                {{KU_SIGN, "extendedKeyUsage", "serverAuth", NOCHECK, NULL}, "OCSPSigning"},
                {{KU_SIGN, "extendedKeyUsage", "OCSPSigning,serverAuth", NOCHECK, NULL}, "not only OCSPSigning"},
                {{KU_SIGN, EKU_OCSP, NULL}, "nocheck"},
                {{EKU_OCSP, NOCHECK, NULL}, "keyUsage is missing"},
                {{"keyUsage", "digitalSignature", EKU_OCSP, NOCHECK, NULL}, "not critical"},
                {{"keyUsage", "critical,digitalSignature,keyEncipherment", EKU_OCSP, NOCHECK, NULL}, "not only digitalSignature"},
                {{"keyUsage", "critical,digitalSignature,cRLSign", EKU_OCSP, NOCHECK, NULL}, "not only digitalSignature"},
                {{"keyUsage", "critical,nonRepudiation", EKU_OCSP, NOCHECK, NULL}, "lacks digitalSignature"},
                {{KU_SIGN, EKU_OCSP, NOCHECK, "crlDistributionPoints", "URI:http://x/", NULL}, "cRLDistributionPoints"},
                {{KU_SIGN, EKU_OCSP, NOCHECK, "subjectAltName", "DNS:x", NULL}, "subjectAltName"},
                {{CA_EXTENSIONS, KU_SIGN, EKU_OCSP, NOCHECK, NULL}, "CA certificate"},
                {{KU_SIGN, EKU_OCSP, NOCHECK, POISON, NULL}, "precertificate"},
        };
        const struct helper_ca *ca = helper_ca(KEY_P256);

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_(certificate_done) struct certificate c = issue(ca, KEY_P256, rows[i].extensions);

                check_verdict(certificate_refuse_ocsp_signer(&c, &ca->cert, HELPER_NOW_S), rows[i].why);
        }
}

static void a_signer_of_another_ca_or_time_is_refused(void **state)
{
        static const char *const extensions[] = {KU_SIGN, EKU_OCSP, NOCHECK, NULL};
        const struct helper_ca *ca = helper_ca(KEY_P256), *other = helper_ca(KEY_P384);
        _cleanup_(certificate_done) struct certificate c = issue(ca, KEY_RSA, extensions);

        (void)state;
        check_verdict(certificate_refuse_ocsp_signer(&c, &ca->cert, HELPER_NOW_S), NULL);
        check_verdict(certificate_refuse_ocsp_signer(&c, &other->cert, HELPER_NOW_S), "not issued by");
        check_verdict(certificate_refuse_ocsp_signer(&c, &ca->cert, c.not_after + 1), "expired");
        check_verdict(certificate_refuse_ocsp_signer(&c, &ca->cert, c.not_after), NULL);
        check_verdict(certificate_refuse_ocsp_signer(&c, &ca->cert, c.not_before - 1), "not valid yet");
        check_verdict(certificate_refuse_ocsp_signer(&ca->cert, &ca->cert, HELPER_NOW_S), NULL); /* the CA itself */
        assert_int_equal(certificate_verify(&c, &ca->cert), OK);
        assert_int_equal(certificate_verify(&c, &other->cert), ERR_CRYPTO);
}

/* RFC 5280 6.1.3 (a) (4): the key alone is not enough. */
static void a_signature_under_another_name_does_not_verify(void **state)
{
        static const char *const extensions[] = {KU_SIGN, EKU_OCSP, NOCHECK, NULL}, *const ca_extensions[] = {
                                                                                            CA_EXTENSIONS, NULL};
        const struct helper_ca *ca = helper_ca(KEY_P256);
        _cleanup_(certificate_done) struct certificate c = issue(ca, KEY_P256, extensions), renamed = {0};
        _cleanup_free_
        uint8_t *memory = NULL;
        X509 *x = helper_issue(ca->key, "Another CA", NULL, ca_extensions);

        (void)state;
        assert_int_equal(certificate_from_der(helper_der(x, &memory), &renamed), OK);
        BYTES_EQUAL(renamed.spki, ca->cert.spki);
        assert_int_equal(certificate_verify(&c, &ca->cert), OK);
        assert_int_equal(certificate_verify(&c, &renamed), ERR_CRYPTO);
        X509_free(x);
}

static void issuers_are_refused_with_the_reason(void **state)
{
        static const struct {
                const char *extensions[8];
                const char *why;
        } rows[] = {
                {{CA_EXTENSIONS, "keyUsage", "critical,cRLSign", NULL}, NULL},
                {{CA_EXTENSIONS, NULL}, NULL},
                {{CA_EXTENSIONS, "keyUsage", "critical,keyCertSign", NULL}, "cRLSign"},
                {{"basicConstraints", "critical,CA:FALSE", NULL}, "cA"},
                {{CA_EXTENSIONS, POISON, NULL}, "precertificate"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_(certificate_done) struct certificate c = issue(NULL, KEY_P256, rows[i].extensions);

                check_verdict(certificate_refuse_issuer(&c), rows[i].why);
        }
}

static void check_key(EVP_PKEY *key, bool supported, unsigned bits)
{
        static const char *const none[] = {NULL};
        _cleanup_free_
        uint8_t *memory = NULL;
        _cleanup_(certificate_done) struct certificate c;
        X509 *x = helper_issue(key, "x", helper_ca(KEY_P256), none);

        assert_int_equal(certificate_from_der(helper_der(x, &memory), &c), OK);
        assert_int_equal(c.key_supported, supported);
        assert_int_equal(c.key_bits, bits);
        X509_free(x);
        EVP_PKEY_free(key);
}

static void keys_that_no_algorithm_of_ours_serves_are_told(void **state)
{
        (void)state;
        check_key(helper_key(KEY_P256), true, 256);
        check_key(helper_key(KEY_P384), true, 384);
        check_key(helper_key(KEY_RSA), true, 2048);
        check_key(EVP_RSA_gen(1024), false, 1024);
        check_key(EVP_EC_gen("secp256k1"), false, 256);
        check_key(EVP_EC_gen("P-521"), false, 521);
        check_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), false, 256);
}

static void check_name(struct bytes got, const X509_NAME *want)
{
        unsigned char *der = NULL;
        int len = i2d_X509_NAME(want, &der);

        BYTES_EQUAL(got, bytes_make(der, (size_t)len));
        OPENSSL_free(der);
}

static void the_parts_are_the_certificates_own_bytes(void **state)
{
        const struct helper_ca *ca = helper_ca(KEY_P384);
        const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(ca->x509);
        unsigned char *spki = NULL;
        int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(ca->x509), &spki);

        (void)state;
        check_name(ca->cert.subject, X509_get_subject_name(ca->x509));
        check_name(ca->cert.issuer, X509_get_issuer_name(ca->x509));
        BYTES_EQUAL(ca->cert.spki, bytes_make(spki, (size_t)len));
        BYTES_EQUAL(ca->cert.key, bytes_make(key->data, (size_t)key->length));
        BYTES_EQUAL(ca->cert.aki, ca->cert.ski);
        assert_int_equal(ca->cert.ski.len, 20);
        assert_int_equal(ca->cert.not_before, HELPER_NOW_S - 86400);
        assert_true(ca->cert.is_ca && ca->cert.ku_cert_sign && ca->cert.ku_crl_sign && ca->cert.ku_digital_signature);
        assert_false(ca->cert.ku_others || ca->cert.has_eku || ca->cert.has_san || ca->cert.has_cdp ||
                     ca->cert.is_precertificate);
        OPENSSL_free(spki);
}

static void truncated_and_trailing_certificates_are_refused(void **state)
{
        const struct helper_ca *ca = helper_ca(KEY_P256);
        _cleanup_(builder_done) struct builder b = {0};
        struct certificate c;

        (void)state;
        for (size_t n = 0; n < ca->cert.der.len; n++)
                assert_int_equal(certificate_from_der(bytes_make(ca->cert.der.data, n), &c), ERR_INVALID);
        builder_put(&b, ca->cert.der);
        builder_put_u8(&b, 0);
        assert_int_equal(certificate_from_der(builder_bytes(&b), &c), ERR_INVALID);
}

/* ---- PEM ---- */

static char *bundle(size_t *ret_len)
{
        BIO *bio = BIO_new(BIO_s_mem());
        char *text, *copy;

        BIO_puts(bio, "subject=CN = Test CA\n# a comment, as openssl s_client -showcerts prints\n");
        PEM_write_bio_X509(bio, helper_ca(KEY_P256)->x509);
        BIO_puts(bio, "\nsome text between\n");
        PEM_write_bio_PUBKEY(bio, helper_ca(KEY_RSA)->key);
        PEM_write_bio_X509(bio, helper_ca(KEY_P384)->x509);
        BIO_puts(bio, "and text at the end\n");
        *ret_len = (size_t)BIO_get_mem_data(bio, &text);
        copy = malloc(*ret_len);
        memcpy(copy, text, *ret_len);
        BIO_free(bio);
        return copy;
}

static void bundles_are_read_certificate_by_certificate(void **state)
{
        _cleanup_(certificate_done) struct certificate first = {0}, second = {0};
        size_t len;
        _cleanup_free_
        char *text = bundle(&len);
        struct certificate third;
        struct bytes in = bytes_make(text, len);

        (void)state;
        assert_int_equal(certificate_from_pem(&in, &first), OK);
        assert_int_equal(certificate_from_pem(&in, &second), OK);
        assert_int_equal(certificate_from_pem(&in, &third), ERR_NOT_FOUND);
        BYTES_EQUAL(first.der, helper_ca(KEY_P256)->cert.der);
        BYTES_EQUAL(second.der, helper_ca(KEY_P384)->cert.der);
        in = BYTES_LIT("-----BEGIN CERTIFICATE-----\nMIIB!!\n-----END CERTIFICATE-----\n");
        assert_int_equal(certificate_from_pem(&in, &third), ERR_INVALID);
        in = BYTES_LIT("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
        assert_int_equal(certificate_from_pem(&in, &third), ERR_INVALID);
        in = BYTES_NONE;
        assert_int_equal(certificate_from_pem(&in, &third), ERR_NOT_FOUND);
}

static void write_file(const char *path, struct bytes data)
{
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        if (data.len)
                assert_int_equal(fwrite(data.data, 1, data.len, f), data.len);
        assert_int_equal(fclose(f), 0);
}

static void files_in_either_form_are_read(void **state)
{
        char path[] = "/tmp/test_certificate.XXXXXX";
        int fd = mkstemp(path);
        size_t len;
        _cleanup_free_
        char *text = bundle(&len);
        _cleanup_(certificate_done) struct certificate pem = {0}, der = {0};
        struct certificate none;

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        write_file(path, bytes_make(text, len));
        assert_int_equal(certificate_from_file(path, &pem), OK);
        write_file(path, helper_ca(KEY_P256)->cert.der);
        assert_int_equal(certificate_from_file(path, &der), OK);
        BYTES_EQUAL(pem.der, der.der);
        write_file(path, BYTES_NONE);
        assert_int_equal(certificate_from_file(path, &none), ERR_INVALID);
        unlink(path);
        assert_int_equal(certificate_from_file(path, &none), ERR_NOT_FOUND);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(signers_are_refused_with_the_reason),
                cmocka_unit_test(a_signer_of_another_ca_or_time_is_refused),
                cmocka_unit_test(a_signature_under_another_name_does_not_verify),
                cmocka_unit_test(issuers_are_refused_with_the_reason),
                cmocka_unit_test(keys_that_no_algorithm_of_ours_serves_are_told),
                cmocka_unit_test(the_parts_are_the_certificates_own_bytes),
                cmocka_unit_test(truncated_and_trailing_certificates_are_refused),
                cmocka_unit_test(bundles_are_read_certificate_by_certificate),
                cmocka_unit_test(files_in_either_form_are_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
