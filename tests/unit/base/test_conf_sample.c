/* test_conf_sample: what the defaults are, and that the samples show just these. */
#include "tests/unit/base/conf_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

static void assert_defaults(const struct conf *c)
{
        assert_string_equal(c->store_path, folder_path("store"));
        assert_true(c->store_map_size == 1ULL << 40 && c->store_reserve == 64 << 20);
        assert_string_equal(c->crl_path, folder_path("crl"));
        assert_string_equal(c->issuers_path, folder_path("issuers"));
        assert_string_equal(c->run_path, folder_path("run"));
        assert_string_equal(c->control_socket, folder_path("run/control.sock"));
        assert_string_equal(c->sign_socket, folder_path("run/sign.sock"));
        assert_string_equal(c->control_group, "");
        assert_string_equal(c->engine_user, "tocsin");
        assert_string_equal(c->vault_user, "tocsin-vault");
        assert_string_equal(c->responder_user, "tocsin-responder");
        assert_string_equal(c->token_module, "/usr/lib/softhsm/libsofthsm2.so");
        assert_string_equal(c->token_label, "tocsin");
        assert_string_equal(c->token_pin_file, folder_path("pin"));
        assert_true(c->token_sessions == 2 && c->token_timeout_s == 10);
        assert_true(c->sign_in_flight == 256 && c->sign_extras_rate == 500 && c->sign_per_worker == 128);
        assert_int_equal(c->listen.n, 1);
        assert_string_equal(c->listen.items[0], "127.0.0.1:8080");
        assert_int_equal(c->tls_listen.n, 0);
        assert_true(c->max_connections_per_address == 1000 && c->max_requests_per_address == 0);
        assert_int_equal(c->trusted_addresses.n, 2);
        assert_string_equal(c->trusted_addresses.items[0], "127.0.0.0/8");
        assert_string_equal(c->tls_certificate, folder_path("tls.pem"));
        assert_string_equal(c->tls_key, folder_path("tls.key"));
        assert_string_equal(c->ocsp_path, "/");
        assert_true(c->workers == 0 && c->max_connections == 20000 && c->max_memory == 1ull << 30 && c->max_body == 10000 &&
                    c->max_uri == 8192 && c->max_cert_ids == 8);
        assert_true(
                c->header_timeout_s == 10 && c->idle_timeout_s == 60 && c->write_timeout_s == 30 && c->park_timeout_s == 5);
        assert_string_equal(c->log_target, "stderr");
        assert_int_equal(c->log_level, LEVEL_INFO);
}

static void assert_issuer_defaults(const struct conf_issuer *i)
{
        char path[256];

        assert_true(i->profile == CONF_PROFILE_PRIVATE && !i->offline && i->certificates.n == 1);
        snprintf(path, sizeof(path), "%s/ca.pem", i->folder);
        assert_string_equal(i->certificates.items[0], path);
        snprintf(path, sizeof(path), "%s/ocsp-signer.pem", i->folder);
        assert_string_equal(i->ocsp_certificate, path);
        assert_string_equal(i->ocsp_key, "");
        assert_true(i->ocsp_hash == CONF_HASH_SHA256 && i->ocsp_responder_id == CONF_RESPONDER_BY_KEY &&
                    i->ocsp_cert_id == CONF_HASH_SHA1);
        assert_true(i->ocsp_allow_sha1_cert_id && i->ocsp_nonce == CONF_NONCE_IGNORE && !i->ocsp_extended_revoked);
        assert_true(i->ocsp_validity_s == 4 * 86400 && i->ocsp_refresh_s == 0 && i->ocsp_max_age_good_s == 3600);
        assert_true(i->ocsp_max_age_revoked_s == 300 && i->crl_hash == CONF_HASH_SHA256 && i->crl_validity_s == 7 * 86400);
        assert_true(i->crl_period_s == 86400 && i->crl_delta_period_s == 0 && i->crl_after_revocation_s == 60);
        assert_true(i->crl_shards == 0 && i->crl_max_age_s == 3600);
        assert_string_equal(i->crl_key, "");
        assert_string_equal(i->crl_url, "");
        assert_string_equal(i->crl_delta_url, "");
}

