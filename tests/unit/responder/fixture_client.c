/* fixture_client: requests as octets, and the client's end of a connection to the pool. */
#include "fixture_private.h"

#include <strings.h>
#include <sys/socket.h>

#include "pki/der.h"

/* ---- requests ---- */

static void put_cert_id(const struct fixture *f, struct builder *b, const struct asking *a, const char *serial_hex, bool is_foreign)
{
        _cleanup_(builder_done) struct builder head = {0}, memory = {0};
        struct bytes rest, alg;
        size_t mark = der_begin(b, DER_SEQUENCE);

        ca_key_put_cert_id_head(&head, &f->ca_key, a->hash);
        if (is_foreign)
                head.data[head.len - 1] ^= 1;
        rest = builder_bytes(&head);
        if (a->no_null) {
                size_t inner;
                struct bytes oid;

                assert_int_equal(der_read(&rest, DER_SEQUENCE, &alg), OK);
                assert_int_equal(der_read_tlv(&alg, DER_OID, &oid), OK);
                inner = der_begin(b, DER_SEQUENCE);
                builder_put(b, oid);
                der_end(b, inner);
        }
        builder_put(b, rest);
        der_put(b, DER_INTEGER, hex_to(&memory, serial_hex));
        der_end(b, mark);
}

static void put_nonce(struct builder *b, const char *nonce_hex)
{
        _cleanup_(builder_done) struct builder memory = {0};
        size_t context = der_begin(b, DER_CONTEXT_CONS(2)), list = der_begin(b, DER_SEQUENCE), one = der_begin(b, DER_SEQUENCE), value;

        builder_put(b, BYTES_LIT("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02"));
        value = der_begin(b, DER_OCTET_STRING);
        der_put(b, DER_OCTET_STRING, hex_to(&memory, nonce_hex));
        der_end(b, value);
        der_end(b, one);
        der_end(b, list);
        der_end(b, context);
}

static void put_preferred(struct builder *b, const struct asking *a)
{
        size_t context = der_begin(b, DER_CONTEXT_CONS(2)), list = der_begin(b, DER_SEQUENCE), one = der_begin(b, DER_SEQUENCE), value, algs;

        builder_put(b, BYTES_LIT("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x08"));
        value = der_begin(b, DER_OCTET_STRING);
        algs = der_begin(b, DER_SEQUENCE);
        builder_put(b, BYTES_LIT("\x30\x0b\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"));
        for (unsigned i = 0; i < a->n_preferred; i++) {
                size_t alg = der_begin(b, DER_SEQUENCE);

                builder_put(b, sig_alg_identifier(a->preferred[i]));
                der_end(b, alg);
        }
        der_end(b, algs);
        der_end(b, value);
        der_end(b, one);
        der_end(b, list);
        der_end(b, context);
}

void fixture_put_request(const struct fixture *f, struct builder *ret, const struct asking *a)
{
        size_t outer = der_begin(ret, DER_SEQUENCE), tbs = der_begin(ret, DER_SEQUENCE), list = der_begin(ret, DER_SEQUENCE);

        for (size_t i = 0; a->serials[i]; i++) {
                size_t one = der_begin(ret, DER_SEQUENCE);

                put_cert_id(f, ret, a, a->serials[i], a->foreign || (a->second_foreign && i == 1));
                der_end(ret, one);
        }
        der_end(ret, list);
        if (a->nonce_hex)
                put_nonce(ret, a->nonce_hex);
        else if (a->n_preferred > 0)
                put_preferred(ret, a);
        der_end(ret, tbs);
        der_end(ret, outer);
}

void fixture_put_post(const struct fixture *f, struct builder *ret, const struct asking *a, const char *fields)
{
        _cleanup_(builder_done) struct builder der = {0};

        fixture_put_request(f, &der, a);
        builder_printf(ret, "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\nContent-Length: %zu\r\n%s\r\n", der.len,
                fields);
        builder_put(ret, builder_bytes(&der));
}

