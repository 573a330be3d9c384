/* test_conf_check: rules that a type cannot hold, the bounds of a profile, and files that must be there. */
#include "tests/unit/base/conf_folder.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static void a_value_that_breaks_a_rule_is_refused_with_line_and_hint(void **state)
{
        static const struct bad rows[] = {
                {"responder:\n  listen: ['127.0.0.1:80']\n  tls_listen: ['127.0.0.1:80']\n", ERR_RANGE,
                        ".yaml:3: responder.tls_listen", "with TLS or without it"},
                {"responder:\n  trusted_addresses: [10.0.0.0/8, 10.0.0.0/33]\n", ERR_RANGE,
                        ".yaml:2: responder.trusted_addresses", "2001:db8::/32"},
                {"responder:\n  tls_listen: ['127.0.0.1:443', localhost:80]\n", ERR_RANGE, ".yaml:2: responder.tls_listen",
                        "[::1]:8080"},
                {"responder:\n  listen: [localhost:80]\n", ERR_RANGE, ".yaml:2: responder.listen",
                        "127.0.0.1:8080 or [::1]:8080"},
                {"responder:\n  listen: ['[::1:80']\n", ERR_RANGE, ".yaml:2: responder.listen", "127.0.0.1:8080"},
                {"responder:\n  listen: ['::1:80']\n", ERR_RANGE, ".yaml:2: responder.listen", "127.0.0.1:8080"},
                {"responder:\n  listen: ['127.0.0.1:0']\n", ERR_RANGE, ".yaml:2: responder.listen", "1..65535"},
                {"responder:\n  listen: ['127.0.0.1:65536']\n", ERR_RANGE, ".yaml:2: responder.listen", "1..65535"},
                {"responder:\n  listen: ['127.0.0.1']\n", ERR_RANGE, ".yaml:2: responder.listen", "1..65535"},
                {"responder:\n  ocsp_path: ocsp\n", ERR_RANGE, ".yaml:2: responder.ocsp_path", "begins with \"/\""},
                {"sign:\n  socket: "
                 "/012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
                 "5/s\n",
                        ERR_RANGE, ".yaml:2: sign.socket", "at most 107 bytes"},
                {0},
        };

        (void)state;
        folder_assert_refused(rows);
}

static void an_issuer_that_breaks_its_profile_is_refused_with_line_and_hint(void **state)
{
        static const struct bad rows[] = {
                {"profile: cabf-tls\nocsp:\n  validity: 7h\n", ERR_RANGE, ".yaml:3: ocsp.validity", "8h..10d"},
                {"profile: cabf-tls\nocsp:\n  validity: 10d1s\n", ERR_RANGE, ".yaml:3: ocsp.validity", "8h..10d"},
                {"profile: cabf-tls\nocsp:\n  validity: 10d\n", ERR_RANGE, ".yaml: ocsp.refresh", "within 4d"},
                {"profile: cabf-tls\nocsp:\n  validity: 10h\n  refresh: 6h\n", ERR_RANGE, ".yaml:4: ocsp.refresh",
                        "by its half"},
                {"profile: cabf-tls\nocsp:\n  validity: 1d\n  refresh: 17h\n", ERR_RANGE, ".yaml:4: ocsp.refresh",
                        "8h before its nextUpdate"},
                {"profile: cabf-tls\nocsp:\n  extended_revoked: true\n", ERR_RANGE, ".yaml:3: ocsp.extended_revoked",
                        "write false"},
                {"profile: cabf-tls\nocsp:\n  responder_id: by-name\n", ERR_RANGE, ".yaml:3: ocsp.responder_id",
                        "write by-key"},
                {"profile: cabf-tls\ncrl:\n  validity: 11d\n", ERR_RANGE, ".yaml:3: crl.validity", "at most 10d"},
                {"profile: cabf-tls\ncrl:\n  validity: 10d\n  period: 8d\n", ERR_RANGE, ".yaml:4: crl.period", "at most 7d"},
                {"profile: cabf-tls\ncrl:\n  after_revocation: 25h\n", ERR_RANGE, ".yaml:3: crl.after_revocation",
                        "at most 1d"},
                {"ocsp:\n  validity: 1h\n  refresh: 1h\n", ERR_RANGE, ".yaml:3: ocsp.refresh", "less than ocsp.validity"},
                {"ocsp:\n  allow_sha1_cert_id: false\n", ERR_RANGE, ".yaml: ocsp.cert_id", "sha256"},
                {"offline: true\ncrl:\n  key: root\n", ERR_RANGE, ".yaml:1: offline", "leave crl.key out"},
                {"crl:\n  period: 7d\n", ERR_RANGE, ".yaml:2: crl.period", "less than crl.validity"},
                {"crl:\n  shards: 4\n", ERR_RANGE, ".yaml: crl.url", "{shard}"},
                {"crl:\n  shards: 4\n  url: http://x/ca.crl\n", ERR_RANGE, ".yaml:3: crl.url", "{shard}"},
                {"crl:\n  url: 'http://x/{shard}.crl'\n", ERR_RANGE, ".yaml:2: crl.url", "crl.shards is 0"},
                {"crl:\n  delta_period: 1h\n", ERR_RANGE, ".yaml: crl.delta_url", "delta_url: http"},
                {"crl: {shards: 2, url: 'http://x/{shard}', delta_period: 1h, delta_url: 'http://x/d'}\n", ERR_RANGE,
                        ".yaml:1: crl.delta_url", "{shard}"},
                {"crl:\n  delta_period: 1d\n  delta_url: http://x/d\n", ERR_RANGE, ".yaml:2: crl.delta_period",
                        "less than crl.period"},
                {"# ours\ncertificates: [ca.pem, gone.pem]\n", ERR_NOT_FOUND, ".yaml:2: certificates",
                        "gone.pem does not exist"},
                {0},
        };

        (void)state;
        folder_assert_policies_refused(rows);
}