static void an_empty_file_means_the_defaults(void **state)
{
        _cleanup_(conf_freep) struct conf *conf = folder_load("");

        (void)state;
        assert_string_equal(conf->file, folder_path("tocsin.yaml"));
        assert_int_equal(conf->n_issuers, 0);
        assert_defaults(conf);
}

/* The text that a printer prints. */
static char *print(void (*printer)(FILE *, const char *const *), const char *const *set)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        printer(out, set);
        fclose(out);
        return text;
}

static char *slurp(const char *name)
{
        char path[512];
        char *text = calloc(1, 1 << 16);
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", getenv("TOCSIN_CONF"), name);
        file = fopen(path, "r");
        assert_non_null(file);
        assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
        fclose(file);
        return text;
}

static void the_samples_in_conf_are_what_the_table_prints(void **state)
{
        _cleanup_free_
        char *main_sample = print(conf_print_sample, NULL), *issuer_sample = print(conf_print_issuer_sample, NULL);
        _cleanup_free_
        char *main_kept = slurp("tocsin.yaml"), *issuer_kept = slurp("issuer.yaml");

        (void)state;
        assert_string_equal(main_sample, main_kept);
        assert_string_equal(issuer_sample, issuer_kept);
}

static void the_samples_load_and_mean_the_defaults(void **state)
{
        _cleanup_free_
        char *main_sample = print(conf_print_sample, NULL), *issuer_sample = print(conf_print_issuer_sample, NULL);
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        folder_put_issuer("one", issuer_sample);
        conf = folder_load(main_sample);
        assert_defaults(conf);
        assert_int_equal(conf->n_issuers, 1);
        assert_issuer_defaults(&conf->issuers[0]);
}

/* "#name: value" -> "name: value" for every option, which stands behind the indentation of its group. */
static void uncomment(char *text)
{
        for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                char *hash = line + strspn(line, " ");

                if (hash[0] == '#' && hash[1] >= 'a' && hash[1] <= 'z')
                        memmove(hash, hash + 1, strlen(hash));
        }
}

static void every_default_can_be_written_as_it_is_shown(void **state)
{
        _cleanup_free_
        char *main_sample = print(conf_print_sample, NULL), *issuer_sample = print(conf_print_issuer_sample, NULL);
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        uncomment(main_sample);
        uncomment(issuer_sample);
        assert_non_null(strstr(main_sample, "\n  workers: 0\n"));
        folder_put_issuer("one", issuer_sample);
        conf = folder_load(main_sample);
        assert_defaults(conf);
        assert_issuer_defaults(&conf->issuers[0]);
}

static void a_sample_holds_what_was_set(void **state)
{
        static const char *const set[] = {"run.path=/srv/x", "responder.workers=3", "responder.listen=[::1]:80,10.0.0.1:81",
                "control.group=a \"b\" \\c", "issuers=pki", NULL};
        _cleanup_free_
        char *sample = print(conf_print_sample, set);
        _cleanup_(conf_freep) struct conf *conf = folder_load(sample);

        (void)state;
        assert_non_null(strstr(sample, "#socket: /srv/x/control.sock\n"));
        assert_string_equal(conf->control_socket, "/srv/x/control.sock");
        assert_int_equal(conf->workers, 3);
        assert_int_equal(conf->listen.n, 2);
        assert_string_equal(conf->listen.items[1], "10.0.0.1:81");
        assert_string_equal(conf->control_group, "a \"b\" \\c");
        assert_string_equal(conf->issuers_path, folder_path("pki"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST_IN_FOLDER(an_empty_file_means_the_defaults),
                TEST_IN_FOLDER(the_samples_in_conf_are_what_the_table_prints),
                TEST_IN_FOLDER(the_samples_load_and_mean_the_defaults),
                TEST_IN_FOLDER(every_default_can_be_written_as_it_is_shown),
                TEST_IN_FOLDER(a_sample_holds_what_was_set),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
