/* head: status line and fields of an HTTP/1.1 answer, put straight into the output. */
#pragma once

#include "responder/answer/answer.h"
#include "responder/answer/dates.h"
#include "responder/answer/request.h"

/* More than any head takes. */
#define HEAD_MAX 6144

/* `request` gives version and persistence; answer->close overrides. */
void head_put(struct builder *out, struct dates *dates, const struct request *request, const struct answer *a, int64_t now_s);

/* ---- values of fields, for whoever writes a head in another form ---- */

struct bytes head_content_type(enum content_type type);
void head_put_number(struct builder *out, uint64_t n);
void head_put_etag(struct builder *out, const struct answer *a);
void head_put_cache_control(struct builder *out, const struct answer *a);
/* Of a 206 or 416. */
void head_put_content_range(struct builder *out, const struct answer *a);
