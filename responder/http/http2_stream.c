/* http2_stream: one request of an HTTP/2 session, from its first field to its end. */
#include <stdlib.h>
#include <strings.h>

#include "responder/http/http1.h"
#include "responder/http/http2_session.h"

#define MAX_FREE 1024
/* Bodies of a session's requests, in octets, beside one that may always be as long as allowed: beyond it 503. OCSP requests
 * fit in their stream's own room, or nearly; 128 bodies of max_body that never end would be megabytes for each connection.
 */
#define MAX_BODIES (64 * 1024)

/* Pseudo-fields beside HTTP1_MAX_FIELDS others. */
#define MAX_FIELDS (HTTP1_MAX_FIELDS + 4)

#define BIT(field) (1u << (field))
/* Whose values are kept. */
#define KEPT (RARE | BIT(FIELD_PATH) | BIT(FIELD_AUTHORITY) | BIT(FIELD_HOST) | BIT(FIELD_EXPECT))
/* Of those, what a request for an answer as such does not say. */
#define RARE                                                                                                                \
        (BIT(FIELD_CONTENT_TYPE) | BIT(FIELD_IF_NONE_MATCH) | BIT(FIELD_IF_MODIFIED_SINCE) | BIT(FIELD_RANGE) | BIT(FIELD_IF_RANGE))
/* That come once or make the request malformed (RFC 9113 8.3.1; RFC 9110 7.2, 8.6). */
#define ONCE                                                                                                                \
        (BIT(FIELD_METHOD) | BIT(FIELD_SCHEME) | BIT(FIELD_PATH) | BIT(FIELD_AUTHORITY) | BIT(FIELD_HOST) |                 \
                BIT(FIELD_CONTENT_LENGTH))

/* ---- lists ---- */

static void link_last(struct http2_list *list, struct http2_stream *s)
{
        s->next = NULL;
        s->previous = list->last;
        if (list->last)
                list->last->next = s;
        else
                list->first = s;
        list->last = s;
}

static void unlink_stream(struct http2_list *list, struct http2_stream *s)
{
        if (s->next)
                s->next->previous = s->previous;
        else
                list->last = s->previous;
        if (s->previous)
                s->previous->next = s->next;
        else
                list->first = s->next;
}

static struct http2_list *list_of(const struct http2_stream *s)
{
        return &s->session->lists[s->state];
}

static int64_t patience_ms(const struct conf *conf, enum http2_state state)
{
        if (state == STREAM_RECEIVING)
                return 1000 * conf->header_timeout_s;
        return 1000 * (state == STREAM_PARKED ? conf->park_timeout_s : conf->write_timeout_s);
}

static void enter(struct http2_stream *s, enum http2_state state)
{
        struct http2_pool *pool = s->session->pool;

        s->state = state;
        s->deadline_ms = pool->now_ms + patience_ms(pool->config.service->conf, state);
        s->n_sent = 0;
        link_last(&s->session->lists[state], s);
}

void http2_stream_move(struct http2_stream *s, enum http2_state state)
{
        unlink_stream(list_of(s), s);
        enter(s, state);
}

void http2_stream_rotate(struct http2_stream *s)
{
        unlink_stream(list_of(s), s);
        link_last(list_of(s), s);
}

/* Whose request is being received comes first: most frames are for those, and most often for the oldest. */
struct http2_stream *http2_stream_find(struct http2 *h, uint32_t id)
{
        for (unsigned i = 0; i < STREAM_STATES; i++)
                for (struct http2_stream *s = h->lists[i].first; s; s = s->next)
                        if (s->id == id)
                                return s;
        return NULL;
}

/* ---- life ---- */

static struct http2_stream *take_memory(struct http2_pool *pool)
{
        struct http2_stream *s = pool->free;

        if (!s)
                return malloc(sizeof *s);
        pool->free = s->next;
        pool->n_free--;
        return s;
}

static void give_memory(struct http2_pool *pool, struct http2_stream *s)
{
        if (pool->n_free >= MAX_FREE) {
                free(s);
                return;
        }
        s->next = pool->free;
        pool->free = s;
        pool->n_free++;
}

static void on_engine_answer(struct parked *parked, const struct msg_sign_answer *answer)
{
        struct http2_stream *s = (struct http2_stream *)((char *)parked - offsetof(struct http2_stream, parked));
        struct http2 *h = s->session;
        const struct http2_pool_config *config = &h->pool->config;

        http2_stream_move(s, STREAM_READY);
        s->sign.answer = answer;
        s->sign.refused = answer == NULL;
        h->resumed = s;
        config->on_resumed(h->owner);
        if (h->resumed) /* it could not be sent: the row is read again when it can */
                h->resumed->sign.answer = NULL;
        h->resumed = NULL;
        config->on_settle(h->owner);
}

struct http2_stream *http2_stream_new(struct http2 *h, uint32_t id)
{
        struct http2_stream *s = take_memory(h->pool);