/* BR 4.9.9, req 2.6: the bounds themselves are allowed. */
static void the_bounds_of_cabf_tls_are_inclusive(void **state)
{
        static const char *const good[] = {
                "profile: cabf-tls\nocsp: {validity: 8h}\n",
                "profile: cabf-tls\nocsp: {validity: 10d, refresh: 4d}\n",
                "profile: cabf-tls\nocsp: {validity: 16h, refresh: 8h}\n",
                "profile: cabf-tls\ncrl: {validity: 10d, period: 7d, after_revocation: 1d}\n",
                "ocsp: {validity: 11d, responder_id: by-name, extended_revoked: true}\ncrl: {validity: 30d, period: 29d}\n",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                folder_put_issuer("one", good[i]);
                conf_free(folder_load(""));
        }
}

/* The complaints, a line each. */
static char found[4096];
static unsigned n_found;

static void note_found(void *arg, const char *text)
{
        size_t len = strlen(found);

        (void)arg;
        snprintf(found + len, sizeof(found) - len, "%s\n", text);
        n_found++;
}

static enum err look_for_files(const struct conf *conf)
{
        found[0] = '\0';
        n_found = 0;
        return conf_check_files(conf, note_found, NULL);
}

static void all_files_made_later_are_missed_with_how_to_make_them(void **state)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        folder_put("module.so", "");
        folder_put_issuer("one", "ocsp:\n  certificate: signer.pem\n  key: ocsp\n");
        folder_put_issuer("two", "ocsp:\n  key: ocsp\n");
        conf = folder_load("token:\n  module: module.so\n  pin_file: secret\n");
        assert_int_equal(look_for_files(conf), ERR_NOT_FOUND);
        assert_int_equal(n_found, 3);
        assert_non_null(strstr(found, "tocsin.yaml:3: token.pin_file"));
        assert_non_null(strstr(found, "issuers/one/issuer.yaml:2: ocsp.certificate"));
        assert_non_null(strstr(found, "issuers/two/issuer.yaml: ocsp.certificate"));
        assert_non_null(strstr(found, "tocsin key install"));
        folder_put("secret", "1234");
        folder_put("issuers/two/ocsp-signer.pem", "");
        assert_int_equal(look_for_files(conf), ERR_NOT_FOUND);
        assert_int_equal(n_found, 1);
        folder_put("issuers/one/signer.pem", "");
        assert_int_equal(look_for_files(conf), OK);
        assert_int_equal(n_found, 0);
}

static void no_ocsp_certificate_is_missed_where_the_ca_key_signs(void **state)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        folder_put("module.so", "");
        folder_put("pin", "1234");
        folder_put_issuer("one", "crl:\n  key: ca\n");
        conf = folder_load("token:\n  module: module.so\n");
        assert_int_equal(look_for_files(conf), OK);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST_IN_FOLDER(a_value_that_breaks_a_rule_is_refused_with_line_and_hint),
                TEST_IN_FOLDER(an_issuer_that_breaks_its_profile_is_refused_with_line_and_hint),
                TEST_IN_FOLDER(the_bounds_of_cabf_tls_are_inclusive),
                TEST_IN_FOLDER(all_files_made_later_are_missed_with_how_to_make_them),
                TEST_IN_FOLDER(no_ocsp_certificate_is_missed_where_the_ca_key_signs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
