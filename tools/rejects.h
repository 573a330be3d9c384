/* rejects: what was refused of the operator's input, where it stood, and why. All of it is kept; the screen gets the first
 * few, a file gets the whole. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

/* The files that one input is made of. A line in any of them has one number of its own: the file's first number plus the
 * line, so that it fits a rowfile's u32 and comes back from the engine. One file alone: the plain line number. */
struct source {
        char *name;
        uint32_t before; /* numbers given out before this file */
};

struct sources {
        struct source *items;
        size_t n, cap;
        uint32_t n_lines; /* given out so far */
};

void sources_done(struct sources *s);
/* Opens the next file: its lines follow. */
MUST_CHECK enum err sources_add(struct sources *s, const char *name);
/* The number of line `line` (from 1) of the file opened last. Beyond 2^32 lines: 0, which stands for unknown. */
uint32_t sources_number(struct sources *s, uint64_t line);
/* "certificates.csv:17", or "line 17" where there is but one unnamed file; ret_text holds `cap`. Returns ret_text. */
char *sources_place(const struct sources *s, uint32_t number, char *ret_text, size_t cap);

struct reject {
        uint32_t number;
        size_t text; /* into texts */
};

struct rejects {
        struct reject *items;
        size_t n, cap;
        struct builder texts;
};

void rejects_done(struct rejects *r);
/* `serial` may be "" (not known). Sticky on memory: counted, but without its words. */
void rejects_add(struct rejects *r, uint32_t number, const char *serial, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* By line. */
void rejects_sort(struct rejects *r);
/* The first `most` of them, and how many more there are. */
void rejects_print(const struct rejects *r, const struct sources *s, FILE *out, size_t most);
/* All of them, a line each. */
MUST_CHECK enum err rejects_write(const struct rejects *r, const struct sources *s, const char *path);
/* [{"place", "line", "why"}], at most `most`. */
json_t *rejects_json(const struct rejects *r, const struct sources *s, size_t most);
