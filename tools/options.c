/* options: reads a command line by tables. Everything borrows from argv. */
#include "tools/options.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 31

struct parser {
        const struct option_row *const *tables;
        struct options *into;
        struct options_problem *problem;
};

/* Levenshtein, one row of the matrix at a time; longer names are cut. */
unsigned options_distance(const char *a, const char *b)
{
        unsigned row[NAME_MAX_LEN + 1];
        size_t a_len = strnlen(a, NAME_MAX_LEN), b_len = strnlen(b, NAME_MAX_LEN);

        for (unsigned j = 0; j <= b_len; j++)
                row[j] = j;
        for (unsigned i = 1; i <= a_len; i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= b_len; j++) {
                        unsigned change = diagonal + (a[i - 1] != b[j - 1]);
                        unsigned other = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);

                        diagonal = row[j];
                        row[j] = change < other ? change : other;
                }
        }
        return row[b_len];
}

/* Farther is no typing mistake: in a short word half of the letters are another word. */
unsigned options_distance_max(const char *word)
{
        size_t len = strlen(word);

        return len < 3 ? 1 : len < 6 ? 2 : len < 9 ? 3 : 4;
}

static const struct option_row *find_row(const struct parser *p, const char *name, size_t len)
{
        for (size_t t = 0; p->tables[t]; t++)
                for (const struct option_row *r = p->tables[t]; r->name; r++)
                        if (strlen(r->name) == len && strncmp(r->name, name, len) == 0)
                                return r;
        return NULL;
}

static const struct option_row *find_letter(const struct parser *p, char letter)
{
        for (size_t t = 0; p->tables[t]; t++)
                for (const struct option_row *r = p->tables[t]; r->name; r++)
                        if (r->letter && r->letter == letter)
                                return r;
        return NULL;
}

static const struct option_row *find_nearest(const struct parser *p, const char *name)
{
        const struct option_row *best = NULL;
        unsigned best_distance = options_distance_max(name);

        for (size_t t = 0; p->tables[t]; t++) {
                for (const struct option_row *r = p->tables[t]; r->name; r++) {
                        unsigned d = options_distance(name, r->name);

                        if (d < best_distance) {
                                best = r;
                                best_distance = d;
                        }
                }
        }
        return best;
}

static enum err refuse_unknown(const struct parser *p, const char *word)
{
        const struct option_row *near = find_nearest(p, word + strspn(word, "-"));

        snprintf(p->problem->text, sizeof(p->problem->text), "unknown option %s", word);
        if (near)
                snprintf(p->problem->hint, sizeof(p->problem->hint), "did you mean --%s?", near->name);
        return ERR_INVALID;
}

static enum err refuse(const struct parser *p, const struct option_row *row, const char *why)
{
        snprintf(p->problem->text, sizeof(p->problem->text), "--%s %s", row->name, why);
        if (row->argument)
                snprintf(p->problem->hint, sizeof(p->problem->hint), "--%s %s: %s", row->name, row->argument, row->help);
        return ERR_INVALID;
}

static enum err put_value(const struct parser *p, const struct option_row *row, const char *value)
{
        if (!row->repeated && options_has(p->into, row->name))
                return refuse(p, row, "was given twice");
        p->into->values[p->into->n_values++] = (struct option_value){row, value};
        return OK;
}

/* A flag, or an option whose value is the next word. *at advances past what was used. */
static enum err take_separate(const struct parser *p, const struct option_row *row, int n, char *const *words, int *at)
{
        if (!row->argument)
                return put_value(p, row, "");
        if (*at + 1 >= n)
                return refuse(p, row, "needs a value");
        (*at)++;
        return put_value(p, row, words[*at]);
}

static enum err take_option(const struct parser *p, int n, char *const *words, int *at)
{
        const char *word = words[*at], *equals = strchr(word, '=');
        const struct option_row *row;

        if (word[1] != '-') {
                row = word[2] == '\0' ? find_letter(p, word[1]) : NULL;
                return row ? take_separate(p, row, n, words, at) : refuse_unknown(p, word);
        }
        row = find_row(p, word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word + 2));
        if (!row)
                return refuse_unknown(p, word);
        if (!equals)
                return take_separate(p, row, n, words, at);
        if (!row->argument)
                return refuse(p, row, "takes no value");
        return put_value(p, row, equals + 1);
}

static enum err take_words(const struct parser *p, int n, char *const *words)
{
        bool options_over = false;

        for (int i = 0; i < n; i++) {
                const char *word = words[i];
                enum err e;

                if (options_over || word[0] != '-' || word[1] == '\0') {
                        p->into->operands[p->into->n_operands++] = word;
                        continue;
                }
                if (strcmp(word, "--") == 0) {
                        options_over = true;
                        continue;
                }
                e = take_option(p, n, words, &i);
                if (e != OK)
                        return e;
        }
        return OK;
}

enum err options_parse(const struct option_row *const *tables, int n_words, char *const *words, struct options *ret,
        struct options_problem *ret_problem)
{
        struct options o = {0};
        struct parser p = {tables, &o, ret_problem};
        size_t room = (size_t)n_words + 1;
        enum err e;

        *ret_problem = (struct options_problem){0};
        o.values = calloc(room, sizeof(*o.values));
        o.operands = calloc(room, sizeof(*o.operands));
        e = o.values && o.operands ? take_words(&p, n_words, words) : ERR_NOMEM;
        if (e != OK) {
                options_done(&o);
                return e;
        }
        *ret = o;
        return OK;
}

void options_done(struct options *o)
{
        free(o->values);
        free(o->operands);
        *o = (struct options){0};
}

const char *options_next(const struct options *o, const char *name, size_t *at)
{
        while (*at < o->n_values) {
                const struct option_value *v = &o->values[(*at)++];

                if (strcmp(v->row->name, name) == 0)
                        return v->value;
        }
        return NULL;
}

const char *options_get(const struct options *o, const char *name)
{
        const char *value, *last = NULL;
        size_t at = 0;

        while ((value = options_next(o, name, &at)))
                last = value;
        return last;
}

bool options_has(const struct options *o, const char *name)
{
        return options_get(o, name) != NULL;
}
