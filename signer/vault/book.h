/* book: what the vault knows at one time: the policy, and the token's handle of each key. Threads hold the book they began a
 * question with; a new one takes its place when the configuration or the token's keys changed (an issuer added, a key made),
 * which a refusal makes the vault look for.
 */
#pragma once

#include <pthread.h>

#include "base/conf.h"
#include "signer/vault/policy.h"
#include "signer/vault/token.h"

struct book_key {
        CK_OBJECT_HANDLE handle;
        bool is_there;
        struct token_problem problem; /* why not */
};

struct book {
        struct policy policy;
        struct book_key *keys; /* as policy.keys */
        unsigned n_missing;
        struct conf *own_conf; /* NULL: the one that the vault started with */
        unsigned n_holders;    /* under the shelf's lock */
};

/* Where the present book stands. */
struct shelf {
        pthread_mutex_t lock;
        struct book *present;
        char *config_file;
        int64_t look_again_ms; /* monotonic; not before this */
};

#define SHELF_INIT                                                                                                          \
        {                                                                                                                   \
                .lock = PTHREAD_MUTEX_INITIALIZER                                                                           \
        }

/* The first book. `conf` stays the caller's and must outlive the shelf. */
MUST_CHECK enum err shelf_open(struct shelf *s, const struct conf *conf, struct token *token);
struct book *shelf_hold(struct shelf *s);
void shelf_release(struct shelf *s, struct book *book);
/* Reads configuration, certificates and keys anew, with this session of the token, at most every few seconds. True: there is
 * a new book. When the configuration cannot be read (this user may not, or it has a mistake), the old one stays. */
bool shelf_look_again(struct shelf *s, const struct token *token, CK_SESSION_HANDLE session);
