/* ocsp_response: making OCSPResponse and ResponseData in place (ocsp_response_read.c reads them).
 *
 * Every length is computed first, inner to outer (struct ocsp_layout), then the pieces are written front to back: no allocation, no
 * moving. One pair of functions, single_len/write_single and data_len/write_data, makes each ResponseData there is, whether it is to
 * be signed, rebuilt or made for several CertIDs.
 */
#include "pki/ocsp_response.h"

#include "pki/der.h"
#include "pki/extension.h"
#include "pki/ocsp_request.h"
#include "pki/serial.h"

#define ENUMERATED_LEN 3 /* 0a 01 xx */
#define SUCCESSFUL "\x0a\x01\x00"
#define RESPONSE_TYPE "\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01" /* id-pkix-ocsp-basic (RFC 6960 4.2.1) */

struct bytes ocsp_response_error(enum ocsp_response_status status)
{
        static const uint8_t errors[][5] = {
                [OCSP_MALFORMED_REQUEST] = {0x30, 0x03, 0x0a, 0x01, 0x01},
                [OCSP_INTERNAL_ERROR] = {0x30, 0x03, 0x0a, 0x01, 0x02},
                [OCSP_TRY_LATER] = {0x30, 0x03, 0x0a, 0x01, 0x03},
                [OCSP_SIG_REQUIRED] = {0x30, 0x03, 0x0a, 0x01, 0x05},
                [OCSP_UNAUTHORIZED] = {0x30, 0x03, 0x0a, 0x01, 0x06},
        };
        unsigned row = status;

        if (row >= sizeof(errors) / sizeof(errors[0]) || errors[row][0] == 0)
                row = OCSP_INTERNAL_ERROR;
        return BYTES_OF(errors[row]);
}

/* ---- the template's pieces ---- */

static void put_responder(struct builder *b, uint8_t tag, struct bytes content, int64_t produced_at_s)
{
        der_put(b, tag, content);
        der_put_generalized_time(b, produced_at_s);
}

/* RFC 6960 4.2.1: KeyHash ::= OCTET STRING, SHA-1 of the key's BIT STRING content (req 2.13). */
void ocsp_template_put_responder_by_key(struct builder *b, struct bytes key, int64_t produced_at_s)
{
        uint8_t digest[HASH_LEN_MAX], octets[2 + 20];
        uint8_t *at = der_write_header(octets, DER_OCTET_STRING, 20);

        if (hash_digest(HASH_SHA1, key, digest) != OK) {
                b->failed = true;
                return;
        }
        memcpy(at, digest, 20);
        put_responder(b, DER_CONTEXT_CONS(2), BYTES_OF(octets), produced_at_s);
}

void ocsp_template_put_responder_by_name(struct builder *b, struct bytes name, int64_t produced_at_s)
{
        put_responder(b, DER_CONTEXT_CONS(1), name, produced_at_s);
}

void ocsp_template_put_times(struct builder *b, int64_t this_update_s, int64_t next_update_s)
{
        size_t mark;

        der_put_generalized_time(b, this_update_s);
        mark = der_begin(b, DER_CONTEXT_CONS(0));
        der_put_generalized_time(b, next_update_s);
        der_end(b, mark);
}

void ocsp_template_put_certs(struct builder *b, struct bytes certificate_der)
{
        size_t outer = der_begin(b, DER_CONTEXT_CONS(0)), inner = der_begin(b, DER_SEQUENCE);

        builder_put(b, certificate_der);
        der_end(b, inner);
        der_end(b, outer);
}

