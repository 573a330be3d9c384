/* lines: text cut into lines (LF or CRLF, a byte order mark dropped) and into fields. Borrows, allocates nothing but what a
 * quoted field with doubled quotes needs. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct lines {
        struct bytes rest;
        uint64_t number; /* of the line returned last, from 1 */
        size_t total;
};

void lines_init(struct lines *l, struct bytes text);
/* False after the last. The line has neither its end nor white space around it. */
bool lines_next(struct lines *l, struct bytes *ret_line);
/* Blank, or a comment ('#')? */
bool lines_is_blank(struct bytes line);
/* True every few thousand lines: time to show progress. */
static inline bool lines_is_time(const struct lines *l)
{
        return (l->number & 0x3fff) == 0;
}

struct bytes bytes_trim(struct bytes text);
/* Case and everything but letters and digits ignored: "Not After" is "notafter". `plain` is in that form. */
bool bytes_is_word(struct bytes text, const char *plain);
/* Is it one of these? Each is followed by a space. */
bool bytes_is_one_of(struct bytes text, const char *words);

/* The next field of a line up to `delimiter` (RFC 4180: may be quoted, a quote inside doubled), white space around it
 * dropped. `scratch` (emptied by the caller per line) holds unquoted text. *ret_more: another field follows. ERR_INVALID: a
 * quote that is not closed, or text after it. */
MUST_CHECK enum err field_next(
        struct bytes *line, char delimiter, struct builder *scratch, struct bytes *ret_field, bool *ret_more);
