/* extension: the X.509 Extension that certificates, CRLs and OCSP share (RFC 5280 4.2), and lists of them. Allocates
 * nothing. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

struct extension {
        struct bytes oid; /* content octets */
        bool critical;
        struct bytes value; /* content of extnValue */
};

/* One Extension from the front of *in. ERR_INVALID; an explicit FALSE is not DER (X.690 11.5). */
MUST_CHECK enum err extension_read(struct bytes *in, struct extension *ret);
/* Whole; `critical` is left out when false (DEFAULT). */
void extension_put(struct builder *b, struct bytes oid, bool critical, struct bytes value);

/* What to do with an extension of that OID. `read` may be NULL: known, and nothing to learn from it. */
struct extension_row {
        struct bytes oid;
        enum err (*read)(struct bytes value, void *context);
};

/* More in one list are refused: no one has use for them, and each is compared with those before it. */
#define EXTENSION_LIST_MAX 16

/* A SEQUENCE OF Extension whole, that must fill `list`. Each is handed to its row. ERR_INVALID: malformed, an empty list,
 * one OID twice (RFC 5280 4.2), more than EXTENSION_LIST_MAX; ERR_UNSUPPORTED: critical without a row; else what a row's
 * `read` returned. */
MUST_CHECK enum err extension_list_read(struct bytes list, const struct extension_row *rows, size_t n_rows, void *context);
