/* The real tocsin-vault over its pairs: what it signs verifies, and what it cannot parse as ResponseData or TBSCertList of
 * its own issuers it refuses: with a CA key in the token, nobody gets a certificate signed. */
#include "vault_process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "pki/der.h"

static struct fixture *f;

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static void assert_text(const struct vault_answer *a, enum vault_outcome outcome, const char *words)
{
        if (a->outcome != outcome || !memmem(a->text.data, a->text.len, words, strlen(words)))
                fail_msg("expected %d \"%s\", got %d \"%.*s\"", outcome, words, a->outcome, (int)a->text.len,
                        (const char *)a->text.data);
}

static struct builder make_ocsp(const struct ocsp_case *c)
{
        struct builder b = {0};

        fixture_put_ocsp(f, &b, c);
        return b;
}

static int ocsp_key(enum fixture_issuer issuer)
{
        return f->policy.issuers[issuer].ocsp_key;
}

/* ---- OCSP ---- */

static void sign_batch(struct vault_process *v, enum fixture_issuer issuer, unsigned n)
{
        struct builder tbs = make_ocsp(&(struct ocsp_case){.issuer = issuer});
        struct vault_question q = question_ocsp(f, ocsp_key(issuer), &tbs, n);
        const struct vault_answer *a = vault_ask(v, &q, -1);

        assert_text(a, VAULT_OK, "");
        assert_int_equal(a->id, q.id);
        assert_int_equal(a->n, n);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(
                        sig_verify(q.sig_alg, f->policy.keys[ocsp_key(issuer)].spki, builder_bytes(&tbs), a->signatures[i]),
                        OK);
        builder_done(&tbs);
}

static void a_whole_batch_is_signed_and_every_signature_verifies(void **state)
{
        struct vault_process *v = vault_start_ready(f);

        (void)state;
        sign_batch(v, ALPHA, VAULT_BATCH_MAX);
        sign_batch(v, BETA, 3);
        sign_batch(v, ALPHA, 1);
        vault_stop(v);
}

static void every_digest_that_a_key_can_have_verifies(void **state)
{
        static const struct {
                enum fixture_issuer issuer;
                enum sig_alg alg;
        } rows[] = {{ALPHA, SIG_P256_SHA384}, {ALPHA, SIG_P256_SHA512}, {BETA, SIG_RSA_SHA384}, {BETA, SIG_RSA_SHA512}};
        struct vault_process *v = vault_start_ready(f);

        (void)state;
        for (size_t i = 0; i < N_OF(rows); i++) {
                struct builder tbs = make_ocsp(&(struct ocsp_case){.issuer = rows[i].issuer});
                struct vault_question q = question_ocsp(f, ocsp_key(rows[i].issuer), &tbs, 1);
                const struct vault_answer *a;

                q.sig_alg = rows[i].alg;
                a = vault_ask(v, &q, -1);
                assert_text(a, VAULT_OK, "");
                assert_int_equal(sig_verify(q.sig_alg, f->policy.keys[ocsp_key(rows[i].issuer)].spki, builder_bytes(&tbs),
                                         a->signatures[0]),
                        OK);
                builder_done(&tbs);
        }
        vault_stop(v);
}

static void set_sessions(char digit)
{
        char command[256];

        snprintf(command, sizeof(command), "sed -i 's/sessions: ./sessions: %c/' %s", digit, f->config);
        assert_int_equal(system(command), 0);
}

