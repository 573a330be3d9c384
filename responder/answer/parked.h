/* parked: whoever waits for the engine's answer, an HTTP/1 connection or an HTTP/2 stream, and how it is told. */
#pragma once

#include "responder/answer/sign_client.h"

struct parked {
        struct sign_waiter waiter; /* first */
        /* `answer` borrows; NULL: refused. */
        void (*on_answer)(struct parked *parked, const struct msg_sign_answer *answer);
};
