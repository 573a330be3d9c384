/* Whose a private key is: the certificate's that was made for it, or another's. */
#include "tests/unit/base/test.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/cleanup.h"
#include "pki/certificate.h"
#include "pki/private_key.h"

static void put_pem(struct builder *b, EVP_PKEY *key, const char *passphrase)
{
        BIO *bio = BIO_new(BIO_s_mem());
        const EVP_CIPHER *cipher = passphrase ? EVP_aes_128_cbc() : NULL;
        char *text;
        long len;

        assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL, NULL), 1);
        len = BIO_get_mem_data(bio, &text);
        builder_put(b, bytes_make(text, (size_t)len));
        BIO_free(bio);
}

static void read_certificate_for(EVP_PKEY *key, struct certificate *ret)
{
        X509 *x = X509_new();
        uint8_t *der = NULL;
        int len;

        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        X509_gmtime_adj(X509_getm_notBefore(x), 0);
        X509_gmtime_adj(X509_getm_notAfter(x), 1000);
        X509_set_pubkey(x, key);
        assert_true(X509_sign(x, key, EVP_sha256()) > 0);
        len = i2d_X509(x, &der);
        assert_int_equal(certificate_from_der(bytes_make(der, (size_t)len), ret), OK);
        OPENSSL_free(der);
        X509_free(x);
}

static void a_key_has_its_certificates_public_key_and_no_other(void **state)
{
        EVP_PKEY *keys[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-256"), EVP_EC_gen("P-256"), EVP_EC_gen("P-384")};

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                _cleanup_(builder_done) struct builder pem = {0};
                _cleanup_(builder_done) struct builder spki = {0};

                put_pem(&pem, keys[i], NULL);
                assert_int_equal(private_key_read_spki(builder_bytes(&pem), &spki), OK);
                for (size_t k = 0; k < 4; k++) {
                        _cleanup_(certificate_done) struct certificate c = {0};

                        read_certificate_for(keys[k], &c);
                        assert_true(bytes_equal(builder_bytes(&spki), c.spki) == (i == k));
                }
        }
        for (size_t i = 0; i < 4; i++)
                EVP_PKEY_free(keys[i]);
}

static void a_key_with_a_passphrase_is_told_apart_and_nobody_is_asked_for_it(void **state)
{
        _cleanup_(builder_done) struct builder pem = {0};
        _cleanup_(builder_done) struct builder spki = {0};
        EVP_PKEY *key = EVP_EC_gen("P-256");

        (void)state;
        put_pem(&pem, key, "secret");
        assert_int_equal(private_key_read_spki(builder_bytes(&pem), &spki), ERR_DENIED);
        assert_int_equal(spki.len, 0);
        EVP_PKEY_free(key);
}

static void what_is_no_private_key_is_refused(void **state)
{
        static const struct bytes rows[] = {BYTES_LIT(""), BYTES_LIT("nonsense"),
                BYTES_LIT("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                BYTES_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")};

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                _cleanup_(builder_done) struct builder spki = {0};

                assert_int_equal(private_key_read_spki(rows[i], &spki), ERR_INVALID);
                assert_int_equal(spki.len, 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_key_has_its_certificates_public_key_and_no_other),
                cmocka_unit_test(a_key_with_a_passphrase_is_told_apart_and_nobody_is_asked_for_it),
                cmocka_unit_test(what_is_no_private_key_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
