/* A CRL that the issuer published before. */
#include "tests/unit/tools/fixture.h"

static void load(const char *name, struct builder *ret)
{
        FILE *file = fopen(fixture_path(name), "r");
        uint8_t *at = builder_extend(ret, 1 << 16);

        assert_non_null(file);
        ret->len = fread(at, 1, 1 << 16, file);
        fclose(file);
}

static void its_entries_become_revocations(void **state)
{
        static const char *const files[] = {"crl.pem", "list.crl"};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                OPEN(ROWFILE_IMPORT);

                fixture_read_file(&in, files[i]);
                fixture_sort(&in, 4, 0);
                assert_int_equal(fixture_row(&in, "0A01")->flags, ROWFILE_REVOKED | ROWFILE_CRL_ONLY);
                assert_int_equal(fixture_row(&in, "0A01")->reason, REASON_SUPERSEDED);
                assert_int_equal(fixture_row(&in, "0A01")->not_after, 0); /* unknown: never expires */
                assert_int_equal(fixture_row(&in, "0A02")->invalidity_date, 1735787045);
                assert_int_equal(fixture_row(&in, "0A04")->flags, ROWFILE_REVOKED | ROWFILE_HELD | ROWFILE_CRL_ONLY);
        }
}

static void a_signature_that_does_not_verify_is_refused(void **state) /* RFC 5280 6.3.3 (g) */
{
        struct builder der = {0};
        uint8_t *serial;
        OPEN(ROWFILE_IMPORT);

        (void)state;
        load("list.crl", &der);
        serial = memmem(der.data, der.len, "\x02\x02\x0a\x03", 4);
        assert_non_null(serial);
        serial[3] = 0x33; /* another serial under the same signature */
        fixture_expect_refused(&in, "bad.crl", builder_bytes(&der), "does not verify");
        builder_done(&der);
}

static void a_crl_of_another_key_is_refused(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        certificate_done(&in.ca.certificates[0]);
        assert_int_equal(certificate_from_file(fixture_path("foreign.pem"), &in.ca.certificates[0]), OK);
        fixture_expect_file_refused(&in, "crl.pem", "does not verify");
}

static void a_crl_cut_short_is_refused(void **state)
{
        char why[INTAKE_WHY_MAX] = "";
        struct builder der = {0};
        OPEN(ROWFILE_IMPORT);

        (void)state;
        load("list.crl", &der);
        for (size_t cut = 8; cut < der.len; cut += 13) {
                enum err e = read_crl(&in, bytes_make(der.data, cut), why);

                assert_int_equal(e, ERR_INVALID);
        }
        assert_int_equal(in.rows.n, 0);
        builder_done(&der);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(its_entries_become_revocations),
                cmocka_unit_test(a_signature_that_does_not_verify_is_refused),
                cmocka_unit_test(a_crl_of_another_key_is_refused),
                cmocka_unit_test(a_crl_cut_short_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
