#include "responder/http/head.h"

#include "base/clock.h"
#include "responder/answer/http_status.h"

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

/* Every put below writes into room that its caller has made sure of: a head is some twenty of them. */
static inline void put(struct builder *out, struct bytes b)
{
        memcpy(&out->data[out->len], b.data, b.len);
        out->len += b.len;
}

static bool has_room(struct builder *out, size_t n)
{
        if (!builder_extend(out, n))
                return false;
        out->len -= n;
        return true;
}

/* Where they are to stand, not on the stack first: what has just been written octet by octet is slow to be copied. */
static void put_number(struct builder *out, uint64_t n)
{
        size_t len = 1;

        for (uint64_t rest = n; rest >= 10; rest /= 10)
                len++;
        for (size_t at = out->len + len; at > out->len; n /= 10)
                out->data[--at] = (uint8_t)('0' + n % 10);
        out->len += len;
}

static inline void put_time(struct builder *out, struct dates *dates, int64_t time_s)
{
        dates_write(dates, time_s, &out->data[out->len]);
        out->len += CLOCK_HTTP_LEN;
}

static void put_date(struct builder *out, struct dates *dates, struct bytes name, int64_t time_s)
{
        put(out, name);
        put_time(out, dates, time_s);
}

#define HEX_OF(high)                                                                                                                      \
        high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7" high "8" high "9" high "a" high "b" high "c" high "d"     \
                high "e" high "f"
static const char HEX[] = HEX_OF("0") HEX_OF("1") HEX_OF("2") HEX_OF("3") HEX_OF("4") HEX_OF("5") HEX_OF("6") HEX_OF("7") HEX_OF("8")
        HEX_OF("9") HEX_OF("a") HEX_OF("b") HEX_OF("c") HEX_OF("d") HEX_OF("e") HEX_OF("f");

static void put_etag(struct builder *out, const struct answer *a)
{
        uint8_t *at = &out->data[out->len];
        size_t n = a->etag_len;

        at[0] = '"';
        for (size_t i = 0; i < n; i++)
                memcpy(&at[2 * i + 1], &HEX[2 * a->etag[i]], 2);
        at[2 * n + 1] = '"';
        out->len += 2 * n + 2;
}

static void put_cache_control(struct builder *out, const struct answer *a)
{
        if (!a->cacheable) {
                put(out, BYTES_LIT("no-store, max-age=0"));
                return;
        }
        put(out, BYTES_LIT("max-age="));
        put_number(out, (uint64_t)a->max_age_s);
        put(out, BYTES_LIT(", public, no-transform, must-revalidate"));
}

#define VALUE_MAX 96 /* octets of any value below */

void head_put_number(struct builder *out, uint64_t n)
{
        if (has_room(out, VALUE_MAX))
                put_number(out, n);
}

void head_put_etag(struct builder *out, const struct answer *a)
{
        if (has_room(out, VALUE_MAX))
                put_etag(out, a);
}

void head_put_cache_control(struct builder *out, const struct answer *a)
{
        if (has_room(out, VALUE_MAX))
                put_cache_control(out, a);
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
                put(out, BYTES_LIT("\r\nETag: "));
                put_etag(out, a);
        }
        if (a->expires_s > 0)
                put_date(out, dates, BYTES_LIT("\r\nExpires: "), a->expires_s);
        put(out, BYTES_LIT("\r\nCache-Control: "));
        put_cache_control(out, a);
}

static void put_ranges(struct builder *out, const struct answer *a)
{
        put(out, BYTES_LIT("\r\nAccept-Ranges: bytes"));
        if (a->status == 206 || a->status == 416) {
                put(out, BYTES_LIT("\r\nContent-Range: "));
                head_put_content_range(out, a);
        }
}

static void put_rare(struct builder *out, const struct answer *a)
{
        if (a->allow) {
                put(out, BYTES_LIT("\r\nAllow: "));
                put(out, bytes_str(a->allow));
        }
        if (a->tags_name.len > 0) {
                put(out, BYTES_LIT("\r\n"));
                put(out, a->tags_name);
                put(out, BYTES_LIT(": "));
                put(out, a->tags);
        }
        if (a->retry_after_s > 0) {
                put(out, BYTES_LIT("\r\nRetry-After: "));
                put_number(out, a->retry_after_s);
        }
        if (a->total_len > 0)
                put_ranges(out, a);
}

static void put_connection(struct builder *out, const struct request *request, const struct answer *a)
{
        if (a->close || !request->keep_alive)
                put(out, BYTES_LIT("\r\nConnection: close"));
        else if (request->old_version)
                put(out, BYTES_LIT("\r\nConnection: keep-alive"));
}

void head_put(struct builder *out, struct dates *dates, const struct request *request, const struct answer *a, int64_t now_s)
{
        if (!has_room(out, HEAD_MAX))
                return;
        put(out, http_status_line(a->status));
        put_time(out, dates, now_s);
        if (a->status != 304) {
                put(out, CONTENT_TYPES[a->content]);
                put(out, BYTES_LIT("\r\nContent-Length: "));
                put_number(out, a->body_len);
        }
        put_caching(out, dates, a);
        put_rare(out, a);
        put_connection(out, request, a);
        put(out, BYTES_LIT("\r\n\r\n"));
}
