#include "responder/http/http1_head.h"

#include "responder/answer/http_status.h"

static const struct bytes NAMES[HEAD_FIELDS] = {
        [HEAD_CONTENT_TYPE] = BYTES_LIT("\r\nContent-Type: "),
        [HEAD_CONTENT_LENGTH] = BYTES_LIT("\r\nContent-Length: "),
        [HEAD_LAST_MODIFIED] = BYTES_LIT("\r\nLast-Modified: "),
        [HEAD_ETAG] = BYTES_LIT("\r\nETag: "),
        [HEAD_EXPIRES] = BYTES_LIT("\r\nExpires: "),
        [HEAD_CACHE_CONTROL] = BYTES_LIT("\r\nCache-Control: "),
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

void http1_head_put(struct builder *out, struct dates *dates, const struct request *request, const struct answer *a, int64_t now_s)
{
        if (!builder_extend(out, HEAD_MAX))
                return;
        out->len -= HEAD_MAX;
        head_put(out, http_status_line(a->status));
        head_put(out, BYTES_LIT("\r\nDate: "));
        head_put_date(out, dates, now_s);
        for (unsigned fields = head_fields_of(a); fields != 0; fields &= fields - 1) {
                enum head_field field = (enum head_field)__builtin_ctz(fields);

                put_name(out, a, field);
                head_put_value(out, dates, a, field);
        }
        put_connection(out, request, a);
        head_put(out, BYTES_LIT("\r\n\r\n"));
}
