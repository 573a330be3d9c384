/* check_tls: will the responder be able to serve TLS: its certificate, the chain, the key. For `tocsin check`. */
#pragma once

#include "base/conf.h"

enum check_level { CHECK_FINE, CHECK_NOTICE, CHECK_WRONG };

/* Told of each finding; `next` is what to do about it, or NULL. Both texts live until it returns. */
typedef void check_found_fn(void *arg, enum check_level level, const char *next, const char *text);

/* Nothing is told where conf responder.tls_listen is empty. */
void check_tls(const struct conf *conf, int64_t now_s, check_found_fn *found, void *arg);
