/* crl_file: the files of a CRL: the bytes to be signed in a nameless one, then the whole CRL under its final name. Memory
 * stays bounded whatever the number of entries. Runs on the crl thread.
 */
#pragma once

#include "pki/crl.h"
#include "store/crl_entry.h"

/* Writes the TBSCertList of what `walk` lists, in two passes, to a nameless file in `folder`. *ret_fd is the caller's, at
 * offset 0. */
MUST_CHECK enum err crl_file_write_tbs(const char *folder, const struct crl_params *params, struct crl_walk *walk,
        int *ret_fd, uint64_t *ret_len, uint32_t *ret_n_entries);
/* Puts head, tbs and signature together, verifies the signature over what was written (req 4.16), syncs, and only then gives
 * it its name. */
MUST_CHECK enum err crl_file_publish(const char *folder, const char *name, int tbs_fd, uint64_t tbs_len, enum sig_alg alg,
        struct bytes raw_signature, struct bytes spki, uint64_t *ret_size, uint8_t ret_sha256[32]);
