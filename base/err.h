/* err: the one error convention.
 *
 * A function that can fail returns `enum err` and is marked MUST_CHECK. Outputs (`ret_...`) are untouched on failure.
 * A protocol outcome (an OCSP `unauthorized`, an HTTP 404) is not an error: it is a row of a table where it is decided.
 * base, pki and store return errors and never log; programs log them, once.
 */
#pragma once

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
        OK = 0,
        ERR_NOMEM,       /* an allocation failed */
        ERR_IO,          /* the operating system refused (errno says why, where it still stands) */
        ERR_NOSPC,       /* the disk, the map or a quota is full */
        ERR_NOT_FOUND,   /* no such row, file or key */
        ERR_EXISTS,      /* there already, and differently */
        ERR_INVALID,     /* malformed input: not DER, not a row, not a number */
        ERR_RANGE,       /* well-formed, but outside what is allowed */
        ERR_UNSUPPORTED, /* well-formed, but an algorithm or version this program does not have */
        ERR_AGAIN,       /* would block, or not ready: call again later */
        ERR_STALE,       /* the truth moved on meanwhile: read again */
        ERR_DENIED,      /* policy or permission says no */
        ERR_VERSION,     /* a store of a newer schema */
        ERR_BUSY,        /* another process holds it */
        ERR_CLOSED,      /* the peer is gone */
        ERR_TIMEOUT,     /* took too long */
        ERR_TOKEN,       /* the PKCS#11 token failed or is away */
        ERR_CRYPTO,      /* OpenSSL refused, or a signature did not verify */
        ERR_CORRUPT,     /* the store contradicts itself */
        ERR_N,
};

/* A short English phrase for people, never NULL: "no space left". */
const char *err_text(enum err e);

/* The error that an errno value stands for: ENOMEM -> ERR_NOMEM, ENOSPC -> ERR_NOSPC, ENOENT -> ERR_NOT_FOUND, ... else
 * ERR_IO. */
enum err err_from_errno(int errnum);
