/* Fuzz: the CRL reader. A head read from a beginning says what the whole says; an entry accepted, put and read again is the
 * same. */
#include "pki/crl.h"
#include "tests/fuzz/fuzz.h"

static bool same_head(const struct crl_info *a, const struct crl_info *b)
{
        return a->sig_alg == b->sig_alg && bytes_equal(a->issuer, b->issuer) && a->this_update_s == b->this_update_s &&
               a->next_update_s == b->next_update_s && a->has_entries == b->has_entries &&
               a->entries_len == b->entries_len && a->entries_offset == b->entries_offset;
}

static void check_beginnings(struct bytes tbs, const struct crl_info *whole)
{
        size_t most = whole->entries_offset < 512 ? whole->entries_offset : 512, tbs_len;
        struct crl_info info;

        for (size_t n = 0; n <= most; n++) {
                enum err e = crl_read_tbs_head(bytes_make(tbs.data, n), &tbs_len, &info);

                HOLDS(e == OK || e == ERR_AGAIN);
                if (e == OK)
                        HOLDS(tbs_len == tbs.len && same_head(&info, whole));
        }
}

static bool same_entry(const struct crl_entry *a, const struct crl_entry *b)
{
        return bytes_equal(a->serial, b->serial) && a->revoked_at_s == b->revoked_at_s && a->reason == b->reason &&
               a->invalidity_date_s == b->invalidity_date_s;
}

static void check_entry(const struct crl_entry *entry)
{
        struct builder b = {0};
        struct crl_entry again;
        struct bytes in;

        crl_put_entry(&b, entry);
        HOLDS(!builder_failed(&b) && b.len == crl_entry_len(entry));
        in = builder_bytes(&b);
        HOLDS(crl_read_entry(&in, &again) == OK && in.len == 0 && same_entry(entry, &again));
        builder_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bytes der = bytes_make(data, size), tbs, entries, signature;
        struct crl_info info;
        struct crl_entry entry;

        if (crl_read(der, &tbs, &info, &entries, &signature) != OK)
                return 0;
        HOLDS(lies_within(tbs, der) && lies_within(entries, tbs) && lies_within(signature, der) &&
                lies_within(info.issuer, tbs));
        HOLDS(lies_within(info.idp, tbs) && lies_within(info.number, tbs) && lies_within(info.aki, tbs));
        HOLDS(info.number.len <= CRL_NUMBER_MAX);
        check_beginnings(tbs, &info);
        while (entries.len > 0 && crl_read_entry(&entries, &entry) == OK)
                check_entry(&entry);
        return 0;
}
