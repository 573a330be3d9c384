/* What pki/hash_alg.h, pki/sig_alg.h and pki/ca_key.h promise: identifiers byte for byte those of OpenSSL, digests and
 * signatures that OpenSSL agrees with, and CertIDs equal to those OpenSSL makes. */
#include "pki_helper.h"

#include <openssl/ocsp.h>

#include "pki/der.h"

static const char *const openssl_names[SIG_N] = {"RSA-SHA256", "RSA-SHA384", "RSA-SHA512", "ecdsa-with-SHA256",
        "ecdsa-with-SHA384", "ecdsa-with-SHA512", "ecdsa-with-SHA256", "ecdsa-with-SHA384", "ecdsa-with-SHA512"};

static void check_identifier(struct bytes got, const char *name, int parameter)
{
        X509_ALGOR *algor = X509_ALGOR_new();
        unsigned char *der = NULL;
        int len;

        X509_ALGOR_set0(algor, OBJ_txt2obj(name, 0), parameter, NULL);
        len = i2d_X509_ALGOR(algor, &der);
        BYTES_EQUAL(got, bytes_make(der, (size_t)len));
        OPENSSL_free(der);
        X509_ALGOR_free(algor);
}

/* BR 7.1.3.2, req 2.16: NULL parameters for RSA, none for ECDSA. */
static void identifiers_are_byte_exact_and_read_back(void **state)
{
        (void)state;
        for (enum sig_alg alg = 0; alg < SIG_N; alg++) {
                struct bytes in = sig_alg_identifier(alg);
                enum sig_alg read, found;

                check_identifier(in, openssl_names[alg], sig_alg_key(alg) == KEY_RSA ? V_ASN1_NULL : V_ASN1_UNDEF);
                assert_int_equal(sig_alg_read(&in, &read), OK);
                assert_int_equal(in.len, 0);
                assert_int_equal(sig_alg_hash(read), sig_alg_hash(alg));
                assert_int_equal(sig_alg_find(sig_alg_key(alg), sig_alg_hash(alg), &found), OK);
                assert_int_equal(found, alg);
        }
        for (enum hash_alg alg = 0; alg < HASH_N; alg++) {
                struct bytes in = hash_alg_identifier(alg);
                enum hash_alg read;

                check_identifier(in, hash_alg_name(alg), V_ASN1_NULL);
                assert_int_equal(hash_alg_read(&in, &read), OK);
                assert_int_equal(read, alg);
        }
}

static void other_algorithms_are_unsupported_and_wrong_ones_malformed(void **state)
{
        static const struct {
                const char *hex;
                enum err sig, hash;
        } rows[] = {
                {"30{06{2b6570}}", ERR_UNSUPPORTED, ERR_UNSUPPORTED},
                {"30{06{2a864886f70d01010a} 30{}}", ERR_UNSUPPORTED, ERR_UNSUPPORTED}, /* RSASSA-PSS */
                {"30{06{2b0e03021a}}", ERR_UNSUPPORTED, OK},
                {"30{06{2b0e03021a} 0500}", ERR_UNSUPPORTED, OK},
                {"30{06{2b0e03021a} 020100}", ERR_UNSUPPORTED, ERR_INVALID},
                {"30{0500}", ERR_INVALID, ERR_INVALID},
                {"31{06{2b0e03021a}}", ERR_INVALID, ERR_INVALID},
                {"", ERR_INVALID, ERR_INVALID},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct bytes in = helper_hex(rows[i].hex), again = in;
                enum sig_alg sig;
                enum hash_alg hash;

                assert_int_equal(sig_alg_read(&in, &sig), rows[i].sig);
                assert_int_equal(hash_alg_read(&again, &hash), rows[i].hash);
        }
}

