/* made: what mkstore and mkcrl make alike: serials that stand for those of real certificates, out of numbers that are no secret. */
#pragma once

#include <openssl/evp.h>

#include "pki/serial.h"

/* xorshift64*. `state` is not 0. */
uint64_t made_random(uint64_t *state);
/* 16 octets, positive; the i-th (below n) is random within the i-th of n equal parts of their range, so each is greater than the one
 * before it. */
struct serial made_serial(uint64_t *state, uint64_t i, uint64_t n);
/* A private key in PEM. The caller's; NULL: there is none. */
EVP_PKEY *made_read_key(const char *path);
