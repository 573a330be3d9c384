/* tags: a cacheable answer's surrogate tags, for purging a CDN (conf responder.tags; pki/cache_tag.h names them). Nothing is done
 * while they are off. */
#pragma once

#include "responder/answer/answer.h"
#include "responder/answer/service.h"
#include "store/status.h"

static inline bool tags_are_on(const struct service *s)
{
        return s->conf->tags != CONF_TAGS_OFF;
}

/* First: the issuer. Then what the answer speaks of. */
void tags_begin(struct service *service, const struct ca_entry *ca, struct answer *a);
void tags_add_serial(struct service *service, const struct ca_entry *ca, struct bytes serial, const struct status *status, struct answer *a);
void tags_add_crl(struct service *service, const struct ca_entry *ca, uint16_t shard, struct answer *a);
