/* question: serials to OCSP requests to HTTP/1.1 requests. GET is percent-encoded as RFC 6960 A.1 has it. */
#include "bench/load/question.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "pki/ca_key.h"
#include "pki/certificate.h"
#include "pki/der.h"

#define OCSP_REQUEST_MAX 256 /* a CertID with SHA-512 takes 186 octets */
#define LINE_MAX_LEN 256

uint64_t random_next(uint64_t *state)
{
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * 2685821657736338717ull;
}

static enum err take_line(char *line, struct question *ret)
{
        char *rest = line;
        const char *serial = strsep(&rest, " \t\r\n");
        const char *status = rest ? strsep(&rest, " \t\r\n") : NULL;

        ret->expected = EXPECT_ANY;
        if (status && strcmp(status, "good") == 0)
                ret->expected = EXPECT_GOOD;
        else if (status && strcmp(status, "revoked") == 0)
                ret->expected = EXPECT_REVOKED;
        return serial_from_text(bytes_str(serial), &ret->serial);
}

/* Reservoir sampling: each line of the list is kept with the same chance, whatever its length. */
static enum err sample_list(struct questions *q, FILE *f, size_t max, uint64_t *random)
{
        char line[LINE_MAX_LEN];
        struct question item = {0};
        size_t n_seen = 0;

        while (fgets(line, sizeof(line), f)) {
                size_t place = n_seen < max ? n_seen : random_next(random) % (n_seen + 1);
                enum err e;

                if (line[0] == '\n' || line[0] == '#')
                        continue;
                e = take_line(line, &item);
                if (e != OK)
                        return e;
                n_seen++;
                if (place < max)
                        q->items[place] = item;
        }
        q->n = n_seen < max ? n_seen : max;
        return q->n > 0 ? OK : ERR_NOT_FOUND;
}

static void shuffle(struct questions *q, uint64_t *random)
{
        for (size_t i = q->n; i > 1; i--) {
                size_t j = random_next(random) % i;
                struct question swapped = q->items[i - 1];

                q->items[i - 1] = q->items[j];
                q->items[j] = swapped;
        }
}

/* OCSPRequest { TBSRequest { requestList { Request { CertID } } } }, RFC 6960 4.1.1; no nonce, as RFC 9919 3.1 asks of clients. */
static void put_ocsp_request(struct builder *b, const struct ca_key *ca, enum hash_alg hash, const struct serial *serial)
{
        size_t request = der_begin(b, DER_SEQUENCE), tbs = der_begin(b, DER_SEQUENCE), list = der_begin(b, DER_SEQUENCE);
        size_t one = der_begin(b, DER_SEQUENCE), cert_id = der_begin(b, DER_SEQUENCE);

        ca_key_put_cert_id_head(b, ca, hash);
        der_put(b, DER_INTEGER, serial_bytes(serial));
        der_end(b, cert_id);
        der_end(b, one);
        der_end(b, list);
        der_end(b, tbs);
        der_end(b, request);
}

/* One base64 character, percent-encoded where RFC 6960 A.1's url-encoding demands it. */
static void put_base64_char(struct builder *b, char c)
{
        if (c == '+')
                builder_put_str(b, "%2B");
        else if (c == '/')
                builder_put_str(b, "%2F");
        else
                builder_put_u8(b, (uint8_t)c);
}

static void put_base64_url(struct builder *b, struct bytes der)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        for (size_t i = 0; i < der.len; i += 3) {
                size_t n = der.len - i < 3 ? der.len - i : 3;
                uint32_t triple = (uint32_t)der.data[i] << 16;

                triple |= n > 1 ? (uint32_t)der.data[i + 1] << 8 : 0;
                triple |= n > 2 ? (uint32_t)der.data[i + 2] : 0;
                for (size_t k = 0; k <= n; k++)
                        put_base64_char(b, alphabet[triple >> (18 - 6 * k) & 63]);
                for (size_t k = n; k < 3; k++)
                        builder_put_str(b, "%3D");
        }
}

