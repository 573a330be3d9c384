/* exchange: HTTP/1 over the pipeline: a connection's input, request after request, and the octets to send. */
#pragma once

#include "responder/answer/pipeline.h"
#include "responder/http/http1.h"

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

        size_t read;  /* octets of `in` that are read so far: exchange.c's */
        bool is_read; /* ... and there is nothing whole behind them */
};

/* Several connections at once, in one turn (SERVICE_AHEAD at most). Any may end FULL because of the others. */
void exchange_run(struct service *service, struct exchange xs[], unsigned n);
/* An answer to what is no request (408, say), after which the connection ends. In service->out. */
void exchange_refuse(struct service *service, unsigned status);
