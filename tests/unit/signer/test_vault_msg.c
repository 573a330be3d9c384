/* What signer/vault_msg.h promises: what was put is taken, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "signer/vault_msg.h"

static uint8_t memory[VAULT_PACKET_MAX];

static struct bytes put_question(const struct vault_question *q)
{
        struct builder b = builder_fixed(memory, sizeof(memory));

        vault_question_put(&b, q);
        assert_false(builder_failed(&b));
        return builder_bytes(&b);
}

static struct vault_question make_question(uint8_t kind, unsigned n)
{
        struct vault_question q = {
                .kind = kind, .id = 0x0102030405060708, .sig_alg = SIG_P384_SHA384, .n = n, .crl_len = 1ULL << 40};

        memset(q.signer, 0xab, sizeof(q.signer));
        for (unsigned i = 0; i < n; i++)
                q.tbs[i] = bytes_make("0123456789", i % 11);
        return q;
}

static void every_kind_of_question_comes_back_as_it_went(void **state)
{
        (void)state;
        for (uint8_t kind = VAULT_SIGN_OCSP; kind <= VAULT_HEALTH; kind++) {
                struct vault_question q = make_question(kind, kind == VAULT_SIGN_OCSP ? VAULT_BATCH_MAX : 0), got;

                assert_int_equal(vault_question_take(put_question(&q), &got), OK);
                assert_int_equal(got.kind, kind);
                assert_int_equal(got.id, q.id);
                assert_int_equal(got.n, q.n);
                for (unsigned i = 0; i < q.n; i++)
                        assert_true(bytes_equal(got.tbs[i], q.tbs[i]));
                if (kind == VAULT_HEALTH)
                        continue;
                assert_memory_equal(got.signer, q.signer, 32);
                assert_int_equal(got.sig_alg, q.sig_alg);
                assert_int_equal(got.crl_len, kind == VAULT_SIGN_CRL ? q.crl_len : 0);
        }
}

static void a_full_batch_of_the_longest_signatures_fits_a_packet(void **state)
{
        static uint8_t raw[SIG_RAW_MAX];
        struct vault_answer a = {.kind = VAULT_SIGN_OCSP, .id = 9, .text = BYTES_LIT("fine"), .n = VAULT_BATCH_MAX}, got;
        struct builder b = builder_fixed(memory, sizeof(memory));

        (void)state;
        for (unsigned i = 0; i < a.n; i++)
                a.signatures[i] = BYTES_OF(raw);
        vault_answer_put(&b, &a);
        assert_false(builder_failed(&b));
        assert_int_equal(vault_answer_take(builder_bytes(&b), &got), OK);
        assert_int_equal(got.n, VAULT_BATCH_MAX);
        assert_int_equal(got.id, 9);
        assert_true(bytes_equal(got.text, a.text));
        assert_int_equal(got.signatures[63].len, SIG_RAW_MAX);
}

static void every_shorter_and_every_longer_packet_is_refused(void **state)
{
        struct vault_question got;

        (void)state;
        for (uint8_t kind = VAULT_SIGN_OCSP; kind <= VAULT_HEALTH; kind++) {
                struct vault_question q = make_question(kind, kind == VAULT_SIGN_OCSP ? 3 : 0);
                struct bytes packet = put_question(&q);

                for (size_t len = 0; len < packet.len; len++)
                        assert_int_not_equal(vault_question_take(bytes_make(packet.data, len), &got), OK);
                memory[packet.len] = 0;
                assert_int_equal(vault_question_take(bytes_make(packet.data, packet.len + 1), &got), ERR_INVALID);
        }
}

/* Offsets of the layout in vault_msg.h. */
static void foreign_versions_kinds_algorithms_and_counts_are_refused(void **state)
{
        static const struct {
                size_t at;
                uint8_t value;
                enum err e;
        } rows[] = {{0, 2, ERR_VERSION}, {1, 0, ERR_INVALID}, {1, 4, ERR_INVALID}, {42, SIG_N, ERR_INVALID},
                {43, 0, ERR_INVALID}, {43, 65, ERR_INVALID}};
        struct vault_question q = make_question(VAULT_SIGN_OCSP, 1), got;

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct bytes packet = put_question(&q);

                memory[rows[i].at] = rows[i].value;
                assert_int_equal(vault_question_take(packet, &got), rows[i].e);
        }
}