static void digests_are_those_of_the_standard(void **state)
{
        static const struct {
                enum hash_alg alg;
                const char *hex; /* of "abc" (FIPS 180-4) */
        } rows[] = {
                {HASH_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
                {HASH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                {HASH_SHA384,
                        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
                {HASH_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
                              "bbd454d44"
                              "23643ce80e2a9ac94fa54ca49f"},
        };
        uint8_t digest[HASH_LEN_MAX];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                assert_int_equal(hash_digest(rows[i].alg, BYTES_LIT("abc"), digest), OK);
                BYTES_EQUAL(bytes_make(digest, hash_alg_len(rows[i].alg)), helper_hex(rows[i].hex));
        }
}

static void signatures_verify_and_altered_ones_do_not(void **state)
{
        uint8_t raw_memory[SIG_RAW_MAX];

        (void)state;
        for (enum sig_alg alg = 0; alg < SIG_N; alg++) {
                const struct helper_ca *ca = helper_ca(sig_alg_key(alg));
                struct bytes raw = helper_sign(alg, ca->key, BYTES_LIT("to be signed"), raw_memory);
                enum key_kind other = sig_alg_key(alg) == KEY_P256 ? KEY_P384 : KEY_P256;

                assert_int_equal(sig_verify(alg, ca->cert.spki, BYTES_LIT("to be signed"), raw), OK);
                assert_int_equal(sig_verify(alg, ca->cert.spki, BYTES_LIT("to be forged"), raw), ERR_CRYPTO);
                assert_int_equal(sig_verify(alg, helper_ca(other)->cert.spki, BYTES_LIT("to be signed"), raw), ERR_CRYPTO);
                assert_int_equal(sig_verify(alg, BYTES_LIT("\x30\x00"), BYTES_LIT("to be signed"), raw), ERR_CRYPTO);
                raw_memory[raw.len / 2] ^= 1;
                assert_int_equal(sig_verify(alg, ca->cert.spki, BYTES_LIT("to be signed"), raw), ERR_CRYPTO);
        }
}

/* RFC 3279 2.2.3: r and s are INTEGERs, minimal and not negative. */
static void raw_pairs_and_their_der_are_each_others_inverse(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 3000; i++) {
                enum sig_alg alg = i % 2 ? SIG_P256_SHA256 : SIG_P384_SHA384;
                uint8_t raw[96], der[128], back[SIG_RAW_MAX];
                size_t half = i % 2 ? 32 : 48, back_len, der_len, zeroes = helper_random_below(half + 1);

                for (size_t j = 0; j < 2 * half; j++)
                        raw[j] = j % half < zeroes && i % 3 == 0 ? 0 : (uint8_t)helper_random();
                der_len = (size_t)(sig_write_der(der, alg, bytes_make(raw, 2 * half)) - der);
                assert_int_equal(der_len, sig_der_len(alg, bytes_make(raw, 2 * half)));
                assert_true(der_len <= sig_der_max(alg));
                assert_int_equal(sig_from_der(alg, bytes_make(der, der_len), back, &back_len), OK);
                BYTES_EQUAL(bytes_make(back, back_len), bytes_make(raw, 2 * half));
        }
}

static void pairs_out_of_form_are_refused(void **state)
{
        static const char *const pairs[] = {"", "30{}", "30{020101}", "30{020101 020101 020101}", "30{020101 020181}",
                "30{02020001 020101}", "30{020101 020101} 00", "31{020101 020101}",
                "30{020101 02{01000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f}}" /* 33 octets */};
        uint8_t raw[SIG_RAW_MAX];
        size_t len;

        (void)state;
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
                assert_int_equal(sig_from_der(SIG_P256_SHA256, helper_hex(pairs[i]), raw, &len), ERR_INVALID);
        assert_int_equal(sig_from_der(SIG_RSA_SHA256, helper_hex("00"), raw, &len), ERR_INVALID);
}

/* RFC 6960 4.1.1, req 1.8. */
static void cert_ids_are_those_that_openssl_makes(void **state)
{
        (void)state;
        for (enum hash_alg alg = 0; alg < HASH_N; alg++) {
                const struct helper_ca *ca = helper_ca((enum key_kind)(alg % 3));
                const EVP_MD *md = EVP_get_digestbyname(hash_alg_name(alg));
                ASN1_INTEGER *serial = ASN1_INTEGER_new();
                OCSP_CERTID *id;
                unsigned char *der = NULL;
                _cleanup_(builder_done) struct builder b = {0};
                size_t mark = der_begin(&b, DER_SEQUENCE);
                int len;

                ASN1_INTEGER_set(serial, 0x1234);
                id = OCSP_cert_id_new(md, X509_get_subject_name(ca->x509), X509_get0_pubkey_bitstr(ca->x509), serial);
                len = i2d_OCSP_CERTID(id, &der);
                ca_key_put_cert_id_head(&b, &ca->ca_key, alg);
                der_put_uint(&b, DER_INTEGER, 0x1234);
                der_end(&b, mark);
                BYTES_EQUAL(builder_bytes(&b), bytes_make(der, (size_t)len));
                OPENSSL_free(der);
                OCSP_CERTID_free(id);
                ASN1_INTEGER_free(serial);
        }
}

static void a_ca_key_matches_its_own_hashes_and_no_others(void **state)
{
        const struct ca_key *k = &helper_ca(KEY_P256)->ca_key;

        (void)state;
        for (enum hash_alg alg = 0; alg < HASH_N; alg++) {
                struct bytes name = bytes_make(k->name_hash[alg], hash_alg_len(alg)),
                             key = bytes_make(k->key_hash[alg], hash_alg_len(alg));

                assert_true(ca_key_matches(k, alg, name, key));
                assert_false(ca_key_matches(k, alg, key, name));
                assert_false(ca_key_matches(k, alg, bytes_make(name.data, name.len - 1), key));
                assert_false(ca_key_matches(k, alg, name, bytes_make(key.data, key.len - 1)));
                assert_false(ca_key_matches(k, (enum hash_alg)((alg + 1) % HASH_N), name, key));
                assert_false(ca_key_matches(k, HASH_N, name, key));
                assert_false(ca_key_matches(&helper_ca(KEY_P384)->ca_key, alg, name, key));
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(identifiers_are_byte_exact_and_read_back),
                cmocka_unit_test(other_algorithms_are_unsupported_and_wrong_ones_malformed),
                cmocka_unit_test(digests_are_those_of_the_standard),
                cmocka_unit_test(signatures_verify_and_altered_ones_do_not),
                cmocka_unit_test(raw_pairs_and_their_der_are_each_others_inverse),
                cmocka_unit_test(pairs_out_of_form_are_refused),
                cmocka_unit_test(cert_ids_are_those_that_openssl_makes),
                cmocka_unit_test(a_ca_key_matches_its_own_hashes_and_no_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
