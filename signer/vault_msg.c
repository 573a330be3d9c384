/* vault_msg: writer and reader of one packet stand side by side; both ends of the pair use these and nothing else.
 *
 * A reader checks version, kind, counts, algorithm and that nothing trails before it hands out anything.
 */
#include "signer/vault_msg.h"

static void put_head(struct builder *b, uint8_t kind, uint64_t id)
{
        builder_put_u8(b, VAULT_MSG_VERSION);
        builder_put_u8(b, kind);
        builder_put_u64(b, id);
}

static enum err take_head(struct bytes *in, uint8_t *ret_kind, uint64_t *ret_id)
{
        uint8_t version, kind;
        uint64_t id;

        if (bytes_take_u8(in, &version) != OK || bytes_take_u8(in, &kind) != OK || bytes_take_u64(in, &id) != OK)
                return ERR_INVALID;
        if (version != VAULT_MSG_VERSION)
                return ERR_VERSION;
        if (kind < VAULT_SIGN_OCSP || kind > VAULT_HEALTH)
                return ERR_INVALID;
        *ret_kind = kind;
        *ret_id = id;
        return OK;
}

static void put_blocks(struct builder *b, const struct bytes *blocks, unsigned n)
{
        builder_put_u8(b, (uint8_t)n);
        for (unsigned i = 0; i < n; i++)
                builder_put_block16(b, blocks[i]);
}

static enum err take_blocks(struct bytes *in, unsigned min, struct bytes *ret_blocks, unsigned *ret_n)
{
        uint8_t n;

        if (bytes_take_u8(in, &n) != OK || n < min || n > VAULT_BATCH_MAX)
                return ERR_INVALID;
        for (unsigned i = 0; i < n; i++)
                if (bytes_take_block16(in, &ret_blocks[i]) != OK)
                        return ERR_INVALID;
        *ret_n = n;
        return OK;
}

static enum err take_signer(struct bytes *in, uint8_t ret_signer[32], enum sig_alg *ret_alg)
{
        struct bytes signer;
        uint8_t alg;

        if (bytes_take(in, 32, &signer) != OK || bytes_take_u8(in, &alg) != OK || alg >= SIG_N)
                return ERR_INVALID;
        memcpy(ret_signer, signer.data, signer.len);
        *ret_alg = (enum sig_alg)alg;
        return OK;
}

void vault_question_put(struct builder *b, const struct vault_question *q)
{
        if (q->n > VAULT_BATCH_MAX || q->sig_alg >= SIG_N)
                b->failed = true;
        put_head(b, q->kind, q->id);
        if (q->kind == VAULT_HEALTH)
                return;
        builder_put(b, bytes_make(q->signer, sizeof(q->signer)));
        builder_put_u8(b, (uint8_t)q->sig_alg);
        if (q->kind == VAULT_SIGN_CRL)
                builder_put_u64(b, q->crl_len);
        else
                put_blocks(b, q->tbs, b->failed ? 0 : q->n);
}

static enum err take_question_body(struct bytes *in, struct vault_question *ret)
{
        if (ret->kind == VAULT_HEALTH)
                return OK;
        if (take_signer(in, ret->signer, &ret->sig_alg) != OK)
                return ERR_INVALID;
        if (ret->kind == VAULT_SIGN_CRL)
                return bytes_take_u64(in, &ret->crl_len);
        return take_blocks(in, 1, ret->tbs, &ret->n);
}

/* `ret` is the reader's own memory, too large to be copied for every packet: on failure what it holds means nothing, except
 * that kind and id are those of the packet once its head was whole, so that a refusal can name the question. */
enum err vault_question_take(struct bytes packet, struct vault_question *ret)
{
        enum err e;

        ret->kind = 0;
        ret->id = 0;
        ret->n = 0;
        ret->crl_len = 0;
        e = take_head(&packet, &ret->kind, &ret->id);
        if (e == OK)
                e = take_question_body(&packet, ret);
        if (e == OK && packet.len != 0)
                e = ERR_INVALID;
        return e;
}

void vault_answer_put(struct builder *b, const struct vault_answer *a)
{
        if (a->n > VAULT_BATCH_MAX)
                b->failed = true;
        put_head(b, a->kind, a->id);
        builder_put_u8(b, a->outcome);
        builder_put_block16(b, a->text);
        put_blocks(b, a->signatures, b->failed ? 0 : a->n);
}

enum err vault_answer_take(struct bytes packet, struct vault_answer *ret)
{
        enum err e = take_head(&packet, &ret->kind, &ret->id);

        if (e != OK)
                return e;
        if (bytes_take_u8(&packet, &ret->outcome) != OK || ret->outcome > VAULT_TOKEN)
                return ERR_INVALID;
        if (bytes_take_block16(&packet, &ret->text) != OK || take_blocks(&packet, 0, ret->signatures, &ret->n) != OK)
                return ERR_INVALID;
        return packet.len == 0 ? OK : ERR_INVALID;
}
