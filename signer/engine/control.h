/* control: the operators' socket (docs/formats.md): one JSON question a packet, any number of interim packets, one final
 * one.
 *
 * A client has one question open at a time. A handler answers at once, or keeps a reference and answers later, from the main
 * thread; a client that hung up meanwhile has `gone` set, and what is sent to it goes nowhere.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "signer/engine/outbox.h"

struct engine;
struct event;

#define CONTROL_PACKET_MAX 65536

struct client {
        struct engine *engine;
        int fd;
        struct event *readable, *writable;
        struct outbox out;
        unsigned n_refs;
        bool gone, busy, finished;
        char actor[128]; /* "uid:0 (root)" */
        struct client *next;
};

struct control {
        int fd;
        struct event *listener;
        struct client *clients;
        char *path;
};

MUST_CHECK enum err control_start(struct engine *engine);
/* Takes no more clients and questions. */
void control_stop(struct engine *engine);

struct client *client_ref(struct client *client);
void client_unref(struct client *client);
/* Interim packet; the reference to `object` is taken. `may_drop`: progress, of no use when the client does not read. */
void client_send(struct client *client, json_t *object, bool may_drop);
void client_progress(struct client *client, const char *phase, uint64_t done, uint64_t total);
/* The final packet: adds "ok": true. Takes the reference. */
void client_finish(struct client *client, json_t *object);
/* ... or "ok": false. `hint` may be NULL. */
void client_fail(struct client *client, enum err code, const char *hint, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* ---- commands: control_command.c ---- */

struct command {
        const char *name;
        /* Owns `fd`, if the command takes one (else -1). */
        void (*run)(struct client *client, json_t *question, int fd);
        bool needs_fd;
        struct command_field {
                const char *name;
                json_type type; /* JSON_TRUE stands for both booleans */
                bool required;
        } fields[5];
};

/* Checks one packet against the table and runs it; owns `fd`. */
void control_dispatch(struct client *client, const char *text, size_t len, int fd);
/* NULL: well-formed; else what is wrong with it, in words. For dispatch and its test. */
const char *control_check_question(json_t *question, int fd, const struct command **ret_command, char *memory, size_t cap);

void command_status(struct client *client, json_t *question, int fd);
void command_issuer_list(struct client *client, json_t *question, int fd);
void command_import(struct client *client, json_t *question, int fd);
void command_revoke(struct client *client, json_t *question, int fd);
void command_release(struct client *client, json_t *question, int fd);
void command_show(struct client *client, json_t *question, int fd);
void command_batch_list(struct client *client, json_t *question, int fd);
void command_crl_issue(struct client *client, json_t *question, int fd);
void command_crl_list(struct client *client, json_t *question, int fd);
void command_check(struct client *client, json_t *question, int fd);
void command_reload(struct client *client, json_t *question, int fd);

/* ---- JSON of times, serials and octets ---- */
json_t *json_time(int64_t time_s); /* null for 0 */
json_t *json_hex(const void *data, size_t len);
json_t *json_serial(const void *data, size_t len);
json_t *json_text(const void *data, size_t len);            /* what is not UTF-8 becomes '?' */
const char *json_field(json_t *question, const char *name); /* a string, or NULL */
/* "not-found": the short name of an error. */
const char *control_code(enum err e);
