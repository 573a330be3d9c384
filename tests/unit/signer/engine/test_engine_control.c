/* What a question on the control socket must look like (docs/formats.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "signer/engine/control.h"

static const char *check(const char *text, int fd, const struct command **ret_command)
{
        static char memory[256];
        json_t *question = json_loads(text, JSON_DECODE_ANY, NULL);
        const char *why;

        assert_non_null(question);
        why = control_check_question(question, fd, ret_command, memory, sizeof(memory));
        json_decref(question);
        return why;
}

static void assert_refused(const char *text, int fd, const char *word)
{
        const struct command *command = NULL;
        const char *why = check(text, fd, &command);

        assert_non_null(why);
        assert_null(command);
        if (!strstr(why, word))
                fail_msg("\"%s\" does not say \"%s\"", why, word);
}

static void a_well_formed_question_finds_its_command(void **state)
{
        const struct command *command;

        (void)state;
        assert_null(check("{\"command\": \"status\"}", -1, &command));
        assert_string_equal(command->name, "status");
        assert_null(check("{\"command\": \"revoke\", \"issuer\": \"x\", \"dry_run\": false}", 5, &command));
        assert_string_equal(command->name, "revoke");
        assert_true(command->needs_fd);
}

static void what_is_no_object_is_refused(void **state)
{
        (void)state;
        assert_refused("[1]", -1, "object");
        assert_refused("\"status\"", -1, "object");
}

static void an_unknown_command_is_refused(void **state)
{
        (void)state;
        assert_refused("{\"command\": \"shutdown\"}", -1, "shutdown");
        assert_refused("{\"command\": 1}", -1, "string");
        assert_refused("{}", -1, "command");
}

static void a_missing_field_is_named(void **state)
{
        (void)state;
        assert_refused("{\"command\": \"release\", \"issuer\": \"x\"}", -1, "\"serial\"");
}

static void a_field_of_the_wrong_type_is_named(void **state)
{
        (void)state;
        assert_refused("{\"command\": \"import\", \"issuer\": 7}", 5, "\"issuer\"");
        assert_refused("{\"command\": \"revoke\", \"issuer\": \"x\", \"dry_run\": \"yes\"}", 5, "true or false");
}

static void an_unknown_field_is_refused(void **state)
{
        (void)state;
        assert_refused("{\"command\": \"revoke\", \"issuer\": \"x\", \"dryrun\": true}", 5, "dryrun");
}

static void a_descriptor_must_be_there_exactly_where_one_is_needed(void **state)
{
        (void)state;
        assert_refused("{\"command\": \"revoke\", \"issuer\": \"x\"}", -1, "descriptor");
        assert_refused("{\"command\": \"status\"}", 5, "descriptor");
}

static void every_error_has_a_code(void **state)
{
        (void)state;
        for (unsigned e = 0; e < ERR_N; e++)
                assert_non_null(control_code((enum err)e));
        assert_string_equal(control_code(ERR_NOSPC), "no-space");
        assert_string_equal(control_code(ERR_NOT_FOUND), "not-found");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_well_formed_question_finds_its_command),
                cmocka_unit_test(what_is_no_object_is_refused),
                cmocka_unit_test(an_unknown_command_is_refused),
                cmocka_unit_test(a_missing_field_is_named),
                cmocka_unit_test(a_field_of_the_wrong_type_is_named),
                cmocka_unit_test(an_unknown_field_is_refused),
                cmocka_unit_test(a_descriptor_must_be_there_exactly_where_one_is_needed),
                cmocka_unit_test(every_error_has_a_code),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
