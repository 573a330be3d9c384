/* msg: the sign messages. Each kind's writer and reader stand together, so that a field is added in both.
 *
 *   ask:     u8 kind  u8 version  u64 id  u8 lane  u8 cert_id_hash  u8 nonce_len  u8 n_cert_ids  u8 preferred
 *            n_cert_ids times (u32 ca_key  u8 serial_len  serial)  nonce
 *   answer:  u8 kind  u8 version  u64 id  u8 outcome  u8 n_cert_ids  n_cert_ids times u32 generation
 *            u64 this_update  u64 next_update  block32 response
 *
 * A packet is taken whole or not at all: the output is written when every check has passed.
 */
#include "base/msg.h"

enum { KIND_SIGN_ASK = 1, KIND_SIGN_ANSWER = 2 };

static enum err take_head(struct bytes *in, uint8_t want_kind)
{
        uint8_t kind, version;

        if (bytes_take_u8(in, &kind) != OK || bytes_take_u8(in, &version) != OK || kind != want_kind)
                return ERR_INVALID;
        return version == MSG_VERSION ? OK : ERR_UNSUPPORTED;
}

static void put_head(struct builder *b, uint8_t kind)
{
        builder_put_u8(b, kind);
        builder_put_u8(b, MSG_VERSION);
}

/* What holds for every question, whoever built it. */
static bool ask_is_valid(const struct msg_sign_ask *ask)
{
        if (ask->lane > MSG_LANE_EXTRAS || ask->n_cert_ids < 1 || ask->n_cert_ids > MSG_CERT_IDS_MAX ||
                ask->nonce_len > MSG_NONCE_MAX)
                return false;
        if (ask->lane == MSG_LANE_TRUTH && (ask->n_cert_ids != 1 || ask->nonce_len != 0 || ask->preferred != 0))
                return false;
        for (unsigned i = 0; i < ask->n_cert_ids; i++)
                if (ask->cert_ids[i].serial_len < 1 || ask->cert_ids[i].serial_len > MSG_SERIAL_MAX)
                        return false;
        return true;
}

void msg_sign_ask_put(struct builder *b, const struct msg_sign_ask *ask)
{
        if (!ask_is_valid(ask)) {
                b->failed = true;
                return;
        }
        put_head(b, KIND_SIGN_ASK);
        builder_put_u64(b, ask->id);
        builder_put_u8(b, ask->lane);
        builder_put_u8(b, ask->cert_id_hash);
        builder_put_u8(b, ask->nonce_len);
        builder_put_u8(b, ask->n_cert_ids);
        builder_put_u8(b, ask->preferred);
        for (unsigned i = 0; i < ask->n_cert_ids; i++) {
                builder_put_u32(b, ask->cert_ids[i].ca_key);
                builder_put_u8(b, ask->cert_ids[i].serial_len);
                builder_put(b, bytes_make(ask->cert_ids[i].serial, ask->cert_ids[i].serial_len));
        }
        builder_put(b, bytes_make(ask->nonce, ask->nonce_len));
}

static enum err take_cert_id(struct bytes *in, struct msg_cert_id *id)
{
        struct bytes serial;

        if (bytes_take_u32(in, &id->ca_key) != OK || bytes_take_u8(in, &id->serial_len) != OK ||
                id->serial_len > MSG_SERIAL_MAX || bytes_take(in, id->serial_len, &serial) != OK)
                return ERR_INVALID;
        memcpy(id->serial, serial.data, serial.len);
        return OK;
}

static enum err take_cert_ids(struct bytes *in, struct msg_sign_ask *ask)
{
        if (bytes_take_u8(in, &ask->n_cert_ids) != OK || ask->n_cert_ids > MSG_CERT_IDS_MAX || bytes_take_u8(in, &ask->preferred) != OK)
                return ERR_INVALID;
        for (unsigned i = 0; i < ask->n_cert_ids; i++)
                if (take_cert_id(in, &ask->cert_ids[i]) != OK)
                        return ERR_INVALID;
        return OK;
}

