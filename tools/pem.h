/* pem: the blocks of a PEM text (RFC 7468), with the line on which each begins. Text around them is passed over. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

struct pem {
        struct bytes rest;
        uint64_t line; /* of the first octet of `rest`, from 1 */
};

struct pem_block {
        struct bytes text;   /* from BEGIN to END, whole */
        struct bytes label;  /* "CERTIFICATE" */
        struct bytes base64; /* between the two lines */
        uint64_t line;       /* of its BEGIN */
        bool is_whole;       /* an END of that label was found; else the block is what was left of the text */
};

void pem_init(struct pem *p, struct bytes text);
/* False: no further block. */
bool pem_next(struct pem *p, struct pem_block *ret);
bool pem_has_begin(struct bytes text);
/* Base64 (RFC 4648 4), white space passed over. ERR_INVALID. */
MUST_CHECK enum err pem_decode(struct bytes base64, struct builder *ret_der);
