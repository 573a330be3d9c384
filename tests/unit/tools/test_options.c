/* The command line: options by table, the table of commands itself, exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/tool.h"

static const struct option_row rows[] = {
        {"file", "LIST", "a list", 'f', true},
        {"yes", NULL, "do not ask", 'y', false},
        {"reason", "REASON", "why", 'r', false},
        {0},
};
static const struct option_row *const tables[] = {rows, NULL};

#define PARSE(...)                                                                                                          \
        __attribute__((cleanup(options_done))) struct options o = {0};                                                      \
        struct options_problem problem = {0};                                                                               \
        const char *const words[] = {__VA_ARGS__};                                                                          \
        enum err e = options_parse(tables, sizeof(words) / sizeof(*words), (char *const *)(uintptr_t)words, &o, &problem)

static void options_and_operands_may_be_mixed(void **state)
{
        size_t at = 0;
        PARSE("01", "--file", "a", "--yes", "02", "--file=b", "-r", "superseded", "-", "--", "--yes");

        (void)state;
        assert_int_equal(e, OK);
        assert_int_equal(o.n_operands, 4);
        assert_string_equal(o.operands[2], "-");
        assert_string_equal(o.operands[3], "--yes"); /* after -- */
        assert_string_equal(options_next(&o, "file", &at), "a");
        assert_string_equal(options_next(&o, "file", &at), "b");
        assert_null(options_next(&o, "file", &at));
        assert_true(options_has(&o, "yes"));
        assert_string_equal(options_get(&o, "reason"), "superseded");
        assert_null(options_get(&o, "nothing"));
}

static void an_unknown_option_is_refused_with_the_one_that_was_meant(void **state)
{
        PARSE("--resaon", "x");

        (void)state;
        assert_int_equal(e, ERR_INVALID);
        assert_non_null(strstr(problem.text, "--resaon"));
        assert_non_null(strstr(problem.hint, "--reason"));
}

static void a_missing_value_is_refused(void **state)
{
        PARSE("--reason");

        (void)state;
        assert_int_equal(e, ERR_INVALID);
        assert_non_null(strstr(problem.text, "needs a value"));
}

static void a_value_for_a_flag_is_refused(void **state)
{
        PARSE("--yes=no");

        (void)state;
        assert_int_equal(e, ERR_INVALID);
        assert_non_null(strstr(problem.text, "takes no value"));
}

static void the_same_option_twice_is_refused_unless_it_may_repeat(void **state)
{
        PARSE("--reason", "a", "--reason", "b");

        (void)state;
        assert_int_equal(e, ERR_INVALID);
        assert_non_null(strstr(problem.text, "twice"));
}

static void letters_do_not_cluster(void **state) /* -yr would be a guess */
{
        PARSE("-yr", "a");

        (void)state;
        assert_int_equal(e, ERR_INVALID);
}

static void distance_counts_changed_letters(void **state)
{
        (void)state;
        assert_int_equal(options_distance("revok", "revoke"), 1);
        assert_int_equal(options_distance("import", "import"), 0);
        assert_int_equal(options_distance("", "abc"), 3);
        assert_int_equal(options_distance("kitten", "sitting"), 3);
}

static void every_command_explains_itself(void **state)
{
        (void)state;
        for (const struct command *c = tool_commands; c->name; c++) {
                assert_non_null(c->run);
                assert_non_null(c->options);
                assert_true(c->least <= c->most);
                assert_true(c->help || strcmp(c->name, "complete") == 0);
                assert_true((c->most > 0) == (c->operands != NULL));
                for (const struct option_row *r = c->options; r->name; r++)
                        assert_non_null(r->help);
        }
}

static void no_command_has_one_option_or_letter_twice(void **state)
{
        (void)state;
        for (const struct command *c = tool_commands; c->name; c++) {
                for (const struct option_row *a = c->options; a->name; a++) {
                        for (const struct option_row *b = a + 1; b->name; b++) {
                                assert_string_not_equal(a->name, b->name);
                                assert_false(a->letter && a->letter == b->letter);
                        }
                        for (const struct option_row *g = tool_global_options; g->name; g++) {
                                assert_string_not_equal(a->name, g->name);
                                assert_false(a->letter && a->letter == g->letter);
                        }
                }
        }
}

/* Is the option in the page, as mdoc writes it ("Fl -reason"), or with its letter before it? */
static bool page_has_option(const char *page, const struct option_row *row)
{
        char text[64];

        snprintf(text, sizeof(text), "Fl -%s", row->name);
        return strstr(page, text) != NULL;
}

