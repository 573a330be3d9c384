/* answer: what a handler says, before any protocol writes it down. Borrows; lives until the read turn it was made in ends. */
#pragma once

#include "pki/ocsp_response.h"
#include "responder/answer/stats.h"

struct ca_entry;
struct crl_file;

enum content_type {
        CONTENT_TEXT,
        CONTENT_OCSP,
        CONTENT_CRL,
        CONTENT_CERTIFICATE,
        CONTENT_JSON,
        CONTENT_N,
};

enum body_kind {
        BODY_BYTES, /* `bytes` */
        BODY_OCSP,  /* put together from `ocsp` where it is written: no copy in between */
        BODY_FILE,  /* `file`, from `offset`, `body_len` octets */
};

#define ETAG_MAX 32

struct answer {
        unsigned status;
        enum content_type content;

        /* Caching (req 3). `max_age_s` counts when `cacheable`; otherwise no-store. */
        bool cacheable;
        int64_t max_age_s;
        int64_t last_modified_s; /* 0 = none */
        int64_t changed_at_s;    /* If-Modified-Since may answer 304 only when Last-Modified lies after this second */
        int64_t expires_s;       /* 0 = none */
        uint8_t etag[ETAG_MAX];  /* written in hex */
        uint8_t etag_len;        /* 0 = none */

        enum body_kind kind;
        uint64_t body_len;
        struct bytes bytes;
        struct ocsp_body {
                const struct ocsp_template *template;
                struct bytes serial;
                struct ocsp_status status;
                struct bytes signature;
                struct ocsp_layout layout;
        } ocsp;
        struct crl_file *file;
        uint64_t offset;
        uint64_t total_len; /* of the whole file, where ranges are taken; 0 = no ranges */

        struct bytes tags_name; /* the field of the surrogate tags, in lower case; empty = none */
        struct bytes tags;
        struct about {
                const struct ca_entry *ca; /* NULL = none */
                struct bytes serial;       /* the first that was asked about; empty = none */
                enum hash_alg hash;        /* ... and the digest of its CertID */
                enum outcome outcome;
        } about; /* for counters and the access log */
        const char *allow; /* 405: the methods that are */
        unsigned retry_after_s;
        bool close;
};

/* A short text with a status. */
void answer_set_text(struct answer *ret_answer, unsigned status, struct bytes text);
/* The status' own reason phrase as text: enough for errors. */
void answer_set_status(struct answer *ret_answer, unsigned status);
/* An unsuccessful OCSP status: HTTP 200 and no-store (Decisions; req 2.1, 3.4). */
void answer_set_ocsp_error(struct answer *ret_answer, enum ocsp_response_status status);
/* Lifetime of a cacheable answer: at most `cap_s`, and over before next_update_s (req 3.3). */
int64_t answer_max_age(int64_t cap_s, int64_t now_s, int64_t next_update_s);
