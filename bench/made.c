#include "bench/made.h"

#include <endian.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

uint64_t made_random(uint64_t *state)
{
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * 2685821657736338717ull;
}

struct serial made_serial(uint64_t *state, uint64_t i, uint64_t n)
{
        uint64_t part = (1ull << 62) / n, words[2];
        struct serial serial = {.len = sizeof words};

        words[0] = htobe64((1ull << 62) + i * part + made_random(state) % part);
        words[1] = made_random(state);
        memcpy(serial.data, words, sizeof words);
        return serial;
}

EVP_PKEY *made_read_key(const char *path)
{
        FILE *f = fopen(path, "r");
        EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

        if (f)
                fclose(f);
        return key;
}
