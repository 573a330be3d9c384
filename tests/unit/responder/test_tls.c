/* TLS: what is agreed on, what is refused, and that both protocols work through it whatever the socket takes. */
#include "fixture.h"

#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "responder/conn/conn_private.h"
#include "store/crl_history.h"

#define A "11"
#define ASK(...) (&(struct asking){.serials = {__VA_ARGS__}})
#define CRL_LEN (3 * 1024 * 1024 + 77)

static char cert_path[128], key_path[128];

static void write_pem(const char *path, EVP_PKEY *key, X509 *certificate)
{
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        if (certificate)
                assert_int_equal(PEM_write_X509(file, certificate), 1);
        else
                assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
        fclose(file);
}

static void make_pair(const char *cert_to, const char *key_to)
{
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *x = X509_new();
        X509_NAME *name = X509_NAME_new();

        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        X509_gmtime_adj(X509_getm_notBefore(x), -1000);
        X509_gmtime_adj(X509_getm_notAfter(x), 100000);
        X509_set_subject_name(x, name);
        X509_set_issuer_name(x, name);
        X509_set_pubkey(x, key);
        assert_true(X509_sign(x, key, EVP_sha256()) > 0);
        write_pem(cert_to, NULL, x);
        write_pem(key_to, key, NULL);
        X509_NAME_free(name);
        X509_free(x);
        EVP_PKEY_free(key);
}

static struct tls_context *new_context(struct fixture *f)
{
        struct tls_context *context;
        char problem[256] = "";

        snprintf(cert_path, sizeof cert_path, "%s/tls.pem", f->folder);
        snprintf(key_path, sizeof key_path, "%s/tls.key", f->folder);
        make_pair(cert_path, key_path);
        if (tls_context_new(cert_path, key_path, &context, problem) != OK)
                fail_msg("%s", problem);
        return context;
}

/* ---- a client ---- */

struct secure {
        struct fixture *f;
        struct tls_context *context;
        SSL_CTX *ssl_context;
        SSL *ssl;
        int fd;
        bool is_closed; /* or broken */
        struct builder received;
};

static void secure_open(struct secure *c, struct fixture *f, const char *alpn, int min, int max)
{
        int fds[2], small = 4096;

        memset(c, 0, sizeof *c);
        c->f = f;
        c->context = new_context(f);
        c->ssl_context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(c->ssl_context, 0); /* whatever is refused, the server must refuse */
        SSL_CTX_set_min_proto_version(c->ssl_context, min);
        SSL_CTX_set_max_proto_version(c->ssl_context, max);
        if (alpn)
                SSL_CTX_set_alpn_protos(c->ssl_context, (const unsigned char *)alpn, (unsigned)strlen(alpn));
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        c->fd = fds[1];
        c->ssl = SSL_new(c->ssl_context);
        SSL_set_fd(c->ssl, c->fd);
        SSL_set_connect_state(c->ssl);
        assert_int_equal(conn_open_tls(&f->pool, fds[0], c->context), OK);
}

static void secure_close(struct secure *c)
{
        SSL_free(c->ssl);
        SSL_CTX_free(c->ssl_context);
        cleanup_close(&c->fd);
        pump(c->f);
        assert_int_equal(c->f->pool.n_open, 0);
        tls_context_free(c->context);
        builder_done(&c->received);
}

static bool is_waiting(struct secure *c, int n)
{
        int error = SSL_get_error(c->ssl, n);

        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* Until nothing comes any more. */
static void secure_pump(struct secure *c)
{
        unsigned n_idle = 0;

        while (n_idle < 3 && !c->is_closed) {
                uint8_t buffer[5000];
                int n;

                pump(c->f);
                ERR_clear_error();
                n = SSL_read(c->ssl, buffer, sizeof buffer);
                if (n > 0)
                        builder_put(&c->received, bytes_make(buffer, (size_t)n));
                n_idle = n > 0 ? 0 : n_idle + 1;
                c->is_closed = n <= 0 && !is_waiting(c, n);
        }
}

static bool secure_connect(struct secure *c)
{
        secure_pump(c);
        return SSL_is_init_finished(c->ssl) && !c->is_closed;
}

static void secure_send(struct secure *c, struct bytes b)
{
        assert_int_equal(SSL_write(c->ssl, b.data, (int)b.len), (int)b.len);
        secure_pump(c);
}

static bool holds(const struct secure *c, const char *text)
{
        return memmem(c->received.data, c->received.len, text, strlen(text)) != NULL;
}

/* ---- what is agreed on ---- */

static void http2_is_chosen_where_it_is_offered(void **state)
{
        static const struct {
                const char *offer, *want;
        } rows[] = {{"\x08http/1.1\x02h2", "h2"}, {"\x02h2", "h2"}, {"\x08http/1.1", "http/1.1"}, {NULL, NULL}};

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                const unsigned char *name;
                struct secure c;
                unsigned len;

                secure_open(&c, *state, rows[i].offer, TLS1_2_VERSION, 0);
                assert_true(secure_connect(&c));
                SSL_get0_alpn_selected(c.ssl, &name, &len);
                assert_true(bytes_equal(bytes_make(name, len), bytes_str(rows[i].want)));
                secure_close(&c);
        }
}