/* Each packet is answered once, with its own signatures, whichever thread took it. */
static void several_sessions_sign_side_by_side(void **state)
{
        struct builder tbs[] = {
                make_ocsp(&(struct ocsp_case){.issuer = ALPHA}), make_ocsp(&(struct ocsp_case){.issuer = BETA})};
        struct vault_process *v;
        uint64_t seen = 0;

        (void)state;
        set_sessions('4');
        v = vault_start_ready(f);
        for (unsigned i = 0; i < 64; i++) {
                struct vault_question q = question_ocsp(f, ocsp_key(i % 2), &tbs[i % 2], 1 + i % 8);

                q.id = i;
                vault_send(v, i < 32 ? v->bulk : v->urgent, &q, -1);
        }
        for (unsigned i = 0; i < 64; i++) {
                const struct vault_answer *a = vault_take(v, i < 32 ? v->bulk : v->urgent);
                int key = ocsp_key(a->id % 2);

                assert_text(a, VAULT_OK, "");
                assert_int_equal(a->n, 1 + a->id % 8);
                assert_false(seen >> a->id & 1);
                seen |= 1ULL << a->id;
                for (unsigned j = 0; j < a->n; j++)
                        assert_int_equal(sig_verify(fixture_alg(f, key), f->policy.keys[key].spki,
                                                 builder_bytes(&tbs[a->id % 2]), a->signatures[j]),
                                OK);
        }
        vault_stop(v);
        set_sessions('1');
        builder_done(&tbs[0]);
        builder_done(&tbs[1]);
}

/* All or nothing: the 64th is foreign. */
static void one_foreign_response_refuses_its_whole_packet(void **state)
{
        struct builder good = make_ocsp(&(struct ocsp_case){.issuer = ALPHA}),
                       foreign = make_ocsp(&(struct ocsp_case){.issuer = BETA});
        struct vault_question q = question_ocsp(f, ocsp_key(ALPHA), &good, VAULT_BATCH_MAX);
        struct vault_process *v = vault_start_ready(f);
        const struct vault_answer *a;

        (void)state;
        q.tbs[63] = builder_bytes(&foreign);
        a = vault_ask(v, &q, -1);
        assert_text(a, VAULT_REFUSED, "response 64 of 64: a CertID's issuer is not one this key signs for");
        assert_int_equal(a->n, 0);
        vault_stop(v);
        builder_done(&good);
        builder_done(&foreign);
}

/* ---- CRL ---- */

static const struct vault_answer *ask_crl(struct vault_process *v, const struct crl_case *c, struct builder *ret_tbs)
{
        int key = f->policy.issuers[c->issuer].crl_key;
        struct vault_question q;

        fixture_put_crl(f, ret_tbs, c);
        q = question_crl(f, key, ret_tbs->len);
        return vault_ask(v, &q, make_memfd(builder_bytes(ret_tbs)));
}

static void expect_crl(struct vault_process *v, const struct crl_case *c)
{
        struct builder tbs = {0};
        int key = f->policy.issuers[c->issuer].crl_key;
        const struct vault_answer *a = ask_crl(v, c, &tbs);

        assert_text(a, VAULT_OK, "");
        assert_int_equal(a->n, 1);
        assert_int_equal(
                sig_verify(fixture_alg(f, key), f->policy.keys[key].spki, builder_bytes(&tbs), a->signatures[0]), OK);
        builder_done(&tbs);
}

static void refuse_crl(struct vault_process *v, const struct crl_case *c)
{
        struct builder tbs = {0};

        assert_text(ask_crl(v, c, &tbs), VAULT_REFUSED, c->refused);
        builder_done(&tbs);
}

/* 50,000 entries are some 20 windows. */
static void crls_from_none_to_many_windows_long_verify(void **state)
{
        struct vault_process *v = vault_start_ready(f);

        (void)state;
        expect_crl(v, &(struct crl_case){.number = 1});
        expect_crl(v, &(struct crl_case){.number = 2, .n_entries = 1, .reason = REASON_KEY_COMPROMISE});
        expect_crl(v, &(struct crl_case){.number = 3, .n_entries = 50000, .reason = REASON_SUPERSEDED});
        expect_crl(v, &(struct crl_case){.number = 1, .idp = "http://crl.test/alpha-2.crl", .n_entries = 5000});
        expect_crl(v, &(struct crl_case){.issuer = BETA, .number = 4, .n_entries = 5000});
        expect_crl(v, &(struct crl_case){.issuer = BETA, .number = 4, .base = 3, .is_delta = true, .n_entries = 2});
        vault_stop(v);
}

/* Every position that an entry can have on a window's edge. */
static void a_list_of_any_length_near_a_window_is_read_whole(void **state)
{
        struct vault_process *v = vault_start_ready(f);

        (void)state;
        for (unsigned n = 1765; n < 1785; n++) /* 37 octets an entry */
                expect_crl(v, &(struct crl_case){.number = n, .n_entries = n, .reason = REASON_SUPERSEDED});
        vault_stop(v);
}

