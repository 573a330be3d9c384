#include "responder/answer/ocsp_question.h"

#include <strings.h>

#include "pki/serial.h"
#include "responder/answer/ocsp_get.h"

static bool type_fits(struct bytes type)
{
        static const struct bytes want = BYTES_LIT("application/ocsp-request");
        const uint8_t *semicolon = type.len > 0 ? memchr(type.data, ';', type.len) : NULL;
        size_t len = semicolon ? (size_t)(semicolon - type.data) : type.len;

        while (len > 0 && (type.data[len - 1] == ' ' || type.data[len - 1] == '\t'))
                len--;
        return type.len == 0 || (len == want.len && strncasecmp((const char *)type.data, (const char *)want.data, len) == 0);
}

/* Most requests are like one before but for the serial. Somewhere in the middle stand the issuer's hashes. */
static size_t like_others(struct bytes request)
{
        return (request.len + (request.len > 0 ? request.data[request.len / 2] : 0)) % SERVICE_SHAPES;
}

/* The request's DER, or the HTTP status that refuses it. */
static unsigned find_der(struct service *s, const struct request *r, struct bytes rest, uint8_t *memory, struct bytes *ret_der)
{
        struct ocsp_get_memo *memo;
        size_t len;

        if (rest.len > 0) /* the '/' between our path and what follows */
                rest = bytes_make(&rest.data[1], rest.len - 1);
        if (r->method == METHOD_POST) { /* req 1.1 */
                if (rest.len > 0)
                        return 404;
                if (!type_fits(r->content_type))
                        return 415;
                *ret_der = r->body;
                return 200;
        }
        memo = &s->get_memos[like_others(rest)];
        if (r->query.len > 0 || ocsp_get_decode(memo, rest, memory, &len) != OK) /* req 1.6 */
                return 400;
        *ret_der = bytes_make(memory, len);
        return 200;
}

static bool serial_fits(struct bytes serial)
{
        return serial.len >= 1 && serial.len <= SERIAL_MAX && serial.data[0] < 0x80;
}

/* All CertIDs are of one CA and one algorithm: whoever asks for others in one breath gets unauthorized. */
static const struct ca_entry *find_ca(struct turn *t, const struct ocsp_request *r)
{
        const struct ocsp_cert_id *first = &r->cert_ids[0];
        const struct ca_entry *ca;

        if (first->hash == HASH_N)
                return NULL;
        ca = ca_table_find(t->service->cas, first->hash, first->name_hash, first->key_hash);
        for (unsigned i = 1; ca && i < r->n_cert_ids; i++) {
                const struct ocsp_cert_id *id = &r->cert_ids[i];

                if (id->hash != first->hash || !ca_key_matches(&ca->key, id->hash, id->name_hash, id->key_hash))
                        return NULL;
        }
        return ca;
}

/* RFC 6960 2.2, 4.4.8, req 2.5: what was never issued is on hold since 1970-01-01, where the profile and the configuration say so. */
static bool extend_revoked(struct ocsp_question *q, unsigned i)
{
        const struct conf_issuer *conf = q->ca->conf;

        if (!conf->ocsp_extended_revoked || conf->profile != CONF_PROFILE_PRIVATE || !serial_fits(q->request.cert_ids[i].serial))
                return false;
        q->statuses[i] = (struct status){.ocsp = {.cert_status = OCSP_REVOKED, .reason = REASON_CERTIFICATE_HOLD}};
        q->is_extended = true;
        return true;
}

static enum err get_status(struct turn *t, struct ocsp_question *q, unsigned i)
{
        struct bytes serial = q->request.cert_ids[i].serial;

        if (!serial_fits(serial))
                return ERR_NOT_FOUND;
        if (i == 0)
                return status_get_at(t->txn, &q->place, &q->statuses[0]);
        return status_get(t->txn, q->ca->key.id, serial, &q->statuses[i]);
}

static enum ocsp_response_status read_rows(struct turn *t, struct ocsp_question *q)
{
        for (unsigned i = 0; i < q->request.n_cert_ids; i++) {
                enum err e = get_status(t, q, i);

                if (e == ERR_NOT_FOUND && extend_revoked(q, i))
                        continue;
                if (e == ERR_NOT_FOUND) /* req 2.2, 2.3: never good for what was not issued */
                        return OCSP_UNAUTHORIZED;
                if (e != OK)
                        return OCSP_INTERNAL_ERROR;
        }
        return OCSP_SUCCESSFUL;
}

static enum err read_request(struct service *s, struct bytes der, struct ocsp_request *ret_request)
{
        struct ocsp_shape *shape = &s->shapes[like_others(der)];
        enum err e;

        if (ocsp_shape_read(shape, der, ret_request))
                return OK;
        e = ocsp_request_read(der, ret_request);
        if (e == OK)
                ocsp_shape_remember(shape, der, ret_request);
        return e;
}

/* Whom and what is asked for. */
static enum ocsp_response_status read_der(struct turn *t, struct bytes der, struct ocsp_question *q)
{
        struct service *s = t->service;
        enum err e = read_request(s, der, &q->request);

        if (e != OK)
                q->request.n_cert_ids = 0;
        if (e == ERR_RANGE) /* req 1.7: more than we answer at once */
                return OCSP_UNAUTHORIZED;
        if (e != OK)
                return OCSP_MALFORMED_REQUEST;
        if (q->request.n_cert_ids > s->conf->max_cert_ids)
                return OCSP_UNAUTHORIZED;
        q->ca = find_ca(t, &q->request);
        if (!q->ca || !q->ca->conf) /* req 2.2: a foreign issuer */
                return OCSP_UNAUTHORIZED;
        if (q->request.cert_ids[0].hash == HASH_SHA1 && !q->ca->conf->ocsp_allow_sha1_cert_id) /* req 1.9 */
                return OCSP_UNAUTHORIZED;
        return OCSP_SUCCESSFUL;
}

void ocsp_question_read(struct turn *t, const struct request *r, struct bytes rest, uint8_t *memory, struct ocsp_question *q)
{
        struct bytes der;

        q->ca = NULL;
        q->is_extended = q->is_sought = false;
        q->request.n_cert_ids = 0;
        q->http_status = find_der(t->service, r, rest, memory, &der);
        if (q->http_status != 200)
                return;
        q->outcome = read_der(t, der, q);
        if (q->outcome != OCSP_SUCCESSFUL || !serial_fits(q->request.cert_ids[0].serial))
                return;
        status_seek(t->txn, q->ca->key.id, q->request.cert_ids[0].serial, &q->place);
        q->is_sought = true;
}

uint32_t ocsp_question_look_up(struct turn *t, struct ocsp_question *q)
{
        if (q->http_status != 200 || q->outcome != OCSP_SUCCESSFUL)
                return 0;
        q->outcome = read_rows(t, q);
        return q->outcome == OCSP_SUCCESSFUL ? q->statuses[0].window : 0;
}
