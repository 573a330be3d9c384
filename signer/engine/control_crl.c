/* control_crl: `crl.issue` and `crl.list`. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "signer/engine/control_json.h"

struct issue {
        struct client *client;
        struct issuer *issuer;
        unsigned n_pending;
        enum err result;
};

static void answer(struct issue *op)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct engine *e = op->client->engine;

        if (op->result != OK)
                client_fail(op->client, op->result,
                        op->result == ERR_TOKEN ? "the token is away: `tocsin status`" : "the engine's log says why",
                        "not every CRL could be issued: %s", err_text(op->result));
        else if (txn_begin_read(e->env, &txn) != OK)
                client_fail(op->client, ERR_IO, NULL, "the store cannot be read");
        else
                client_finish(op->client, json_pack("{s:o}", "crls", json_crls(e, txn, op->issuer, false)));
}

static void one_done(void *arg, enum err result)
{
        struct issue *op = arg;

        if (result != OK)
                op->result = result;
        if (--op->n_pending > 0)
                return;
        answer(op);
        client_unref(op->client);
        free(op);
}

static unsigned kinds_of(const char *kind)
{
        static const struct {
                const char *name;
                unsigned kinds;
        } table[] = {{"full", CRL_FULL}, {"delta", CRL_DELTA}, {"both", CRL_BOTH}};

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                if (strcmp(table[i].name, kind) == 0)
                        return table[i].kinds;
        return 0;
}

/* One order for the full CRL, or one for each shard. */
static void order_all(struct issue *op, unsigned kinds)
{
        unsigned n_shards = op->issuer->conf->crl_shards;

        op->n_pending = n_shards ? n_shards : 1;
        for (unsigned i = 0, n = op->n_pending; i < n; i++)
                if (crl_order(op->client->engine, op->issuer, (uint16_t)(n_shards ? i + 1 : 0), kinds, one_done, op) != OK)
                        one_done(op, ERR_NOMEM);
}

static bool may_issue(struct client *c, const struct issuer *is, const char *name, unsigned kinds)
{
        if (!is || is->ca_key == 0)
                client_fail(
                        c, ERR_NOT_FOUND, "`tocsin issuer list` shows the issuers", "there is no issuer \"%.64s\"", name);
        else if (kinds == 0)
                client_fail(c, ERR_INVALID, NULL, "kind is \"full\", \"delta\" or \"both\"");
        else if (!issuer_is_served(is) || !is->crl.configured)
                client_fail(c, ERR_DENIED, "crl.key in its issuer.yaml names the CA key in the token; `tocsin check` says more",
                        "no CRLs are made for %s%s%s", name, is->crl.refused[0] ? ": " : "", is->crl.refused);
        else if (!vault_is_up(c->engine))
                client_fail(c, ERR_TOKEN, "`tocsin status` says since when and why", "the token is away");
        else
                return true;
        return false;
}

void command_crl_issue(struct client *c, json_t *question, int fd)
{
        const char *name = json_field(question, "issuer");
        struct issuer *is = issuers_find(c->engine->issuers, name);
        unsigned kinds = kinds_of(json_field(question, "kind"));
        struct issue *op;

        (void)fd;
        if (!may_issue(c, is, name, kinds))
                return;
        op = calloc(1, sizeof(*op));
        if (!op) {
                client_fail(c, ERR_NOMEM, NULL, "out of memory");
                return;
        }
        *op = (struct issue){.client = client_ref(c), .issuer = is};
        order_all(op, kinds);
}

void command_crl_list(struct client *c, json_t *question, int fd)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        const char *name = json_field(question, "issuer");
        struct issuer *only = name ? issuers_find(c->engine->issuers, name) : NULL;

        (void)fd;
        if (name && !only)
                client_fail(
                        c, ERR_NOT_FOUND, "`tocsin issuer list` shows the issuers", "there is no issuer \"%.64s\"", name);
        else if (txn_begin_read(c->engine->env, &txn) != OK)
                client_fail(c, ERR_IO, NULL, "the store cannot be read");
        else
                client_finish(c, json_pack("{s:o}", "crls",
                                         json_crls(c->engine, txn, only, json_is_true(json_object_get(question, "all")))));
}
