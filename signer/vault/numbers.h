/* numbers: the last CRLNumber that this vault signed, for each scope and kind. In memory only: it guards against a neighbour
 * that signs one number twice. Over restarts of the vault policy_check_crl_tail's floor does; that numbers grow over restores
 * is the engine's part (req 4.2). */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "pki/crl.h"

struct numbers_row;

struct numbers {
        pthread_mutex_t lock;
        struct numbers_row *rows;
        unsigned n_rows;
};

#define NUMBERS_INIT                                                                                                        \
        {                                                                                                                   \
                .lock = PTHREAD_MUTEX_INITIALIZER                                                                           \
        }
void numbers_done(struct numbers *n);

/* May a CRL of that kind with that number be signed now? NULL = yes, and it counts as signed. It must be above the last of
 * its own kind, and not below the last of the other: a full CRL and a delta issued together carry one number (RFC
 * 5280 5.2.3, req 4.3). `idp`: the extension's content whole, which names the scope. */
const char *numbers_admit(struct numbers *n, struct bytes issuer, struct bytes idp, bool is_delta, struct bytes number);
