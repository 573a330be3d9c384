/* head_memo: how heads began that were written last. For a second most say the same there, so its octets are written once and copied from
 * then on. (What a window says is left out: as many are about as there were signing runs.) Each protocol has one of its own. */
#pragma once

#include "responder/answer/answer.h"

/* Octets; what is longer is not kept. */
#define HEAD_MEMO_TEXT 256
#define HEAD_MEMO_SLOTS 16

/* All that the kept octets depend on, without padding. */
struct head_says {
        int64_t now_s, max_age_s;
        uint64_t body_len;
        uint32_t status;
        uint16_t content, cacheable;
};

/* Zeroed it keeps nothing, for no answer has status 0. */
struct head_memo {
        struct head_kept {
                struct head_says says;
                uint8_t text[HEAD_MEMO_TEXT];
                uint16_t len;
        } slots[HEAD_MEMO_SLOTS];
};

static inline struct head_says head_says_of(const struct answer *a, int64_t now_s)
{
        return (struct head_says){now_s, a->max_age_s, a->body_len, a->status, (uint16_t)a->content, a->cacheable};
}

/* Into room that was made sure of. False: they are not kept, and nothing was put. */
bool head_memo_put(const struct head_memo *memo, const struct head_says *says, struct builder *out);
void head_memo_keep(struct head_memo *memo, const struct head_says *says, struct bytes text);
