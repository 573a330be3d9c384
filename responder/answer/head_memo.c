#include "responder/answer/head_memo.h"

/* Good and revoked differ in their length, and signatures by an octet or two. */
static size_t slot_of(const struct head_says *says)
{
        return says->body_len % HEAD_MEMO_SLOTS;
}

bool head_memo_put(const struct head_memo *memo, const struct head_says *says, struct builder *out)
{
        const struct head_kept *kept = &memo->slots[slot_of(says)];

        if (memcmp(&kept->says, says, sizeof *says) != 0)
                return false;
        memcpy(&out->data[out->len], kept->text, kept->len);
        out->len += kept->len;
        return true;
}

void head_memo_keep(struct head_memo *memo, const struct head_says *says, struct bytes text)
{
        struct head_kept *kept = &memo->slots[slot_of(says)];

        if (text.len > sizeof kept->text)
                return;
        kept->says = *says;
        memcpy(kept->text, text.data, text.len);
        kept->len = (uint16_t)text.len;
}
