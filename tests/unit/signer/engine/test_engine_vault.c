/* The way back up: how long the engine waits for its next vault, and what it asks of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/msg.h"
#include "engine_fixture.h"
#include "signer/supervisor.h"

static struct fixture f;

static int setup(void **state)
{
        static char none[] = "";

        (void)state;
        fixture_init(&f);
        f.issuer.crl_key = none; /* nothing is to be signed that is not asked for */
        fixture_start(&f, 0);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        fixture_stop(&f);
        return 0;
}

static bool is_up(struct fixture *fx)
{
        return vault_is_up(&fx->engine);
}

static bool is_away(struct fixture *fx)
{
        return !vault_is_up(&fx->engine);
}

static void a_vault_that_is_killed_again_and_again_is_started_soon_each_time(void **state)
{
        struct msg_sign_ask ask;

        (void)state;
        for (unsigned i = 0; i < 4; i++) {
                fake_vault_die(&f.vault);
                fixture_run_until(&f, is_away);
                assert_int_equal(f.engine.vault.pause_ms, 500);
                fixture_run_until(&f, is_up);
        }
        ask = fixture_ask(&f, 1);
        fixture_send(&f, &ask);
        assert_int_equal(fixture_answer(&f).outcome, MSG_UNAUTHORIZED); /* it was never issued */
}

static void a_token_that_fails_is_left_alone_longer_though_its_process_ends_too(void **state)
{
        (void)state;
        for (unsigned pause_ms = 500; pause_ms <= 1000; pause_ms *= 2) {
                fake_vault_fail(&f.vault);
                fixture_run_until(&f, is_away);
                assert_string_equal(f.engine.vault.error, "on fire");
                assert_int_equal(f.engine.vault.pause_ms, pause_ms);
                fixture_run_until(&f, is_up);
        }
}

static void a_vault_that_could_not_be_started_is_not_waited_for(void **state)
{
        static const uint8_t none = SUPERVISOR_NO_VAULT;

        (void)state;
        fake_vault_refuse(&f.vault, true);
        fake_vault_die(&f.vault);
        fixture_run_until(&f, is_away);
        while (f.engine.vault.state != VAULT_ASKED)
                fixture_turn(&f);
        assert_int_equal(msg_send(f.vault.channel, bytes_make(&none, 1), -1), OK);
        while (f.engine.vault.state == VAULT_ASKED)
                fixture_turn(&f);
        assert_int_equal(f.engine.vault.state, VAULT_DOWN);
        assert_non_null(strstr(f.engine.vault.error, "could start no vault"));
        fake_vault_refuse(&f.vault, false);
        fixture_run_until(&f, is_up);
}

static void a_fresh_vault_is_asked_for_keys_that_the_last_one_lacked(void **state)
{
        (void)state;
        f.engine.issuers->items[0].ocsp.away_until_ms = INT64_MAX;
        fake_vault_die(&f.vault);
        fixture_run_until(&f, is_away);
        fixture_run_until(&f, is_up);
        assert_int_equal(f.engine.issuers->items[0].ocsp.away_until_ms, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_vault_that_is_killed_again_and_again_is_started_soon_each_time),
                TEST(a_token_that_fails_is_left_alone_longer_though_its_process_ends_too),
                TEST(a_vault_that_could_not_be_started_is_not_waited_for),
                TEST(a_fresh_vault_is_asked_for_keys_that_the_last_one_lacked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
