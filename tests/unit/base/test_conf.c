/* test_conf: tocsin.yaml and the issuers' folders are loaded whole or not at all. */
#include "tests/unit/base/conf_folder.h"

#include <string.h>

#include "base/cleanup.h"
#include "tests/unit/base/fail_alloc.h"

static void issuers_are_sorted_and_found_by_name(void **state)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        folder_put_issuer("b", "profile: cabf-tls\ncrl: {shards: 2, url: 'http://x/{shard}.crl'}\n");
        folder_make("issuers/not-an-issuer");
        folder_put_issuer("a", "ocsp: {validity: 1d12h, nonce: echo, certificate: ''}");
        folder_put_issuer(".being-made", "nonsense");
        conf = folder_load("");
        assert_int_equal(conf->n_issuers, 2);
        assert_string_equal(conf->issuers[0].name, "a");
        assert_string_equal(conf->issuers[0].folder, folder_path("issuers/a"));
        assert_string_equal(conf->issuers[0].ocsp_certificate, "");
        assert_true(conf->issuers[0].ocsp_validity_s == 129600 && conf->issuers[0].ocsp_nonce == CONF_NONCE_ECHO);
        assert_ptr_equal(conf_find_issuer(conf, "b"), &conf->issuers[1]);
        assert_true(conf->issuers[1].profile == CONF_PROFILE_CABF_TLS && conf->issuers[1].crl_shards == 2);
        assert_null(conf_find_issuer(conf, "c"));
}

static void an_issuer_with_a_strange_name_is_refused(void **state)
{
        struct conf_problem problem = {{0}};
        struct conf *conf = NULL;

        (void)state;
        folder_put_issuer("my ca", "");
        folder_put("tocsin.yaml", "");
        assert_int_equal(conf_load(folder_path("tocsin.yaml"), &conf, &problem), ERR_INVALID);
        assert_non_null(strstr(problem.text, "letters, digits"));
}

static void a_file_that_is_not_there_is_not_found(void **state)
{
        struct conf_problem problem = {{0}};
        struct conf *conf = NULL;

        (void)state;
        assert_int_equal(conf_load("/nowhere/tocsin.yaml", &conf, &problem), ERR_NOT_FOUND);
        assert_non_null(strstr(problem.text, "/nowhere/tocsin.yaml: cannot be read"));
        assert_int_equal(conf_load(folder_path("tocsin.yaml"), &conf, &problem), ERR_NOT_FOUND);
        assert_null(conf);
}

static void no_failed_allocation_leaks_or_crashes(void **state)
{
        (void)state;
        folder_put_issuer("one", "ocsp: {validity: 1d}\ncertificates: [ca.pem]\n");
        folder_put("tocsin.yaml", "responder: {listen: ['127.0.0.1:1', '127.0.0.1:2']}\n");
        for (int n = 0;; n++) {
                struct conf_problem problem = {{0}};
                struct conf *conf = NULL;
                bool happened;
                enum err e;

                fail_alloc_after(n);
                e = conf_load(folder_path("tocsin.yaml"), &conf, &problem);
                happened = fail_alloc_happened();
                fail_alloc_after(-1);
                if (!happened) {
                        assert_int_equal(e, OK);
                        conf_free(conf);
                        break;
                }
                assert_int_equal(e, ERR_NOMEM);
                assert_null(conf);
                assert_string_not_equal(problem.text, "");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST_IN_FOLDER(issuers_are_sorted_and_found_by_name),
                TEST_IN_FOLDER(an_issuer_with_a_strange_name_is_refused),
                TEST_IN_FOLDER(a_file_that_is_not_there_is_not_found),
                TEST_IN_FOLDER(no_failed_allocation_leaks_or_crashes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
