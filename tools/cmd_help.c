/* help: texts out of the table of commands, and the candidates for the shell's completion. */
#include <stdlib.h>
#include <string.h>

#include "tools/table.h"
#include "tools/tool.h"

static void put_option(struct table *table, const struct option_row *o)
{
        if (o->letter)
                table_cellf(
                        table, "-%c, --%s%s%s", o->letter, o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        else
                table_cellf(table, "    --%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        table_cell(table, o->help);
}

static void print_options(FILE *out, const struct option_row *rows)
{
        struct table table;

        table_begin(&table, 2, NULL);
        table.indent = "  ";
        for (; rows->name; rows++)
                put_option(&table, rows);
        table_end(&table, out);
}

void help_print_command(FILE *out, const struct command *c)
{
        fprintf(out, "tocsin %s%s%s%s\n", c->name, c->options->name ? " [options]" : "", c->operands ? " " : "",
                c->operands ? c->operands : "");
        if (c->help)
                fprintf(out, "  %s\n", c->help);
        if (c->options->name) {
                fputs("\noptions:\n", out);
                print_options(out, c->options);
        }
        fputs("\nfor every command:\n", out);
        print_options(out, tool_global_options);
        if (c->more)
                fprintf(out, "\n%s", c->more);
}

void help_print_overview(FILE *out)
{
        struct table table;

        fputs("tocsin: certificate status for certification authorities (OCSP and CRL)\n\nusage: tocsin [--config FILE] "
              "COMMAND [options]\n\n",
                out);
        table_begin(&table, 2, NULL);
        table.indent = "  ";
        for (const struct command *c = tool_commands; c->name; c++) {
                if (!c->help)
                        continue;
                table_cellf(&table, "%s%s%s", c->name, c->operands ? " " : "", c->operands ? c->operands : "");
                table_cell(&table, c->help);
        }
        table_end(&table, out);
        fputs("\nfor every command:\n", out);
        print_options(out, tool_global_options);
        fputs("\n`tocsin help COMMAND` explains one; `tocsin help exit-codes` what it returns.\n", out);
}

const struct command *help_find_command(size_t n_words, const char *const *words, size_t *ret_n)
{
        for (const struct command *c = tool_commands; c->name; c++) {
                const char *space = strchr(c->name, ' ');
                size_t first = space ? (size_t)(space - c->name) : strlen(c->name);

                if (n_words < (space ? 2u : 1u) || strlen(words[0]) != first || strncmp(words[0], c->name, first) != 0)
                        continue;
                if (space && strcmp(words[1], space + 1) != 0)
                        continue;
                *ret_n = space ? 2 : 1;
                return c;
        }
        return NULL;
}

const struct command *help_nearest_command(const char *word)
{
        const struct command *best = NULL;
        unsigned best_distance = options_distance_max(word);

        for (const struct command *c = tool_commands; c->name; c++) {
                char first[32];
                unsigned whole, part;

                if (!c->help)
                        continue;
                snprintf(first, sizeof(first), "%.*s", (int)strcspn(c->name, " "), c->name);
                whole = options_distance(word, c->name);
                part = options_distance(word, first);
                if (part < whole)
                        whole = part;
                if (whole < best_distance) {
                        best = c;
                        best_distance = whole;
                }
        }
        return best;
}

static bool is_member(const struct command *c, const char *word)
{
        size_t len = strlen(word);

        return len > 0 && strncmp(c->name, word, len) == 0 && c->name[len] == ' ';
}

bool help_is_family(const char *word)
{
        for (const struct command *c = tool_commands; c->name; c++)
                if (is_member(c, word))
                        return true;
        return false;
}

void help_list_family(const char *word, char *ret_text, size_t cap)
{
        size_t len = 0;

        ret_text[0] = '\0';
        for (const struct command *c = tool_commands; c->name && len < cap; c++)
                if (is_member(c, word))
                        len += (size_t)snprintf(ret_text + len, cap - len, "%stocsin %s", len ? ", " : "", c->name);
}

/* `tocsin help issuer`: all that begin with the word. */
static unsigned print_family(const char *word)
{
        unsigned n = 0;

        for (const struct command *c = tool_commands; c->name; c++) {
                if (!is_member(c, word))
                        continue;
                if (n++ > 0)
                        putchar('\n');
                help_print_command(stdout, c);
        }
        return n;
}

int cmd_help(struct tool *t)
{
        const char *const *words = t->options.operands;
        size_t n_used;
        const struct command *c;

        if (t->options.n_operands == 0) {
                help_print_overview(stdout);
                return EXIT_OK;
        }
        if (strcmp(words[0], "exit-codes") == 0) {
                exit_code_print(stdout);
                return EXIT_OK;
        }
        c = help_find_command(t->options.n_operands, words, &n_used);
        if (c)
                help_print_command(stdout, c);
        else if (print_family(words[0]) == 0)
                return tool_fail(t, EXIT_USAGE, "tocsin help", "there is no command '%s'", words[0]);
        return EXIT_OK;
}

static void offer(const char *word, const char *candidate, size_t len)
{
        if (len >= strlen(word) && strncmp(candidate, word, strlen(word)) == 0)
                printf("%.*s\n", (int)len, candidate);
}

static void offer_options(const struct option_row *rows, const char *word)
{
        char text[64];

        for (; rows->name; rows++) {
                snprintf(text, sizeof(text), "--%s", rows->name);
                offer(word, text, strlen(text));
        }
}

/* First words; or second words of the commands that begin with `first`. */
static void offer_commands(const char *first, const char *word)
{
        const char *last = "";

        for (const struct command *c = tool_commands; c->name; c++) {
                size_t len = strcspn(c->name, " ");
                bool same = first && strncmp(first, c->name, len) == 0 && first[len] == '\0';

                if (!c->help)
                        continue;
                if (first && same && c->name[len] == ' ')
                        offer(word, c->name + len + 1, strlen(c->name + len + 1));
                if (!first && (strncmp(last, c->name, len) != 0 || last[len] != ' '))
                        offer(word, c->name, len);
                last = c->name;
        }
}

/* The words typed so far, the last one unfinished: prints what it could become, a line each. */
int cmd_complete(struct tool *t)
{
        size_t n = t->options.n_operands, n_used = 0;
        const char *const *words = t->options.operands;
        const char *word = n > 0 ? words[n - 1] : "";
        const struct command *c = n > 1 ? help_find_command(n - 1, words, &n_used) : NULL;

        if (word[0] == '-') {
                if (c)
                        offer_options(c->options, word);
                offer_options(tool_global_options, word);
        } else if (!c) {
                offer_commands(n > 1 ? words[0] : NULL, word);
        }
        return EXIT_OK;
}
