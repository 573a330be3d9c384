/* test_err: words for every error, and errno's meaning. */
#include "tests/unit/base/test.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void every_error_has_its_own_words(void **state)
{
        (void)state;
        for (int i = 0; i < ERR_N; i++) {
                assert_string_not_equal(err_text((enum err)i), "unknown error");
                for (int j = 0; j < i; j++)
                        assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
        }
}

static void a_number_that_is_no_error_has_words_too(void **state)
{
        (void)state;
        assert_string_equal(err_text(ERR_N), "unknown error");
        assert_string_equal(err_text((enum err) - 1), "unknown error");
}

static void errno_values_become_the_error_that_callers_act_on(void **state)
{
        static const struct {
                int errnum;
                enum err err;
        } rows[] = {
                {ENOMEM, ERR_NOMEM},
                {ENOSPC, ERR_NOSPC},
                {EDQUOT, ERR_NOSPC},
                {ENOENT, ERR_NOT_FOUND},
                {EEXIST, ERR_EXISTS},
                {EAGAIN, ERR_AGAIN},
                {EACCES, ERR_DENIED},
                {EPERM, ERR_DENIED},
                {EBUSY, ERR_BUSY},
                {EPIPE, ERR_CLOSED},
                {ECONNREFUSED, ERR_CLOSED},
                {ETIMEDOUT, ERR_TIMEOUT},
                {EIO, ERR_IO},
                {ENXIO, ERR_IO},
                {0, OK},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                assert_int_equal(err_from_errno(rows[i].errnum), rows[i].err);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_error_has_its_own_words),
                cmocka_unit_test(a_number_that_is_no_error_has_words_too),
                cmocka_unit_test(errno_values_become_the_error_that_callers_act_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
