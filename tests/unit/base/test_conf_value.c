/* test_conf_value: values of every type, as they are read; one of another type or range is refused with its line and range. */
#include "tests/unit/base/conf_folder.h"

#include "base/cleanup.h"
#include "base/log.h"

static void values_of_every_type_are_read(void **state)
{
        _cleanup_(conf_freep) struct conf *conf =
                folder_load("store: {path: /abs/store, map_size: 2G, reserve: 1048576}\n"
                            "issuers: ../issuers\n"
                            "run:\n  path: sockets\n"
                            "users: {engine: '', vault: \"\"}\n"
                            "token:\n  timeout: 1m30s\n  sessions: 64\n"
                            "responder:\n  listen:\n    - 0.0.0.0:80\n    - '[::]:65535'\n  idle_timeout: 1d\n"
                            "log:\n  target: logs/x.log\n  level: debug\n");

        (void)state;
        assert_string_equal(conf->store_path, "/abs/store");
        assert_true(conf->store_map_size == 2ULL << 30 && conf->store_reserve == 1 << 20);
        assert_string_equal(conf->issuers_path, folder_path("../issuers"));
        assert_string_equal(conf->control_socket, folder_path("sockets/control.sock"));
        assert_string_equal(conf->engine_user, "");
        assert_string_equal(conf->vault_user, "");
        assert_true(conf->token_timeout_s == 90 && conf->token_sessions == 64 && conf->idle_timeout_s == 86400);
        assert_int_equal(conf->listen.n, 2);
        assert_string_equal(conf->listen.items[1], "[::]:65535");
        assert_string_equal(conf->log_target, folder_path("logs/x.log"));
        assert_int_equal(conf->log_level, LEVEL_DEBUG);
}

static void a_value_of_another_type_or_range_is_refused_with_line_and_range(void **state)
{
        static const struct bad mains[] = {
                /* numbers */
                {"responder:\n  workers: 900\n", ERR_RANGE, ".yaml:2: responder.workers: 900 is not a number in 0..256",
                        "\"workers: 1\" (default 0)"},
                {"responder:\n  workers: 257\n", ERR_RANGE, ".yaml:2: responder.workers: 257", "0..256"},
                {"responder:\n  workers: -1\n", ERR_INVALID, ".yaml:2: responder.workers: -1", "0..256"},
                {"responder:\n  workers: many\n", ERR_INVALID, ".yaml:2: responder.workers: many", "0..256"},
                {"responder:\n  workers: 4294967297\n", ERR_RANGE, ".yaml:2: responder.workers: 4294967297", "0..256"},
                {"responder:\n  workers: 99999999999999999999999\n", ERR_RANGE, ".yaml:2: responder.workers", "0..256"},
                {"responder:\n  max_cert_ids: 17\n", ERR_RANGE, ".yaml:2: responder.max_cert_ids: 17", "1..16"},
                {"responder:\n  max_cert_ids: 0\n", ERR_RANGE, ".yaml:2: responder.max_cert_ids: 0",
                        "\"max_cert_ids: 8\" (default 8)"},
                {"token:\n  sessions: 65\n", ERR_RANGE, ".yaml:2: token.sessions: 65", "1..64"},
                /* sizes */
                {"store:\n  map_size: 1X\n", ERR_INVALID, ".yaml:2: store.map_size: 1X", "16M..16T"},
                {"store:\n  map_size: 17T\n", ERR_RANGE, ".yaml:2: store.map_size: 17T", "16M..16T"},
                {"store:\n  map_size: 99999999999T\n", ERR_RANGE, ".yaml:2: store.map_size", "16M..16T"},
                {"store:\n  reserve: 1G1M\n", ERR_INVALID, ".yaml:2: store.reserve: 1G1M", "default 64M"},
                /* durations */
                {"responder:\n  idle_timeout: 90\n", ERR_INVALID, ".yaml:2: responder.idle_timeout: 90", "1s..1d"},
                {"responder:\n  idle_timeout: 1s1m\n", ERR_INVALID, ".yaml:2: responder.idle_timeout", "1s..1d"},
                {"responder:\n  idle_timeout: 1m1m\n", ERR_INVALID, ".yaml:2: responder.idle_timeout", "1s..1d"},
                {"responder:\n  idle_timeout: 1 m\n", ERR_INVALID, ".yaml:2: responder.idle_timeout", "1s..1d"},
                {"responder:\n  idle_timeout: 25h\n", ERR_RANGE, ".yaml:2: responder.idle_timeout: 25h", "1s..1d"},
                {"responder:\n  idle_timeout: 0\n", ERR_RANGE, ".yaml:2: responder.idle_timeout: 0", "default 60s"},
                {"responder:\n  idle_timeout: 999999999999999999999d\n", ERR_RANGE, ".yaml:2: responder.idle_timeout",
                        "1s..1d"},
                {"responder:\n  park_timeout: 11s\n", ERR_RANGE, ".yaml:2: responder.park_timeout: 11s", "1s..10s"},
                /* words, paths, lists */
                {"log:\n  level: loud\n", ERR_INVALID, ".yaml:2: log.level: loud", "one of error, warning, info, debug"},
                {"store:\n  path: \"\"\n", ERR_RANGE, ".yaml:2: store.path: \"\"", "a path, not empty"},
                {"store:\n  path: \"a\\nb\"\n", ERR_INVALID, ".yaml:2: store.path: a?b is not", "a path"},
                {"store:\n  path: \"a\\0b\"\n", ERR_INVALID, ".yaml:2: store.path: a text with a NUL", "a path"},
                {"store:\n  path:\n", ERR_INVALID, ".yaml:2: store.path: no value at all",
                        "\"path: store\" (default store)"},
                {"store:\n  path: [a]\n", ERR_INVALID, ".yaml:2: store.path: a list", "a path"},
                {"store:\n  path: {a: b}\n", ERR_INVALID, ".yaml:2: store.path: a group", "a path"},
                {"responder:\n  listen: 127.0.0.1:80\n", ERR_INVALID, ".yaml:2: responder.listen",
                        "\"listen: [\"127.0.0.1:8080\"]\" (default 127.0.0.1:8080)"},
                {"responder:\n  listen: []\n", ERR_RANGE, ".yaml:2: responder.listen: an empty list", "at least one"},
                {0},
        };
        static const struct bad policies[] = {
                {"profile: public\n", ERR_INVALID, ".yaml:1: profile: public", "one of private, cabf-tls"},
                {"ocsp:\n  hash: sha1\n", ERR_RANGE, ".yaml:2: ocsp.hash: sha1", "one of sha256, sha384, sha512"},
                {"ocsp:\n  hash: md5\n", ERR_INVALID, ".yaml:2: ocsp.hash: md5", "one of sha256, sha384, sha512"},
                {"ocsp:\n  allow_sha1_cert_id: no\n", ERR_INVALID, ".yaml:2: ocsp.allow_sha1_cert_id: no", "true or false"},
                {"certificates: ca.pem\n", ERR_INVALID, ".yaml:1: certificates", "a list of paths"},
                {0},
        };

        (void)state;
        folder_assert_refused(mains);
        folder_assert_policies_refused(policies);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST_IN_FOLDER(values_of_every_type_are_read),
                TEST_IN_FOLDER(a_value_of_another_type_or_range_is_refused_with_line_and_range),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
