/* Fuzz: the OCSP request. Whatever is accepted is within its bounds and borrows from the input alone. */
#include "pki/ocsp_request.h"
#include "tests/fuzz/fuzz.h"

static void check_cert_id(const struct ocsp_cert_id *id, struct bytes whole)
{
        HOLDS(id->hash <= HASH_N);
        HOLDS(id->serial.len > 0);
        HOLDS(lies_within(id->der, whole));
        HOLDS(lies_within(id->name_hash, id->der) && lies_within(id->key_hash, id->der) && lies_within(id->serial, id->der));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bytes whole = bytes_make(data, size);
        struct ocsp_request r;

        if (ocsp_request_read(whole, &r) != OK)
                return 0;
        HOLDS(r.n_cert_ids >= 1 && r.n_cert_ids <= OCSP_CERT_IDS_MAX);
        HOLDS(r.nonce.len <= OCSP_NONCE_MAX && lies_within(r.nonce, whole));
        HOLDS(r.n_preferred <= SIG_N);
        for (unsigned i = 0; i < r.n_cert_ids; i++)
                check_cert_id(&r.cert_ids[i], whole);
        return 0;
}
