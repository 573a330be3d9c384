/* pipeline: from octets received to octets to send. Read pipeline.c first: the steps, in order. */
#pragma once

#include "responder/route.h"

/* A turn that went stale this often: the machine is stalled. */
#define PIPELINE_MAX_TURNS 4

/* ---- one request, of any protocol ---- */

/* PARKED: service->ask is to be asked. The answer borrows until the turn ends. */
enum verdict pipeline_answer(struct turn *turn, const struct request *request, struct sign_slot *sign, struct answer *ret_answer);
/* An answer that no handler made: the request was malformed, say. */
void pipeline_answer_error(struct service *service, const struct request *request, unsigned status, struct answer *ret_answer);
/* A body that is not sent from a file; nothing for HEAD. */
void pipeline_put_body(struct builder *out, const struct request *request, const struct answer *answer);
/* Is `body_len` octets of answer->file, from its offset, the body? */
bool pipeline_sends_file(const struct request *request, const struct answer *answer);

/* ---- HTTP/1: a connection's input, request after request ---- */

enum exchange_end {
        EXCHANGE_MORE,   /* every whole request is answered; more octets are needed */
        EXCHANGE_FULL,   /* service->out is full: send it and call again with what is left */
        EXCHANGE_PARKED, /* the request at in[used] waits for a signature: service->ask is to be asked */
        EXCHANGE_FILE,   /* after service->out, `file_len` octets of `file` from `file_offset` are to be sent */
        EXCHANGE_CLOSE,  /* after service->out the connection ends */
};

/* One look at a connection's input. */
struct exchange {
        struct bytes in;           /* received and not answered; begins where a request begins */
        struct http1_state *state; /* of the first request */
        bool is_last;              /* the connection ends after the next answer: we are being drained */
        struct sign_slot sign;     /* of the first request: set when it was parked */

        /* results; the octets to send are in service->out */
        size_t used; /* octets of `in` that are answered */
        enum exchange_end end;
        bool is_refused; /* closed because the input makes no sense: what follows in it is to be drained */
        struct crl_file *file; /* the caller's to release */
        uint64_t file_offset, file_len;
};

void pipeline_run(struct service *service, struct exchange *x);
/* An answer to what is no request (408, say), after which the connection ends. In service->out. */
void pipeline_refuse(struct service *service, unsigned status);