        if (!s)
                return NULL;
        memset(s, 0, offsetof(struct http2_stream, small));
        s->session = h;
        s->id = id;
        s->send_window = h->initial_window;
        s->receive_window = h->pool->window;
        s->content_length = -1;
        s->parked.on_answer = on_engine_answer;
        h->n_streams++;
        enter(s, STREAM_RECEIVING);
        return s;
}

void http2_stream_free(struct http2_stream *s)
{
        struct http2 *h = s->session;

        unlink_stream(list_of(s), s);
        sign_client_leave(&s->parked.waiter);
        free(s->kept);
        free(s->body);
        h->n_bodies -= s->body_cap;
        free(s->held);
        h->n_held -= s->held_len;
        h->n_kept -= s->kept_len;
        h->n_files -= s->file != NULL;
        crl_file_release(s->file);
        h->n_streams--;
        if (h->current == s)
                h->current = NULL;
        if (h->resumed == s)
                h->resumed = NULL;
        give_memory(h->pool, s);
}

/* ---- the request's fields ---- */

void http2_stream_refuse(struct http2_stream *s, unsigned status)
{
        if (s->refusal == 0)
                s->refusal = (uint16_t)status;
}

static const uint8_t *kept(const struct http2_stream *s)
{
        return s->kept ? s->kept : s->small_kept;
}

struct bytes http2_stream_field(const struct http2_stream *s, enum http2_field field)
{
        if (!(s->seen & BIT(field)))
                return BYTES_NONE;
        /* As in HTTP/1: repeated, a condition is ignored altogether. */
        return bytes_make(&kept(s)[s->values[field].at], s->repeated & BIT(field) ? 0 : s->values[field].len);
}

/* `more` octets of memory that has begun in `small`, and holds `len` of them. NULL: there is none. */
static uint8_t *grow(uint8_t *memory, const uint8_t *small, size_t small_cap, size_t len, size_t need, size_t *cap)
{
        size_t n = memory ? *cap : small_cap;
        uint8_t *more;

        while (n < need)
                n *= 2;
        more = realloc(memory, n);
        if (!more)
                return NULL;
        if (!memory)
                memcpy(more, small, len);
        *cap = n;
        return more;
}

static bool keep(struct http2_stream *s, enum http2_field field, struct bytes value)
{
        size_t cap = s->kept ? s->kept_cap : sizeof s->small_kept;

        if (s->kept_len + value.len > cap) {
                uint8_t *more =
                        grow(s->kept, s->small_kept, sizeof s->small_kept, s->kept_len, s->kept_len + value.len, &cap);

                if (!more)
                        return false;
                s->kept = more;
                s->kept_cap = (uint32_t)cap;
        }
        memcpy(s->kept ? &s->kept[s->kept_len] : &s->small_kept[s->kept_len], value.data, value.len);
        s->values[field] = (struct span){s->kept_len, (uint32_t)value.len};
        s->kept_len += (uint32_t)value.len;
        s->session->n_kept += value.len;
        return true;
}

static int64_t read_number(struct bytes text)
{
        int64_t n = 0;

        for (size_t i = 0; i < text.len; i++)
                n = 10 * n + (text.data[i] - '0');
        return n;
}

static void take_method(struct http2_stream *s, struct bytes value)
{
        s->method = request_find_method(value);
        if (s->method != METHOD_OTHER)
                return;
        s->is_connect = bytes_equal(value, BYTES_LIT("CONNECT"));
        s->is_options = bytes_equal(value, BYTES_LIT("OPTIONS"));
}

static void take_known(struct http2_stream *s, enum http2_field field, struct bytes value)
{
        if (s->seen & BIT(field)) {
                s->repeated |= (uint16_t)BIT(field);
                s->is_malformed |= (ONCE & BIT(field)) != 0;
                return;
        }
        s->seen |= (uint16_t)BIT(field);
        if (field == FIELD_METHOD)
                take_method(s, value);
        else if (field == FIELD_SCHEME)
                s->is_http = bytes_equal(value, BYTES_LIT("http")) || bytes_equal(value, BYTES_LIT("https"));
        else if (field == FIELD_CONTENT_LENGTH)
                s->content_length = read_number(value);
        else if (KEPT & BIT(field) && s->refusal == 0 && !keep(s, field, value))
                http2_stream_refuse(s, 503);
}

void http2_stream_take_field(struct http2_stream *s, const struct hpack_field *f)
{
        const struct request_limits *limits = &s->session->pool->config.service->limits;

        s->list_len += f->name.len + f->value.len + HPACK_OVERHEAD;
        if (++s->n_fields > MAX_FIELDS || s->list_len > limits->max_head)
                http2_stream_refuse(s, 431);
        /* RFC 9113 8.2, 8.3: pseudo-fields stand before all others */
        s->is_malformed |= !f->is_sound || (http2_field_is_pseudo(f->field) && s->has_regular);
        s->has_regular |= !http2_field_is_pseudo(f->field);
        if (!s->is_malformed && f->field < FIELD_N)
                take_known(s, f->field, f->value);
}

