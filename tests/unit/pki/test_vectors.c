/* Today's code makes yesterday's bytes: the inputs and outputs in tests/vectors/, which are never made anew. A window stored
 * by an older program must be rebuilt to what was signed then; and real clients' requests are read. The folder is the first
 * argument. */
#include "pki_helper.h"

#include <stdio.h>
#include <stdlib.h>

#include "pki/crl.h"
#include "pki/ocsp_request.h"
#include "pki/ocsp_response.h"

static const char *folder;

#define FIELDS_MAX 16
#define LINE_MAX_ 65536

/* A line's fields, split at spaces; and memory for what their hex stands for. */
struct line {
        char text[LINE_MAX_];
        char *fields[FIELDS_MAX];
        unsigned n;
        uint8_t memory[LINE_MAX_];
        size_t used;
};

static void split(struct line *l)
{
        char *rest = NULL, *field = strtok_r(l->text, " \n", &rest);

        l->used = 0;
        for (l->n = 0; field; field = strtok_r(NULL, " \n", &rest)) {
                assert_true(l->n < FIELDS_MAX);
                l->fields[l->n++] = field;
        }
}

static struct bytes hex_text(struct line *l, const char *text)
{
        uint8_t *at = l->memory + l->used;
        size_t len;

        if (strcmp(text, "-") == 0)
                return BYTES_NONE;
        assert_int_equal(bytes_from_hex(bytes_str(text), at, sizeof(l->memory) - l->used, &len), OK);
        l->used += len;
        return bytes_make(at, len);
}

static struct bytes hex_field(struct line *l, unsigned i)
{
        return hex_text(l, l->fields[i]);
}

static enum sig_alg alg_named(const char *name)
{
        for (enum sig_alg alg = 0; alg < SIG_N; alg++)
                if (strcmp(sig_alg_name(alg), name) == 0)
                        return alg;
        fail_msg("%s", name);
        return SIG_N;
}

static unsigned each_line(const char *name, unsigned n_fields, void (*check)(struct line *))
{
        static struct line l;
        char path[4096];
        unsigned n = 0;
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        f = fopen(path, "r");
        assert_non_null(f);
        while (fgets(l.text, sizeof(l.text), f)) {
                if (l.text[0] == '#')
                        continue;
                split(&l);
                assert_int_equal(l.n, n_fields);
                check(&l);
                n++;
        }
        fclose(f);
        return n;
}

static void check_ocsp(struct line *l)
{
        struct ocsp_template t = {alg_named(l->fields[0]), hex_field(l, 1), hex_field(l, 2), hex_field(l, 3),
                hex_field(l, 4), hex_field(l, 5)};
        struct bytes serial = hex_field(l, 6), raw = hex_field(l, 10);
        struct ocsp_status status = {
                (enum ocsp_cert_status)atoi(l->fields[7]), (enum reason)atoi(l->fields[8]), atoll(l->fields[9])};
        uint8_t der[8192];
        size_t len;

        assert_int_equal(ocsp_response_tbs(&t, serial, &status, der, &len), OK);
        BYTES_EQUAL(bytes_make(der, len), hex_field(l, 11));
        assert_int_equal(ocsp_response_rebuild(&t, serial, &status, raw, der, &len), OK);
        BYTES_EQUAL(bytes_make(der, len), hex_field(l, 12));
}

static void yesterdays_windows_are_rebuilt_to_yesterdays_bytes(void **state)
{
        (void)state;
        assert_int_equal(each_line("ocsp_response.txt", 13, check_ocsp), 36);
}

static void put_entries(struct line *l, struct builder *b, char *text)
{
        char *rest = NULL;

        if (strcmp(text, "-") == 0)
                return;
        for (char *one = strtok_r(text, ";", &rest); one; one = strtok_r(NULL, ";", &rest)) {
                char *fields = NULL;
                struct crl_entry e = {.serial = hex_text(l, strtok_r(one, ",", &fields))};

                e.revoked_at_s = atoll(strtok_r(NULL, ",", &fields));
                e.reason = (enum reason)atoi(strtok_r(NULL, ",", &fields));
                e.invalidity_date_s = atoll(strtok_r(NULL, ",", &fields));
                crl_put_entry(b, &e);
        }
}

static void check_crl(struct line *l)
{
        struct crl_params p = {.sig_alg = alg_named(l->fields[0]),
                .issuer = hex_field(l, 1),
                .this_update_s = atoll(l->fields[2]),
                .next_update_s = atoll(l->fields[3]),
                .aki = hex_field(l, 4),
                .number = strtoull(l->fields[5], NULL, 10),
                .is_delta = atoi(l->fields[6]),
                .base_number = strtoull(l->fields[7], NULL, 10),
                .idp_url = hex_field(l, 8),
                .idp_only_user_certs = atoi(l->fields[9]),
                .idp_only_ca_certs = atoi(l->fields[10]),
                .freshest_url = hex_field(l, 11)};
        _cleanup_(builder_done) struct builder entries = {0}, tbs = {0}, crl = {0};
        struct bytes raw = hex_field(l, 13);

        put_entries(l, &entries, l->fields[12]);
        crl_put_tbs_head(&tbs, &p, entries.len);
        builder_put(&tbs, builder_bytes(&entries));
        crl_put_tbs_tail(&tbs, &p);
        crl_put_head(&crl, tbs.len, p.sig_alg, raw);
        builder_put(&crl, builder_bytes(&tbs));
        crl_put_tail(&crl, p.sig_alg, raw);
        BYTES_EQUAL(builder_bytes(&crl), hex_field(l, 14));
}

static void crls_are_made_as_they_were_made(void **state)
{
        (void)state;
        assert_int_equal(each_line("crl.txt", 15, check_crl), 24);
}

/* RFC 9654 2.1: a nonce of 0 or 129 octets is malformed, whoever sends it. */
static void check_request(struct line *l)
{
        static const struct {
                const char *name;
                enum err e;
        } verdicts[] = {{"ok", OK}, {"malformed", ERR_INVALID}, {"many", ERR_RANGE}};
        struct ocsp_request r;
        enum err e = ocsp_request_read(hex_field(l, 2), &r);
        bool known = false;

        for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
                if (strcmp(l->fields[1], verdicts[i].name) != 0)
                        continue;
                known = true;
                if (e != verdicts[i].e)
                        fail_msg("%s: %s", l->fields[0], err_text(e));
        }
        assert_true(known);
}

static void requests_of_real_clients_are_read(void **state)
{
        (void)state;
        assert_int_equal(each_line("ocsp_request.txt", 3, check_request), 49);
}

int main(int argc, char **argv)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(yesterdays_windows_are_rebuilt_to_yesterdays_bytes),
                cmocka_unit_test(crls_are_made_as_they_were_made),
                cmocka_unit_test(requests_of_real_clients_are_read),
        };

        if (argc != 2)
                return 1;
        folder = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