static void nothing_in_common_ends_the_handshake(void **state)
{
        static const struct {
                const char *alpn, *ciphers;
                int min, max;
        } rows[] = {
                {"\x03" "abc", NULL, TLS1_2_VERSION, 0}, /* RFC 7301 3.2 */
                {NULL, NULL, TLS1_VERSION, TLS1_1_VERSION},
                {NULL, "ECDHE-ECDSA-AES128-SHA256", TLS1_2_VERSION, TLS1_2_VERSION}, /* CBC; RFC 9113 appendix A */
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct secure c;

                secure_open(&c, *state, rows[i].alpn, rows[i].min, rows[i].max);
                if (rows[i].ciphers)
                        assert_int_equal(SSL_set_cipher_list(c.ssl, rows[i].ciphers), 1);
                assert_false(secure_connect(&c));
                secure_close(&c);
        }
}

static void no_ticket_is_given(void **state)
{
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
                struct secure c;

                secure_open(&c, *state, NULL, version, version);
                assert_true(secure_connect(&c));
                assert_false(SSL_SESSION_has_ticket(SSL_get0_session(c.ssl)));
                secure_close(&c);
        }
}

static void files_that_do_not_fit_are_refused_with_the_reason(void **state)
{
        struct fixture *f = *state;
        struct tls_context *context = new_context(f), *other = NULL;
        char problem[256] = "", other_cert[128], other_key[128];

        snprintf(other_cert, sizeof other_cert, "%s/other.pem", f->folder);
        snprintf(other_key, sizeof other_key, "%s/other.key", f->folder);
        make_pair(other_cert, other_key);
        assert_int_equal(tls_context_new(cert_path, other_key, &other, problem), ERR_CRYPTO);
        assert_non_null(strstr(problem, "key"));
        assert_int_equal(tls_context_new("/nonexistent", key_path, &other, problem), ERR_CRYPTO);
        assert_non_null(strstr(problem, "certificate"));
        assert_null(other);
        tls_context_free(context);
}

/* ---- both protocols through it ---- */

static void http1_is_served_and_its_end_is_said(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct secure c;

        fixture_import(*state, A);
        fixture_sign(*state, A, NOW - 100, NOW + 86400);
        secure_open(&c, *state, NULL, TLS1_2_VERSION, 0);
        assert_true(secure_connect(&c));
        for (unsigned i = 0; i < 3; i++)
                fixture_put_post(*state, &b, ASK(A), i == 2 ? "Connection: close\r\n" : "");
        secure_send(&c, builder_bytes(&b)); /* pipelined */
        assert_true(holds(&c, "Connection: close"));
        assert_true(c.is_closed);
        assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        secure_close(&c);
}

static void a_preface_without_its_being_chosen_is_not_http2(void **state)
{
        struct secure c;

        secure_open(&c, *state, "\x08http/1.1", TLS1_2_VERSION, 0);
        assert_true(secure_connect(&c));
        secure_send(&c, BYTES_LIT(HTTP2_PREFACE));
        assert_true(holds(&c, "HTTP/1.1 505 "));
        secure_close(&c);
}

/* Each record alone, so that OpenSSL holds what no event tells of. */
static void requests_in_many_records_are_all_answered(void **state)
{
        static const char request[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
        struct secure c;
        unsigned n = 0;

        secure_open(&c, *state, NULL, TLS1_2_VERSION, 0);
        assert_true(secure_connect(&c));
        for (unsigned i = 0; i < 40; i++)
                assert_int_equal(SSL_write(c.ssl, request, sizeof request - 1), sizeof request - 1);
        secure_pump(&c);
        for (size_t i = 0; i + 12 <= c.received.len; i++)
                n += memcmp(&c.received.data[i], "HTTP/1.1 200", 12) == 0;
        assert_int_equal(n, 40);
        secure_close(&c);
}

static void publish_large_crl(struct fixture *f)
{
        _cleanup_free_ uint8_t *content = malloc(CRL_LEN);
        _cleanup_close_ int fd = -1;
        struct crl_row row = {.state = CRL_PUBLISHED, .this_update = NOW - 10, .next_update = NOW + 1000, .size = CRL_LEN, .number = 1,
                .file = BYTES_LIT("large")};
        char path[256];
        struct txn *txn;

        for (size_t i = 0; i < CRL_LEN; i++)
                content[i] = (uint8_t)(i * 31 + (i >> 12));
        snprintf(path, sizeof path, "%s/large", f->crl_path);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, content, CRL_LEN), CRL_LEN);
        assert_int_equal(hash_digest(HASH_SHA256, bytes_make(content, CRL_LEN), row.digest), OK);
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        crl_put(txn, f->ca, 0, &row);
        assert_int_equal(txn_commit(txn), OK);
}

