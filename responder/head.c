#include "responder/head.h"

#include "base/clock.h"

static const struct status_row {
        unsigned status;
        const char *reason;
        struct bytes line;
} STATUSES[] = {
#define STATUS(code, reason) {code, reason, BYTES_LIT("HTTP/1.1 " #code " " reason "\r\nDate: ")}
        STATUS(200, "OK"),
        STATUS(206, "Partial Content"),
        STATUS(304, "Not Modified"),
        STATUS(400, "Bad Request"),
        STATUS(404, "Not Found"),
        STATUS(405, "Method Not Allowed"),
        STATUS(408, "Request Timeout"),
        STATUS(413, "Content Too Large"),
        STATUS(414, "URI Too Long"),
        STATUS(415, "Unsupported Media Type"),
        STATUS(416, "Range Not Satisfiable"),
        STATUS(417, "Expectation Failed"),
        STATUS(431, "Request Header Fields Too Large"),
        STATUS(500, "Internal Server Error"),
        STATUS(501, "Not Implemented"),
        STATUS(503, "Service Unavailable"),
        STATUS(505, "HTTP Version Not Supported"),
#undef STATUS
};

static const struct bytes CONTENT_TYPES[CONTENT_N] = {
        [CONTENT_TEXT] = BYTES_LIT("\r\nContent-Type: text/plain"),
        [CONTENT_OCSP] = BYTES_LIT("\r\nContent-Type: application/ocsp-response"),
        [CONTENT_CRL] = BYTES_LIT("\r\nContent-Type: application/pkix-crl"),
        [CONTENT_CERTIFICATE] = BYTES_LIT("\r\nContent-Type: application/pkix-cert"),
        [CONTENT_JSON] = BYTES_LIT("\r\nContent-Type: application/json"),
};

struct bytes head_content_type(enum content_type type)
{
        static const size_t before = sizeof "\r\nContent-Type: " - 1;

        return bytes_make(&CONTENT_TYPES[type].data[before], CONTENT_TYPES[type].len - before);
}

static const struct status_row *find_status(unsigned status)
{
        const struct status_row *row = STATUSES;

        while (row->status != status && row->status != 505)
                row++;
        return row->status == status ? row : NULL;
}

const char *head_reason(unsigned status)
{
        const struct status_row *row = find_status(status);

        return row ? row->reason : "Unknown";
}

const char *dates_text(struct dates *dates, int64_t time_s)
{
        struct date_slot *slot = &dates->slots[(uint64_t)time_s % (sizeof dates->slots / sizeof dates->slots[0])];

        if (slot->time_s != time_s || slot->text[0] == 0) {
                clock_to_http(time_s, slot->text);
                slot->time_s = time_s;
        }
        return slot->text;
}

void head_put_number(struct builder *out, uint64_t n)
{
        char text[20];
        size_t at = sizeof text;

        do {
                text[--at] = (char)('0' + n % 10);
                n /= 10;
        } while (n > 0);
        builder_put(out, bytes_make(&text[at], sizeof text - at));
}

static void put_date(struct builder *out, struct dates *dates, struct bytes name, int64_t time_s)
{
        builder_put(out, name);
        builder_put(out, bytes_make(dates_text(dates, time_s), CLOCK_HTTP_LEN));
}

void head_put_etag(struct builder *out, const struct answer *a)
{
        static const char digits[] = "0123456789abcdef";
        uint8_t *at;

        builder_put_u8(out, '"');
        at = builder_extend(out, 2u * a->etag_len);
        for (size_t i = 0; at && i < a->etag_len; i++) {
                at[2 * i] = (uint8_t)digits[a->etag[i] >> 4];
                at[2 * i + 1] = (uint8_t)digits[a->etag[i] & 15];
        }
        builder_put_u8(out, '"');
}

void head_put_cache_control(struct builder *out, const struct answer *a)
{
        if (!a->cacheable) {
                builder_put(out, BYTES_LIT("no-store, max-age=0"));
                return;
        }
        builder_put(out, BYTES_LIT("max-age="));
        head_put_number(out, (uint64_t)a->max_age_s);
        builder_put(out, BYTES_LIT(", public, no-transform, must-revalidate"));
}

void head_put_content_range(struct builder *out, const struct answer *a)
{
        if (a->status == 206)
                builder_printf(out, "bytes %llu-%llu/%llu", (unsigned long long)a->offset,
                        (unsigned long long)(a->offset + a->body_len - 1), (unsigned long long)a->total_len);
        else
                builder_printf(out, "bytes */%llu", (unsigned long long)a->total_len);
}

/* req 3.1, 3.3, 3.4; on a 304 RFC 9110 15.4.5 wants all but Last-Modified, which the tag makes needless. */
static void put_caching(struct builder *out, struct dates *dates, const struct answer *a)
{
        if (a->last_modified_s > 0 && a->status != 304)
                put_date(out, dates, BYTES_LIT("\r\nLast-Modified: "), a->last_modified_s);
        if (a->etag_len > 0) {
                builder_put(out, BYTES_LIT("\r\nETag: "));
                head_put_etag(out, a);
        }
        if (a->expires_s > 0)
                put_date(out, dates, BYTES_LIT("\r\nExpires: "), a->expires_s);
        builder_put(out, BYTES_LIT("\r\nCache-Control: "));
        head_put_cache_control(out, a);
}

static void put_ranges(struct builder *out, const struct answer *a)
{
        builder_put(out, BYTES_LIT("\r\nAccept-Ranges: bytes"));
        if (a->status == 206 || a->status == 416) {
                builder_put(out, BYTES_LIT("\r\nContent-Range: "));
                head_put_content_range(out, a);
        }
}

static void put_rare(struct builder *out, const struct answer *a)
{
        if (a->allow) {
                builder_put(out, BYTES_LIT("\r\nAllow: "));
                builder_put_str(out, a->allow);
        }
        if (a->tags_name.len > 0) {
                builder_put(out, BYTES_LIT("\r\n"));
                builder_put(out, a->tags_name);
                builder_put(out, BYTES_LIT(": "));
                builder_put(out, a->tags);
        }
        if (a->retry_after_s > 0) {
                builder_put(out, BYTES_LIT("\r\nRetry-After: "));
                head_put_number(out, a->retry_after_s);
        }
        if (a->total_len > 0)
                put_ranges(out, a);
}

static void put_connection(struct builder *out, const struct request *request, const struct answer *a)
{
        if (a->close || !request->keep_alive)
                builder_put(out, BYTES_LIT("\r\nConnection: close"));
        else if (request->old_version)
                builder_put(out, BYTES_LIT("\r\nConnection: keep-alive"));
}

void head_put(struct builder *out, struct dates *dates, const struct request *request, const struct answer *a, int64_t now_s)
{
        const struct status_row *row = find_status(a->status);

        builder_put(out, row ? row->line : find_status(500)->line);
        builder_put(out, bytes_make(dates_text(dates, now_s), CLOCK_HTTP_LEN));
        if (a->status != 304) {
                builder_put(out, CONTENT_TYPES[a->content]);
                builder_put(out, BYTES_LIT("\r\nContent-Length: "));
                head_put_number(out, a->body_len);
        }
        put_caching(out, dates, a);
        put_rare(out, a);
        put_connection(out, request, a);
        builder_put(out, BYTES_LIT("\r\n\r\n"));
}
