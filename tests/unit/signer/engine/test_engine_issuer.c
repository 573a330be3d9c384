/* Issuers that lack something: what they are served with all the same, and what is said about the rest. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine_fixture.h"
#include "store/crl_history.h"

static struct fixture f;

static int setup(void **state)
{
        (void)state;
        fixture_init(&f);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        fixture_stop(&f);
        return 0;
}

static bool has_full(struct fixture *fx)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct crl_row row;

        assert_int_equal(txn_begin_read(fx->engine.env, &txn), OK);
        return crl_current(txn, fx->engine.issuers->items[0].ca_key, 0, false, &row) == OK;
}

static void take_delegate_away(void)
{
        assert_int_equal(unlink(f.issuer.ocsp_certificate), 0);
}

static json_t *ask_status(void)
{
        assert_int_equal(msg_send(f.control, BYTES_LIT("{\"command\": \"status\"}"), -1), OK);
        return fixture_final(&f);
}

static void assert_text(const json_t *object, const char *field, const char *word)
{
        const char *text = json_string_value(json_object_get(object, field));

        assert_non_null(text);
        if (!strstr(text, word))
                fail_msg("%s: \"%s\" does not say \"%s\"", field, text, word);
}

static void assert_outcome(unsigned i, enum msg_outcome outcome)
{
        struct msg_sign_ask ask = fixture_ask(&f, i);

        fixture_send(&f, &ask);
        assert_int_equal(fixture_answer(&f).outcome, outcome);
}

static void without_an_ocsp_signer_crls_are_made_all_the_same(void **state)
{
        (void)state;
        take_delegate_away();
        fixture_start(&f, 10);
        fixture_run_until(&f, has_full);
}

static void without_an_ocsp_signer_a_known_serial_is_try_later(void **state)
{
        (void)state;
        take_delegate_away();
        fixture_start(&f, 10);
        assert_outcome(3, MSG_TRY_LATER);
}

static void status_says_what_the_ocsp_signer_lacks_and_which_commands_help(void **state)
{
        json_t *final, *issuer;

        (void)state;
        take_delegate_away();
        fixture_start(&f, 10);
        final = ask_status();
        issuer = json_array_get(json_object_get(final, "issuers"), 0);
        assert_true(json_is_true(json_object_get(issuer, "served")));
        assert_text(issuer, "ocsp_refused", "tocsin key csr --label ocsp");
        assert_text(issuer, "ocsp_refused", "tocsin key install test-ca");
        assert_null(json_object_get(issuer, "refused"));
        assert_null(json_object_get(issuer, "crl_refused"));
        json_decref(final);
}

/* In a transaction that is given up: what a reload would disable. */
static unsigned count_disabled(struct issuers *set, unsigned *ret_n)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct signer row;
        unsigned n_disabled = 0;
        uint32_t id = 0;

        *ret_n = 0;
        assert_int_equal(txn_begin_write(f.engine.env, &txn), OK);
        if (issuers_sync(txn, set, clock_now_s()) != OK)
                return UINT_MAX;
        for (; signer_next(txn, &id, &row) == OK; ++*ret_n)
                n_disabled += row.disabled_at != 0;
        return n_disabled;
}

static void a_certificate_that_cannot_be_read_voids_no_answer_signed_before(void **state)
{
        struct issuers *broken;
        unsigned n_disabled, n;

        (void)state;
        fixture_start(&f, 10);
        take_delegate_away();
        assert_int_equal(issuers_load(&f.conf, clock_now_s(), &broken), OK);
        n_disabled = count_disabled(broken, &n);
        issuers_free(broken);
        assert_int_equal(n, 2);
        assert_int_equal(n_disabled, 0);
}

static void what_an_offline_issuer_did_not_sign_before_is_unauthorized(void **state) /* RFC 6960 2.3, req 2.2 */
{
        static char none[] = "";

        (void)state;
        f.issuer.offline = true;
        f.issuer.crl_key = none;
        fixture_start(&f, 10);
        assert_outcome(3, MSG_UNAUTHORIZED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(without_an_ocsp_signer_crls_are_made_all_the_same),
                TEST(without_an_ocsp_signer_a_known_serial_is_try_later),
                TEST(status_says_what_the_ocsp_signer_lacks_and_which_commands_help),
                TEST(a_certificate_that_cannot_be_read_voids_no_answer_signed_before),
                TEST(what_an_offline_issuer_did_not_sign_before_is_unauthorized),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
