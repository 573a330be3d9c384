/* vault_process: the real tocsin-vault as a child, and both ends that the engine would hold. Nothing waits forever: a silent
 * vault fails the test. */
#pragma once

#include <sys/types.h>

#include "fixture.h"
#include "signer/vault_msg.h"

struct vault_process {
        pid_t pid;
        int urgent, bulk;
        uint8_t packet[VAULT_PACKET_MAX]; /* the last answer's bytes */
        struct vault_answer answer;
};

/* Starts $TOCSIN_VAULT; the first packet is not yet taken. */
struct vault_process *vault_start(const struct fixture *f);
/* ... and takes its announcement, which must be that the token opened. */
struct vault_process *vault_start_ready(const struct fixture *f);
void vault_send(struct vault_process *v, int lane, const struct vault_question *q, int fd);
void vault_send_bytes(int lane, struct bytes packet);
/* The next answer of that lane. */
const struct vault_answer *vault_take(struct vault_process *v, int lane);
const struct vault_answer *vault_ask(struct vault_process *v, const struct vault_question *q, int fd);
/* Waits for its end: the exit code, or 128 + signal. */
int vault_wait(struct vault_process *v);
/* Closes our ends, by which it ends; and frees. */
void vault_stop(struct vault_process *v);

/* A question of kind OCSP with the key of that policy index. */
struct vault_question question_ocsp(const struct fixture *f, int key, const struct builder *tbs, unsigned n);
struct vault_question question_crl(const struct fixture *f, int key, size_t len);
/* A memfd with those bytes, at its end as a writer leaves it. */
int make_memfd(struct bytes content);
