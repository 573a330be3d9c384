/* numbers: rows are found by a digest of issuer and IDP, added as scopes appear, never removed. */
#include "signer/vault/numbers.h"

#include <stdlib.h>

#include "pki/hash_alg.h"
#include "signer/vault/policy.h"

struct last {
        uint8_t len; /* 0: none yet */
        uint8_t data[CRL_NUMBER_MAX];
};

struct numbers_row {
        uint8_t scope[HASH_LEN_MAX]; /* SHA-512 of SHA-512(issuer), SHA-512(idp) */
        struct last kinds[2];        /* full, delta */
};

void numbers_done(struct numbers *n)
{
        free(n->rows);
        n->rows = NULL;
        n->n_rows = 0;
}

static enum err make_scope(struct bytes issuer, struct bytes idp, uint8_t ret_scope[HASH_LEN_MAX])
{
        uint8_t both[2 * HASH_LEN_MAX];

        if (hash_digest(HASH_SHA512, issuer, both) != OK || hash_digest(HASH_SHA512, idp, both + HASH_LEN_MAX) != OK)
                return ERR_CRYPTO;
        return hash_digest(HASH_SHA512, BYTES_OF(both), ret_scope);
}

static struct numbers_row *find_or_add(struct numbers *n, const uint8_t scope[HASH_LEN_MAX])
{
        struct numbers_row *rows;

        for (unsigned i = 0; i < n->n_rows; i++)
                if (memcmp(n->rows[i].scope, scope, HASH_LEN_MAX) == 0)
                        return &n->rows[i];
        rows = realloc(n->rows, (n->n_rows + 1) * sizeof(*rows));
        if (!rows)
                return NULL;
        n->rows = rows;
        rows[n->n_rows] = (struct numbers_row){0};
        memcpy(rows[n->n_rows].scope, scope, HASH_LEN_MAX);
        return &rows[n->n_rows++];
}

static const char *admit(struct numbers_row *row, bool is_delta, struct bytes number)
{
        struct last *own = &row->kinds[is_delta], *other = &row->kinds[!is_delta];

        if (own->len > 0 && policy_compare_numbers(number, bytes_make(own->data, own->len)) <= 0)
                return "CRLNumber is not above the last one signed (RFC 5280 5.2.3)";
        if (other->len > 0 && policy_compare_numbers(number, bytes_make(other->data, other->len)) < 0)
                return "CRLNumber is below the last one signed of the other kind (RFC 5280 5.2.3)";
        own->len = (uint8_t)number.len;
        memcpy(own->data, number.data, number.len);
        return NULL;
}

const char *numbers_admit(struct numbers *n, struct bytes issuer, struct bytes idp, bool is_delta, struct bytes number)
{
        const char *why = "out of memory";
        uint8_t scope[HASH_LEN_MAX];
        struct numbers_row *row;

        if (number.len == 0 || number.len > CRL_NUMBER_MAX || make_scope(issuer, idp, scope) != OK)
                return "CRLNumber cannot be judged";
        pthread_mutex_lock(&n->lock);
        row = find_or_add(n, scope);
        if (row)
                why = admit(row, is_delta, number);
        pthread_mutex_unlock(&n->lock);
        return why;
}
