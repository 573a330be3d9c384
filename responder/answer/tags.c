#include "responder/answer/tags.h"

#include "pki/cache_tag.h"

static const struct bytes NAMES[] = {
        [CONF_TAGS_SURROGATE_KEY] = BYTES_LIT("surrogate-key"),
        [CONF_TAGS_CACHE_TAG] = BYTES_LIT("cache-tag"),
        [CONF_TAGS_XKEY] = BYTES_LIT("xkey"),
};

static struct cache_tags list_of(struct service *s)
{
        return (struct cache_tags){.out = &s->tags, .separator = s->conf->tags == CONF_TAGS_CACHE_TAG ? "," : " "};
}

static void keep(const struct service *s, struct answer *a)
{
        a->tags_name = NAMES[s->conf->tags];
        a->tags = builder_bytes(&s->tags);
}

void tags_begin(struct service *s, const struct ca_entry *ca, struct answer *a)
{
        struct cache_tags list = list_of(s);

        if (!tags_are_on(s))
                return;
        s->tags = builder_fixed(s->tags_memory, sizeof s->tags_memory);
        cache_tag_put_issuer(&list, ca->label);
        keep(s, a);
}

void tags_add_serial(struct service *s, const struct ca_entry *ca, struct bytes serial, const struct status *status, struct answer *a)
{
        struct cache_tags list = list_of(s);

        if (!tags_are_on(s))
                return;
        cache_tag_put_shard(&list, ca->label, status->shard);
        cache_tag_put_bucket(&list, ca->label, serial, s->conf->tags_buckets);
        if (status->batch != 0)
                cache_tag_put_batch(&list, status->batch);
        keep(s, a);
}

void tags_add_crl(struct service *s, const struct ca_entry *ca, uint16_t shard, struct answer *a)
{
        struct cache_tags list = list_of(s);

        if (!tags_are_on(s))
                return;
        cache_tag_put_shard(&list, ca->label, shard);
        cache_tag_put_crl(&list, ca->label, shard);
        keep(s, a);
}
