/* control_json: batches, CRLs, names. */
#include "signer/engine/control_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "pki/der.h"
#include "store/batch.h"
#include "store/ca.h"

/* ---- batches ---- */

static const char *state_text(uint8_t state)
{
        return state == BATCH_ACTIVE ? "active" : state == BATCH_STAGED ? "staged" : "dropped";
}

static json_t *batch_json(struct engine *e, const struct batch *b)
{
        const struct issuer *is = issuers_by_ca_key(e->issuers, b->ca_key);

        return json_pack("{s:i,s:s,s:s,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:s?}", "id", (int)b->id, "state",
                state_text(b->state), "issuer", is ? is->conf->name : "", "items", (json_int_t)b->n_items, "deferred",
                (json_int_t)b->n_deferred, "signed", (json_int_t)b->n_signed, "created_at", json_time(b->created_at),
                "activated_at", json_time(b->activated_at), "digest", json_hex(b->digest, sizeof(b->digest)), "actor",
                json_text(b->actor.data, b->actor.len), "incident", json_text(b->incident.data, b->incident.len), "reason",
                b->reason == BATCH_REASON_MIXED ? NULL : reason_name(b->reason));
}

json_t *json_batches(struct engine *e, struct txn *txn, unsigned max)
{
        json_t *list = json_array();
        struct batch batch;
        uint32_t id = 0;

        while (list && batch_next(txn, &id, &batch) == OK) {
                json_array_insert_new(list, 0, batch_json(e, &batch));
                if (max > 0 && json_array_size(list) > max)
                        json_array_remove(list, max);
        }
        return list;
}

/* ---- CRLs ---- */

static const char *crl_state_text(uint8_t state)
{
        static const char *const texts[] = {"", "reserved", "signed", "published", "failed"};

        return state <= CRL_FAILED ? texts[state] : "";
}

static json_t *number_text(uint64_t n)
{
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, n);
        return json_string(text);
}

static json_t *crl_json(const struct issuer *is, uint16_t shard, const struct crl_row *r)
{
        return json_pack("{s:s,s:i,s:s,s:o,s:o,s:o,s:o,s:I,s:I,s:o,s:o,s:s,s:i}", "issuer", is->conf->name, "shard",
                (int)shard, "kind", r->is_delta ? "delta" : "full", "number", number_text(r->number), "base",
                r->is_delta ? number_text(r->base) : json_null(), "this_update", json_time(r->this_update), "next_update",
                json_time(r->next_update), "entries", (json_int_t)r->n_entries, "size", (json_int_t)r->size, "sha256",
                json_hex(r->digest, sizeof(r->digest)), "file", json_text(r->file.data, r->file.len), "state",
                crl_state_text(r->state), "signer", (int)r->signer);
}

static void add_current(json_t *list, struct txn *txn, const struct issuer *is, uint16_t shard)
{
        struct crl_row row;

        for (unsigned is_delta = 0; is_delta < 2; is_delta++)
                if (crl_current(txn, is->ca_key, shard, is_delta, &row) == OK)
                        json_array_append_new(list, crl_json(is, shard, &row));
}

static void add_history(json_t *list, struct txn *txn, const struct issuer *is, uint16_t shard)
{
        uint64_t position = UINT64_MAX;
        struct crl_row row;

        while (crl_before(txn, is->ca_key, shard, &position, &row) == OK)
                json_array_append_new(list, crl_json(is, shard, &row));
}

json_t *json_crls(struct engine *e, struct txn *txn, const struct issuer *only, bool all)
{
        json_t *list = json_array();

        for (unsigned i = 0; list && i < e->issuers->n; i++) {
                const struct issuer *is = &e->issuers->items[i];

                if ((only && only != is) || is->ca_key == 0)
                        continue;
                for (unsigned shard = 0; shard <= is->conf->crl_shards; shard++) {
                        if (all)
                                add_history(list, txn, is, (uint16_t)shard);
                        else
                                add_current(list, txn, is, (uint16_t)shard);
                }
        }
        return list;
}

/* ---- names ---- */

static const struct {
        uint8_t last; /* of 2.5.4.x */
        const char *text;
} attributes[] = {{3, "CN"}, {5, "serialNumber"}, {6, "C"}, {7, "L"}, {8, "ST"}, {10, "O"}, {11, "OU"}};

static const char *attribute_text(struct bytes oid)
{
        for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
                if (oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x04 && oid.data[2] == attributes[i].last)
                        return attributes[i].text;
        return "?";
}

static void put_attribute(struct builder *text, struct bytes rdn)
{
        struct bytes attribute, oid, value;

        while (der_read(&rdn, DER_SEQUENCE, &attribute) == OK) {
                if (der_read(&attribute, DER_OID, &oid) != OK || der_read_any(&attribute, NULL, &value, NULL) != OK)
                        return;
                builder_printf(text, "%s%s=", text->len > 0 ? ", " : "", attribute_text(oid));
                builder_put(text, value);
        }
}

json_t *json_name(struct bytes name)
{
        struct builder text = {0};
        struct bytes rdns, rdn;
        json_t *value;

        if (der_read(&name, DER_SEQUENCE, &rdns) == OK)
                while (der_read(&rdns, DER_SET, &rdn) == OK)
                        put_attribute(&text, rdn);
        value = builder_failed(&text) ? json_null() : json_text(text.data, text.len);
        builder_done(&text);
        return value;
}
