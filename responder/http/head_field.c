#include "responder/http/head_field.h"

/* req 3.1, 3.3, 3.4; on a 304 RFC 9110 15.4.5 wants all but Last-Modified, which the tag makes needless. */
unsigned head_fields_of(const struct answer *a)
{
        bool is_304 = a->status == 304;
        unsigned fields = 1 << HEAD_CACHE_CONTROL;

        fields |= is_304 ? 0 : 1 << HEAD_CONTENT_TYPE | 1 << HEAD_CONTENT_LENGTH;
        fields |= (unsigned)(a->last_modified_s > 0 && !is_304) << HEAD_LAST_MODIFIED;
        fields |= (unsigned)(a->etag_len > 0) << HEAD_ETAG;
        fields |= (unsigned)(a->expires_s > 0) << HEAD_EXPIRES;
        fields |= (unsigned)(a->allow != NULL) << HEAD_ALLOW;
        fields |= (unsigned)(a->tags_name.len > 0) << HEAD_TAGS;
        fields |= (unsigned)(a->retry_after_s > 0) << HEAD_RETRY_AFTER;
        if (a->total_len > 0)
                fields |= 1 << HEAD_ACCEPT_RANGES | (unsigned)(a->status == 206 || a->status == 416) << HEAD_CONTENT_RANGE;
        return fields;
}

/* ---- values ---- */

/* Where they are to stand, not on the stack first: what has just been written octet by octet is slow to be copied. */
void head_put_number(struct builder *out, uint64_t n)
{
        size_t len = 1;

        for (uint64_t rest = n; rest >= 10; rest /= 10)
                len++;
        for (size_t at = out->len + len; at > out->len; n /= 10)
                out->data[--at] = (uint8_t)('0' + n % 10);
        out->len += len;
}

static void put_content_type(struct builder *out, struct dates *dates, const struct answer *a)
{
        static const struct bytes types[CONTENT_N] = {
                [CONTENT_TEXT] = BYTES_LIT("text/plain"),
                [CONTENT_OCSP] = BYTES_LIT("application/ocsp-response"),
                [CONTENT_CRL] = BYTES_LIT("application/pkix-crl"),
                [CONTENT_CERTIFICATE] = BYTES_LIT("application/pkix-cert"),
                [CONTENT_JSON] = BYTES_LIT("application/json"),
        };

        (void)dates;
        head_put(out, types[a->content]);
}

static void put_content_length(struct builder *out, struct dates *dates, const struct answer *a)
{
        (void)dates;
        head_put_number(out, a->body_len);
}

static void put_last_modified(struct builder *out, struct dates *dates, const struct answer *a)
{
        head_put_date(out, dates, a->last_modified_s);
}

static void put_etag(struct builder *out, struct dates *dates, const struct answer *a)
{
        (void)dates;
        head_put(out, BYTES_LIT("\""));
        bytes_to_hex(bytes_make(a->etag, a->etag_len), (char *)&out->data[out->len]);
        out->len += 2u * a->etag_len;
        head_put(out, BYTES_LIT("\"")); /* where the NUL was */
}

static void put_expires(struct builder *out, struct dates *dates, const struct answer *a)
{
        head_put_date(out, dates, a->expires_s);
}

static void put_cache_control(struct builder *out, struct dates *dates, const struct answer *a)
{
        (void)dates;
        if (!a->cacheable) {
                head_put(out, BYTES_LIT("no-store, max-age=0"));
                return;
        }
        head_put(out, BYTES_LIT("max-age="));
        head_put_number(out, (uint64_t)a->max_age_s);
        head_put(out, BYTES_LIT(", public, no-transform, must-revalidate"));
}

static void put_allow(struct builder *out, struct dates *dates, const struct answer *a)
{
        (void)dates;
        head_put(out, bytes_str(a->allow));
}

static void put_tags(struct builder *out, struct dates *dates, const struct answer *a)
{
        (void)dates;
        head_put(out, a->tags);
}

static void put_retry_after(struct builder *out, struct dates *dates, const struct answer *a)
{
        (void)dates;
        head_put_number(out, a->retry_after_s);
}

static void put_accept_ranges(struct builder *out, struct dates *dates, const struct answer *a)
{
        (void)dates;
        (void)a;
        head_put(out, BYTES_LIT("bytes"));
}

/* RFC 9110 14.4 */
static void put_content_range(struct builder *out, struct dates *dates, const struct answer *a)
{
        (void)dates;
        head_put(out, BYTES_LIT("bytes "));
        if (a->status == 206) {
                head_put_number(out, a->offset);
                head_put(out, BYTES_LIT("-"));
                head_put_number(out, a->offset + a->body_len - 1);
        } else {
                head_put(out, BYTES_LIT("*"));
        }
        head_put(out, BYTES_LIT("/"));
        head_put_number(out, a->total_len);
}

void head_put_value(struct builder *out, struct dates *dates, const struct answer *a, enum head_field field)
{
        static void (*const values[HEAD_FIELDS])(struct builder *, struct dates *, const struct answer *) = {
                [HEAD_CONTENT_TYPE] = put_content_type,
                [HEAD_CONTENT_LENGTH] = put_content_length,
                [HEAD_LAST_MODIFIED] = put_last_modified,
                [HEAD_ETAG] = put_etag,
                [HEAD_EXPIRES] = put_expires,
                [HEAD_CACHE_CONTROL] = put_cache_control,
                [HEAD_ALLOW] = put_allow,
                [HEAD_TAGS] = put_tags,
                [HEAD_RETRY_AFTER] = put_retry_after,
                [HEAD_ACCEPT_RANGES] = put_accept_ranges,
                [HEAD_CONTENT_RANGE] = put_content_range,
        };

        values[field](out, dates, a);
}
