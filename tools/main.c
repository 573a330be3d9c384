/* tocsin: the operator's command. Finds the row of the table, reads its options, runs it. */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/tool.h"

#ifndef TOCSIN_VERSION
#define TOCSIN_VERSION "unknown"
#endif

static bool wants_color(void)
{
        const char *no_color = getenv("NO_COLOR");
        const char *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && !(term && strcmp(term, "dumb") == 0);
}

static int refuse_command(const struct tool *t, const char *word)
{
        const struct command *near = help_nearest_command(word);
        char next[128] = "tocsin help";

        if (near)
                snprintf(next, sizeof(next), "did you mean `tocsin %s`? `tocsin help` lists them all", near->name);
        return tool_fail(t, EXIT_USAGE, next, "unknown command '%s'", word);
}

/* `tocsin issuer`, `tocsin issuer lst`: the first word of two that name a command. */
static int refuse_family(const struct tool *t, const char *word, const char *second)
{
        char members[128], next[192];

        help_list_family(word, members, sizeof(members));
        snprintf(next, sizeof(next), "%s    (tocsin help %s)", members, word);
        if (second)
                return tool_fail(t, EXIT_USAGE, next, "there is no 'tocsin %s %s'", word, second);
        return tool_fail(t, EXIT_USAGE, next, "%s: what is to be done?", word);
}

static int refuse_operands(const struct tool *t)
{
        const struct command *c = t->command;
        char next[256];

        snprintf(next, sizeof(next), "usage: tocsin %s [options] %s   (tocsin help %s)", c->name,
                c->operands ? c->operands : "", c->name);
        return tool_fail(t, EXIT_USAGE, next,
                t->options.n_operands < c->least ? "%s: something is missing" : "%s: too many words", c->name);
}

static int run_command(struct tool *t)
{
        if (options_has(&t->options, "help")) {
                help_print_command(stdout, t->command);
                return EXIT_OK;
        }
        if (t->options.n_operands < t->command->least || t->options.n_operands > t->command->most)
                return refuse_operands(t);
        tool_find_config(t);
        return t->command->run(t);
}

/* The options that stand before the command, so that its words can be found. */
static size_t count_leading_options(int n, char *const *words)
{
        size_t i = 0;

        while (i < (size_t)n && words[i][0] == '-' && words[i][1] != '\0') {
                bool takes_next = strcmp(words[i], "--config") == 0 || strcmp(words[i], "-c") == 0;

                i += takes_next && i + 1 < (size_t)n ? 2 : 1;
        }
        return i;
}

/* The words without those that named the command. */
static void drop_words(int *n, char **words, size_t at, size_t n_dropped)
{
        memmove(&words[at], &words[at + n_dropped], ((size_t)*n - at - n_dropped) * sizeof(*words));
        *n -= (int)n_dropped;
}

static int parse(struct tool *t, int n, char *const *words)
{
        const struct option_row *tables[] = {tool_global_options, t->command ? t->command->options : NULL, NULL};
        struct options_problem problem;
        enum err e = options_parse(tables, n, words, &t->options, &problem);

        if (e == ERR_INVALID)
                return tool_fail(t, EXIT_USAGE, problem.hint[0] ? problem.hint : "see `tocsin help`", "%s", problem.text);
        if (e != OK)
                return tool_fail(t, EXIT_SYSTEM, NULL, "%s", err_text(e));
        t->json = options_has(&t->options, "json");
        t->quiet = options_has(&t->options, "quiet");
        return EXIT_OK;
}

static int run_without_command(const struct tool *t, const char *word, const char *second)
{
        if (options_has(&t->options, "version")) {
                printf("tocsin %s\n", TOCSIN_VERSION);
                return EXIT_OK;
        }
        if (options_has(&t->options, "help")) {
                help_print_overview(stdout);
                return EXIT_OK;
        }
        if (word && help_is_family(word))
                return refuse_family(t, word, second);
        if (word)
                return refuse_command(t, word);
        help_print_overview(stderr);
        return EXIT_USAGE;
}

static bool asks_for_json(int n, char *const *words)
{
        for (int i = 0; i < n; i++)
                if (strcmp(words[i], "--json") == 0)
                        return true;
        return false;
}

static void tool_done(struct tool *t)
{
        options_done(&t->options);
        conf_free(t->conf);
}

/* What `complete` gets are the words of an unfinished line: they are no options of its own. */
static bool is_completion(int n, char *const *words)
{
        return n > 0 && strcmp(words[0], "complete") == 0;
}

int main(int argc, char **argv)
{
        _cleanup_(tool_done) struct tool t = {0};
        char **words = argv + 1;
        int n = argc - 1, code;
        size_t at, n_used = 0;

        signal(SIGPIPE, SIG_IGN);
        t.color = wants_color();
        t.json = asks_for_json(n, words); /* so that complaints about the options are objects, too */
        at = is_completion(n, words) ? 0 : count_leading_options(n, words);
        t.command = help_find_command((size_t)n - at, (const char *const *)words + at, &n_used);
        if (!t.command) {
                const char *word = at < (size_t)n ? words[at] : NULL, *second = at + 1 < (size_t)n ? words[at + 1] : NULL;

                code = parse(&t, (int)at, words);
                return code == EXIT_OK ? run_without_command(&t, word, second) : code;
        }
        drop_words(&n, words, at, n_used);
        if (is_completion(argc - 1, argv + 1) || strcmp(t.command->name, "complete") == 0) {
                t.options.operands = calloc((size_t)n + 1, sizeof(char *));
                for (int i = 0; t.options.operands && i < n; i++)
                        t.options.operands[t.options.n_operands++] = words[i];
                return cmd_complete(&t);
        }
        code = parse(&t, n, words);
        return code == EXIT_OK ? run_command(&t) : code;
}
