/* conn_send: octets through the transport, plain or TLS. What the socket does not take is kept; files are never held in memory. */
#include <errno.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "responder/conn/conn_private.h"

ssize_t conn_receive(struct conn *c, void *ret_data, size_t cap)
{
        return c->tls ? tls_receive(c->tls, ret_data, cap) : recv(c->fd, ret_data, cap, 0);
}

/* What the socket would not take now is kept. */
static void keep_output(struct conn *c, struct bytes rest)
{
        uint8_t *more = realloc(c->out, c->out_len + rest.len);

        if (!more) {
                c->is_broken = true;
                return;
        }
        memcpy(&more[c->out_len], rest.data, rest.len);
        c->out = more;
        c->out_len += rest.len;
}

/* Octets taken; 0 when it would block or the socket failed. */
static size_t count_sent(struct conn *c, ssize_t n)
{
        if (n < 0 && errno != EAGAIN && errno != EINTR)
                c->is_broken = true;
        if (n <= 0)
                return 0;
        c->n_sent += (size_t)n;
        return (size_t)n;
}

static size_t send_some(struct conn *c, struct bytes b)
{
        if (c->tls)
                return count_sent(c, tls_send(c->tls, b));
        return count_sent(c, send(c->fd, b.data, b.len, MSG_NOSIGNAL | (c->file ? MSG_MORE : 0)));
}

/* A TLS record at a time is taken, a socket takes all or is full. */
static size_t send_all(struct conn *c, struct bytes b)
{
        size_t sent = send_some(c, b), n = sent;

        while (c->tls && n > 0 && sent < b.len) {
                n = send_some(c, bytes_make(&b.data[sent], b.len - sent));
                sent += n;
        }
        return sent;
}

void conn_send(struct conn *c, struct bytes b)
{
        size_t n = 0;

        if (b.len > 0 && !c->out)
                n = send_all(c, b);
        if (n < b.len && !c->is_broken)
                keep_output(c, bytes_make(&b.data[n], b.len - n));
}

static void flush_output(struct conn *c)
{
        if (!c->out)
                return;
        c->out_at += send_all(c, bytes_make(&c->out[c->out_at], c->out_len - c->out_at));
        if (c->out_at < c->out_len)
                return;
        free(c->out);
        c->out = NULL;
        c->out_len = c->out_at = 0;
}

/* Through TLS it has to be read. What could not be written is read again next time: the same octets, as OpenSSL demands. */
static ssize_t send_file_by_tls(struct conn *c, size_t n_wanted)
{
        uint8_t memory[TLS_RECORD_MAX];
        ssize_t n = pread(c->file->fd, memory, n_wanted < sizeof memory ? n_wanted : sizeof memory, (off_t)c->file_offset);

        return n <= 0 ? n : tls_send(c->tls, bytes_make(memory, (size_t)n));
}

/* Without TLS no copy passes through us. */
static ssize_t send_file(struct conn *c, size_t n_wanted)
{
        off_t offset = (off_t)c->file_offset;

        return c->tls ? send_file_by_tls(c, n_wanted) : sendfile(c->fd, c->file->fd, &offset, n_wanted);
}

static void advance_file(struct conn *c, size_t n)
{
        c->file_offset += n;
        c->file_left -= n;
        c->n_sent += n;
        if (c->file_left > 0)
                return;
        crl_file_release(c->file);
        c->file = NULL;
}

/* The descriptor is held, so a CRL that is replaced meanwhile still goes out whole. */
void conn_flush_file(struct conn *c)
{
        size_t share = CONN_FILE_SHARE;

        while (c->file && !c->out && share > 0 && !c->is_broken) {
                ssize_t n = send_file(c, c->file_left < share ? (size_t)c->file_left : share);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0) {
                        c->is_broken = true; /* cut short: the client sees that octets are missing */
                        return;
                }
                share -= (size_t)n;
                advance_file(c, (size_t)n);
        }
}

/* Octets that are unsent when a socket is closed stay in the kernel behind a window that its client keeps shut, for minutes or as long as it likes,
 * and count for no limit of ours any more. A reset frees them. */
void conn_drop_unsent(struct conn *c)
{
        static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void conn_flush(struct conn *c)
{
        flush_output(c);
        conn_flush_file(c);
}
