/* answer_crl: GET /crl/ISSUER.crl, ISSUER-delta.crl, ISSUER/SHARD.crl, ISSUER/SHARD-delta.crl: the newest published one of the
 * store's crl_history (req 3.8). The name in the URL picks a row; the row names the file. */
#include "responder/answer/route.h"
#include "responder/answer/tags.h"
#include "store/crl_history.h"

struct crl_name {
        const struct ca_entry *ca;
        uint16_t shard; /* 0 = the full one */
        bool is_delta;
};

static bool drop_suffix(struct bytes *b, struct bytes suffix)
{
        if (b->len < suffix.len || memcmp(&b->data[b->len - suffix.len], suffix.data, suffix.len) != 0)
                return false;
        b->len -= suffix.len;
        return true;
}

/* 1..65535, without leading zeroes: one CRL has one name. */
static bool read_shard(struct bytes text, uint16_t *ret_shard)
{
        unsigned shard = 0;

        if (text.len == 0 || text.len > 5 || text.data[0] == '0')
                return false;
        for (size_t i = 0; i < text.len; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                shard = shard * 10 + (text.data[i] - '0');
        }
        *ret_shard = (uint16_t)shard;
        return shard <= UINT16_MAX;
}

/* An issuer's name may itself end in "-delta", so the whole is tried first. */
static bool read_full_name(const struct ca_table *cas, struct bytes text, struct crl_name *ret_name)
{
        struct crl_name name = {.ca = ca_table_find_label(cas, text)};

        if (!name.ca && drop_suffix(&text, BYTES_LIT("-delta"))) {
                name.ca = ca_table_find_label(cas, text);
                name.is_delta = true;
        }
        *ret_name = name;
        return name.ca != NULL;
}

static bool read_name(const struct ca_table *cas, struct bytes text, struct crl_name *ret_name)
{
        struct crl_name name = {0};
        const uint8_t *slash;
        size_t at;

        if (!drop_suffix(&text, BYTES_LIT(".crl")))
                return false;
        slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
        if (!slash)
                return read_full_name(cas, text, ret_name);
        at = (size_t)(slash - text.data);
        name.is_delta = drop_suffix(&text, BYTES_LIT("-delta")) && text.len > at;
        name.ca = ca_table_find_label(cas, bytes_make(text.data, at));
        if (!name.ca || !read_shard(bytes_make(&text.data[at + 1], text.len - at - 1), &name.shard))
                return false;
        *ret_name = name;
        return true;
}

/* When the CRL before this one of its kind was made: two of one second must not pass for each other by date alone. */
static int64_t find_previous(struct txn *txn, const struct crl_file *file)
{
        uint64_t position = UINT64_MAX;
        struct crl_row row;

        while (crl_before(txn, file->ca_key, file->shard, &position, &row) == OK)
                if (row.is_delta == file->is_delta && row.number < file->number && row.state == CRL_PUBLISHED)
                        return row.this_update;
        return 0;
}

static void set_file(struct turn *t, const struct crl_name *name, const struct crl_row *row, struct crl_file *file, struct answer *ret_answer)
{
        int64_t cap_s = name->ca->conf ? name->ca->conf->crl_max_age_s : 0;
        struct answer a = {
                .status = 200,
                .content = CONTENT_CRL,
                .cacheable = true,
                .max_age_s = answer_max_age(cap_s, t->now_s, row->next_update),
                .last_modified_s = row->this_update,
                .expires_s = row->next_update,
                .etag_len = sizeof row->digest,
                .kind = BODY_FILE,
                .file = file,
                .body_len = file->size,
                .total_len = file->size,
        };

        if (file->previous_s < 0)
                file->previous_s = find_previous(t->txn, file);
        a.changed_at_s = file->previous_s;
        memcpy(a.etag, row->digest, sizeof row->digest);
        a.about.ca = name->ca;
        tags_begin(t->service, name->ca, &a);
        tags_add_crl(t->service, name->ca, name->shard, &a);
        *ret_answer = a;
}

enum verdict answer_crl(struct turn *t, const struct request *r, struct bytes rest, struct sign_slot *sign, struct answer *ret_answer)
{
        struct crl_name name;
        struct crl_row row;
        struct crl_file *file;

        (void)r;
        (void)sign;
        if (!read_name(t->service->cas, rest, &name) ||
                crl_current(t->txn, name.ca->key.id, name.shard, name.is_delta, &row) != OK) {
                answer_set_status(ret_answer, 404);
                return VERDICT_ANSWERED;
        }
        if (crl_files_get(t->service->crls, name.ca->key.id, name.shard, &row, &file) != OK) {
                answer_set_status(ret_answer, 503);
                ret_answer->retry_after_s = 10;
                return VERDICT_ANSWERED;
        }
        set_file(t, &name, &row, file, ret_answer);
        return VERDICT_ANSWERED;
}
