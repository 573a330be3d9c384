/* Fuzz: the OCSP response. Whatever single response is accepted is rebuilt from its parts, octet for octet. */
#include "pki/der.h"
#include "pki/ocsp_response.h"
#include "tests/fuzz/fuzz.h"

struct parts {
        struct bytes tbs, signature, certs;
        enum sig_alg alg;
        struct ocsp_response_data data;
        struct ocsp_single_read single;
        unsigned n_singles;
};

static bool read_parts(struct bytes der, struct parts *p)
{
        struct bytes responses;

        *p = (struct parts){0};
        if (ocsp_response_read(der, &p->tbs, &p->alg, &p->signature, &p->certs) != OK)
                return false;
        HOLDS(lies_within(p->tbs, der) && lies_within(p->signature, der) && lies_within(p->certs, der));
        if (ocsp_response_data_read(p->tbs, &p->data) != OK)
                return false;
        for (responses = p->data.responses; responses.len > 0; p->n_singles++)
                if (ocsp_single_read(&responses, &p->single) != OK)
                        return false;
        return p->n_singles == 1;
}

/* What lies between two places of one buffer. */
static struct bytes between(const uint8_t *from, const uint8_t *to)
{
        return bytes_make(from, (size_t)(to - from));
}

/* The template's pieces, cut from the response. */
static struct ocsp_template cut(const struct parts *p, struct bytes der)
{
        struct ocsp_template t = {.sig_alg = p->alg, .extensions = p->data.extensions};
        struct bytes in, list, single, id, serial, status, certs_tlv, responses;
        struct bytes rest;

        HOLDS(der_read_only(p->tbs, DER_SEQUENCE, &in) == OK);
        rest = in;
        HOLDS(der_read_any(&rest, NULL, NULL, NULL) == OK && der_read_any(&rest, NULL, NULL, NULL) == OK);
        t.responder = between(in.data, rest.data);
        HOLDS(der_read(&rest, DER_SEQUENCE, &list) == OK && der_read(&list, DER_SEQUENCE, &single) == OK);
        HOLDS(der_read(&single, DER_SEQUENCE, &id) == OK);
        responses = id;
        for (int i = 0; i < 3; i++)
                HOLDS(der_read_any(&responses, NULL, NULL, NULL) == OK);
        t.cert_id = between(id.data, responses.data);
        HOLDS(der_read_integer(&responses, &serial) == OK);
        HOLDS(der_read_any(&single, NULL, NULL, &status) == OK);
        t.times = single;
        certs_tlv = between(p->signature.data + p->signature.len, der.data + der.len);
        t.certs = certs_tlv;
        return t;
}

/* A reason 0, spelt out, reads the same as none, and none is written (req 4.9). */
static bool spells_out_unspecified(const struct parts *p)
{
        return p->single.status.cert_status == OCSP_REVOKED && p->single.status.reason == REASON_UNSPECIFIED &&
               memmem(p->tbs.data, p->tbs.len, "\xa0\x03\x0a\x01\x00", 5);
}

static void rebuild(const struct parts *p, const struct ocsp_template *t, struct bytes der)
{
        uint8_t raw[SIG_RAW_MAX], *again;
        size_t raw_len, len, max = ocsp_response_max(t);
        struct ocsp_layout layout;

        if (sig_from_der(t->sig_alg, p->signature, raw, &raw_len) != OK)
                return;
        again = malloc(max);
        if (ocsp_response_rebuild(t, p->single.serial, &p->single.status, bytes_make(raw, raw_len), again, &len) == OK) {
                HOLDS(len <= max);
                HOLDS(bytes_equal(bytes_make(again, len), der) || spells_out_unspecified(p));
                HOLDS(ocsp_response_lay_out(t, p->single.serial, &p->single.status, bytes_make(raw, raw_len), &layout) == OK);
                HOLDS(layout.whole == len);
        }
        free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bytes der = bytes_make(data, size);
        struct ocsp_template t;
        struct parts p;

        if (!read_parts(der, &p))
                return 0;
        t = cut(&p, der);
        rebuild(&p, &t, der);
        return 0;
}