void fixture_put_get(const struct fixture *f, struct builder *ret, const char *method, const struct asking *a, const char *fields)
{
        _cleanup_(builder_done) struct builder der = {0};
        _cleanup_free_ char *text = NULL;

        fixture_put_request(f, &der, a);
        text = malloc(der.len * 2 + 8);
        EVP_EncodeBlock((unsigned char *)text, der.data, (int)der.len);
        builder_printf(ret, "%s /%s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, text, fields);
}

/* ---- clients ---- */

void client_open(struct client *c, struct fixture *f)
{
        static const int small = 32 * 1024; /* so that what a socket takes at once is known: the kernel doubles it */
        int fds[2];

        *c = (struct client){.f = f};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
        c->fd = fds[1];
        assert_int_equal(conn_open(&f->pool, fds[0]), OK);
}

void client_close(struct client *c)
{
        cleanup_close(&c->fd);
        c->fd = -1;
        builder_done(&c->received);
        pump(c->f);
}

void client_send(struct client *c, struct bytes b)
{
        assert_int_equal(send(c->fd, b.data, b.len, MSG_NOSIGNAL), b.len);
}

void pump(struct fixture *f)
{
        for (int i = 0; i < 6; i++)
                event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void receive(struct client *c)
{
        uint8_t buffer[4096];
        ssize_t n;

        while ((n = recv(c->fd, buffer, sizeof buffer, 0)) > 0) {
                builder_put(&c->received, bytes_make(buffer, (size_t)n));
                pump(c->f);
        }
        c->is_closed = n == 0;
}

bool client_take(struct client *c, bool is_head, struct reply *ret_reply)
{
        struct bytes rest;
        struct reply r = {0};
        const uint8_t *end = NULL;
        size_t len;

        pump(c->f);
        receive(c);
        if (c->at == c->received.len)
                return false;
        rest = bytes_make(&c->received.data[c->at], c->received.len - c->at);
        for (size_t i = 0; !end && i + 4 <= rest.len; i++)
                end = memcmp(&rest.data[i], "\r\n\r\n", 4) == 0 ? &rest.data[i] : NULL;
        if (!end)
                return false;
        r.head = bytes_make(rest.data, (size_t)(end - rest.data) + 4);
        r.status = (unsigned)strtoul((const char *)&rest.data[9], NULL, 10);
        len = is_head ? 0 : strtoul((const char *)reply_field(&r, "Content-Length").data, NULL, 10);
        if (rest.len < r.head.len + len)
                return false;
        r.body = bytes_make(&rest.data[r.head.len], len);
        c->at += r.head.len + len;
        *ret_reply = r;
        return true;
}

struct reply client_ask(struct client *c, const struct asking *a, const char *method, const char *fields)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct reply r;

        if (method)
                fixture_put_get(c->f, &b, method, a, fields);
        else
                fixture_put_post(c->f, &b, a, fields);
        client_send(c, builder_bytes(&b));
        assert_true(client_take(c, method && strcmp(method, "HEAD") == 0, &r));
        return r;
}

void client_post(struct client *c, const struct asking *a)
{
        _cleanup_(builder_done) struct builder b = {0};

        fixture_put_post(c->f, &b, a, "");
        client_send(c, builder_bytes(&b));
}

struct reply client_ask_text(struct client *c, const char *text)
{
        struct reply r;

        client_send(c, bytes_str(text));
        assert_true(client_take(c, false, &r));
        return r;
}

void client_expect(struct client *c, enum ocsp_cert_status want)
{
        struct reply r;

        assert_true(client_take(c, false, &r));
        assert_int_equal(reply_status(c->f, &r).cert_status, want);
}

struct bytes reply_field(const struct reply *r, const char *name)
{
        size_t name_len = strlen(name);

        for (size_t i = 0; i + name_len + 4 < r->head.len; i++) {
                const char *at = (const char *)&r->head.data[i];
                const char *end;

                if (memcmp(at, "\r\n", 2) != 0 || strncasecmp(&at[2], name, name_len) != 0 || at[2 + name_len] != ':')
                        continue;
                at = &at[2 + name_len + 2];
                end = strstr(at, "\r\n");
                return bytes_make(at, (size_t)(end - at));
        }
        return bytes_make("0", 0);
}

void assert_field(const struct reply *r, const char *name, const char *want)
{
        struct bytes got = reply_field(r, name);

        if (!bytes_equal(got, bytes_str(want)))
                fail_msg("%s: got \"%.*s\", want \"%s\"", name, (int)got.len, (const char *)got.data, want);
}

struct ocsp_status reply_status(const struct fixture *f, const struct reply *r)
{
        struct ocsp_response_data data;
        struct ocsp_single_read single;
        struct bytes tbs, signature_der, certs;
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len;
        enum sig_alg alg;

        assert_int_equal(r->status, 200);
        assert_int_equal(ocsp_response_read(r->body, &tbs, &alg, &signature_der, &certs), OK);
        assert_int_equal(sig_from_der(alg, signature_der, raw, &raw_len), OK);
        assert_int_equal(sig_verify(SIG_P256_SHA256, builder_bytes(&f->spki), tbs, bytes_make(raw, raw_len)), OK);
        assert_int_equal(ocsp_response_data_read(tbs, &data), OK);
        assert_int_equal(ocsp_single_read(&data.responses, &single), OK);
        assert_int_equal(data.responses.len, 0);
        return single.status;
}

void assert_ocsp_error(const struct reply *r, enum ocsp_response_status want)
{
        assert_int_equal(r->status, 200);
        if (!bytes_equal(r->body, ocsp_response_error(want)))
                fail_msg("not the OCSP error %u", (unsigned)want);
        assert_field(r, "Content-Type", "application/ocsp-response");
        assert_field(r, "Cache-Control", "no-store, max-age=0");
}
