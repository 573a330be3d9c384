/* reader: the formats, one row and one file each. A reader turns the content of one file into rows of the intake, rejecting
 * entry by entry; it returns an error only when it cannot go on (memory, or content that is not of its format at all). */
#pragma once

#include "tools/intake.h"

struct reader {
        const char *name;
        bool (*recognize)(struct bytes content);
        /* ret_why: when the whole content is refused. */
        enum err (*read)(struct intake *in, struct bytes content, char *ret_why);
        bool in_directories; /* files of a directory are looked at for it */
        bool revokes;        /* may stand in a revocation list */
};

const struct reader *reader_find(const char *name);
/* Never NULL for what holds any byte: text that nothing else claims is CSV. NULL: not text, and nothing known. */
const struct reader *reader_recognize(struct bytes content);
/* "index, pem, ..." */
void reader_names(char *ret_text, size_t cap);

bool read_pem_recognize(struct bytes content);
bool read_der_recognize(struct bytes content);
bool read_crl_recognize(struct bytes content);
bool read_ndjson_recognize(struct bytes content);
bool read_index_recognize(struct bytes content);
bool read_csv_recognize(struct bytes content);
enum err read_pem(struct intake *in, struct bytes content, char *ret_why);
enum err read_der(struct intake *in, struct bytes content, char *ret_why);
enum err read_crl(struct intake *in, struct bytes content, char *ret_why);
enum err read_ndjson(struct intake *in, struct bytes content, char *ret_why);
enum err read_index(struct intake *in, struct bytes content, char *ret_why);
enum err read_csv(struct intake *in, struct bytes content, char *ret_why);
