/* reader: the table of formats, in the order in which they are recognized. */
#include "tools/reader.h"

#include <stdio.h>
#include <string.h>

static const struct reader readers[] = {
        {"crl", read_crl_recognize, read_crl, false, false},
        {"pem", read_pem_recognize, read_pem, true, true},
        {"der", read_der_recognize, read_der, true, true},
        {"ndjson", read_ndjson_recognize, read_ndjson, false, true},
        {"index", read_index_recognize, read_index, false, false},
        {"csv", read_csv_recognize, read_csv, false, true},
};
#define N_READERS (sizeof(readers) / sizeof(*readers))

const struct reader *reader_find(const char *name)
{
        for (size_t i = 0; i < N_READERS; i++)
                if (strcmp(readers[i].name, name) == 0)
                        return &readers[i];
        return NULL;
}

const struct reader *reader_recognize(struct bytes content)
{
        for (size_t i = 0; i < N_READERS; i++)
                if (readers[i].recognize(content))
                        return &readers[i];
        return NULL;
}

void reader_names(char *ret_text, size_t cap)
{
        size_t len = 0;

        for (size_t i = 0; i < N_READERS && len < cap; i++)
                len += (size_t)snprintf(ret_text + len, cap - len, "%s%s", i ? ", " : "", readers[i].name);
}
