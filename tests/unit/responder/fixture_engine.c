/* fixture_engine: the double of the engine on the sign socket. It answers what the test says, signed with the issuer's key. */
#include "fixture_private.h"

#include <sys/socket.h>

bool engine_take(struct fixture *f, struct msg_sign_ask *ret_ask)
{
        uint8_t packet[MSG_SIGN_ASK_MAX];
        size_t len;

        pump(f);
        if (f->engine < 0)
                f->engine = accept4(f->engine_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (f->engine < 0 || msg_receive(f->engine, packet, sizeof packet, &len, NULL) != OK)
                return false;
        assert_int_equal(msg_sign_ask_take(bytes_make(packet, len), ret_ask), OK);
        return true;
}

struct msg_sign_ask engine_expect(struct client *c)
{
        struct msg_sign_ask ask;
        struct reply r;

        assert_true(engine_take(c->f, &ask));
        assert_false(client_take(c, false, &r));
        return ask;
}

void engine_send(struct fixture *f, const struct msg_sign_answer *answer)
{
        _cleanup_(builder_done) struct builder b = {0};

        msg_sign_answer_put(&b, answer);
        assert_false(builder_failed(&b));
        assert_int_equal(msg_send(f->engine, builder_bytes(&b), -1), OK);
        pump(f);
}

void engine_answer_each(struct fixture *f, const struct msg_sign_ask *ask, const struct ocsp_status statuses[],
        const uint32_t generations[], int64_t this_update_s)
{
        _cleanup_(parts_done) struct parts parts = {0};
        _cleanup_(builder_done) struct builder tbs = {0}, der = {0};
        struct ocsp_template t = make_template(f, &parts, ask->cert_id_hash, this_update_s, NOW + 86400);
        struct msg_sign_answer answer = {.id = ask->id, .outcome = MSG_SIGNED, .n_cert_ids = ask->n_cert_ids,
                .this_update_s = this_update_s, .next_update_s = NOW + 86400};
        struct ocsp_single singles[OCSP_CERT_IDS_MAX];
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len;

        for (unsigned i = 0; i < ask->n_cert_ids; i++) {
                singles[i] = (struct ocsp_single){
                        t.cert_id, bytes_make(ask->cert_ids[i].serial, ask->cert_ids[i].serial_len), statuses[i]};
                answer.generations[i] = generations[i];
        }
        ocsp_response_put_tbs(&tbs, &t, singles, ask->n_cert_ids);
        raw_sign(f, builder_bytes(&tbs), raw, &raw_len);
        ocsp_response_put(&der, &t, builder_bytes(&tbs), bytes_make(raw, raw_len));
        assert_false(builder_failed(&tbs) || builder_failed(&der));
        answer.response = builder_bytes(&der);
        engine_send(f, &answer);
}

void engine_answer(struct fixture *f, const struct msg_sign_ask *ask, const struct ocsp_status *status, uint32_t generation,
        int64_t this_update_s)
{
        struct ocsp_status statuses[OCSP_CERT_IDS_MAX];
        uint32_t generations[OCSP_CERT_IDS_MAX];

        for (unsigned i = 0; i < ask->n_cert_ids; i++) {
                statuses[i] = *status;
                generations[i] = generation;
        }
        engine_answer_each(f, ask, statuses, generations, this_update_s);
}

void engine_refuse(struct fixture *f, const struct msg_sign_ask *ask, enum msg_outcome outcome)
{
        struct msg_sign_answer answer = {.id = ask->id, .outcome = (uint8_t)outcome, .n_cert_ids = ask->n_cert_ids};

        engine_send(f, &answer);
}
