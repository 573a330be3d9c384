/* answer_issuer: GET /ca/ISSUER.cer, the CA's certificate in DER, for the caIssuers of AIA (RFC 5280 4.2.2.1); and /healthz. */
#include "responder/answer/route.h"

#include "base/clock.h"
#include "responder/answer/tags.h"

static struct bytes without_suffix(struct bytes b, struct bytes suffix)
{
        if (b.len <= suffix.len || memcmp(&b.data[b.len - suffix.len], suffix.data, suffix.len) != 0)
                return BYTES_NONE;
        return bytes_make(b.data, b.len - suffix.len);
}

enum verdict answer_issuer(
        struct turn *t, const struct request *r, struct bytes rest, struct sign_slot *sign, struct answer *ret_answer)
{
        struct bytes label = without_suffix(rest, BYTES_LIT(".cer"));
        const struct ca_entry *ca = ca_table_find_label(t->service->cas, label);
        struct answer a = {.status = 200, .content = CONTENT_CERTIFICATE, .cacheable = true, .max_age_s = CLOCK_HOUR_S};

        (void)r;
        (void)sign;
        if (!ca || label.len == 0) {
                answer_set_status(ret_answer, 404);
                return VERDICT_ANSWERED;
        }
        a.bytes = ca->certificate;
        a.body_len = ca->certificate.len;
        a.etag_len = 32;
        memcpy(a.etag, ca->certificate_digest, 32);
        tags_begin(t->service, ca, &a);
        *ret_answer = a;
        return VERDICT_ANSWERED;
}

/* That a turn has begun says it all: the store is there and can be read. */
enum verdict answer_health(
        struct turn *t, const struct request *r, struct bytes rest, struct sign_slot *sign, struct answer *ret_answer)
{
        (void)t;
        (void)r;
        (void)sign;
        if (rest.len > 0)
                answer_set_status(ret_answer, 404);
        else
                answer_set_text(ret_answer, 200, BYTES_LIT("ok\n"));
        return VERDICT_ANSWERED;
}
