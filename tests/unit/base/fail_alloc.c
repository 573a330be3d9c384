/* fail_alloc: the linker sends malloc, calloc, realloc, reallocarray, strdup and strndup of everything under test through
 * here. One counter for all: a test walks it upwards until nothing fails any more.
 */
#include "tests/unit/base/fail_alloc.h"

#include <errno.h>
#include <stddef.h>

static int remaining = -1;
static bool happened;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

void fail_alloc_after(int n)
{
        remaining = n;
        happened = false;
}

bool fail_alloc_happened(void)
{
        return happened;
}

static bool must_fail(void)
{
        if (remaining < 0)
                return false;
        if (remaining-- > 0)
                return false;
        happened = true;
        errno = ENOMEM;
        return true;
}

void *__wrap_malloc(size_t size)
{
        return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
        return must_fail() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
        return must_fail() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
        return must_fail() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
        return must_fail() ? NULL : __real_strndup(s, n);
}
