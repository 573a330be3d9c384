/* The client's side, with nghttp2's own checks off: what a server must refuse has to reach it. */
#include "h2client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "responder/conn/conn_private.h"

static struct h2_stream *find(nghttp2_session *session, int32_t id, struct h2_client *c)
{
        (void)session;
        return id % 2 == 1 && id / 2 < (int32_t)c->n_streams ? &c->streams[id / 2] : NULL;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value,
        size_t value_len, uint8_t flags, void *data)
{
        struct h2_stream *s = find(session, frame->hd.stream_id, data);

        (void)flags;
        builder_put(&s->head, bytes_make(name, name_len));
        builder_put(&s->head, BYTES_LIT(": "));
        builder_put(&s->head, bytes_make(value, value_len));
        builder_put(&s->head, BYTES_LIT("\r\n"));
        return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *octets, size_t len, void *data)
{
        (void)flags;
        builder_put(&find(session, id, data)->body, bytes_make(octets, len));
        return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
        struct h2_stream *s = find(session, id, data);

        s->is_closed = true;
        s->code = code;
        return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
        struct h2_client *c = data;

        (void)session;
        if (frame->hd.type == NGHTTP2_GOAWAY) {
                c->n_goaways++;
                c->goaway_code = frame->goaway.error_code;
                c->goaway_last = frame->goaway.last_stream_id;
        }
        c->n_pings += frame->hd.type == NGHTTP2_PING;
        return 0;
}

static nghttp2_session *new_session(struct h2_client *c)
{
        nghttp2_session_callbacks *callbacks;
        nghttp2_option *option;
        nghttp2_session *session;

        assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
        assert_int_equal(nghttp2_option_new(&option), 0);
        nghttp2_option_set_no_http_messaging(option, 1); /* what the server refuses must get there */
        nghttp2_option_set_peer_max_concurrent_streams(option, 1000);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        assert_int_equal(nghttp2_session_client_new2(&session, callbacks, c, option), 0);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_option_del(option);
        return session;
}

void h2_open(struct h2_client *c, struct fixture *f, uint32_t initial_window)
{
        nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, initial_window}};
        int fds[2];

        memset(c, 0, sizeof *c);
        c->f = f;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        c->fd = fds[1];
        assert_int_equal(conn_open(&f->pool, fds[0]), OK);
        c->session = new_session(c);
        assert_int_equal(nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 1), 0);
}

void h2_close(struct h2_client *c)
{
        cleanup_close(&c->fd);
        pump(c->f);
        nghttp2_session_del(c->session);
        for (unsigned i = 0; i < c->n_streams; i++) {
                builder_done(&c->streams[i].head);
                builder_done(&c->streams[i].body);
                builder_done(&c->requests[i].body);
        }
}

static bool send_some(struct h2_client *c)
{
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(c->session, &data);

        for (ssize_t at = 0; at < n;) {
                ssize_t m = send(c->fd, &data[at], (size_t)(n - at), MSG_NOSIGNAL);

                if (m < 0 && errno != EAGAIN)
                        return false;
                at += m > 0 ? m : 0;
                if (m < 0)
                        pump(c->f);
        }
        return n > 0;
}

static bool receive_some(struct h2_client *c)
{
        uint8_t buffer[8192];
        ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);

        c->is_closed |= n == 0;
        if (n <= 0)
                return false;
        assert_int_equal(nghttp2_session_mem_recv(c->session, buffer, (size_t)n), n);
        return true;
}

void h2_flush(struct h2_client *c)
{
        while (send_some(c))
                ;
}

void h2_pump(struct h2_client *c)
{
        bool is_busy = true;

        while (is_busy) {
                is_busy = false;
                while (send_some(c))
                        is_busy = true;
                pump(c->f);
                while (receive_some(c))
                        is_busy = true;
        }
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *ret_data, size_t cap, uint32_t *ret_flags,
        nghttp2_data_source *source, void *data)
{
        struct h2_request *r = source->ptr;
        size_t n = r->body.len - r->at;

        (void)session;
        (void)id;
        (void)data;
        n = n < cap ? n : cap;
        memcpy(ret_data, &r->body.data[r->at], n);
        r->at += n;
        if (r->at == r->body.len)
                *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)n;
}

