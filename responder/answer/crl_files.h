/* crl_files: descriptors of published CRLs, opened once and kept while they are current or being sent. A file that was replaced
 * meanwhile goes out whole: its sender holds the descriptor. Names come from the store, never from a client. */
#pragma once

#include "store/crl_history.h"

struct crl_file {
        int fd;
        uint64_t size;
        unsigned n_users; /* the table's own, and one for each connection that sends it */
        uint32_t ca_key;
        uint16_t shard;
        bool is_delta;
        uint64_t number;
        uint8_t digest[32];
        int64_t previous_s; /* thisUpdate of the one published before it; -1 = not looked up yet (answer_crl does) */
        int64_t used_at; /* a count of uses: the least recently used one makes room */
};

struct crl_files;

/* `folder` is the CRL folder's path, kept by the caller. NULL: out of memory. */
struct crl_files *crl_files_new(const char *folder);
void crl_files_free(struct crl_files *files);
void crl_files_clear(struct crl_files *files);
/* The open file of a published row. It lives until the next call unless crl_file_hold is called.
 * ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT: not there, or not the one the row tells of. */
MUST_CHECK enum err crl_files_get(struct crl_files *files, uint32_t ca_key, uint16_t shard, const struct crl_row *row,
        struct crl_file **ret_file);
struct crl_file *crl_file_hold(struct crl_file *file);
/* NULL is fine. The last one closes it. */
void crl_file_release(struct crl_file *file);
