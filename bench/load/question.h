/* question: the requests to be asked, made once and kept in memory: the generator must cost less than what it measures.
 *
 * A list is text, one certificate a line: hex serial, then optionally `good` or `revoked`, which the answer must then say (serials.txt of
 * `./dev up`). Of a list longer than `max` a random sample is taken. Questions stand in random order.
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pki/hash_alg.h"
#include "pki/serial.h"

enum question_kind { QUESTION_GET, QUESTION_POST, QUESTION_STATIC };

enum expected { EXPECT_ANY = -1, EXPECT_GOOD = 0, EXPECT_REVOKED = 1 };

struct question {
        size_t offset; /* of the HTTP/1.1 request in `requests` */
        uint32_t len;
        uint16_t path_at, path_len; /* in it: what HTTP/2 needs of it, beside the body at its end */
        uint16_t body_len;
        int8_t expected; /* enum expected */
        struct serial serial;
};

struct questions {
        struct question *items;
        size_t n;
        struct builder requests;
};

struct question_source {
        enum question_kind kind;
        const char *host;  /* "127.0.0.1:8080", for the Host field */
        const char *path;  /* of the URL, "/" or longer */
        const char *list;  /* file of serials; unused for QUESTION_STATIC */
        const char *issuer; /* certificate, PEM or DER; unused for QUESTION_STATIC */
        enum hash_alg hash; /* of the CertID */
        size_t max;
        uint64_t seed;
};

/* xorshift64*: enough to choose and to order. `state` is never 0. */
uint64_t random_next(uint64_t *state);

/* On failure ret_why says what is wrong, for people. */
MUST_CHECK enum err questions_make(const struct question_source *source, struct questions *ret, const char **ret_why);
void questions_done(struct questions *q);

static inline struct bytes question_request(const struct questions *q, const struct question *item)
{
        return bytes_make(q->requests.data + item->offset, item->len);
}

static inline struct bytes question_path(const struct questions *q, const struct question *item)
{
        return bytes_make(q->requests.data + item->offset + item->path_at, item->path_len);
}

static inline struct bytes question_body(const struct questions *q, const struct question *item)
{
        return bytes_make(q->requests.data + item->offset + item->len - item->body_len, item->body_len);
}
