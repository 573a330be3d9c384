/* policy_load: the policy's table, made from the configuration and the certificates it names. */
#pragma once

#include "base/conf.h"
#include "signer/vault/policy.h"

/* An issuer whose certificates cannot be read, or whose OCSP signer is not fit (req 2.14, 2.15), gets no key for that, with
 * a line in the log; the others go on. `conf` must outlive the policy. ERR_NOMEM only. */
MUST_CHECK enum err policy_load(const struct conf *conf, int64_t now_s, struct policy *ret_policy);
void policy_done(struct policy *policy);
