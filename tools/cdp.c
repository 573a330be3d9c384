/* cdp: walks the certificate that pki/certificate has accepted. Whatever does not fit yields nothing. */
#include "tools/cdp.h"

#include <ctype.h>

#include "pki/der.h"
#include "pki/extension.h"

#define N_FIXED_FIELDS 6 /* serialNumber .. subjectPublicKeyInfo */

static const uint8_t oid_cdp[] = {0x55, 0x1d, 0x1f};

static enum err skip_optional(struct bytes *in, uint8_t tag)
{
        struct bytes tlv;

        return der_next_is(*in, tag) ? der_read_tlv(in, tag, &tlv) : OK;
}

/* The content of the [3] extensions of a certificate. */
static enum err find_extensions(struct bytes der, struct bytes *ret)
{
        struct bytes certificate, tbs, explicit;
        enum err e = der_read_only(der, DER_SEQUENCE, &certificate);

        if (e == OK)
                e = der_read(&certificate, DER_SEQUENCE, &tbs);
        if (e == OK)
                e = skip_optional(&tbs, DER_CONTEXT_CONS(0));
        for (unsigned i = 0; e == OK && i < N_FIXED_FIELDS; i++)
                e = der_read_any(&tbs, NULL, NULL, NULL);
        if (e == OK)
                e = skip_optional(&tbs, DER_CONTEXT(1));
        if (e == OK)
                e = skip_optional(&tbs, DER_CONTEXT(2));
        if (e == OK)
                e = der_read(&tbs, DER_CONTEXT_CONS(3), &explicit);
        return e == OK ? der_read_only(explicit, DER_SEQUENCE, ret) : e;
}

/* DistributionPoint [0] distributionPoint [0] fullName [6] uniformResourceIdentifier */
static enum err read_uri(struct bytes value, struct bytes *ret_uri)
{
        struct bytes points, point, name, full;
        enum err e = der_read_only(value, DER_SEQUENCE, &points);

        if (e == OK)
                e = der_read(&points, DER_SEQUENCE, &point);
        if (e == OK)
                e = der_read(&point, DER_CONTEXT_CONS(0), &name);
        if (e == OK)
                e = der_read(&name, DER_CONTEXT_CONS(0), &full);
        while (e == OK && full.len > 0 && !der_next_is(full, DER_CONTEXT(6)))
                e = der_read_any(&full, NULL, NULL, NULL);
        return e == OK ? der_read(&full, DER_CONTEXT(6), ret_uri) : e;
}

struct bytes cdp_find(struct bytes certificate_der)
{
        struct bytes extensions, uri;
        struct extension x;

        if (find_extensions(certificate_der, &extensions) != OK)
                return BYTES_NONE;
        while (extensions.len > 0 && extension_read(&extensions, &x) == OK)
                if (bytes_equal(x.oid, BYTES_OF(oid_cdp)))
                        return read_uri(x.value, &uri) == OK ? uri : BYTES_NONE;
        return BYTES_NONE;
}

unsigned cdp_shard(struct bytes url, const char *pattern, unsigned n_shards)
{
        static const char mark[] = "{shard}";
        const char *at = strstr(pattern, mark);
        struct bytes head, number, tail = at ? bytes_str(at + strlen(mark)) : BYTES_NONE;
        unsigned shard = 0;

        if (!at || n_shards == 0 || bytes_take(&url, (size_t)(at - pattern), &head) != OK ||
                !bytes_equal(head, bytes_make(pattern, head.len)) || url.len <= tail.len ||
                bytes_take(&url, url.len - tail.len, &number) != OK || !bytes_equal(url, tail) || number.len > 5)
                return 0;
        for (size_t i = 0; i < number.len; i++) {
                if (!isdigit(number.data[i]))
                        return 0;
                shard = shard * 10 + (number.data[i] - '0');
        }
        return shard <= n_shards ? shard : 0;
}
