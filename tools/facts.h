/* facts: one entry of a text format, put together fact by fact, by the names that people give their columns. */
#pragma once

#include "pki/certinfo.h"
#include "tools/intake.h"

struct facts {
        struct rowfile_row row;
        struct certinfo info;
        struct bytes serial_text;
        bool has_status; /* a status was named */
        bool is_revoked; /* ... and it is revoked or held */
        bool has_reason, has_date;
        uint8_t sha256[2][32]; /* certificate, precertificate */
        char why[160];         /* of a refused value */
};

struct fact_row {
        const char *words; /* names in bytes_is_word's form, a space after each */
        /* False: facts.why says why. The text may be borrowed until facts_finish. */
        bool (*set)(const struct intake *in, struct facts *f, struct bytes text);
        bool revokes; /* means something in a revocation list */
};

/* The fact that a column of that name holds, NULL if none. */
const struct fact_row *facts_find(struct bytes name);
bool facts_is_serial(const struct fact_row *row);
/* A fact by its plain name, for formats with fixed columns. Never NULL for a name in the table. */
const struct fact_row *facts_named(const char *plain);
/* An empty text says nothing. */
MUST_CHECK bool facts_set(const struct intake *in, struct facts *f, const struct fact_row *row, struct bytes text);
/* The entry is complete: it becomes a row of the intake, or a reject. */
void facts_finish(struct intake *in, struct facts *f, uint64_t line);

/* The rules that hold for every row of any format, in place of `row`'s reason, dates and shard. NULL: fine. */
const char *facts_refuse(const struct intake *in, const struct rowfile_row *row, bool is_revoked);
/* Unix seconds as a row keeps them. notAfter beyond 2106: 0, never expires. False: before 1970. */
bool facts_expiry(int64_t time_s, uint32_t *ret_time);