static void a_number_is_signed_once(void **state)
{
        struct vault_process *v = vault_start_ready(f);

        (void)state;
        expect_crl(v, &(struct crl_case){.number = 9});
        refuse_crl(v, &(struct crl_case){.refused = "CRLNumber is not above", .number = 9});
        refuse_crl(v, &(struct crl_case){.refused = "CRLNumber is not above", .number = 8});
        expect_crl(v, &(struct crl_case){.number = 10});
        vault_stop(v);
}

/* A bad last entry: the whole list is read before anything is signed. */
static void a_reason_that_is_not_allowed_is_refused_wherever_it_stands(void **state)
{
        struct vault_process *v = vault_start_ready(f);

        (void)state;
        refuse_crl(
                v, &(struct crl_case){
                           .refused = "removeFromCRL outside a delta", .n_entries = 3000, .reason = REASON_REMOVE_FROM_CRL});
        refuse_crl(v, &(struct crl_case){.refused = "the CRL's issuer is not one", .other_name = true, .named = BETA});
        vault_stop(v);
}

static const struct vault_answer *ask_crl_bytes(struct vault_process *v, struct bytes content, size_t len)
{
        struct vault_question q = question_crl(f, f->policy.issuers[ALPHA].crl_key, len);

        return vault_ask(v, &q, make_memfd(content));
}

static void a_descriptor_that_holds_something_else_is_refused(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct vault_question q = question_crl(f, f->policy.issuers[ALPHA].crl_key, 100);
        struct builder tbs = {0};
        int pair[2];

        (void)state;
        fixture_put_crl(f, &tbs, &(struct crl_case){.n_entries = 3000});
        assert_text(ask_crl_bytes(v, bytes_make(tbs.data, tbs.len - 1), tbs.len), VAULT_REFUSED,
                "fewer octets than were announced");
        assert_text(
                ask_crl_bytes(v, bytes_make(tbs.data, 70000), 70000), VAULT_REFUSED, "another length than was announced");
        assert_text(ask_crl_bytes(v, builder_bytes(&tbs), tbs.len + 1), VAULT_REFUSED, "another length than was announced");
        assert_text(vault_ask(v, &q, -1), VAULT_REFUSED, "brings a file by descriptor");
        assert_int_equal(pipe(pair), 0);
        assert_text(vault_ask(v, &q, pair[0]), VAULT_REFUSED, "brings a file by descriptor");
        close(pair[1]);
        builder_done(&tbs);
        vault_stop(v);
}

/* ---- what is neither ---- */

/* The TBSCertificate of a certificate: what an attacker wants signed by the CA key. */
static struct bytes tbs_certificate(const struct certificate *c)
{
        struct bytes outer, tbs;

        assert_int_equal(der_read_only(c->der, DER_SEQUENCE, &outer), OK);
        assert_int_equal(der_read_tlv(&outer, DER_SEQUENCE, &tbs), OK);
        return tbs;
}

static void put_csr_info(struct builder *b, const struct policy_issuer *issuer)
{
        size_t mark = der_begin(b, DER_SEQUENCE);

        der_put_uint(b, DER_INTEGER, 0);
        builder_put(b, issuer->ca.subject);
        builder_put(b, issuer->ca.spki);
        der_put(b, DER_CONTEXT_CONS(0), BYTES_NONE);
        der_end(b, mark);
}

/* The same content under a length of one octet more than DER allows (X.690 10.1). */
static void put_ber(struct builder *b, struct bytes tlv)
{
        struct bytes content;

        assert_int_equal(der_read_only(tlv, DER_SEQUENCE, &content), OK);
        builder_put_u8(b, DER_SEQUENCE);
        builder_put_u8(b, 0x83);
        builder_put_u8(b, 0);
        builder_put_u16(b, (uint16_t)content.len);
        builder_put(b, content);
}

