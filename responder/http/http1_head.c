#include "responder/http/http1_head.h"

#include "responder/answer/http_status.h"

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

static void begin(struct builder *out, struct dates *dates, const struct answer *a, int64_t now_s)
{
        head_put(out, http_status_line(a->status));
        head_put(out, BYTES_LIT("\r\nDate: "));
        head_put_date(out, dates, now_s);
}

static void put_field(struct builder *out, struct dates *dates, const struct answer *a, enum head_field field)
{
        head_put(out, NAMES[field]);
        if (field == HEAD_TAGS) {
                head_put(out, a->tags_name);
                head_put(out, BYTES_LIT(": "));
        }
        head_put_value(out, dates, a, field);
}

static void put_connection(struct builder *out, const struct request *request, const struct answer *a)
{
        if (a->close || !request->keep_alive)
                head_put(out, BYTES_LIT("\r\nConnection: close"));
        else if (request->old_version)
                head_put(out, BYTES_LIT("\r\nConnection: keep-alive"));
}

void http1_head_put(struct builder *out, struct service *s, const struct request *request, const struct answer *a, int64_t now_s)
{
        static const struct head_format format = {PROTOCOL_HTTP1, begin, put_field};

        if (!builder_extend(out, HEAD_MAX))
                return;
        out->len -= HEAD_MAX;
        head_put_all(out, s, &format, a, now_s);
        put_connection(out, request, a);
        head_put(out, BYTES_LIT("\r\n\r\n"));
}
