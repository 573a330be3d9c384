/* http2: the same questions over cleartext HTTP/2 with prior knowledge (RFC 9113 3.3), many streams at once on one connection. */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "bench/load/drive.h"

#define WINDOW (1 << 30) /* flow control should never hold up an answer */

/* One stream that is open. */
struct stream {
        struct asked asked;
        unsigned status;
        struct bytes to_send;
        struct builder body;
        struct stream *next_free;
};

struct http2 {
        nghttp2_session *session;
        struct stream streams[DEPTH_MAX];
        struct stream *free;
        /* valid while the library calls back */
        struct drive *drive;
        struct conn *conn;
        uint64_t now_ns;
};

static struct stream *stream_of(nghttp2_session *session, int32_t id)
{
        return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value,
        size_t value_len, uint8_t flags, void *user)
{
        struct stream *s;

        (void)flags;
        (void)user;
        if (name[0] != ':' || !bytes_equal(bytes_make(name, name_len), BYTES_LIT(":status")) || value_len != 3)
                return 0;
        s = stream_of(session, frame->hd.stream_id);
        if (s)
                s->status = (unsigned)strtoul((const char *)value, NULL, 10);
        return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
        struct stream *s = stream_of(session, id);

        (void)flags;
        (void)user;
        if (s)
                builder_put(&s->body, bytes_make(data, len));
        return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
        struct http2 *h = user;
        struct stream *s = stream_of(session, id);
        struct answer answer;

        if (!s || !h->drive)
                return 0;
        answer = (struct answer){.status = s->status, .body = builder_bytes(&s->body)};
        if (error == NGHTTP2_NO_ERROR && s->status != 0)
                drive_answered(h->drive, h->conn, &s->asked, &answer, h->now_ns);
        else
                drive_failed(h->drive, h->conn, VERDICT_CLOSED);
        s->next_free = h->free;
        h->free = s;
        return 0;
}

/* Whether messages are well-formed is for tests to say; here it would cost the generator more than its own work. */
static int client_new(nghttp2_session **ret_session, const nghttp2_session_callbacks *callbacks, struct http2 *h)
{
        nghttp2_option *option = NULL;
        int rc = nghttp2_option_new(&option);

        if (rc != 0)
                return rc;
        nghttp2_option_set_no_http_messaging(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        rc = nghttp2_session_client_new2(ret_session, callbacks, h, option);
        nghttp2_option_del(option);
        return rc;
}

static nghttp2_session *session_new(struct http2 *h)
{
        static const nghttp2_settings_entry settings[] = {
                {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
        };
        nghttp2_session_callbacks *callbacks = NULL;
        nghttp2_session *session = NULL;

        if (nghttp2_session_callbacks_new(&callbacks) != 0)
                return NULL;
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        if (client_new(&session, callbacks, h) == 0) {
                nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(*settings));
                nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, WINDOW);
        }
        nghttp2_session_callbacks_del(callbacks);
        return session;
}

/* What the library wants to say, behind what is still to be sent. */
static void put_pending(struct http2 *h, struct conn *c)
{
        const uint8_t *data;
        ssize_t n;

        while ((n = nghttp2_session_mem_send(h->session, &data)) > 0)
                builder_put(&c->out, bytes_make(data, (size_t)n));
        c->failed |= n < 0 || builder_failed(&c->out);
}

static void http2_open(struct drive *d, struct conn *c)
{
        struct http2 *h = calloc(1, sizeof(*h));

        (void)d;
        c->state = h;
        if (h)
                h->session = session_new(h);
        c->failed |= !h || !h->session;
        for (unsigned i = 0; h && i < DEPTH_MAX; i++) {
                h->streams[i].next_free = h->free;
                h->free = &h->streams[i];
        }
}

static ssize_t read_body(
        nghttp2_session *session, int32_t id, uint8_t *to, size_t cap, uint32_t *ret_flags, nghttp2_data_source *source, void *user)
{
        struct stream *s = source->ptr;
        struct bytes piece;
        size_t n = s->to_send.len < cap ? s->to_send.len : cap;

        (void)session;
        (void)id;
        (void)user;
        if (bytes_take(&s->to_send, n, &piece) != OK)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        memcpy(to, piece.data, n);
        if (s->to_send.len == 0)
                *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)n;
}

static nghttp2_nv pair(struct bytes name, struct bytes value)
{
        return (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.len, value.len,
                NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static void http2_ask(struct drive *d, struct conn *c, const struct asked *asked)
{
        struct http2 *h = c->state;
        struct stream *s = h->free;
        const struct question *question = &d->questions->items[asked->question];
        nghttp2_data_provider provider = {.source.ptr = s, .read_callback = read_body};
        nghttp2_nv fields[5];
        bool is_post;

        h->free = s->next_free;
        s->asked = *asked;
        s->status = 0;
        builder_reset(&s->body);
        s->to_send = question_body(d->questions, question);
        is_post = s->to_send.len > 0;
        fields[0] = pair(BYTES_LIT(":method"), is_post ? BYTES_LIT("POST") : BYTES_LIT("GET"));
        fields[1] = pair(BYTES_LIT(":scheme"), BYTES_LIT("http"));
        fields[2] = pair(BYTES_LIT(":authority"), bytes_str(d->config->authority));
        fields[3] = pair(BYTES_LIT(":path"), question_path(d->questions, question));
        fields[4] = pair(BYTES_LIT("content-type"), BYTES_LIT("application/ocsp-request"));
        if (nghttp2_submit_request(h->session, NULL, fields, is_post ? 5 : 4, is_post ? &provider : NULL, s) < 0)
                c->failed = true;
        put_pending(h, c);
}

static size_t http2_take(struct drive *d, struct conn *c, uint64_t now_ns)
{
        struct http2 *h = c->state;

        h->drive = d;
        h->conn = c;
        h->now_ns = now_ns;
        if (nghttp2_session_mem_recv(h->session, c->in, c->in_len) != (ssize_t)c->in_len)
                c->failed = true;
        h->drive = NULL;
        put_pending(h, c);
        if (!nghttp2_session_want_read(h->session))
                c->failed = true;
        return c->in_len;
}

static void http2_close(struct drive *d, struct conn *c, enum verdict why)
{
        struct http2 *h = c->state;

        while (c->n_out > 0)
                drive_failed(d, c, why);
        if (!h)
                return;
        nghttp2_session_del(h->session);
        for (unsigned i = 0; i < DEPTH_MAX; i++)
                builder_done(&h->streams[i].body);
        free(h);
        c->state = NULL;
}

const struct protocol protocol_http2 = {.name = "h2c", .open = http2_open, .ask = http2_ask, .take = http2_take, .close = http2_close};