static void the_manual_page_has_every_command_option_and_exit_code(void **state)
{
        static char page[1 << 16];
        FILE *file = fopen(getenv("TOCSIN_PAGE"), "r");
        char text[128];

        (void)state;
        assert_non_null(file);
        page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
        fclose(file);
        for (const struct command *c = tool_commands; c->name; c++) {
                snprintf(text, sizeof(text), "Cm %s", c->name);
                if (c->help && !strstr(page, text))
                        fail_msg("tocsin.1 lacks the command %s", c->name);
                for (const struct option_row *r = c->options; c->help && r->name; r++)
                        if (!page_has_option(page, r))
                                fail_msg("tocsin.1 lacks --%s of %s", r->name, c->name);
        }
        for (const struct option_row *r = tool_global_options; r->name; r++)
                assert_true(page_has_option(page, r));
        for (int i = 0; i < EXIT_CODE_N; i++) { /* the words after the first letter, which the page writes large */
                snprintf(text, sizeof(text), ".It %d\n", i);
                assert_non_null(strstr(page, text));
                assert_non_null(strstr(page, exit_code_text(i) + 1));
        }
}

static void commands_are_found_by_one_or_two_words(void **state)
{
        const char *const add[] = {"issuer", "add", "x"}, *const revoke[] = {"revoke", "01"}, *const half[] = {"issuer"};
        size_t n = 0;

        (void)state;
        assert_string_equal(help_find_command(3, add, &n)->name, "issuer add");
        assert_int_equal(n, 2);
        assert_string_equal(help_find_command(2, revoke, &n)->name, "revoke");
        assert_int_equal(n, 1);
        assert_null(help_find_command(1, half, &n));
        assert_null(help_find_command(0, half, &n));
        assert_string_equal(help_nearest_command("revok")->name, "revoke");
        assert_string_equal(help_nearest_command("stauts")->name, "status");
        assert_null(help_nearest_command("xyzzyxyzzy"));
        assert_null(help_nearest_command("foo")); /* half of a short word: not "key" */
}

static void the_first_of_two_words_names_a_family_and_lists_it(void **state)
{
        char text[128];

        (void)state;
        assert_true(help_is_family("issuer"));
        assert_false(help_is_family("revoke"));
        assert_false(help_is_family("iss"));
        assert_false(help_is_family(""));
        help_list_family("crl", text, sizeof(text));
        assert_string_equal(text, "tocsin crl issue, tocsin crl list");
}

static void exit_codes_are_documented_and_follow_the_engines_codes(void **state)
{
        (void)state;
        for (int i = 0; i < EXIT_CODE_N; i++)
                assert_non_null(exit_code_text(i));
        assert_int_equal(exit_code_of_engine("invalid"), EXIT_REFUSED);
        assert_int_equal(exit_code_of_engine("not-found"), EXIT_REFUSED);
        assert_int_equal(exit_code_of_engine("busy"), EXIT_ENGINE);
        assert_int_equal(exit_code_of_engine("no-space"), EXIT_ENGINE);
        assert_int_equal(exit_code_of_engine("token"), EXIT_TOKEN);
        assert_int_equal(exit_code_of_engine(NULL), EXIT_ENGINE);
        assert_int_equal(exit_code_of_err(OK), EXIT_OK);
        assert_int_equal(exit_code_of_err(ERR_INVALID), EXIT_REFUSED);
        assert_int_equal(exit_code_of_err(ERR_NOT_FOUND), EXIT_SYSTEM);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_and_operands_may_be_mixed),
                cmocka_unit_test(an_unknown_option_is_refused_with_the_one_that_was_meant),
                cmocka_unit_test(a_missing_value_is_refused),
                cmocka_unit_test(a_value_for_a_flag_is_refused),
                cmocka_unit_test(the_same_option_twice_is_refused_unless_it_may_repeat),
                cmocka_unit_test(letters_do_not_cluster),
                cmocka_unit_test(distance_counts_changed_letters),
                cmocka_unit_test(every_command_explains_itself),
                cmocka_unit_test(no_command_has_one_option_or_letter_twice),
                cmocka_unit_test(the_manual_page_has_every_command_option_and_exit_code),
                cmocka_unit_test(commands_are_found_by_one_or_two_words),
                cmocka_unit_test(the_first_of_two_words_names_a_family_and_lists_it),
                cmocka_unit_test(exit_codes_are_documented_and_follow_the_engines_codes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
