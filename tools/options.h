/* options: a command's options as rows of a table, and what the operator gave.
 *
 * `--name VALUE`, `--name=VALUE`, `--flag`, `-x` for rows with a letter; options and operands may be mixed; `--` ends the
 * options; `-` alone is an operand (standard input). An option's row is its parser, its help and its completion.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct option_row {
        const char *name;     /* without the dashes; NULL ends a table */
        const char *argument; /* what stands for its value in the help, "FILE"; NULL = a flag */
        const char *help;
        char letter;   /* 0 = none */
        bool repeated; /* may stand more than once */
};

struct option_value {
        const struct option_row *row;
        const char *value; /* "" for a flag; borrows from argv */
};

struct options {
        struct option_value *values;
        size_t n_values;
        const char **operands;
        size_t n_operands;
};

/* A complaint: what is wrong, and the option meant, if one is near. */
struct options_problem {
        char text[256];
        char hint[256];
};

/* `tables`: NULL-terminated list of tables, all of which count. ERR_INVALID: *ret_problem says why. */
MUST_CHECK enum err options_parse(const struct option_row *const *tables, int n_words, char *const *words,
        struct options *ret, struct options_problem *ret_problem);
void options_done(struct options *o);

bool options_has(const struct options *o, const char *name);
/* The value given last, or NULL. */
const char *options_get(const struct options *o, const char *name);
/* The values of a repeated option, one after the other: start with *at = 0; NULL after the last. */
const char *options_next(const struct options *o, const char *name, size_t *at);

/* How many letters must change to make `b` of `a` (for "did you mean"). */
unsigned options_distance(const char *a, const char *b);
/* From this distance on `word` was not meant. */
unsigned options_distance_max(const char *word);
