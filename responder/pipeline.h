/* pipeline: from octets received to octets to send. Read pipeline.c first: the steps, in order. */
#pragma once

#include "responder/route.h"

/* A turn that went stale this often: the machine is stalled. */
#define PIPELINE_MAX_TURNS 4

/* ---- requests, of any protocol ---- */

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

/* ---- HTTP/1: a connection's input, request after request ---- */

enum exchange_end {
        EXCHANGE_MORE,   /* every whole request is answered; more octets are needed */
        EXCHANGE_FULL,   /* service->out is full: send it and call again with what is left */
        EXCHANGE_PARKED, /* the request at in[used] waits for a signature: `ask` is to be asked */
        EXCHANGE_FILE,   /* after the octets, `file_len` octets of `file` from `file_offset` are to be sent */
        EXCHANGE_CLOSE,  /* after the octets the connection ends */
};

/* One look at a connection's input. */
struct exchange {
        struct bytes in;          /* received and not answered; begins where a request begins */
        struct http1_state state; /* of the first request, before and after */
        bool is_last;             /* the connection ends after the next answer: we are being drained */
        struct sign_slot sign;    /* of the first request: set when it was parked */
        int client;               /* its socket; -1 = none */
        uint64_t client_address;  /* limits_client */
        struct msg_sign_ask *ask; /* PARKED fills it */

        /* results */
        size_t used; /* octets of `in` that are answered */
        enum exchange_end end;
        bool is_refused; /* closed because the input makes no sense: what follows in it is to be drained */
        size_t out_at, out_len; /* the octets to send, in service->out */
        struct crl_file *file;  /* the caller's to release */
        uint64_t file_offset, file_len;

        size_t read;  /* octets of `in` that are read so far: pipeline.c's */
        bool is_read; /* ... and there is nothing whole behind them */
};

/* Several connections at once, in one turn (SERVICE_AHEAD at most). Any may end FULL because of the others. */
void pipeline_run(struct service *service, struct exchange xs[], unsigned n);
/* An answer to what is no request (408, say), after which the connection ends. In service->out. */
void pipeline_refuse(struct service *service, unsigned status);
