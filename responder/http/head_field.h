/* head_field: which fields an answer's head has, and their values: the same in every protocol. How they are written down, and what only one
 * protocol says (Connection), is for http1_head.c and http2_head.c. */
#pragma once

#include "responder/answer/answer.h"
#include "responder/answer/dates.h"
#include "responder/answer/service.h"

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

/* How a protocol writes down what stands in every head, and a field. */
struct head_format {
        enum protocol protocol;
        void (*begin)(struct builder *out, struct dates *dates, const struct answer *a, int64_t now_s); /* status and Date */
        void (*put_field)(struct builder *out, struct dates *dates, const struct answer *a, enum head_field field);
};

/* 1 << field for each but Date, which all have. */
unsigned head_fields_of(const struct answer *a);
/* A field's value, for put_field. */
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

/* ---- all of them: inline, so that each protocol has code of its own ---- */

static inline void head_put_fields(
        struct builder *out, struct dates *dates, const struct head_format *format, const struct answer *a, unsigned fields)
{
        for (; fields != 0; fields &= fields - 1)
                format->put_field(out, dates, a, (enum head_field)__builtin_ctz(fields));
}

/* Status, Date and those of HEAD_SAID. */
static inline void head_put_said(struct builder *out, struct service *s, const struct head_format *format, const struct answer *a,
        int64_t now_s, unsigned fields)
{
        struct head_memo *memo = &s->heads[format->protocol];
        struct head_says says = head_says_of(a, now_s);
        size_t at = out->len;

        if (head_memo_put(memo, &says, out))
                return;
        format->begin(out, &s->dates, a, now_s);
        head_put_fields(out, &s->dates, format, a, fields & HEAD_SAID);
        head_memo_keep(memo, &says, bytes_make(&out->data[at], out->len - at));
}

static inline void head_put_all(
        struct builder *out, struct service *s, const struct head_format *format, const struct answer *a, int64_t now_s)
{
        unsigned fields = head_fields_of(a);

        head_put_said(out, s, format, a, now_s, fields);
        head_put_fields(out, &s->dates, format, a, fields & ~HEAD_SAID);
}