enum err msg_sign_ask_take(struct bytes packet, struct msg_sign_ask *ret_ask)
{
        struct msg_sign_ask ask = {0};
        struct bytes nonce;
        enum err e = take_head(&packet, KIND_SIGN_ASK);

        if (e != OK)
                return e;
        if (bytes_take_u64(&packet, &ask.id) != OK || bytes_take_u8(&packet, &ask.lane) != OK ||
                bytes_take_u8(&packet, &ask.cert_id_hash) != OK || bytes_take_u8(&packet, &ask.nonce_len) != OK ||
                ask.nonce_len > MSG_NONCE_MAX || take_cert_ids(&packet, &ask) != OK ||
                bytes_take(&packet, ask.nonce_len, &nonce) != OK || packet.len != 0)
                return ERR_INVALID;
        if (nonce.len > 0)
                memcpy(ask.nonce, nonce.data, nonce.len);
        if (!ask_is_valid(&ask))
                return ERR_INVALID;
        *ret_ask = ask;
        return OK;
}

/* A response stands in a signed answer, and only there. */
static bool answer_is_valid(const struct msg_sign_answer *answer)
{
        if (answer->outcome > MSG_UNAUTHORIZED || answer->n_cert_ids > MSG_CERT_IDS_MAX)
                return false;
        if (answer->outcome != MSG_SIGNED)
                return answer->response.len == 0;
        return answer->response.len > 0 && answer->n_cert_ids >= 1 && answer->this_update_s <= answer->next_update_s;
}

void msg_sign_answer_put(struct builder *b, const struct msg_sign_answer *answer)
{
        if (!answer_is_valid(answer)) {
                b->failed = true;
                return;
        }
        put_head(b, KIND_SIGN_ANSWER);
        builder_put_u64(b, answer->id);
        builder_put_u8(b, answer->outcome);
        builder_put_u8(b, answer->n_cert_ids);
        for (unsigned i = 0; i < answer->n_cert_ids; i++)
                builder_put_u32(b, answer->generations[i]);
        builder_put_u64(b, (uint64_t)answer->this_update_s);
        builder_put_u64(b, (uint64_t)answer->next_update_s);
        builder_put_block32(b, answer->response);
}

static enum err take_generations(struct bytes *in, struct msg_sign_answer *answer)
{
        if (bytes_take_u8(in, &answer->n_cert_ids) != OK || answer->n_cert_ids > MSG_CERT_IDS_MAX)
                return ERR_INVALID;
        for (unsigned i = 0; i < answer->n_cert_ids; i++)
                if (bytes_take_u32(in, &answer->generations[i]) != OK)
                        return ERR_INVALID;
        return OK;
}

static enum err take_time(struct bytes *in, int64_t *ret_time_s)
{
        uint64_t value;

        if (bytes_take_u64(in, &value) != OK || value > INT64_MAX)
                return ERR_INVALID;
        *ret_time_s = (int64_t)value;
        return OK;
}

enum err msg_sign_answer_take(struct bytes packet, struct msg_sign_answer *ret_answer)
{
        struct msg_sign_answer answer = {0};
        enum err e = take_head(&packet, KIND_SIGN_ANSWER);

        if (e != OK)
                return e;
        if (bytes_take_u64(&packet, &answer.id) != OK || bytes_take_u8(&packet, &answer.outcome) != OK ||
                take_generations(&packet, &answer) != OK || take_time(&packet, &answer.this_update_s) != OK ||
                take_time(&packet, &answer.next_update_s) != OK || bytes_take_block32(&packet, &answer.response) != OK ||
                packet.len != 0)
                return ERR_INVALID;
        if (!answer_is_valid(&answer))
                return ERR_INVALID;
        *ret_answer = answer;
        return OK;
}