unsigned h2_ask_raw(struct h2_client *c, const struct builder *body, const char *const *fields)
{
        struct h2_request *mine = &c->requests[c->n_streams];
        nghttp2_data_provider provider = {.source.ptr = mine, .read_callback = read_body};
        nghttp2_nv nv[100];
        size_t n = 0;

        for (; *fields; fields += 2)
                nv[n++] = (nghttp2_nv){(uint8_t *)fields[0], (uint8_t *)fields[1], strlen(fields[0]), strlen(fields[1]), 0};
        if (body)
                builder_put(&mine->body, builder_bytes(body));
        assert_true(c->n_streams < H2_STREAMS);
        c->streams[c->n_streams].id = nghttp2_submit_request(c->session, NULL, nv, n, body ? &provider : NULL, NULL);
        assert_int_equal(c->streams[c->n_streams].id, 2 * (int32_t)c->n_streams + 1);
        return c->n_streams++;
}

unsigned h2_ask(struct h2_client *c, const char *method, const char *path, const struct builder *body, const char *const *fields)
{
        const char *all[200] = {":method", method, ":path", path, ":scheme", "http", ":authority", "h"};
        size_t n = 8;

        for (; fields && *fields; fields++)
                all[n++] = *fields;
        return h2_ask_raw(c, body, all);
}

unsigned h2_post(struct h2_client *c, const struct asking *a)
{
        _cleanup_(builder_done) struct builder der = {0};

        fixture_put_request(c->f, &der, a);
        return h2_ask(c, "POST", "/", &der, H2_FIELDS("content-type", "application/ocsp-request"));
}

unsigned h2_get(struct h2_client *c, const char *method, const struct asking *a)
{
        _cleanup_(builder_done) struct builder der = {0};
        char path[4096] = "/";

        fixture_put_request(c->f, &der, a);
        EVP_EncodeBlock((unsigned char *)&path[1], der.data, (int)der.len);
        return h2_ask(c, method, path, NULL, NULL);
}

bool h2_take(struct h2_client *c, unsigned number, struct reply *ret_reply)
{
        struct h2_stream *s = &c->streams[number];

        h2_pump(c);
        if (!s->is_closed || s->head.len == 0)
                return false;
        if (memcmp(s->head.data, "\r\n", 2) != 0) { /* as the fixture finds fields: each behind a line's end */
                memcpy(builder_insert(&s->head, 0, 2), "\r\n", 2);
                builder_put_u8(&s->head, 0);
                s->head.len--;
        }
        *ret_reply = (struct reply){.head = builder_bytes(&s->head), .body = builder_bytes(&s->body)};
        ret_reply->status = (unsigned)strtoul((const char *)reply_field(ret_reply, ":status").data, NULL, 10);
        return true;
}

/* ---- what a test expects ---- */

struct reply h2_expect(struct h2_client *c, unsigned number)
{
        struct reply r;

        if (!h2_take(c, number, &r))
                fail_msg("stream %u: no answer", number);
        return r;
}

void h2_assert_status(struct h2_client *c, unsigned number, enum ocsp_cert_status want)
{
        struct reply r = h2_expect(c, number);

        assert_int_equal(reply_status(c->f, &r).cert_status, want);
}

void h2_assert_reset(struct h2_client *c, unsigned number, uint32_t code)
{
        h2_pump(c);
        assert_true(c->streams[number].is_closed);
        assert_int_equal(c->streams[number].head.len, 0);
        assert_int_equal(c->streams[number].code, code);
}

void h2_assert_ended(struct h2_client *c, uint32_t code)
{
        h2_pump(c);
        assert_int_equal(c->n_goaways, 1);
        assert_int_equal(c->goaway_code, code);
        assert_true(c->is_closed);
}

struct http2 *h2_session_of(struct fixture *f)
{
        assert_non_null(f->pool.first);
        assert_non_null(f->pool.first->http2);
        return f->pool.first->http2;
}
