/* Fuzz: certificates in DER and PEM. What is accepted borrows from its own memory, verdicts are words or none, bundles come
 * to an end. */
#include "pki/certificate.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct certificate *c)
{
        HOLDS(lies_within(c->issuer, c->der) && lies_within(c->subject, c->der) && lies_within(c->spki, c->der));
        HOLDS(lies_within(c->key, c->spki));
        HOLDS(c->serial.len >= 1 && c->serial.len <= SERIAL_MAX);
        (void)!certificate_refuse_issuer(c);
        (void)!certificate_refuse_ocsp_signer(c, c, c->not_before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bytes in = bytes_make(data, size);
        struct certificate c;

        if (certificate_from_der(in, &c) == OK) {
                HOLDS(bytes_equal(c.der, in));
                check(&c);
                certificate_done(&c);
        }
        for (size_t before = in.len + 1; in.len < before && certificate_from_pem(&in, &c) == OK;) {
                before = in.len;
                check(&c);
                certificate_done(&c);
        }
        return 0;
}
