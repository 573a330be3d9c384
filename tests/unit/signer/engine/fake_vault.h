/* fake_vault: a test double for the supervisor and the vault: a thread that answers on socket pairs and signs with OpenSSL
 * keys in memory. A double, because a token that hangs, fails or answers late at a chosen moment cannot be had of a real
 * one.
 */
#pragma once

#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>

#include "signer/vault_msg.h"

#define FAKE_KEYS 2

struct fake_vault {
        int channel; /* our end of the engine's channel */
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool stop;
        bool hold;         /* takes questions, answers none */
        bool die;          /* closes its sockets once */
        bool fail;         /* says on the bulk lane that the token failed, and closes its sockets */
        bool refuse;       /* starts no vault */
        unsigned n_vaults; /* started so far */
        unsigned n_urgent; /* ResponseData asked on the urgent socket */
        unsigned n_bulk;
        EVP_PKEY *keys[FAKE_KEYS];
        uint8_t spki_sha256[FAKE_KEYS][32];
};

/* *ret_engine_end: the channel for engine_open. The keys are borrowed. */
void fake_vault_start(struct fake_vault *v, EVP_PKEY *ca, EVP_PKEY *ocsp, int *ret_engine_end);
void fake_vault_stop(struct fake_vault *v);
void fake_vault_hold(struct fake_vault *v, bool hold);
void fake_vault_die(struct fake_vault *v);
/* The supervisor's word of its death, then the vault's own on the bulk lane, then the end of both lanes: all of it is there when this
 * returns. */
void fake_vault_fail(struct fake_vault *v);
void fake_vault_refuse(struct fake_vault *v, bool refuse);
unsigned fake_vault_urgent(struct fake_vault *v);
unsigned fake_vault_bulk(struct fake_vault *v);
unsigned fake_vault_started(struct fake_vault *v);
