/* ari: ACME Renewal Information (RFC 9773), the parts that are pure: which certificate is asked about, when it had better be
 * renewed, and the JSON that says so. No clock, no I/O. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "pki/serial.h"

#define ARI_AKI_MAX 64

/* RFC 9773 4.1 (req 7.1): base64url(keyIdentifier of the AKI) "." base64url(serial's DER content), both without padding. */
struct ari_id {
        uint8_t aki_len; /* 1..ARI_AKI_MAX */
        uint8_t aki[ARI_AKI_MAX];
        struct serial serial;
};
static inline struct bytes ari_aki(const struct ari_id *id)
{
        return (struct bytes){id->aki, id->aki_len};
}
/* ERR_INVALID: padding, another alphabet, bits left over, a serial not as DER has it; ERR_RANGE: too long. */
MUST_CHECK enum err ari_read_id(struct bytes text, struct ari_id *ret_id);

/* Unix seconds; start_s < end_s always (req 7.2). */
struct ari_window {
        int64_t start_s, end_s;
};
/* Two thirds into the lifetime, a fiftieth of it long, so that a day's certificates are not renewed in one minute. Of a
 * certificate whose notBefore is not known (0): from the third to the second day before its end. */
struct ari_window ari_plan(int64_t not_before_s, int64_t not_after_s);
/* Wholly before `event_s`, the revocation or the incident: renew at once (RFC 9773 4.2, req 7.4). */
struct ari_window ari_plan_at_once(int64_t event_s);

/* {"suggestedWindow":{"start":...,"end":...}} and, unless `explanation_url` is empty, explanationURL. */
void ari_put_json(struct builder *b, const struct ari_window *window, struct bytes explanation_url);
