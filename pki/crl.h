/* crl: CertificateList (RFC 5280 5): building in bounded memory, and reading.
 *
 * Building takes two passes over the entries: the first adds up crl_entry_len, the second puts them. The bytes go wherever
 * the caller sends them: header, entries and trailer are put into builders of the caller's, piece by piece.
 *
 *   tbs     = crl_put_tbs_head(params, entries_len) + entries + crl_put_tbs_tail(params)
 *   CRL     = crl_put_head(tbs_len, ...) + tbs + crl_put_tail(sig_alg, signature)
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pki/reason.h"
#include "pki/sig_alg.h"

#define CRL_NUMBER_MAX 20 /* octets of a CRLNumber (RFC 5280 5.2.3) */

struct crl_params {
        enum sig_alg sig_alg;
        struct bytes issuer; /* the CA's subject, DER, byte-equal (req 4.1) */
        int64_t this_update_s, next_update_s; /* Unix seconds */
        struct bytes aki; /* the CA's subjectKeyIdentifier, else SHA-1 of its key; empty fails the builder (req 4.2) */
        uint64_t number;
        bool is_delta;
        uint64_t base_number;     /* delta only */
        struct bytes idp_url;     /* critical issuingDistributionPoint's fullName URI, or empty: none */
        bool idp_only_user_certs; /* further IDP flags; need not have a URL */
        bool idp_only_ca_certs;
        struct bytes freshest_url; /* FreshestCRL's URI, or empty; never in a delta (req 4.4) */
};

struct crl_entry {
        struct bytes serial; /* INTEGER content octets */
        int64_t revoked_at_s;
        enum reason reason;        /* unspecified: the extension is left out (req 4.9) */
        int64_t invalidity_date_s; /* 0 = none */
};

/* Octets that crl_put_entry puts. */
size_t crl_entry_len(const struct crl_entry *e);
void crl_put_entry(struct builder *b, const struct crl_entry *e);
/* Everything of the TBSCertList before the first entry; no revokedCertificates when entries_len is 0 (req 4.6). */
void crl_put_tbs_head(struct builder *b, const struct crl_params *p, size_t entries_len);
void crl_put_tbs_tail(struct builder *b, const struct crl_params *p);
/* The outer SEQUENCE's header for a tbs of that length and that signature; and what follows the tbs. */
void crl_put_head(struct builder *b, size_t tbs_len, enum sig_alg alg, struct bytes raw_signature);
void crl_put_tail(struct builder *b, enum sig_alg alg, struct bytes raw_signature);

/* ---- reading, piece by piece or whole ---- */

struct crl_info {
        enum sig_alg sig_alg; /* inner */
        struct bytes issuer;
        int64_t this_update_s, next_update_s;
        bool has_entries;
        size_t entries_len;    /* content octets of revokedCertificates */
        size_t entries_offset; /* from the start of the tbs */
        /* from the tail */
        struct bytes aki;
        struct bytes number; /* INTEGER content octets; empty = no CRLNumber */
        bool is_delta;
        struct bytes base_number;
        bool has_idp;
        struct bytes idp_url;
        struct bytes idp; /* extnValue content whole, or empty */
        struct bytes freshest_url;
};

/* The head of a TBSCertList of `tbs_len` octets in all (from its first octets; 4 KiB suffice for any Name of ours). Fills up
 * to entries_offset. Strict: v2 only (v1 and others: ERR_UNSUPPORTED), nextUpdate required. An algorithm that is not in our
 * table: ERR_UNSUPPORTED. ERR_AGAIN: more octets are needed. */
MUST_CHECK enum err crl_read_tbs_head(struct bytes first, size_t *ret_tbs_len, struct crl_info *ret_info);
/* One entry from the front of *in. ERR_AGAIN: more octets are needed to have it whole, never more than CRL_ENTRY_MAX (a
 * longer entry is ERR_INVALID). Unknown critical extensions, and certificateIssuer (an indirect CRL): ERR_UNSUPPORTED. */
#define CRL_ENTRY_MAX 4096
MUST_CHECK enum err crl_read_entry(struct bytes *in, struct crl_entry *ret_entry);
/* What follows the entries: the [0] crlExtensions, filling `info`; nothing at all is allowed. ERR_UNSUPPORTED: an unknown
 * critical extension, or an IDP of an indirect CRL, of some reasons only, or of attribute certificates. */
MUST_CHECK enum err crl_read_tbs_tail(struct bytes tail, struct crl_info *info);
/* A CertificateList in memory: its tbs, and signature in DER. Outer and inner algorithm must be equal (req 4.1). ECDSA is
 * read as the P-256 row (see sig_alg_read). The entries are not looked into: crl_read_entry in a loop, where ERR_AGAIN is
 * malformed. ERR_INVALID, or ERR_UNSUPPORTED as its parts say. */
MUST_CHECK enum err crl_read(struct bytes der, struct bytes *ret_tbs, struct crl_info *ret_info, struct bytes *ret_entries,
        struct bytes *ret_signature_der);
