/* fail_alloc: lets a test fail the Nth allocation. Works for what is linked statically (--wrap). */
#pragma once

#include <stdbool.h>

/* From now on the allocation after `n` more fails, once; a negative `n`: none does. */
void fail_alloc_after(int n);
/* Whether that allocation was reached. */
bool fail_alloc_happened(void);
