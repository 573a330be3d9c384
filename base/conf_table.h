/* conf_table: what an option is. Private to base/conf*.c.
 *
 * A scope is one kind of file (tocsin.yaml, issuer.yaml): its options and the checks that span several of them. Reader,
 * defaults, sample and checks all walk the same rows; nothing else lists options.
 */
#pragma once

#include <stddef.h>

#include "base/conf.h"

enum conf_type {
        CONF_STRING,   /* char * */
        CONF_PATH,     /* char *, absolute; "" and the row's names stay as they are */
        CONF_BOOL,     /* bool */
        CONF_UNSIGNED, /* unsigned */
        CONF_SIZE,     /* uint64_t, bytes */
        CONF_DURATION, /* int64_t, seconds */
        CONF_ENUM,     /* an enum: the place in the row's names */
        CONF_STRINGS,  /* struct conf_list */
        CONF_PATHS,    /* struct conf_list of absolute paths */
};

/* When a file that an option names must be there. */
enum conf_presence {
        CONF_MAY_MISS,
        CONF_WHEN_LOADED,  /* conf_load refuses */
        CONF_WHEN_STARTED, /* conf_check_files refuses: it is made after the configuration is written */
};

struct conf_option {
        const char *path; /* "responder.workers" */
        enum conf_type type;
        size_t offset;            /* of the field in the scope's struct */
        const char *def;          /* the default as it would be written; items of a list are split at ',' */
        const char *under;        /* the default lies in the folder that this option names, or NULL */
        const char *const *names; /* of an enum (ending in NULL); of a path: words that are no path */
        uint64_t min, max;        /* of a value; of a text: min is its shortest length */
        const char *unit;         /* of a plain number */
        const char *help;
        enum conf_presence presence;
        const char *missing;   /* what to do about a file that must be there and is not */
        const char *goes_with; /* nothing is missing where that text option is empty; NULL: always */
};

/* A rule over several options of one object. Returns what would be right, or NULL when all is well. */
struct conf_check {
        const char *path; /* the option that the complaint names */
        const char *(*check)(const void *object);
};

struct conf_scope {
        const char *title; /* opens the sample */
        const struct conf_option *options;
        unsigned n_options;
        const struct conf_check *checks; /* ending in a row without path */
};

extern const struct conf_check conf_main_checks[], conf_issuer_checks[];
extern const struct conf_scope conf_scope_main;   /* of struct conf */
extern const struct conf_scope conf_scope_issuer; /* of struct conf_issuer */

/* The place of an option in its scope, or -1. */
int conf_option_find(const struct conf_scope *scope, struct bytes path);
/* The bytes of the group in front of the dot ("" if none), and the key behind it. */
struct bytes conf_option_group(const struct conf_option *o);
const char *conf_option_key(const struct conf_option *o);

/* A file while it is read: where values go, and how to complain. */
struct conf_source {
        const struct conf_scope *scope;
        const char *shown;  /* the file's name in complaints */
        const char *folder; /* absolute: relative paths start here */
        void *object;       /* struct conf or struct conf_issuer */
        unsigned *lines;    /* of each option: where it was set, 0 = default */
        struct conf_problem *problem;
};

/* Writes "file:line: " and the text into the problem; returns `e`. Line 0 leaves the line out. */
MUST_CHECK enum err conf_complain(const struct conf_source *s, enum err e, unsigned line, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* conf_value: one value from text into its field. ERR_INVALID: another type; ERR_RANGE. Lists grow by one item. */
MUST_CHECK enum err conf_value_set(const struct conf_option *o, void *object, const char *folder, const char *text);
void conf_value_free(const struct conf_option *o, void *object);
bool conf_type_is_list(enum conf_type type);
/* What the option takes, for people: "number 0..256", "one of a, b". */
void conf_value_put_range(struct builder *b, const struct conf_option *o);
/* A value that the option would take, as it is written. */
void conf_value_put_example(struct builder *b, const struct conf_option *o);
/* `text` as a YAML scalar: quoted where it must be. */
void conf_value_put_yaml(struct builder *b, const struct conf_option *o, const char *text);

/* conf_read: a YAML file into the object; only what it sets is touched. */
MUST_CHECK enum err conf_read(const struct conf_source *s, const char *path);

/* conf_check: the scope's rules, and files that must be there from `presence` on. With `found` every missing file is told, else
 * the first ends it. ERR_NOT_FOUND: one is missing. */
MUST_CHECK enum err conf_check_object(const struct conf_source *s);
MUST_CHECK enum err conf_check_presence(
        const struct conf_source *s, enum conf_presence presence, conf_found_fn found, void *arg);

/* How many letters must be added, dropped or changed to make `a` of `b`. */
unsigned conf_distance(struct bytes a, struct bytes b);
/* Near enough to have been meant. */
bool conf_is_near(unsigned distance, struct bytes word);
