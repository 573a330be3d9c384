/* route: what a handler is given and what it may say. Handlers know nothing of protocols and connections. */
#pragma once

#include "base/msg.h"
#include "responder/answer/answer.h"
#include "responder/answer/request.h"
#include "responder/answer/service.h"

enum verdict {
        VERDICT_ANSWERED, /* the answer is filled */
        VERDICT_PARKED,   /* service->ask is filled: to be handled again with the engine's answer */
};

/* How a request stands with the engine; kept by whoever parks it. */
struct sign_slot {
        const struct msg_sign_answer *answer; /* NULL: none yet */
        bool refused;                         /* the engine will not: tryLater, whatever else */
        int64_t since_us;                     /* monotonic: when it was handled first */
        unsigned n_asked;                     /* so many times: a truth that keeps moving is not chased for ever */
};

/* `rest` is the path behind the route's prefix. */
typedef enum verdict route_handler(
        struct turn *turn, const struct request *request, struct bytes rest, struct sign_slot *sign, struct answer *ret_answer);

route_handler answer_ocsp;
route_handler answer_crl;
route_handler answer_ari;
route_handler answer_issuer;
route_handler answer_health;
