/* ca: the certificates of a configured issuer, and whether it issued another. */
#pragma once

#include "base/conf.h"
#include "pki/certificate.h"

struct ca {
        struct certificate *certificates;
        unsigned n;
};

void ca_done(struct ca *ca);
/* ret_file holds 256 and is filled on failure: the file that could not be read. */
MUST_CHECK enum err ca_load(const struct conf_list *files, struct ca *ret, char *ret_file);
/* NULL: it is signed by the key of one of them. Else why not, for people (static). */
const char *ca_refuse(const struct ca *ca, const struct certificate *c);
/* NULL: number `i` of them is a CA's, and of the name and key of the first (req 4.18). Else why not (static). */
const char *ca_refuse_own(const struct ca *ca, unsigned i);
/* NULL: it does as an OCSP signer for one of them, now (RFC 6960 4.2.2.2, req 2.14, 2.15). Else what the first has against it (static). */
const char *ca_refuse_ocsp_signer(const struct ca *ca, const struct certificate *signer);
