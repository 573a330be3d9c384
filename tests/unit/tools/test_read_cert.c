/* Certificates: PEM, DER, bundles, directories. What another key signed does not get in. */
#include "tests/unit/tools/fixture.h"

#include "pki/certinfo.h"
#include "tools/pem.h"

static void a_bundle_yields_each_certificate_with_its_facts(void **state)
{
        struct certinfo info;
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read_file(&in, "bundle.pem");
        fixture_sort(&in, 2, 0);
        assert_true(fixture_row(&in, "0A05")->not_after > NOW);
        assert_int_equal(fixture_row(&in, "0A05")->shard, 7); /* its distribution point is http://crl.example.com/7.crl */
        assert_int_equal(fixture_row(&in, "0A05")->known, 0); /* a certificate does not say whether it is revoked */
        assert_true(fixture_row(&in, "0A06")->line > fixture_row(&in, "0A05")->line);
        fixture_info(&in, "0A06", &info);
        assert_int_equal(info.cert_sha256.len, 32);
        assert_true(info.subject.len > 0);
        assert_true(bytes_equal(info.cdp, BYTES_LIT("http://crl.example.com/7.crl")));
}

static void a_directory_is_read_to_its_depth_and_other_files_are_passed_over(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read_file(&in, "newcerts");
        fixture_sort(&in, 3, 0);
        assert_non_null(fixture_row(&in, "0A03")); /* DER, one folder down */
        assert_int_equal(in.n_skipped, 1);
}

static void a_foreign_certificate_is_rejected_with_its_file(void **state) /* its issuer's name is ours, its key is not */
{
        char place[512];
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read_file(&in, "foreign-leaf.pem");
        fixture_sort(&in, 0, 1);
        fixture_expect_reject(&in, 0, 1, "0A07: its signature does not verify");
        sources_place(&in.sources, in.rejects.items[0].number, place, sizeof(place));
        assert_non_null(strstr(place, "foreign-leaf.pem:1"));
}

static void a_damaged_certificate_spoils_no_other(void **state)
{
        __attribute__((cleanup(intake_done))) struct intake in = {0};
        char why[INTAKE_WHY_MAX];
        struct builder text = {0};
        FILE *file = fopen(fixture_path("bundle.pem"), "r");
        uint8_t *at;
        uint8_t *hit;

        (void)state;
        assert_non_null(file);
        at = builder_extend(&text, 1 << 16);
        text.len = fread(at, 1, 1 << 16, file);
        fclose(file);
        hit = memmem(text.data, text.len, "-----BEGIN", 10);
        assert_non_null(hit);
        hit[200] ^= 1;
        fixture_open(&in, ROWFILE_IMPORT);
        assert_int_equal(intake_content(&in, "b.pem", builder_bytes(&text), why), OK);
        fixture_sort(&in, 1, 1);
        assert_true(in.rejects.items[0].number > 1); /* it stands below the text that openssl writes */
        assert_true(in.rejects.items[0].number < fixture_row(&in, "0A06")->line);
        builder_done(&text);
}

static void a_certificate_cut_short_is_told(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "-----BEGIN CERTIFICATE-----\nMIIB\n");
        fixture_sort(&in, 0, 1);
        fixture_expect_reject(&in, 0, 1, "cut short");
}

static void a_certificate_completes_its_line_in_the_index(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read_file(&in, "newcerts");
        fixture_read_file(&in, "index.txt");
        fixture_sort(&in, 6, 0);
        assert_int_equal(fixture_row(&in, "0A01")->flags, ROWFILE_REVOKED);
        assert_int_equal(fixture_row(&in, "0A01")->shard, 7);
        assert_true(fixture_row(&in, "0A01")->info_len > 0);
}

static void certificates_are_a_revocation_list(void **state)
{
        OPEN(ROWFILE_REVOKE);

        (void)state;
        in.has_reason = true;
        in.reason = REASON_SUPERSEDED;
        fixture_read_file(&in, "bundle.pem");
        fixture_sort(&in, 2, 0);
        assert_int_equal(fixture_row(&in, "0A05")->reason, REASON_SUPERSEDED);
        assert_int_equal(fixture_row(&in, "0A05")->info_len, 0);
}

static void pem_blocks_carry_their_lines(void **state)
{
        struct pem pem;
        struct pem_block block;

        (void)state;
        pem_init(&pem, bytes_str("one\n-----BEGIN A-----\nAAEC\n-----END A-----\n\n-----BEGIN C-----\nAA\n-----BEGIN "
                                 "C-----\n-----END C-----\n"));
        assert_true(pem_next(&pem, &block));
        assert_int_equal(block.line, 2);
        assert_true(block.is_whole);
        assert_true(pem_next(&pem, &block));
        assert_int_equal(block.line, 6);
        assert_false(block.is_whole); /* another begins before it ends */
        assert_true(pem_next(&pem, &block));
        assert_int_equal(block.line, 8);
        assert_true(bytes_equal(block.label, BYTES_LIT("C")));
        assert_false(pem_next(&pem, &block));
}

static void base64_is_strict(void **state)
{
        static const struct {
                const char *text;
                enum err err;
                size_t len;
        } rows[] = {{"AAEC", OK, 3}, {"AAE=", OK, 2}, {"AA==", OK, 1}, {"AA\r\nEC\n", OK, 3}, {"AAE", ERR_INVALID, 0},
                {"AA=A", ERR_INVALID, 0}, {"A===", ERR_INVALID, 0}, {"AB==", ERR_INVALID, 0}, {"A*==", ERR_INVALID, 0},
                {"", OK, 0}};

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct builder der = {0};

                assert_int_equal(pem_decode(bytes_str(rows[i].text), &der), rows[i].err);
                if (rows[i].err == OK)
                        assert_int_equal(der.len, rows[i].len);
                builder_done(&der);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_bundle_yields_each_certificate_with_its_facts),
                cmocka_unit_test(a_directory_is_read_to_its_depth_and_other_files_are_passed_over),
                cmocka_unit_test(a_foreign_certificate_is_rejected_with_its_file),
                cmocka_unit_test(a_damaged_certificate_spoils_no_other),
                cmocka_unit_test(a_certificate_cut_short_is_told),
                cmocka_unit_test(a_certificate_completes_its_line_in_the_index),
                cmocka_unit_test(certificates_are_a_revocation_list),
                cmocka_unit_test(pem_blocks_carry_their_lines),
                cmocka_unit_test(base64_is_strict),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
