/* fixture_private: what the fixture signs with, for the files that make it up.
 *
 *   fixture.c         clock, folders, store, the issuer's key
 *   fixture_client.c  requests, and the client's end of a connection
 *   fixture_engine.c  the double of the engine */
#pragma once

#include "fixture.h"

/* Into `memory`, which grows: the bytes before may have moved. */
struct bytes hex_to(struct builder *memory, const char *hex);

/* What a template borrows from. */
struct parts {
        struct builder responder, cert_id, times;
};
struct ocsp_template make_template(const struct fixture *f, struct parts *p, enum hash_alg hash, int64_t from, int64_t until);
void parts_done(struct parts *p);
void raw_sign(const struct fixture *f, struct bytes tbs, uint8_t raw[SIG_RAW_MAX], size_t *ret_len);
