#include "responder/answer/answer.h"

#include "responder/answer/http_status.h"

void answer_set_text(struct answer *ret_answer, unsigned status, struct bytes text)
{
        *ret_answer = (struct answer){.status = status, .content = CONTENT_TEXT, .bytes = text, .body_len = text.len};
}

void answer_set_status(struct answer *ret_answer, unsigned status)
{
        answer_set_text(ret_answer, status, bytes_str(http_status_reason(status)));
}

void answer_set_ocsp_error(struct answer *ret_answer, enum ocsp_response_status status)
{
        struct bytes der = ocsp_response_error(status);

        *ret_answer = (struct answer){.status = 200, .content = CONTENT_OCSP, .bytes = der, .body_len = der.len};
}

int64_t answer_max_age(int64_t cap_s, int64_t now_s, int64_t next_update_s)
{
        int64_t left = next_update_s - now_s - 1;

        if (left < 0)
                left = 0;
        return cap_s < left ? cap_s : left;
}