static void refuse_as_both(struct vault_process *v, struct bytes tbs)
{
        struct builder b = {.data = (uint8_t *)(uintptr_t)tbs.data, .len = tbs.len};

        for (unsigned key = 0; key < f->policy.n_keys; key++) {
                struct vault_question ocsp = question_ocsp(f, (int)key, &b, 1), crl = question_crl(f, (int)key, tbs.len);
                const struct vault_answer *a = vault_ask(v, &ocsp, -1);

                assert_true(a->outcome == VAULT_REFUSED || a->outcome == VAULT_NO_KEY);
                assert_int_equal(a->n, 0);
                a = vault_ask(v, &crl, make_memfd(tbs));
                assert_true(a->outcome == VAULT_REFUSED || a->outcome == VAULT_NO_KEY);
                assert_int_equal(a->n, 0);
        }
}

static void certificates_requests_and_digests_are_never_signed(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct builder csr = {0};
        uint8_t digest[32];

        (void)state;
        refuse_as_both(v, tbs_certificate(&f->policy.issuers[ALPHA].ca));
        refuse_as_both(v, tbs_certificate(&f->policy.issuers[ALPHA].ocsp_signer));
        refuse_as_both(v, f->policy.issuers[BETA].ca.der);
        put_csr_info(&csr, &f->policy.issuers[ALPHA]);
        refuse_as_both(v, builder_bytes(&csr));
        assert_int_equal(getrandom(digest, sizeof(digest), 0), sizeof(digest));
        refuse_as_both(v, BYTES_OF(digest));
        refuse_as_both(v, BYTES_LIT("\x30\x03\x02\x01\x05"));
        refuse_as_both(v, BYTES_LIT("\x30\x80\x00\x00"));
        builder_done(&csr);
        vault_stop(v);
}

static void ber_and_trailing_bytes_are_refused(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct builder ocsp = make_ocsp(&(struct ocsp_case){.issuer = ALPHA}), crl = {0}, ber = {0};

        (void)state;
        put_ber(&ber, builder_bytes(&ocsp));
        refuse_as_both(v, builder_bytes(&ber));
        builder_put_u8(&ocsp, 0);
        refuse_as_both(v, builder_bytes(&ocsp));
        builder_reset(&ber);
        fixture_put_crl(f, &crl, &(struct crl_case){.number = 1});
        put_ber(&ber, builder_bytes(&crl));
        refuse_as_both(v, builder_bytes(&ber));
        builder_put_u8(&crl, 0);
        refuse_as_both(v, builder_bytes(&crl));
        builder_done(&ocsp);
        builder_done(&crl);
        builder_done(&ber);
        vault_stop(v);
}

/* Any octet changed: signed only if it is still a ResponseData of ours, and then what was signed is what was sent. */
static void no_changed_octet_makes_it_sign_something_else(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct builder tbs = make_ocsp(&(struct ocsp_case){.issuer = ALPHA});
        int key = ocsp_key(ALPHA);

        (void)state;
        for (size_t i = 0; i < tbs.len; i++) {
                struct vault_question q;
                const struct vault_answer *a;

                tbs.data[i] ^= 0x01;
                q = question_ocsp(f, key, &tbs, 1);
                a = vault_ask(v, &q, -1);
                if (a->outcome == VAULT_OK)
                        assert_int_equal(
                                sig_verify(q.sig_alg, f->policy.keys[key].spki, builder_bytes(&tbs), a->signatures[0]), OK);
                else
                        assert_int_equal(a->outcome, VAULT_REFUSED);
                tbs.data[i] ^= 0x01;
        }
        builder_done(&tbs);
        vault_stop(v);
}

static void what_is_no_question_is_refused_and_the_vault_goes_on(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct builder tbs = make_ocsp(&(struct ocsp_case){.issuer = ALPHA});
        struct vault_question q = question_ocsp(f, ocsp_key(ALPHA), &tbs, 1);

        (void)state;
        vault_send_bytes(v->bulk, BYTES_LIT("nonsense"));
        assert_text(vault_take(v, v->bulk), VAULT_REFUSED, "the packet is no question");
        assert_text(vault_ask(v, &q, make_memfd(BYTES_LIT("x"))), VAULT_REFUSED, "brings no descriptor");
        sign_batch(v, ALPHA, 1);
        q = (struct vault_question){.kind = VAULT_HEALTH, .id = 5};
        assert_text(vault_ask(v, &q, -1), VAULT_OK, "");
        builder_done(&tbs);
        vault_stop(v);
}

