/* http2_stream: one request of an HTTP/2 session, from its first field to its end. */
#include <stdlib.h>
#include <strings.h>

#include "responder/http1.h"
#include "responder/http2_session.h"

#define MAX_FREE 1024

/* Pseudo-fields beside HTTP1_MAX_FIELDS others. */
#define MAX_FIELDS (HTTP1_MAX_FIELDS + 4)
/* RFC 9113 6.5.2: what a field counts beside its octets. */
#define FIELD_OVERHEAD 32

static const struct bytes NAMES[FIELD_N] = {
        [FIELD_METHOD] = BYTES_LIT(":method"),
        [FIELD_PATH] = BYTES_LIT(":path"),
        [FIELD_AUTHORITY] = BYTES_LIT(":authority"),
        [FIELD_HOST] = BYTES_LIT("host"),
        [FIELD_CONTENT_TYPE] = BYTES_LIT("content-type"),
        [FIELD_IF_NONE_MATCH] = BYTES_LIT("if-none-match"),
        [FIELD_IF_MODIFIED_SINCE] = BYTES_LIT("if-modified-since"),
        [FIELD_RANGE] = BYTES_LIT("range"),
        [FIELD_IF_RANGE] = BYTES_LIT("if-range"),
        [FIELD_EXPECT] = BYTES_LIT("expect"),
};

static struct bytes rcbuf_bytes(nghttp2_rcbuf *b)
{
        nghttp2_vec v = nghttp2_rcbuf_get_buf(b);

        return bytes_make(v.base, v.len);
}

/* ---- lists ---- */

struct http2_stream *http2_stream_next(const struct http2_stream *s)
{
        return s->next->session ? s->next : NULL; /* the head of a list has no session */
}

static void link_last(struct http2_stream *head, struct http2_stream *s)
{
        s->next = head;
        s->previous = head->previous;
        head->previous->next = s;
        head->previous = s;
}