static void put_nonce(struct builder *b, struct bytes nonce)
{
        uint8_t value[3 + OCSP_NONCE_MAX], *at;

        if (nonce.len > OCSP_NONCE_MAX) {
                b->failed = true;
                return;
        }
        at = der_write_header(value, DER_OCTET_STRING, nonce.len);
        at = der_write_bytes(at, nonce);
        extension_put(b, BYTES_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x02"), false, bytes_make(value, (size_t)(at - value)));
}

void ocsp_template_put_extensions(struct builder *b, struct bytes nonce, bool extended_revoked)
{
        size_t outer, inner;

        if (nonce.len == 0 && !extended_revoked)
                return;
        outer = der_begin(b, DER_CONTEXT_CONS(1));
        inner = der_begin(b, DER_SEQUENCE);
        if (nonce.len)
                put_nonce(b, nonce);
        if (extended_revoked) /* RFC 6960 4.4.8: NULL, not critical */
                extension_put(b, BYTES_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x09"), false, BYTES_LIT("\x05\x00"));
        der_end(b, inner);
        der_end(b, outer);
}

/* ---- certStatus ---- */

static bool has_reason(const struct ocsp_status *s)
{
        return s->reason != REASON_UNSPECIFIED; /* req 4.9: 0 is left out */
}

/* RevokedInfo ::= SEQUENCE { revocationTime, revocationReason [0] EXPLICIT CRLReason OPTIONAL } */
static size_t revoked_len(const struct ocsp_status *s)
{
        return DER_GENERALIZED_TIME_LEN + (has_reason(s) ? 2 + ENUMERATED_LEN : 0);
}

static size_t status_len(const struct ocsp_status *s)
{
        return 2 + (s->cert_status == OCSP_REVOKED ? revoked_len(s) : 0);
}

static uint8_t *write_revoked(uint8_t *at, const struct ocsp_status *s)
{
        at = der_write_header(at, DER_CONTEXT_CONS(1), revoked_len(s));
        at = der_write_generalized_time(at, s->revoked_at_s);
        if (!has_reason(s))
                return at;
        at = der_write_header(at, DER_CONTEXT_CONS(0), ENUMERATED_LEN);
        at = der_write_header(at, DER_ENUMERATED, 1);
        *at++ = (uint8_t)s->reason;
        return at;
}

static uint8_t *write_status(uint8_t *at, const struct ocsp_status *s)
{
        if (s->cert_status == OCSP_REVOKED)
                return write_revoked(at, s);
        return der_write_header(at, DER_CONTEXT(s->cert_status == OCSP_GOOD ? 0 : 2), 0);
}

/* ---- SingleResponse and ResponseData ---- */

static size_t with_header(size_t content_len)
{
        return der_header_len(content_len) + content_len;
}

static size_t cert_id_len(const struct ocsp_single *s)
{
        return s->cert_id_head.len + with_header(s->serial.len);
}

/* Content octets of a SingleResponse. */
static size_t single_len(const struct ocsp_template *t, const struct ocsp_single *s)
{
        return with_header(cert_id_len(s)) + status_len(&s->status) + t->times.len;
}

static uint8_t *write_single(uint8_t *at, const struct ocsp_template *t, const struct ocsp_single *s)
{
        at = der_write_header(at, DER_SEQUENCE, single_len(t, s));
        at = der_write_header(at, DER_SEQUENCE, cert_id_len(s));
        at = der_write_bytes(at, s->cert_id_head);
        at = der_write_header(at, DER_INTEGER, s->serial.len);
        at = der_write_bytes(at, s->serial);
        at = write_status(at, &s->status);
        return der_write_bytes(at, t->times);
}

struct data_len {
        size_t responses; /* content of the SEQUENCE OF SingleResponse */
        size_t data;      /* content of ResponseData */
};

static struct data_len data_len(const struct ocsp_template *t, const struct ocsp_single *singles, unsigned n)
{
        struct data_len l = {0};

        for (unsigned i = 0; i < n; i++)
                l.responses += with_header(single_len(t, &singles[i]));
        l.data = t->responder.len + with_header(l.responses) + t->extensions.len;
        return l;
}

static uint8_t *write_data(
        uint8_t *at, const struct ocsp_template *t, struct data_len l, const struct ocsp_single *singles, unsigned n)
{
        at = der_write_header(at, DER_SEQUENCE, l.data);
        at = der_write_bytes(at, t->responder);
        at = der_write_header(at, DER_SEQUENCE, l.responses);
        for (unsigned i = 0; i < n; i++)
                at = write_single(at, t, &singles[i]);
        return der_write_bytes(at, t->extensions);
}

static bool serial_is_fine(struct bytes serial)
{
        return serial.len <= SERIAL_MAX && der_integer_is_minimal(serial) && !(serial.data[0] & 0x80);
}

/* ---- OCSPResponse around a ResponseData ---- */

static struct ocsp_layout layout_around(const struct ocsp_template *t, size_t tbs_len, size_t signature_len)
{
        struct ocsp_layout l = {.signature = signature_len};

        l.basic = tbs_len + sig_alg_identifier(t->sig_alg).len + with_header(1 + signature_len) + t->certs.len;
        l.octets = with_header(l.basic);
        l.bytes = sizeof(RESPONSE_TYPE) - 1 + with_header(l.octets);
        l.explicit = with_header(l.bytes);
        l.response = sizeof(SUCCESSFUL) - 1 + with_header(l.explicit);
        l.whole = with_header(l.response);
        return l;
}

static uint8_t *write_head(uint8_t *at, const struct ocsp_layout *l)
{
        at = der_write_header(at, DER_SEQUENCE, l->response);
        at = der_write_bytes(at, BYTES_LIT(SUCCESSFUL));
        at = der_write_header(at, DER_CONTEXT_CONS(0), l->explicit);
        at = der_write_header(at, DER_SEQUENCE, l->bytes);
        at = der_write_bytes(at, BYTES_LIT(RESPONSE_TYPE));
        at = der_write_header(at, DER_OCTET_STRING, l->octets);
        return der_write_header(at, DER_SEQUENCE, l->basic);
}

static uint8_t *write_tail(
        uint8_t *at, const struct ocsp_template *t, const struct ocsp_layout *l, struct bytes raw_signature)
{
        at = der_write_bytes(at, sig_alg_identifier(t->sig_alg));
        at = der_write_header(at, DER_BIT_STRING, 1 + l->signature);
        *at++ = 0;
        at = sig_write_der(at, t->sig_alg, raw_signature);
        return der_write_bytes(at, t->certs);
}

/* ---- the public functions ---- */

static struct ocsp_single single_of(const struct ocsp_template *t, struct bytes serial, const struct ocsp_status *status)
{
        return (struct ocsp_single){t->cert_id, serial, *status};
}

size_t ocsp_response_max(const struct ocsp_template *t)
{
        static const uint8_t longest[SERIAL_MAX];
        static const struct ocsp_status revoked = {OCSP_REVOKED, REASON_KEY_COMPROMISE, 0};
        struct ocsp_single s = single_of(t, BYTES_OF(longest), &revoked);

        return layout_around(t, with_header(data_len(t, &s, 1).data), sig_der_max(t->sig_alg)).whole;
}

enum err ocsp_response_tbs(const struct ocsp_template *t, struct bytes serial, const struct ocsp_status *status,
        uint8_t *ret_der, size_t *ret_len)
{
        struct ocsp_single s = single_of(t, serial, status);

        if (!serial_is_fine(serial))
                return ERR_INVALID;
        *ret_len = (size_t)(write_data(ret_der, t, data_len(t, &s, 1), &s, 1) - ret_der);
        return OK;
}

enum err ocsp_response_lay_out(const struct ocsp_template *t, struct bytes serial, const struct ocsp_status *status,
        struct bytes raw_signature, struct ocsp_layout *ret_layout)
{
        struct ocsp_single s = single_of(t, serial, status);
        struct data_len d;

        if (!serial_is_fine(serial) || !sig_raw_len_fits(t->sig_alg, raw_signature.len))
                return ERR_INVALID;
        d = data_len(t, &s, 1);
        *ret_layout = layout_around(t, with_header(d.data), sig_der_len(t->sig_alg, raw_signature));
        ret_layout->data = d.data;
        ret_layout->responses = d.responses;
        return OK;
}

uint8_t *ocsp_response_write(uint8_t *at, const struct ocsp_layout *l, const struct ocsp_template *t, struct bytes serial,
        const struct ocsp_status *status, struct bytes raw_signature)
{
        struct ocsp_single s = single_of(t, serial, status);
        struct data_len d = {.responses = l->responses, .data = l->data};

        at = write_head(at, l);
        at = write_data(at, t, d, &s, 1);
        return write_tail(at, t, l, raw_signature);
}

enum err ocsp_response_rebuild(const struct ocsp_template *t, struct bytes serial, const struct ocsp_status *status,
        struct bytes raw_signature, uint8_t *ret_der, size_t *ret_len)
{
        struct ocsp_layout l;
        enum err e = ocsp_response_lay_out(t, serial, status, raw_signature, &l);

        if (e == OK)
                *ret_len = (size_t)(ocsp_response_write(ret_der, &l, t, serial, status, raw_signature) - ret_der);
        return e;
}

void ocsp_response_put_tbs(struct builder *b, const struct ocsp_template *t, const struct ocsp_single *singles, unsigned n)
{
        struct data_len d = data_len(t, singles, n);
        uint8_t *at;

        for (unsigned i = 0; i < n; i++)
                if (!serial_is_fine(singles[i].serial))
                        b->failed = true;
        at = builder_extend(b, with_header(d.data));
        if (at)
                write_data(at, t, d, singles, n);
}

void ocsp_response_put(struct builder *b, const struct ocsp_template *t, struct bytes tbs, struct bytes raw_signature)
{
        struct ocsp_layout l;
        uint8_t *at;

        if (!sig_raw_len_fits(t->sig_alg, raw_signature.len)) {
                b->failed = true;
                return;
        }
        l = layout_around(t, tbs.len, sig_der_len(t->sig_alg, raw_signature));
        at = builder_extend(b, l.whole);
        if (at) {
                at = write_head(at, &l);
                at = der_write_bytes(at, tbs);
                write_tail(at, t, &l, raw_signature);
        }
}
