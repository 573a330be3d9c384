/* certinfo: the cold facts of one certificate, encoded for the store's certinfo table and the rowfile. Every field may be
 * absent. Unknown tags are skipped, so later versions can add some. Encoding: u8 tag, block16 value, tags ascending. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct certinfo {
        struct bytes cert_sha256;    /* 32 octets or empty */
        struct bytes precert_sha256; /* 32 octets or empty */
        int64_t not_before;          /* Unix seconds; 0 = unknown */
        struct bytes subject;        /* Name, DER */
        struct bytes subscriber;     /* UTF-8, the CA's own account name */
        struct bytes cdp;            /* the first CRL distribution point's URI */
};

#define CERTINFO_MAX 4096 /* octets that a rowfile takes; who puts more is refused there */

/* Puts nothing when every field is absent. */
void certinfo_put(struct builder *b, const struct certinfo *info);
/* Borrows from `row`. ERR_INVALID: tags out of order, or a value of the wrong length. */
MUST_CHECK enum err certinfo_read(struct bytes row, struct certinfo *ret_info);
