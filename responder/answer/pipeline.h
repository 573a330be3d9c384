/* pipeline: from octets received to octets to send. Read pipeline.c first: the steps, in order. */
#pragma once

#include "responder/answer/route.h"

/* A turn that went stale this often: the machine is stalled. */
#define PIPELINE_MAX_TURNS 4

/* Requests that will be answered in this turn, in any order: what the first SERVICE_AHEAD of them will read of the store is read together,
 * since each alone would mostly wait for the memory. Only saves time: whoever does without it gets the same answers. */
void pipeline_look_ahead(struct turn *turn, struct request *requests[], unsigned n);
/* PARKED: service->ask is to be asked. The answer borrows until the turn ends. */
enum verdict pipeline_answer(struct turn *turn, const struct request *request, struct sign_slot *sign, struct answer *ret_answer);
/* An answer that no handler made: the request was malformed, say. */
void pipeline_answer_error(struct service *service, const struct request *request, unsigned status, struct answer *ret_answer);
/* A body that is not sent from a file; nothing for HEAD. */
void pipeline_put_body(struct builder *out, const struct request *request, const struct answer *answer);
/* Is `body_len` octets of answer->file, from its offset, the body? */
bool pipeline_sends_file(const struct request *request, const struct answer *answer);
