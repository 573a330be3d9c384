/* rowfile: the one list format that the engine takes: certificates to import, or serials to revoke.
 *
 * `tocsin` reads whatever people have (index.txt, PEM, CSV, NDJSON, CRLs, lists), sorts it by serial and writes this; the
 * engine reads nothing else. The file is passed by descriptor. The engine trusts none of it: rowfile_next checks every
 * field. Rows are in strictly ascending order of serial (bytes_compare of the DER content octets), one issuer a file.
 *
 *   header:  "TOCROW01"  u8 kind  u32 number of rows
 *   row:     u32 line  u8 serial_len  serial  u8 flags  u32 not_after  u8 reason  u32 revoked_at  u32 invalidity_date
 *            u16 shard  block16 certinfo
 */
#pragma once

#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

enum rowfile_kind { ROWFILE_IMPORT = 1, ROWFILE_REVOKE = 2 };

enum {
        ROWFILE_REVOKED = 1,  /* import: this certificate is revoked (reason, revoked_at hold) */
        ROWFILE_HELD = 2,     /* ... on hold (certificateHold) */
        ROWFILE_CRL_ONLY = 4, /* import: learned from a CRL; only the revocation is known, notAfter is not */
};

struct rowfile_row {
        uint32_t line;      /* where it stood in the operator's file, from 1; 0 = unknown */
        uint8_t serial_len; /* 1..20 */
        uint8_t serial[20]; /* content octets of the DER INTEGER, minimal */
        uint8_t flags;
        uint32_t not_after;       /* Unix seconds; 0 = unknown: never expires */
        uint8_t reason;           /* enum reason (pki/reason.h), 0 = unspecified */
        uint32_t revoked_at;      /* Unix seconds; 0 = the time it is activated */
        uint32_t invalidity_date; /* Unix seconds; 0 = none */
        uint16_t shard;           /* CRL shard; 0 = the issuer's full CRL */
        struct bytes certinfo;    /* an encoded pki/certinfo, or empty; at most 4096 bytes */
};

/* Writing: begin, put each, end (which fills in the number of rows). Sticky: rowfile_end reports the first failure. */
struct rowfile_writer {
        FILE *file;
        uint32_t n_rows;
        uint8_t last_serial[20];
        uint8_t last_serial_len;
        enum err err;
};
/* ERR_INVALID: a row that rowfile_next would not take; ERR_RANGE: out of order; ERR_IO, ERR_NOSPC. */
void rowfile_begin(struct rowfile_writer *w, FILE *file, enum rowfile_kind kind);
void rowfile_put(struct rowfile_writer *w, const struct rowfile_row *row);
MUST_CHECK enum err rowfile_end(struct rowfile_writer *w);

/* Reading a mapped or wholly read file. rowfile_open checks the header; ERR_INVALID.
 * The file may change under a mapping: the engine reads a sealed memfd or its own copy (rowfile_load). */
struct rowfile {
        enum rowfile_kind kind;
        uint32_t n_rows;
        uint32_t n_read;
        struct bytes rows;          /* all of them */
        struct bytes rest;          /* those not yet read */
        const uint8_t *last_serial; /* of the row before, for the order check */
        uint8_t last_serial_len;
        void *memory; /* rowfile_load's own copy, freed by rowfile_done */
};
MUST_CHECK enum err rowfile_open(struct rowfile *ret, struct bytes file);
/* Reads the whole descriptor into memory of our own, at most `max` octets (ERR_RANGE), and opens it. ERR_INVALID: malformed, or it shrank
 * meanwhile. */
MUST_CHECK enum err rowfile_load(struct rowfile *ret, int fd, size_t max);
void rowfile_done(struct rowfile *f);
/* The next row; borrows. ERR_NOT_FOUND after the last (when the count agrees and nothing trails), ERR_INVALID: malformed, ERR_RANGE: out
 * of order, or one serial twice. */
MUST_CHECK enum err rowfile_next(struct rowfile *f, struct rowfile_row *ret_row);
/* Back to the first row. */
void rowfile_rewind(struct rowfile *f);
