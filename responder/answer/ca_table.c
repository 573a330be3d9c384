#include "responder/answer/ca_table.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "store/ca.h"
#include "store/meta.h"
#include "store/signer.h"

struct ca_table {
        const struct conf *conf;
        bool is_loaded;
        uint32_t generation;
        struct ca_entry **entries;
        size_t n_entries;
        uint8_t *enabled; /* by signer id */
        size_t n_enabled;
};

static void entry_free(struct ca_entry *entry)
{
        if (!entry)
                return;
        for (size_t i = 0; i < sizeof entry->memory / sizeof entry->memory[0]; i++)
                builder_done(&entry->memory[i]);
        free(entry);
}

static void entry_freep(struct ca_entry **entry)
{
        entry_free(*entry);
}

struct ca_table *ca_table_new(const struct conf *conf)
{
        struct ca_table *table = calloc(1, sizeof *table);

        if (table)
                table->conf = conf;
        return table;
}

void ca_table_clear(struct ca_table *table)
{
        for (size_t i = 0; i < table->n_entries; i++)
                entry_free(table->entries[i]);
        free(table->entries);
        free(table->enabled);
        *table = (struct ca_table){.conf = table->conf};
}

void ca_table_free(struct ca_table *table)
{
        if (!table)
                return;
        ca_table_clear(table);
        free(table);
}

static const struct conf_issuer *find_conf(const struct conf *conf, struct bytes label)
{
        for (unsigned i = 0; i < conf->n_issuers; i++)
                if (bytes_equal(bytes_str(conf->issuers[i].name), label))
                        return &conf->issuers[i];
        log_warning("an issuer of the store is not in the configuration, so nothing is answered for it; add it with `tocsin issuer add` "
                    "issuer=%.*s",
                (int)label.len, (const char *)label.data);
        return NULL;
}

static struct bytes keep(struct builder *memory, struct bytes b)
{
        builder_put(memory, b);
        return builder_bytes(memory);
}

static enum err entry_new(const struct conf *conf, const struct ca *ca, struct ca_entry **ret_entry)
{
        _cleanup_(entry_freep) struct ca_entry *entry = calloc(1, sizeof *entry);
        enum err e;

        if (!entry)
                return ERR_NOMEM;
        entry->key = ca->key;
        entry->sig_alg = SIG_N;
        entry->label = keep(&entry->memory[HASH_N], ca->label);
        entry->certificate = keep(&entry->memory[HASH_N + 1], ca->certificate);
        entry->ski = keep(&entry->memory[HASH_N + 2], ca->ski);
        for (unsigned alg = 0; alg < HASH_N; alg++) {
                ca_key_put_cert_id_head(&entry->memory[alg], &ca->key, alg);
                entry->heads[alg] = builder_bytes(&entry->memory[alg]);
        }
        for (unsigned i = 0; i < HASH_N + 3; i++)
                if (builder_failed(&entry->memory[i]))
                        return ERR_NOMEM;
        e = hash_digest(HASH_SHA256, entry->certificate, entry->certificate_digest);
        if (e != OK)
                return e;
        entry->conf = find_conf(conf, entry->label);
        *ret_entry = steal(&entry);
        return OK;
}

static enum err add_entry(struct ca_table *table, const struct ca *ca)
{
        struct ca_entry **more = realloc(table->entries, (table->n_entries + 1) * sizeof *more);

        if (!more)
                return ERR_NOMEM;
        table->entries = more;
        enum err e = entry_new(table->conf, ca, &more[table->n_entries]);
        if (e == OK)
                table->n_entries++;
        return e;
}

static enum err load_cas(struct ca_table *table, struct txn *txn)
{
        uint32_t id = 0;
        struct ca ca;
        enum err e = ca_next(txn, &id, &ca);

        while (e == OK) {
                e = add_entry(table, &ca);
                if (e == OK)
                        e = ca_next(txn, &id, &ca);
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

static enum err add_signer(struct ca_table *table, const struct signer *signer)
{
        if (signer->id >= table->n_enabled) {
                uint8_t *more = realloc(table->enabled, (size_t)signer->id + 1);

                if (!more)
                        return ERR_NOMEM;
                memset(&more[table->n_enabled], 0, (size_t)signer->id + 1 - table->n_enabled);
                table->enabled = more;
                table->n_enabled = (size_t)signer->id + 1;
        }
        table->enabled[signer->id] = signer->use == SIGNER_OCSP && signer->disabled_at == 0;
        for (size_t i = 0; table->enabled[signer->id] && i < table->n_entries; i++)
                if (table->entries[i]->key.id == signer->ca_key)
                        table->entries[i]->sig_alg = signer->sig_alg;
        return OK;
}

static enum err load_signers(struct ca_table *table, struct txn *txn)
{
        uint32_t id = 0;
        struct signer signer;
        enum err e = signer_next(txn, &id, &signer);

        while (e == OK) {
                e = add_signer(table, &signer);
                if (e == OK)
                        e = signer_next(txn, &id, &signer);
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

enum err ca_table_refresh(struct ca_table *table, struct txn *txn)
{
        uint32_t generation;
        enum err e = meta_get_generation(txn, &generation);

        if (e != OK || (table->is_loaded && table->generation == generation))
                return e;
        ca_table_clear(table);
        e = load_cas(table, txn);
        if (e == OK)
                e = load_signers(table, txn);
        if (e != OK) {
                ca_table_clear(table);
                return e;
        }
        table->generation = generation;
        table->is_loaded = true;
        return OK;
}

const struct ca_entry *ca_table_find(const struct ca_table *table, enum hash_alg alg, struct bytes name_hash, struct bytes key_hash)
{
        for (size_t i = 0; i < table->n_entries; i++)
                if (ca_key_matches(&table->entries[i]->key, alg, name_hash, key_hash))
                        return table->entries[i];
        return NULL;
}

const struct ca_entry *ca_table_find_label(const struct ca_table *table, struct bytes label)
{
        for (size_t i = 0; i < table->n_entries; i++)
                if (bytes_equal(table->entries[i]->label, label))
                        return table->entries[i];
        return NULL;
}

const struct ca_entry *ca_table_next_ski(const struct ca_table *table, struct bytes ski, const struct ca_entry *after)
{
        bool is_behind = after == NULL;

        for (size_t i = 0; i < table->n_entries; i++) {
                if (is_behind && bytes_equal(table->entries[i]->ski, ski))
                        return table->entries[i];
                is_behind |= table->entries[i] == after;
        }
        return NULL;
}

bool ca_table_signer_enabled(const struct ca_table *table, uint32_t signer)
{
        return signer < table->n_enabled && table->enabled[signer];
}
