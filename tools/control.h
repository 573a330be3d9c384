/* control: asks the engine one question over its control socket (docs/formats.md, "The control socket"). */
#pragma once

#include <jansson.h>

#include "base/bytes.h"
#include "base/err.h"

#define CONTROL_PACKET_MAX 65536

struct control_ask {
        json_t *question; /* borrowed: {"command": ...} */
        int fd;           /* goes along with the question; -1 = none */
        int timeout_ms;   /* longest silence of the engine; 0 = wait for ever */
        /* Either may be NULL. */
        void (*on_progress)(void *user, const char *phase, uint64_t done, uint64_t total);
        void (*on_reject)(void *user, uint32_t line, const char *serial, const char *why);
        void *user;
};

/* On a connected socket. *ret_final is the engine's final object, `ok` true or false (owned by the caller). ERR_CLOSED: the
 * engine went away before it; ERR_TIMEOUT; ERR_INVALID: it said what the protocol does not have. */
MUST_CHECK enum err control_ask_on(int socket, const struct control_ask *ask, json_t **ret_final);
/* Connects, asks, closes. ERR_NOT_FOUND: no socket there; ERR_CLOSED: nobody listens; ERR_DENIED: not allowed to connect. */
MUST_CHECK enum err control_ask(const char *socket_path, const struct control_ask *ask, json_t **ret_final);

/* For _cleanup_. */
static inline void control_json_freep(json_t **json)
{
        json_decref(*json);
}
#define _cleanup_json_ __attribute__((cleanup(control_json_freep)))
