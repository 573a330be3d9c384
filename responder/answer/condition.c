#include "responder/answer/condition.h"

#include "base/clock.h"

struct tag {
        char text[2 * ETAG_MAX + 3]; /* quoted */
        size_t len;
};

static void tag_make(const struct answer *a, struct tag *ret_tag)
{
        ret_tag->text[0] = '"';
        bytes_to_hex(bytes_make(a->etag, a->etag_len), &ret_tag->text[1]);
        ret_tag->len = 2u * a->etag_len + 2;
        ret_tag->text[ret_tag->len - 1] = '"';
}

static void skip(struct bytes *b, const char *what)
{
        while (b->len > 0 && strchr(what, b->data[0]) && b->data[0] != 0) {
                b->data++;
                b->len--;
        }
}

/* One entity-tag from the front: its opaque part with quotes, any W/ dropped (RFC 9110 8.8.3). ERR_INVALID: it is none. */
static enum err take_tag(struct bytes *list, struct bytes *ret_tag)
{
        struct bytes prefix;
        const uint8_t *end;

        if (list->len >= 2 && memcmp(list->data, "W/", 2) == 0) {
                enum err e = bytes_take(list, 2, &prefix);

                if (e != OK)
                        return e;
        }
        if (list->len < 2 || list->data[0] != '"')
                return ERR_INVALID;
        end = memchr(&list->data[1], '"', list->len - 1);
        if (!end)
                return ERR_INVALID;
        return bytes_take(list, (size_t)(end - list->data) + 1, ret_tag);
}

/* RFC 9110 13.1.2: a list or "*", compared weakly. */
static bool none_match_hits(struct bytes list, const struct answer *a)
{
        struct tag mine;
        struct bytes tag;

        tag_make(a, &mine);
        skip(&list, " \t,");
        if (bytes_equal(list, BYTES_LIT("*")))
                return true;
        while (take_tag(&list, &tag) == OK) {
                if (bytes_equal(tag, bytes_make(mine.text, mine.len)))
                        return true;
                skip(&list, " \t,");
        }
        return false;
}

/* May Last-Modified stand for this very answer? Only if no other could have been given in its second: a revocation in the same
 * second, or in one window, would otherwise revive a cached `good` (req 3.5). */
static bool date_is_strong(const struct answer *a)
{
        return a->last_modified_s > a->changed_at_s;
}

/* RFC 9110 13.1.3 */
static bool not_modified_since(struct bytes date, const struct answer *a)
{
        int64_t since;

        if (a->last_modified_s == 0 || !date_is_strong(a) || clock_from_http(date, &since) != OK)
                return false;
        return a->last_modified_s <= since;
}

static bool is_not_modified(const struct request *r, const struct answer *a)
{
        if (r->if_none_match.data) /* it wins even where it does not hit, or was sent twice */
                return none_match_hits(r->if_none_match, a);
        return r->if_modified_since.len > 0 && not_modified_since(r->if_modified_since, a);
}

/* RFC 9110 13.1.5: a strong tag, or exactly our date. */
static bool if_range_holds(struct bytes value, const struct answer *a)
{
        struct tag mine;
        int64_t date;

        tag_make(a, &mine);
        if (value.len > 0 && value.data[0] == '"')
                return bytes_equal(value, bytes_make(mine.text, mine.len));
        return clock_from_http(value, &date) == OK && date == a->last_modified_s && date_is_strong(a);
}

/* 1*DIGIT, saturating; false if there is no digit. */
static bool take_number(struct bytes *in, uint64_t *ret_value)
{
        uint64_t value = 0;
        size_t n = 0;

        for (; n < in->len && in->data[n] >= '0' && in->data[n] <= '9'; n++)
                value = value > UINT64_MAX / 16 ? UINT64_MAX / 2 : value * 10 + (in->data[n] - '0');
        in->data += n;
        in->len -= n;
        *ret_value = value;
        return n > 0;
}

enum range { RANGE_NONE, RANGE_PART, RANGE_UNSATISFIABLE };

/* RFC 9110 14.1.2, one range of bytes. Several, another unit or nonsense: as if it were not there (14.2 allows that). */
static enum range read_range(struct bytes value, uint64_t total, uint64_t *ret_first, uint64_t *ret_len)
{
        uint64_t first, last;
        bool has_first, has_last;

        if (value.len < 6 || memcmp(value.data, "bytes=", 6) != 0)
                return RANGE_NONE;
        value = bytes_make(&value.data[6], value.len - 6);
        has_first = take_number(&value, &first);
        if (value.len == 0 || value.data[0] != '-')
                return RANGE_NONE;
        value = bytes_make(&value.data[1], value.len - 1);
        has_last = take_number(&value, &last);
        if (value.len > 0 || (!has_first && !has_last) || (has_first && has_last && last < first))
                return RANGE_NONE;
        if (!has_first) { /* the last so many octets */
                if (last == 0)
                        return RANGE_UNSATISFIABLE;
                first = last < total ? total - last : 0;
                last = total - 1;
        } else if (!has_last || last >= total) {
                last = total - 1;
        }
        if (first >= total)
                return RANGE_UNSATISFIABLE;
        *ret_first = first;
        *ret_len = last - first + 1;
        return RANGE_PART;
}

/* req 3.4: what a cache keeps of an error it may give to others, who asked for the whole. */
static void refuse_range(struct answer *a)
{
        a->status = 416;
        a->kind = BODY_BYTES;
        a->bytes = BYTES_NONE;
        a->body_len = 0;
        a->cacheable = false;
        a->last_modified_s = a->expires_s = 0;
        a->etag_len = 0;
        a->tags_name = BYTES_NONE;
}

static void apply_range(const struct request *r, struct answer *a)
{
        uint64_t first = 0, len = 0;

        if (r->method != METHOD_GET || r->range.len == 0 || a->total_len == 0) /* RFC 9110 14.2: defined for GET only */
                return;
        if (r->if_range.data && !if_range_holds(r->if_range, a))
                return;
        switch (read_range(r->range, a->total_len, &first, &len)) {
        case RANGE_NONE:
                break;
        case RANGE_PART:
                a->status = 206;
                a->offset = first;
                a->body_len = len;
                break;
        case RANGE_UNSATISFIABLE:
                refuse_range(a);
                break;
        }
}

void condition_apply(const struct request *r, struct answer *a)
{
        if (!r->if_none_match.data && r->if_modified_since.len == 0 && r->range.len == 0)
                return;
        if (a->status != 200 || !a->cacheable || (r->method != METHOD_GET && r->method != METHOD_HEAD))
                return;
        if (a->etag_len > 0 && is_not_modified(r, a)) {
                a->status = 304;
                a->kind = BODY_BYTES;
                a->bytes = BYTES_NONE;
                a->body_len = 0;
                return;
        }
        apply_range(r, a);
}
