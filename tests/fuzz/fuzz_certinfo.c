/* Fuzz: certinfo rows. What is read and put again reads the same. */
#include "pki/certinfo.h"
#include "tests/fuzz/fuzz.h"

static bool same(const struct certinfo *a, const struct certinfo *b)
{
        return bytes_equal(a->cert_sha256, b->cert_sha256) && bytes_equal(a->precert_sha256, b->precert_sha256) &&
               a->not_before == b->not_before && bytes_equal(a->subject, b->subject) &&
               bytes_equal(a->subscriber, b->subscriber) && bytes_equal(a->cdp, b->cdp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct certinfo info, again;
        struct builder b = {0};

        if (certinfo_read(bytes_make(data, size), &info) != OK)
                return 0;
        certinfo_put(&b, &info);
        HOLDS(!builder_failed(&b) && b.len <= size);
        HOLDS(certinfo_read(builder_bytes(&b), &again) == OK && same(&info, &again));
        builder_done(&b);
        return 0;
}