static void a_large_crl_goes_out_whole_through_a_small_socket(void **state)
{
        struct secure c;
        const uint8_t *body;

        publish_large_crl(*state);
        secure_open(&c, *state, NULL, TLS1_2_VERSION, 0);
        assert_true(secure_connect(&c));
        secure_send(&c, BYTES_LIT("GET /crl/" LABEL ".crl HTTP/1.1\r\nHost: h\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"));
        body = memmem(c.received.data, c.received.len, "\r\n\r\n", 4);
        assert_non_null(body);
        body += 4;
        assert_true(c.received.len > CRL_LEN);
        for (size_t i = 0; i < CRL_LEN; i++)
                if (body[i] != (uint8_t)(i * 31 + (i >> 12)))
                        fail_msg("octet %zu differs", i);
        assert_memory_equal(&body[CRL_LEN], "HTTP/1.1 200", 12);
        secure_close(&c);
}

static ssize_t h2_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags, void *user_data)
{
        struct secure *c = user_data;

        (void)session;
        (void)flags;
        return SSL_write(c->ssl, data, (int)len);
}

static int h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user_data)
{
        size_t *n = nghttp2_session_get_stream_user_data(session, id);

        (void)flags;
        (void)user_data;
        for (size_t i = 0; i < len; i++)
                assert_int_equal(data[i], (uint8_t)((*n + i) * 31 + ((*n + i) >> 12)));
        *n += len;
        return 0;
}

static void two_crls_at_once_go_out_whole_by_http2(void **state)
{
        nghttp2_nv head[] = {{(uint8_t *)":method", (uint8_t *)"GET", 7, 3, 0},
                {(uint8_t *)":path", (uint8_t *)"/crl/" LABEL ".crl", 5, strlen("/crl/" LABEL ".crl"), 0},
                {(uint8_t *)":scheme", (uint8_t *)"https", 7, 5, 0}, {(uint8_t *)":authority", (uint8_t *)"h", 10, 1, 0}};
        nghttp2_session_callbacks *callbacks;
        nghttp2_session *session;
        size_t n[2] = {0, 0}, before;
        struct secure c;

        publish_large_crl(*state);
        secure_open(&c, *state, "\x02h2", TLS1_2_VERSION, 0);
        assert_true(secure_connect(&c));
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_send_callback(callbacks, h2_send);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_on_data);
        nghttp2_session_client_new(&session, callbacks, &c);
        nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
        for (unsigned i = 0; i < 2; i++)
                assert_true(nghttp2_submit_request(session, NULL, head, 4, NULL, &n[i]) > 0);
        do {
                before = n[0] + n[1];
                assert_int_equal(nghttp2_session_send(session), 0);
                secure_pump(&c);
                assert_int_equal(nghttp2_session_mem_recv(session, c.received.data, c.received.len), c.received.len);
                builder_reset(&c.received);
        } while (n[0] + n[1] > before || before == 0);
        assert_int_equal(n[0], CRL_LEN);
        assert_int_equal(n[1], CRL_LEN);
        nghttp2_session_del(session);
        nghttp2_session_callbacks_del(callbacks);
        secure_close(&c);
}

/* ---- those who do not play ---- */

static void an_unfinished_handshake_ends_by_its_timeout(void **state)
{
        struct fixture *f = *state;
        struct secure c;
        uint8_t octet;

        secure_open(&c, f, NULL, TLS1_2_VERSION, 0);
        pump(f);
        fixture_at_ms(f, clock_mono_ms() + 12000);
        assert_int_equal(recv(c.fd, &octet, 1, 0), 0);
        assert_int_equal(f->pool.n_open, 0);
        secure_close(&c);
}

static void cleartext_is_no_handshake(void **state)
{
        struct fixture *f = *state;
        struct secure c;

        secure_open(&c, f, NULL, TLS1_2_VERSION, 0);
        assert_true(send(c.fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 26, MSG_NOSIGNAL) > 0);
        pump(f);
        assert_int_equal(f->pool.n_open, 0);
        secure_close(&c);
}

#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TLS_TEST(http2_is_chosen_where_it_is_offered),
                TLS_TEST(nothing_in_common_ends_the_handshake),
                TLS_TEST(no_ticket_is_given),
                TLS_TEST(files_that_do_not_fit_are_refused_with_the_reason),
                TLS_TEST(http1_is_served_and_its_end_is_said),
                TLS_TEST(a_preface_without_its_being_chosen_is_not_http2),
                TLS_TEST(requests_in_many_records_are_all_answered),
                TLS_TEST(a_large_crl_goes_out_whole_through_a_small_socket),
                TLS_TEST(two_crls_at_once_go_out_whole_by_http2),
                TLS_TEST(an_unfinished_handshake_ends_by_its_timeout),
                TLS_TEST(cleartext_is_no_handshake),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