static void unlink_stream(struct http2_stream *s)
{
        s->next->previous = s->previous;
        s->previous->next = s->next;
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
        unlink_stream(s);
        enter(s, state);
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

struct http2_stream *http2_stream_new(struct http2 *h, int32_t id)
{
        struct http2_stream *s = take_memory(h->pool);

        if (!s)
                return NULL;
        memset(s, 0, offsetof(struct http2_stream, small));
        memset(&s->out, 0, sizeof *s - offsetof(struct http2_stream, out));
        s->session = h;
        s->id = id;
        s->parked.on_answer = on_engine_answer;
        h->n_streams++;
        enter(s, STREAM_RECEIVING);
        return s;
}

void http2_stream_free(struct http2_stream *s)
{
        struct http2 *h = s->session;

        unlink_stream(s);
        sign_client_leave(&s->parked.waiter);
        for (unsigned i = 0; i < FIELD_N; i++)
                if (s->fields[i])
                        nghttp2_rcbuf_decref(s->fields[i]);
        free(s->body);
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

/* ---- the request ---- */

void http2_stream_refuse(struct http2_stream *s, unsigned status)
{
        if (s->refusal == 0)
                s->refusal = (uint16_t)status;
}

struct bytes http2_stream_field(const struct http2_stream *s, enum http2_field field)
{
        struct bytes value = s->fields[field] ? rcbuf_bytes(s->fields[field]) : BYTES_NONE;

        /* As in HTTP/1: repeated, a condition is ignored altogether. */
        return s->repeated & 1u << field ? bytes_make(value.data, 0) : value;
}

static enum http2_field find_field(struct bytes name)
{
        unsigned i = 0;

        while (i < FIELD_N && !bytes_equal(name, NAMES[i]))
                i++;
        return (enum http2_field)i;
}

void http2_stream_take_field(struct http2_stream *s, nghttp2_rcbuf *name_buffer, nghttp2_rcbuf *value_buffer)
{
        const struct http1_limits *limits = &s->session->pool->config.service->limits;
        struct bytes name = rcbuf_bytes(name_buffer), value = rcbuf_bytes(value_buffer);
        enum http2_field field;

        s->list_len += name.len + value.len + FIELD_OVERHEAD;
        if (++s->n_fields > MAX_FIELDS || s->list_len > limits->max_head)
                http2_stream_refuse(s, 431);
        field = s->refusal == 0 ? find_field(name) : FIELD_N;
        if (field == FIELD_N)
                return;
        if (s->fields[field]) {
                s->repeated |= (uint16_t)(1u << field);
                return;
        }
        nghttp2_rcbuf_incref(value_buffer);
        s->fields[field] = value_buffer;
        s->kept_len += value.len;
        s->session->n_kept += value.len;
}

/* RFC 9113 8.3.1: no user information; and a Host that names another is malformed. */
static bool is_authority_sound(const struct http2_stream *s)
{
        struct bytes authority = http2_stream_field(s, FIELD_AUTHORITY), host = http2_stream_field(s, FIELD_HOST);

        if (authority.len > 0 && memchr(authority.data, '@', authority.len))
                return false;
        return !authority.data || !host.data ||
                (authority.len == host.len && strncasecmp((const char *)authority.data, (const char *)host.data, host.len) == 0);
}

void http2_stream_check_head(struct http2_stream *s)
{
        const struct http1_limits *limits = &s->session->pool->config.service->limits;
        struct bytes path = http2_stream_field(s, FIELD_PATH), expect = http2_stream_field(s, FIELD_EXPECT);
        struct request r;

        s->is_head_whole = true;
        if (path.len > limits->max_uri)
                http2_stream_refuse(s, 414);
        if (!is_authority_sound(s) || s->repeated & (1u << FIELD_HOST | 1u << FIELD_CONTENT_TYPE))
                http2_stream_refuse(s, 400);
        if (path.len > 0 && !bytes_equal(path, BYTES_LIT("*")) && !http1_read_origin_form(path, &r))
                http2_stream_refuse(s, 400);
        if (expect.data && (expect.len != 12 || strncasecmp((const char *)expect.data, "100-continue", 12) != 0))
                http2_stream_refuse(s, 417);
}

static bool grow_body(struct http2_stream *s, size_t len)
{
        size_t cap = s->body_cap > 0 ? s->body_cap : sizeof s->small;
        uint8_t *more;

        if (len <= cap)
                return true;
        while (cap < len)
                cap *= 2;
        more = realloc(s->body, cap);
        if (!more)
                return false;
        if (!s->body)
                memcpy(more, s->small, s->body_len);
        s->body = more;
        s->body_cap = cap;
        return true;
}

void http2_stream_take_body(struct http2_stream *s, struct bytes data)
{
        if (s->body_len + data.len > s->session->pool->config.service->limits.max_body) /* req 1.17 */
                http2_stream_refuse(s, 413);
        else if (s->refusal == 0 && !grow_body(s, s->body_len + data.len))
                http2_stream_refuse(s, 503);
        if (s->refusal != 0)
                return;
        memcpy(s->body ? &s->body[s->body_len] : &s->small[s->body_len], data.data, data.len);
        s->body_len += data.len;
}

void http2_stream_request(const struct http2_stream *s, struct request *ret_request)
{
        struct bytes path = http2_stream_field(s, FIELD_PATH);
        struct request r = {.method = request_find_method(http2_stream_field(s, FIELD_METHOD)), .protocol = PROTOCOL_HTTP2,
                .keep_alive = true};

        if (path.len == 0 || !http1_read_origin_form(path, &r))
                r.path = path.len > 0 ? path : BYTES_LIT("");
        r.content_type = http2_stream_field(s, FIELD_CONTENT_TYPE);
        r.if_none_match = http2_stream_field(s, FIELD_IF_NONE_MATCH);
        r.if_modified_since = http2_stream_field(s, FIELD_IF_MODIFIED_SINCE);
        r.range = http2_stream_field(s, FIELD_RANGE);
        r.if_range = http2_stream_field(s, FIELD_IF_RANGE);
        r.body = bytes_make(s->body ? s->body : s->small, s->body_len);
        *ret_request = r;
}
