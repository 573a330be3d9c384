/* condition: conditional and range requests (RFC 9110 13, 14), decided in one place for every answer. Pure. */
#pragma once

#include "responder/answer/answer.h"
#include "responder/answer/request.h"

/* Turns a 200 with a validator into a 304, 206 or 416 where the request's fields ask for it. The order is RFC 9110 13.2.2's:
 * If-None-Match, else If-Modified-Since; then Range, guarded by If-Range. */
void condition_apply(const struct request *request, struct answer *answer);
