/* book: see book.h. A book is freed by whoever is the last to let go of it. */
#include "signer/vault/book.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/vault/policy_load.h"

#define LOOK_AGAIN_MS 5000

static void book_free(struct book *b)
{
        if (!b)
                return;
        policy_done(&b->policy);
        free(b->keys);
        conf_free(b->own_conf);
        free(b);
}

static void book_freep(struct book **b)
{
        book_free(*b);
}

/* Keys that are not there are named now, and their questions answered VAULT_NO_KEY; the others sign. */
static enum err find_keys(struct book *b, struct token *token)
{
        b->keys = calloc(b->policy.n_keys + 1, sizeof(*b->keys));
        if (!b->keys)
                return ERR_NOMEM;
        for (unsigned i = 0; i < b->policy.n_keys; i++) {
                const struct policy_key *key = &b->policy.keys[i];
                struct book_key *found = &b->keys[i];

                found->is_there =
                        token_find_key(token, key->label, key->kind, key->spki, &found->handle, &found->problem) == OK;
                if (found->is_there)
                        continue;
                b->n_missing++;
                log_error("a signing key is missing: make it with `tocsin key new`, or install the certificate that fits it "
                          "key=%s why=\"%s\"",
                        key->label, found->problem.text);
        }
        return OK;
}

static enum err book_make(const struct conf *conf, struct token *token, struct book **ret)
{
        _cleanup_(book_freep) struct book *b = calloc(1, sizeof(*b));
        enum err e = b ? policy_load(conf, clock_now_s(), &b->policy) : ERR_NOMEM;

        if (e == OK)
                e = find_keys(b, token);
        if (e != OK)
                return e;
        b->n_holders = 1; /* the shelf */
        *ret = steal(&b);
        return OK;
}

enum err shelf_open(struct shelf *s, const struct conf *conf, struct token *token)
{
        s->config_file = strdup(conf->file);
        return s->config_file ? book_make(conf, token, &s->present) : ERR_NOMEM;
}

struct book *shelf_hold(struct shelf *s)
{
        struct book *b;

        pthread_mutex_lock(&s->lock);
        b = s->present;
        b->n_holders++;
        pthread_mutex_unlock(&s->lock);
        return b;
}

void shelf_release(struct shelf *s, struct book *book)
{
        bool is_last;

        pthread_mutex_lock(&s->lock);
        is_last = --book->n_holders == 0;
        pthread_mutex_unlock(&s->lock);
        if (is_last)
                book_free(book);
}

/* One thread looks, the others go on with what they have. */
static bool is_my_turn(struct shelf *s)
{
        int64_t now_ms = clock_mono_ms();
        bool mine;

        pthread_mutex_lock(&s->lock);
        mine = now_ms >= s->look_again_ms;
        if (mine)
                s->look_again_ms = now_ms + LOOK_AGAIN_MS;
        pthread_mutex_unlock(&s->lock);
        return mine;
}

bool shelf_look_again(struct shelf *s, const struct token *token, CK_SESSION_HANDLE session)
{
        struct token view = *token; /* with the caller's own session first, which is what finding uses */
        struct conf_problem problem;
        struct conf *conf = NULL;
        struct book *fresh = NULL, *old;

        if (!is_my_turn(s))
                return false;
        view.sessions[0] = session;
        if (conf_load(s->config_file, &conf, &problem) != OK) {
                log_warning("the configuration cannot be read again, the vault goes on with what it has why=\"%s\"",
                        problem.text);
                return false;
        }
        if (book_make(conf, &view, &fresh) != OK) {
                conf_free(conf);
                return false;
        }
        fresh->own_conf = conf;
        pthread_mutex_lock(&s->lock);
        old = s->present;
        s->present = fresh;
        pthread_mutex_unlock(&s->lock);
        shelf_release(s, old);
        return true;
}