/* All its blocks are there; they would be written behind the array. */
static void one_more_than_a_batch_is_refused_though_it_is_whole(void **state)
{
        struct builder b = builder_fixed(memory, sizeof(memory));
        static struct vault_question got; /* 64 of it are used */
        struct vault_answer answer;

        (void)state;
        for (unsigned is_answer = 0; is_answer < 2; is_answer++) {
                builder_reset(&b);
                builder_put_u8(&b, VAULT_MSG_VERSION);
                builder_put_u8(&b, VAULT_SIGN_OCSP);
                builder_put_u64(&b, 7);
                if (is_answer) {
                        builder_put_u8(&b, VAULT_OK);
                        builder_put_block16(&b, BYTES_NONE);
                } else {
                        builder_extend(&b, 32);
                        builder_put_u8(&b, SIG_P256_SHA256);
                }
                builder_put_u8(&b, VAULT_BATCH_MAX + 1);
                for (unsigned i = 0; i <= VAULT_BATCH_MAX; i++)
                        builder_put_block16(&b, BYTES_LIT("x"));
                if (is_answer)
                        assert_int_equal(vault_answer_take(builder_bytes(&b), &answer), ERR_INVALID);
                else
                        assert_int_equal(vault_question_take(builder_bytes(&b), &got), ERR_INVALID);
        }
}

static void a_question_for_nothing_is_none(void **state)
{
        struct vault_question q = make_question(VAULT_SIGN_OCSP, 1), got;
        struct bytes packet = put_question(&q);

        (void)state;
        memory[43] = 0;
        assert_int_equal(vault_question_take(bytes_make(packet.data, 44), &got), ERR_INVALID);
}

static void no_octet_of_an_answer_may_be_missing_or_too_many(void **state)
{
        struct vault_answer a = {.kind = VAULT_SIGN_OCSP, .id = 9, .text = BYTES_LIT("why"), .n = 1, .signatures = {BYTES_LIT("raw")}}, got;
        struct builder b = builder_fixed(memory, sizeof(memory));

        (void)state;
        vault_answer_put(&b, &a);
        assert_int_equal(vault_answer_take(builder_bytes(&b), &got), OK);
        for (size_t len = 0; len < b.len; len++)
                assert_int_not_equal(vault_answer_take(bytes_make(b.data, len), &got), OK);
        builder_put_u8(&b, 0);
        assert_int_equal(vault_answer_take(builder_bytes(&b), &got), ERR_INVALID);
}

static void a_refused_question_still_tells_its_id(void **state)
{
        struct vault_question q = make_question(VAULT_SIGN_OCSP, 1), got;
        struct bytes packet = put_question(&q);

        (void)state;
        memory[42] = SIG_N;
        assert_int_equal(vault_question_take(packet, &got), ERR_INVALID);
        assert_int_equal(got.kind, VAULT_SIGN_OCSP);
        assert_int_equal(got.id, q.id);
}

static void more_than_a_batch_cannot_be_put(void **state)
{
        struct vault_question q = make_question(VAULT_SIGN_OCSP, 1);
        struct builder b = builder_fixed(memory, sizeof(memory));

        (void)state;
        q.n = VAULT_BATCH_MAX + 1;
        vault_question_put(&b, &q);
        assert_true(builder_failed(&b));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_kind_of_question_comes_back_as_it_went),
                cmocka_unit_test(a_full_batch_of_the_longest_signatures_fits_a_packet),
                cmocka_unit_test(every_shorter_and_every_longer_packet_is_refused),
                cmocka_unit_test(foreign_versions_kinds_algorithms_and_counts_are_refused),
                cmocka_unit_test(one_more_than_a_batch_is_refused_though_it_is_whole),
                cmocka_unit_test(a_question_for_nothing_is_none),
                cmocka_unit_test(no_octet_of_an_answer_may_be_missing_or_too_many),
                cmocka_unit_test(a_refused_question_still_tells_its_id),
                cmocka_unit_test(more_than_a_batch_cannot_be_put),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
