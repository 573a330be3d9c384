/* cleanup: release by the attribute, everywhere. `_cleanup_(f) struct x y = {0};` calls f(&y) when y leaves its scope. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *pointer_to_pointer)
{
        free(*(void **)pointer_to_pointer);
}

static inline void cleanup_close(const int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

/* The value of `pointer`, which becomes NULL: ownership leaves. */
#define steal(pointer)                                                                                                      \
        (__extension__({                                                                                                    \
                __typeof__(*(pointer)) steal_value = *(pointer);                                                            \
                *(pointer) = NULL;                                                                                          \
                steal_value;                                                                                                \
        }))

/* The descriptor in `*fd`, which becomes -1. */
static inline int steal_fd(int *fd)
{
        int value = *fd;

        *fd = -1;
        return value;
}