/* RFC 9113 8.3.1: no user information; and a Host that names another is malformed. */
static bool is_authority_sound(const struct http2_stream *s)
{
        struct bytes authority = http2_stream_field(s, FIELD_AUTHORITY), host = http2_stream_field(s, FIELD_HOST);

        if (authority.len > 0 && memchr(authority.data, '@', authority.len))
                return false;
        return !authority.data || !host.data ||
               (authority.len == host.len &&
                       strncasecmp((const char *)authority.data, (const char *)host.data, host.len) == 0);
}

static bool has(const struct http2_stream *s, unsigned fields)
{
        return (s->seen & fields) == fields;
}

/* RFC 9113 8.3.1; CONNECT has its authority only: 8.5. */
static bool has_target(const struct http2_stream *s)
{
        bool has_authority = has(s, BIT(FIELD_AUTHORITY)) || has(s, BIT(FIELD_HOST));

        if (s->is_connect)
                return has(s, BIT(FIELD_AUTHORITY)) && !has(s, BIT(FIELD_PATH)) && !has(s, BIT(FIELD_SCHEME));
        return has_authority && has(s, BIT(FIELD_METHOD) | BIT(FIELD_SCHEME) | BIT(FIELD_PATH));
}

/* RFC 9113 8.3.1: with http it begins with '/', or is the '*' of OPTIONS; and it is a value like any other (8.2.1). */
static bool is_path_sound(const struct http2_stream *s, struct bytes path)
{
        if (path.len == 0 || !http2_field_is_value(path))
                return false;
        return !s->is_http || path.data[0] == '/' || (s->is_options && bytes_equal(path, BYTES_LIT("*")));
}

static void check_path(struct http2_stream *s)
{
        struct bytes path = http2_stream_field(s, FIELD_PATH);
        struct request r = {0};

        s->path_len = (uint32_t)path.len;
        if (path.len > s->session->pool->config.service->limits.max_uri)
                http2_stream_refuse(s, 414);
        if (s->is_connect || http1_read_origin_form(path, &r)) {
                s->path_len = (uint32_t)r.path.len;
                return;
        }
        s->is_malformed |= !is_path_sound(s, path);
        if (!bytes_equal(path, BYTES_LIT("*")))
                http2_stream_refuse(s, 400);
}

void http2_stream_check_head(struct http2_stream *s)
{
        struct bytes expect = http2_stream_field(s, FIELD_EXPECT);

        s->is_head_whole = true;
        s->is_malformed |= !has_target(s);
        if (s->is_malformed || s->refusal != 0)
                return;
        check_path(s);
        if (!is_authority_sound(s) || s->repeated & BIT(FIELD_CONTENT_TYPE))
                http2_stream_refuse(s, 400);
        if (expect.data && (expect.len != 12 || strncasecmp((const char *)expect.data, "100-continue", 12) != 0))
                http2_stream_refuse(s, 417);
}

/* ---- the request's body ---- */

static bool make_room(struct http2_stream *s, size_t need)
{
        struct http2 *h = s->session;
        size_t cap = s->body ? s->body_cap : sizeof s->small;
        uint8_t *more;

        if (need <= cap)
                return true;
        if (h->n_bodies - s->body_cap + 2 * need > MAX_BODIES + 2 * h->pool->config.service->limits.max_body)
                return false;
        more = grow(s->body, s->small, sizeof s->small, s->body_len, need, &cap);
        if (!more)
                return false;
        h->n_bodies += cap - s->body_cap;
        s->body = more;
        s->body_cap = cap;
        return true;
}

void http2_stream_take_body(struct http2_stream *s, struct bytes data)
{
        size_t need = s->body_len + data.len;

        if (need > s->session->pool->config.service->limits.max_body) /* req 1.17 */
                http2_stream_refuse(s, 413);
        else if (s->refusal == 0 && !make_room(s, need))
                http2_stream_refuse(s, 503);
        if (s->refusal != 0)
                return;
        memcpy(s->body ? &s->body[s->body_len] : &s->small[s->body_len], data.data, data.len);
        s->body_len = need;
}

void http2_stream_request(const struct http2_stream *s, struct request *ret_request)
{
        struct bytes path = http2_stream_field(s, FIELD_PATH);

        *ret_request = (struct request){
                .method = s->seen & BIT(FIELD_METHOD) ? s->method : METHOD_UNKNOWN,
                .protocol = PROTOCOL_HTTP2,
                .keep_alive = true,
                .path = path.len > 0 ? bytes_make(path.data, s->path_len) : BYTES_LIT(""),
                .query = path.len > 0 ? bytes_make(&path.data[s->path_len], path.len - s->path_len) : BYTES_NONE,
                .body = bytes_make(s->body ? s->body : s->small, s->body_len),
        };
        if (!(s->seen & RARE))
                return;
        ret_request->content_type = http2_stream_field(s, FIELD_CONTENT_TYPE);
        ret_request->if_none_match = http2_stream_field(s, FIELD_IF_NONE_MATCH);
        ret_request->if_modified_since = http2_stream_field(s, FIELD_IF_MODIFIED_SINCE);
        ret_request->range = http2_stream_field(s, FIELD_RANGE);
        ret_request->if_range = http2_stream_field(s, FIELD_IF_RANGE);
}
