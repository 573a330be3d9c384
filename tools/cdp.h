/* cdp: the first CRL distribution point's URI of a certificate (RFC 5280 4.2.1.13), and the shard that it names. */
#pragma once

#include "base/bytes.h"

/* Empty: it has none, or none with a URI. */
struct bytes cdp_find(struct bytes certificate_der);
/* The shard number in the place of "{shard}" in the issuer's crl.url; 0: the URL is another. */
unsigned cdp_shard(struct bytes url, const char *pattern, unsigned n_shards);