/* ---- keys ---- */

static void a_key_that_is_missing_or_does_not_fit_is_told_and_the_others_sign(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct builder tbs = make_ocsp(&(struct ocsp_case){.issuer = ALPHA});
        struct vault_question q = question_ocsp(f, ocsp_key(GAMMA), &tbs, 1);

        (void)state;
        assert_text(vault_ask(v, &q, -1), VAULT_NO_KEY, "no private key with the label 'gamma-ocsp'");
        q = question_ocsp(f, ocsp_key(DELTA), &tbs, 1);
        assert_text(vault_ask(v, &q, -1), VAULT_NO_KEY, "no key with the label 'delta-ocsp' fits the certificate");
        q.signer[0] ^= 1;
        assert_text(vault_ask(v, &q, -1), VAULT_NO_KEY, "no configured issuer signs with this key");
        sign_batch(v, ALPHA, 1);
        builder_done(&tbs);
        vault_stop(v);
}

/* `tocsin key new` or an installed certificate takes effect while the vault runs. */
static void a_key_that_came_later_is_found_when_it_is_asked_for(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        char command[256];

        (void)state;
        snprintf(command, sizeof(command),
                "softhsm2-util --import %s --token tocsin --label gamma-ocsp --id 77 --pin $(cat %s) > %s",
                fixture_path(f, "gamma-ocsp.key"), fixture_path(f, "pin"), fixture_path(f, "import.log"));
        assert_int_equal(system(command), 0);
        sign_batch(v, GAMMA, 2);
        vault_stop(v);
}

static void a_changed_configuration_counts_when_the_old_one_refuses(void **state)
{
        struct vault_process *v = vault_start_ready(f);
        struct builder tbs = make_ocsp(&(struct ocsp_case){.issuer = ALPHA, .next_s = 86400});
        struct vault_question q = question_ocsp(f, ocsp_key(ALPHA), &tbs, 1);

        (void)state;
        fixture_write(f, "issuers/alpha/issuer.yaml", "ocsp:\n  key: alpha-ocsp\n  validity: 5d\n");
        assert_text(vault_ask(v, &q, -1), VAULT_OK, "");
        fixture_write(f, "issuers/alpha/issuer.yaml", "ocsp: [\n");
        assert_text(vault_ask(v, &q, -1), VAULT_OK, "");
        builder_done(&tbs);
        vault_stop(v);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_whole_batch_is_signed_and_every_signature_verifies),
                cmocka_unit_test(every_digest_that_a_key_can_have_verifies),
                cmocka_unit_test(several_sessions_sign_side_by_side),
                cmocka_unit_test(one_foreign_response_refuses_its_whole_packet),
                cmocka_unit_test(crls_from_none_to_many_windows_long_verify),
                cmocka_unit_test(a_list_of_any_length_near_a_window_is_read_whole),
                cmocka_unit_test(a_number_is_signed_once),
                cmocka_unit_test(a_reason_that_is_not_allowed_is_refused_wherever_it_stands),
                cmocka_unit_test(a_descriptor_that_holds_something_else_is_refused),
                cmocka_unit_test(certificates_requests_and_digests_are_never_signed),
                cmocka_unit_test(ber_and_trailing_bytes_are_refused),
                cmocka_unit_test(no_changed_octet_makes_it_sign_something_else),
                cmocka_unit_test(what_is_no_question_is_refused_and_the_vault_goes_on),
                cmocka_unit_test(a_key_that_is_missing_or_does_not_fit_is_told_and_the_others_sign),
                cmocka_unit_test(a_key_that_came_later_is_found_when_it_is_asked_for),
                cmocka_unit_test(a_changed_configuration_counts_when_the_old_one_refuses),
        };
        int failed;

        f = fixture_make(NULL);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        fixture_remove(f);
        return failed;
}
