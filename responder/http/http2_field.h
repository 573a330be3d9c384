/* http2_field: which fields of a request mean something to us, and what a field may look like (RFC 9113 8.2). Pure. */
#pragma once

#include "base/bytes.h"

enum http2_field {
        /* pseudo-fields, before all others */
        FIELD_METHOD,
        FIELD_SCHEME,
        FIELD_PATH,
        FIELD_AUTHORITY,
        FIELD_HOST,
        FIELD_CONTENT_LENGTH,
        FIELD_CONTENT_TYPE,
        FIELD_IF_NONE_MATCH,
        FIELD_IF_MODIFIED_SINCE,
        FIELD_RANGE,
        FIELD_IF_RANGE,
        FIELD_EXPECT,
        FIELD_TE,
        FIELD_N,
        FIELD_OTHER = FIELD_N, /* means nothing to us */
        FIELD_BAD,             /* makes the request malformed: its name, or that it is there at all */
};

static inline bool http2_field_is_pseudo(enum http2_field field)
{
        return field <= FIELD_AUTHORITY;
}

/* By its name. */
enum http2_field http2_field_find(struct bytes name);
/* RFC 9113 8.2.1. A path is left to whoever reads it as one. */
bool http2_field_is_sound(enum http2_field field, struct bytes value);
/* RFC 9110 5.5: what any value may be. */
bool http2_field_is_value(struct bytes value);
