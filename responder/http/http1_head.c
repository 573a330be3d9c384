#include "responder/http/http1_head.h"

#include "responder/answer/http_status.h"
#include "responder/answer/service.h"

static const struct bytes NAMES[HEAD_FIELDS] = {
        [HEAD_CONTENT_TYPE] = BYTES_LIT("\r\nContent-Type: "),
        [HEAD_CONTENT_LENGTH] = BYTES_LIT("\r\nContent-Length: "),
        [HEAD_CACHE_CONTROL] = BYTES_LIT("\r\nCache-Control: "),
        [HEAD_LAST_MODIFIED] = BYTES_LIT("\r\nLast-Modified: "),
        [HEAD_EXPIRES] = BYTES_LIT("\r\nExpires: "),
        [HEAD_ETAG] = BYTES_LIT("\r\nETag: "),
        [HEAD_ALLOW] = BYTES_LIT("\r\nAllow: "),
        [HEAD_TAGS] = BYTES_LIT("\r\n"),
        [HEAD_RETRY_AFTER] = BYTES_LIT("\r\nRetry-After: "),
        [HEAD_ACCEPT_RANGES] = BYTES_LIT("\r\nAccept-Ranges: "),
        [HEAD_CONTENT_RANGE] = BYTES_LIT("\r\nContent-Range: "),
};

static void put_name(struct builder *out, const struct answer *a, enum head_field field)
{
        head_put(out, NAMES[field]);
        if (field != HEAD_TAGS)
                return;
        head_put(out, a->tags_name);
        head_put(out, BYTES_LIT(": "));
}

static void put_connection(struct builder *out, const struct request *request, const struct answer *a)
{
        if (a->close || !request->keep_alive)
                head_put(out, BYTES_LIT("\r\nConnection: close"));
        else if (request->old_version)
                head_put(out, BYTES_LIT("\r\nConnection: keep-alive"));
}

static void put_fields(struct builder *out, struct dates *dates, const struct answer *a, unsigned fields)
{
        for (; fields != 0; fields &= fields - 1) {
                enum head_field field = (enum head_field)__builtin_ctz(fields);

                put_name(out, a, field);
                head_put_value(out, dates, a, field);
        }
}

/* Status line, Date and the `fields` of HEAD_SAID. */
static void put_said(struct builder *out, struct service *s, const struct answer *a, int64_t now_s, unsigned fields)
{
        struct head_says says = head_says_of(a, now_s);
        size_t at = out->len;

        if (head_memo_put(&s->heads[PROTOCOL_HTTP1], &says, out))
                return;
        head_put(out, http_status_line(a->status));
        head_put(out, BYTES_LIT("\r\nDate: "));
        head_put_date(out, &s->dates, now_s);
        put_fields(out, &s->dates, a, fields);
        head_memo_keep(&s->heads[PROTOCOL_HTTP1], &says, bytes_make(&out->data[at], out->len - at));
}

void http1_head_put(struct builder *out, struct service *s, const struct request *request, const struct answer *a, int64_t now_s)
{
        unsigned fields = head_fields_of(a);

        if (!builder_extend(out, HEAD_MAX))
                return;
        out->len -= HEAD_MAX;
        put_said(out, s, a, now_s, fields & HEAD_SAID);
        put_fields(out, &s->dates, a, fields & ~HEAD_SAID);
        put_connection(out, request, a);
        head_put(out, BYTES_LIT("\r\n\r\n"));
}
