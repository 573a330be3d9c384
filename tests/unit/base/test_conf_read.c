/* test_conf_read: a file is a plain map of options and groups; what is not is refused with its line and what would be right.
 */
#include "tests/unit/base/conf_folder.h"

static void a_name_that_is_no_option_is_refused_with_the_nearest_one(void **state)
{
        static const struct bad mains[] = {
                {"responder:\n  workes: 2\n", ERR_INVALID, ".yaml:2: responder.workes:", "did you mean responder.workers?"},
                {"workers: 2\n", ERR_INVALID, ".yaml:1: workers:", "did you mean responder.workers?"},
                {"# x\n\nrespnder:\n  workers: 2\n", ERR_INVALID, ".yaml:3: respnder:", "did you mean responder?"},
                {"store:\n  path: x\n  sessions: 2\n", ERR_INVALID,
                        ".yaml:3: store.sessions:", "did you mean token.sessions?"},
                {"store.path: x\n", ERR_INVALID, ".yaml:1: store.path:", "no such option"},
                {"qwertzuiop: x\n", ERR_INVALID, ".yaml:1: qwertzuiop:", "sample lists all"},
                {0},
        };
        static const struct bad policies[] = {
                {"ocps:\n", ERR_INVALID, ".yaml:1: ocps", "did you mean ocsp?"},
                {0},
        };

        (void)state;
        folder_assert_refused(mains);
        folder_assert_policies_refused(policies);
}

static void a_file_of_another_shape_is_refused_with_line_and_hint(void **state)
{
        static const struct bad rows[] = {
                {"log:\n  level: info\n  level: debug\n", ERR_INVALID, ".yaml:3: log.level: set twice, first on line 2",
                        "keep one"},
                {"log:\n  level: info\ncrl:\nlog:\n  target: stderr\n", ERR_INVALID,
                        ".yaml:4: log: set twice, first on line 1", "put all"},
                {"log: debug\n", ERR_INVALID, ".yaml:1: log: a group", "indented below"},
                {"- a\n", ERR_INVALID, ".yaml:1: options are expected", "name: value"},
                {"log:\n  [a]: b\n", ERR_INVALID, ".yaml:2: an option's name", "expected"},
                {"a: &x b\n", ERR_INVALID, ".yaml:1: a: no such option", ""},
                {"store:\n  path: &x b\nissuers: *x\n", ERR_INVALID, ".yaml:3: issuers: aliases are not taken",
                        "write the value"},
                {"issuers: a\n---\nissuers: b\n", ERR_INVALID, ".yaml:2: a second document", "one only"},
                {"store:\n\tpath: x\n", ERR_INVALID, ".yaml:2: not YAML", "token"},
                {"store: {path: x\n", ERR_INVALID, ".yaml:2: not YAML", "expected"},
                {0},
        };

        (void)state;
        folder_assert_refused(rows);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST_IN_FOLDER(a_name_that_is_no_option_is_refused_with_the_nearest_one),
                TEST_IN_FOLDER(a_file_of_another_shape_is_refused_with_line_and_hint),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
