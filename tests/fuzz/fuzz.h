/* fuzz: what the targets share. A broken promise aborts, whether libFuzzer or the replayer runs the target. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(promise)                                                                                                      \
        do {                                                                                                                \
                if (!(promise)) {                                                                                           \
                        fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #promise);                       \
                        abort();                                                                                            \
                }                                                                                                           \
        } while (0)

/* Does `part` borrow from `whole`? */
static inline _Bool lies_within(struct bytes part, struct bytes whole)
{
        return part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}
