/* head_field: which fields an answer's head has, and their values: the same in every protocol. What stands around them, and what only one
 * protocol says (Connection), is for http1_head.c and http2_head.c. */
#pragma once

#include "responder/answer/answer.h"
#include "responder/answer/dates.h"

/* More than any head takes. Whoever puts one makes sure of the room once. */
#define HEAD_MAX 6144

enum head_field {
        HEAD_CONTENT_TYPE,
        HEAD_CONTENT_LENGTH,
        HEAD_CACHE_CONTROL,
        HEAD_LAST_MODIFIED,
        HEAD_EXPIRES,
        HEAD_ETAG,
        HEAD_ALLOW,
        HEAD_TAGS, /* its name is answer->tags_name */
        HEAD_RETRY_AFTER,
        HEAD_ACCEPT_RANGES,
        HEAD_CONTENT_RANGE,
        HEAD_FIELDS,
};

/* Status, Date and these are what struct head_says decides; they come first. */
#define HEAD_SAID ((1u << HEAD_LAST_MODIFIED) - 1)

/* 1 << field for each but Date, which all have. */
unsigned head_fields_of(const struct answer *a);
/* One of those. */
void head_put_value(struct builder *out, struct dates *dates, const struct answer *a, enum head_field field);

/* Into room that was made sure of. */
static inline void head_put(struct builder *out, struct bytes b)
{
        memcpy(&out->data[out->len], b.data, b.len);
        out->len += b.len;
}

static inline void head_put_date(struct builder *out, struct dates *dates, int64_t time_s)
{
        dates_write(dates, time_s, &out->data[out->len]);
        out->len += CLOCK_HTTP_LEN;
}

void head_put_number(struct builder *out, uint64_t n);