static void put_get(struct builder *b, const struct question_source *source, struct bytes der)
{
        size_t path_len = strlen(source->path);

        builder_printf(b, "GET %s%s", source->path, path_len > 0 && source->path[path_len - 1] == '/' ? "" : "/");
        put_base64_url(b, der);
        builder_printf(b, " HTTP/1.1\r\nHost: %s\r\n\r\n", source->host);
}

static void put_post(struct builder *b, const struct question_source *source, struct bytes der)
{
        builder_printf(b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/ocsp-request\r\nContent-Length: %zu\r\n\r\n",
                source->path, source->host, der.len);
        builder_put(b, der);
}

/* Of "GET /path HTTP/1.1\r\n...\r\n\r\nbody", the last that was put. */
static void note_parts(const struct questions *q, struct question *item, size_t body_len)
{
        struct bytes request;
        const uint8_t *path, *path_end;

        if (builder_failed(&q->requests))
                return;
        item->len = (uint32_t)(q->requests.len - item->offset);
        request = question_request(q, item);
        path = (const uint8_t *)memchr(request.data, ' ', request.len) + 1;
        path_end = memchr(path, ' ', request.len - (size_t)(path - request.data));
        item->path_at = (uint16_t)(path - request.data);
        item->path_len = (uint16_t)(path_end - path);
        item->body_len = (uint16_t)body_len;
}

static void put_requests(struct questions *q, const struct question_source *source, const struct ca_key *ca)
{
        for (size_t i = 0; i < q->n; i++) {
                uint8_t memory[OCSP_REQUEST_MAX];
                struct builder der = builder_fixed(memory, sizeof(memory));

                put_ocsp_request(&der, ca, source->hash, &q->items[i].serial);
                q->items[i].offset = q->requests.len;
                if (source->kind == QUESTION_GET)
                        put_get(&q->requests, source, builder_bytes(&der));
                else
                        put_post(&q->requests, source, builder_bytes(&der));
                note_parts(q, &q->items[i], source->kind == QUESTION_GET ? 0 : der.len);
                q->requests.failed |= builder_failed(&der);
        }
}

static enum err make_static(const struct question_source *source, struct questions *q)
{
        builder_printf(&q->requests, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", source->path, source->host);
        q->items[0] = (struct question){.expected = EXPECT_ANY};
        q->n = 1;
        note_parts(q, &q->items[0], 0);
        return builder_failed(&q->requests) ? ERR_NOMEM : OK;
}

static enum err read_issuer(const char *path, struct ca_key *ret)
{
        _cleanup_(certificate_done) struct certificate issuer = {0};
        enum err e = certificate_from_file(path, &issuer);

        return e != OK ? e : ca_key_init(ret, issuer.subject, issuer.key);
}

static enum err make_ocsp(const struct question_source *source, struct questions *q, const char **ret_why)
{
        uint64_t random = source->seed | 1;
        struct ca_key ca;
        FILE *f;
        enum err e = read_issuer(source->issuer, &ca);

        if (e != OK) {
                *ret_why = "the issuer's certificate cannot be read";
                return e;
        }
        f = fopen(source->list, "r");
        if (!f) {
                *ret_why = "the list of serials cannot be opened";
                return ERR_IO;
        }
        e = sample_list(q, f, source->max, &random);
        fclose(f);
        if (e != OK) {
                *ret_why = "the list of serials is empty, or has a line that does not begin with a serial";
                return e;
        }
        shuffle(q, &random);
        put_requests(q, source, &ca);
        return builder_failed(&q->requests) ? ERR_NOMEM : OK;
}

enum err questions_make(const struct question_source *source, struct questions *ret, const char **ret_why)
{
        _cleanup_(questions_done) struct questions q = {0};
        enum err e;

        *ret_why = "no memory for the questions";
        q.items = calloc(source->kind == QUESTION_STATIC ? 1 : source->max, sizeof(*q.items));
        if (!q.items)
                return ERR_NOMEM;
        e = source->kind == QUESTION_STATIC ? make_static(source, &q) : make_ocsp(source, &q, ret_why);
        if (e != OK)
                return e;
        *ret = q;
        q = (struct questions){0};
        return OK;
}

void questions_done(struct questions *q)
{
        free(q->items);
        builder_done(&q->requests);
}
