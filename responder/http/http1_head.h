/* http1_head: status line and fields of an HTTP/1.1 answer, put straight into the output. */
#pragma once

#include "responder/answer/request.h"
#include "responder/http/head_field.h"

/* `request` gives version and persistence; answer->close overrides. The service keeps what heads have in common. */
void http1_head_put(
        struct builder *out, struct service *service, const struct request *request, const struct answer *a, int64_t now_s);
