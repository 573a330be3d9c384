/* What signer/vault/policy.h promises: a table of what may be signed and what may not, each row with its rule. */
#include "fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "pki/der.h"
#include "pki/der.h"
#include "pki/extension.h"
#include "pki/ocsp_request.h"
#include "signer/vault/numbers.h"

static struct fixture *f;

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static void expect(const char *name, const char *why, const char *refused)
{
        if (!why && !refused)
                return;
        if (!why || !refused || strncmp(why, refused, strlen(refused)) != 0)
                fail_msg("%s: expected \"%s\", got \"%s\"", name, refused ? refused : "(signed)", why ? why : "(signed)");
}

/* ---- OCSP ---- */

#define DAY CLOCK_DAY_S
#define EXTENSIONS(literal) .extensions = (literal), .extensions_len = sizeof(literal) - 1

static const struct ocsp_case ocsp_cases[] = {
        {.name = "good by the delegate"},
        {"good by the CA key itself (RFC 6960 4.2.2.2)", .issuer = BETA},
        {"revoked with a reason", .status = OCSP_REVOKED, .reason = REASON_KEY_COMPROMISE},
        {"revoked without a reason", .status = OCSP_REVOKED},
        {"held, private profile (req 2.11)", .status = OCSP_REVOKED, .reason = REASON_CERTIFICATE_HOLD},
        {"held, cabf-tls (req 2.10)", "the reason is not allowed under cabf-tls", .status = OCSP_REVOKED,
                .reason = REASON_CERTIFICATE_HOLD, .cabf = true},
        {"caCompromise, cabf-tls (req 4.9)", "the reason is not allowed", .status = OCSP_REVOKED,
                .reason = REASON_CA_COMPROMISE, .cabf = true},
        {"keyCompromise, cabf-tls", .status = OCSP_REVOKED, .reason = REASON_KEY_COMPROMISE, .cabf = true},
        {"removeFromCRL is no reason", "the reason is not one", .status = OCSP_REVOKED, .reason = REASON_REMOVE_FROM_CRL},
        {"CertID by SHA-256 (req 1.8)", .hash = HASH_SHA256},
        {"CertID by SHA-512 (req 1.8)", .hash = HASH_SHA512},
        {"responder by name", .by_name = true},
        {"another's responderID by key", "responderID is not this signer's", .other_signer = true, .signer = BETA},
        {"another's responderID by name", "responderID is not this signer's", .other_signer = true, .signer = BETA,
                .by_name = true},
        {"nonce of 32 (RFC 9654)", .nonce_len = 32},
        {"nonce of 128 (req 1.10)", .nonce_len = 128},
        {"nonce of no octet (req 1.10)", "responseExtensions are malformed",
                EXTENSIONS("\xa1\x13\x30\x11\x30\x0f\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02\x04\x02\x04\x00")},
        {"extended-revoked that is TRUE, not NULL (RFC 6960 4.4.8)", "responseExtensions are malformed", .extended_configured = true,
                EXTENSIONS("\xa1\x14\x30\x12\x30\x10\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x09\x04\x03\x01\x01\xff")},
        {"two of one issuer (req 1.7)", .has_second = true, .second = ALPHA},
        {"the second of another issuer (RFC 6960 4.2.2.2)", "a CertID's issuer is not one", .has_second = true, .second = BETA},
        {"the second held, cabf-tls (req 2.10)", "the reason is not allowed under cabf-tls", .has_second = true, .second = ALPHA,
                .second_reason = REASON_CERTIFICATE_HOLD, .cabf = true},
        {"extended-revoked, configured (req 2.5)", .extended = true, .extended_configured = true},
        {"extended-revoked, not configured (req 2.5)", "extended-revoked is not configured", .extended = true},
        {"thisUpdate 4 min ahead", .this_s = 240, .next_s = 240, .produced_s = 240},
        {"thisUpdate 6 min ahead", "thisUpdate lies in the future", .this_s = 360, .next_s = 360},
        {"producedAt 6 min ahead", "producedAt lies in the future", .produced_s = 360},
        {"producedAt two days ago", "producedAt is more than a day old", .produced_s = -2 * DAY},
        {"thisUpdate 23 h ago", .this_s = -82800, .next_s = -82800, .produced_s = -82800},
        {"thisUpdate 25 h ago", "thisUpdate is too old", .this_s = -90000, .next_s = -90000},
        {"thisUpdate after producedAt", "thisUpdate lies after producedAt", .produced_s = -3600},
        {"nextUpdate at thisUpdate", "nextUpdate does not lie after thisUpdate", .next_s = -4 * DAY},
        {"nextUpdate beyond the validity (req 2.6)", "nextUpdate lies further off than ocsp.validity", .next_s = 600},
        {"an algorithm of another kind of key", "the algorithm is not one of the key's", .sig_alg = SIG_P384_SHA384},
        {"another digest of the same key (req 1.13)", .sig_alg = SIG_P256_SHA512},
};

static const char *ask_ocsp(const struct ocsp_case *c, struct bytes tbs)
{
        struct policy_issuer *issuer = &f->policy.issuers[c->issuer];
        struct conf_issuer *conf = &f->conf->issuers[c->issuer];
        enum sig_alg alg = c->sig_alg ? c->sig_alg : fixture_alg(f, issuer->ocsp_key);
        const char *why;

        conf->profile = c->cabf ? CONF_PROFILE_CABF_TLS : CONF_PROFILE_PRIVATE;
        conf->ocsp_extended_revoked = c->extended_configured;
        why = policy_check_ocsp(&f->policy, issuer->ocsp_key, alg, tbs, f->now_s);
        conf->profile = CONF_PROFILE_PRIVATE;
        conf->ocsp_extended_revoked = false;
        return why;
}

static void response_data_is_signed_or_refused_by_its_rule(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_OF(ocsp_cases); i++) {
                struct builder b = {0};

                fixture_put_ocsp(f, &b, &ocsp_cases[i]);
                expect(ocsp_cases[i].name, ask_ocsp(&ocsp_cases[i], builder_bytes(&b)), ocsp_cases[i].refused);
                builder_done(&b);
        }
}

/* req 2.8, M6 */
static void no_answer_outlives_its_signer(void **state)
{
        struct policy_issuer *issuer = &f->policy.issuers[ALPHA];
        int64_t not_after_s = issuer->ocsp_not_after_s;
        struct builder b = {0};

        (void)state;
        fixture_put_ocsp(f, &b, &(struct ocsp_case){.name = ""});
        issuer->ocsp_not_after_s = f->now_s + issuer->conf->ocsp_validity_s;
        expect("at notAfter", ask_ocsp(&ocsp_cases[0], builder_bytes(&b)), NULL);
        issuer->ocsp_not_after_s--;
        expect("past notAfter", ask_ocsp(&ocsp_cases[0], builder_bytes(&b)), "nextUpdate lies after the signer's");
        issuer->ocsp_not_after_s = not_after_s;
        builder_done(&b);
}

static void the_shorter_of_signer_and_ca_bounds_nextupdate(void **state)
{
        const struct policy_issuer *alpha = &f->policy.issuers[ALPHA];
        int64_t signer = alpha->ocsp_signer.not_after, ca = alpha->ca.not_after;

        (void)state;
        assert_true(alpha->ocsp_not_after_s == (signer < ca ? signer : ca));
}

/* RFC 6960 4.2.2.2: alpha's key says nothing about beta's certificates. */
static void a_key_answers_for_its_own_issuers_only(void **state)
{
        const struct policy_issuer *beta = &f->policy.issuers[BETA];
        struct builder b = {0};

        (void)state;
        fixture_put_ocsp(f, &b, &(struct ocsp_case){.issuer = ALPHA});
        expect("alpha's answer by beta's key",
                policy_check_ocsp(&f->policy, beta->ocsp_key, fixture_alg(f, beta->ocsp_key), builder_bytes(&b), f->now_s),
                "a CertID's issuer is not one this key signs for");
        builder_done(&b);
}

/* alpha's CA key signs CRLs; answers are its delegate's. */
static void a_ca_key_with_a_delegate_signs_no_answers(void **state)
{
        const struct policy_issuer *alpha = &f->policy.issuers[ALPHA];
        struct builder b = {0};

        (void)state;
        fixture_put_ocsp(f, &b, &(struct ocsp_case){.issuer = ALPHA});
        expect("by the CA key", policy_check_ocsp(&f->policy, alpha->crl_key, SIG_P256_SHA256, builder_bytes(&b), f->now_s),
                "a CertID's issuer is not one this key signs for");
        builder_done(&b);
}

/* An extension we know nothing of, not critical: what it would mean to a client, nobody here can say. */
static void an_unknown_response_extension_is_refused(void **state)
{
        struct builder b = {0};
        size_t at = 0;

        (void)state;
        fixture_put_ocsp(f, &b, &(struct ocsp_case){.nonce_len = 16});
        while (memcmp(b.data + at, "\x2b\x06\x01\x05\x05\x07\x30\x01\x02", 9) != 0)
                at++;
        b.data[at + 8] = 0x06; /* archive cutoff */
        expect("archive cutoff", ask_ocsp(&ocsp_cases[0], builder_bytes(&b)), "responseExtensions hold one that is neither");
        b.data[at + 8] = 0x02;
        b.data[at + 11] = 0x0c; /* the nonce is an OCTET STRING inside the extnValue's (RFC 9654 2.1) */
        expect("a nonce of another type", ask_ocsp(&ocsp_cases[0], builder_bytes(&b)), "responseExtensions are malformed");
        builder_done(&b);
}

/* RFC 9654 2.1, req 1.10: made by hand, for the template's writer makes none. */
static void a_nonce_of_more_than_128_octets_is_refused(void **state)
{
        static const uint8_t nonce[OCSP_NONCE_MAX + 1];

        (void)state;
        for (size_t n = OCSP_NONCE_MAX; n <= sizeof(nonce); n++) {
                struct builder value = {0}, extensions = {0}, b = {0};
                size_t explicit = der_begin(&extensions, DER_CONTEXT_CONS(1)), list = der_begin(&extensions, DER_SEQUENCE);
                struct ocsp_case c = {.name = ""};

                der_put(&value, DER_OCTET_STRING, bytes_make(nonce, n));
                extension_put(&extensions, BYTES_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x02"), false, builder_bytes(&value));
                der_end(&extensions, list);
                der_end(&extensions, explicit);
                c.extensions = (const char *)extensions.data;
                c.extensions_len = extensions.len;
                fixture_put_ocsp(f, &b, &c);
                expect("a long nonce", ask_ocsp(&c, builder_bytes(&b)), n > OCSP_NONCE_MAX ? "responseExtensions are malformed" : NULL);
                builder_done(&value);
                builder_done(&extensions);
                builder_done(&b);
        }
}

/* ---- CRL ---- */

#define SHARD "http://crl.test/alpha-"

static const struct crl_case crl_cases[] = {
        {.name = "empty"},
        {"entries", .n_entries = 3, .reason = REASON_SUPERSEDED},
        {"by RSA", .issuer = BETA, .n_entries = 2},
        {"a shard (req 4.12)", .idp = SHARD "1.crl"},
        {"the last shard", .idp = SHARD "2.crl"},
        {"shard 0", "the IDP's URL", .idp = SHARD "0.crl"},
        {"a shard past the last", "the IDP's URL", .idp = SHARD "3.crl"},
        {"a shard with a leading zero", "the IDP's URL", .idp = SHARD "01.crl"},
        {"a shard without a number", "the IDP's URL", .idp = SHARD ".crl"},
        {"a shard whose number overflows", "the IDP's URL", .idp = SHARD "4294967297.crl"},
        {"another URL", "the IDP's URL", .idp = "http://crl.test/gamma-1.crl"},
        {"a URL that begins right", "the IDP's URL", .idp = SHARD "1.crl.evil"},
        {"the IDP of an issuer without shards", .issuer = BETA, .idp = "http://crl.test/beta.crl"},
        {"another's name (req 4.1)", "the CRL's issuer is not one", .other_name = true, .named = GAMMA},
        {"another's name whose key is ours too (req 4.1)", "the CRL's issuer is not one", .other_name = true, .named = BETA},
        {"another inner algorithm (req 4.1)", "the CRL's algorithm is not the one", .inner = SIG_P256_SHA384},
        {"another's AKI", "authorityKeyIdentifier is not this CA's", .no_aki = true},
        {"thisUpdate 6 min ahead", "thisUpdate lies in the future", .this_s = 360, .next_s = 360},
        {"thisUpdate two hours old", "thisUpdate is too old", .this_s = -7200, .next_s = -7200},
        {"a number from before the clocks (req 4.2)", "CRLNumber is below thisUpdate", .small_number = 7},
        {"nextUpdate before thisUpdate", "nextUpdate does not lie after", .next_s = -8 * DAY},
        {"nextUpdate beyond the validity (req 4.7)", "nextUpdate lies further off than crl.validity", .next_s = 600},
        {"held, private", .n_entries = 1, .reason = REASON_CERTIFICATE_HOLD},
        {"held, cabf-tls (req 4.9)", "the reason is not allowed under cabf-tls", .n_entries = 1,
                .reason = REASON_CERTIFICATE_HOLD, .cabf = true},
        {"removeFromCRL in a full CRL (req 4.5)", "removeFromCRL outside a delta", .n_entries = 1,
                .reason = REASON_REMOVE_FROM_CRL},
        {"a delta", .issuer = BETA, .is_delta = true, .number = 9, .base = 8},
        {"removeFromCRL in a delta", .issuer = BETA, .is_delta = true, .number = 9, .base = 8, .n_entries = 1,
                .reason = REASON_REMOVE_FROM_CRL},
        {"removeFromCRL in a delta, cabf-tls (req 4.9)", "the reason is not allowed under cabf-tls", .issuer = BETA,
                .is_delta = true, .number = 9, .base = 8, .n_entries = 1, .reason = REASON_REMOVE_FROM_CRL, .cabf = true},
        {"a delta on itself (RFC 5280 5.2.4)", "a delta CRL's base", .issuer = BETA, .is_delta = true, .number = 9,
                .base = 9},
        {"a delta on a later base", "a delta CRL's base", .issuer = BETA, .is_delta = true, .number = 9, .base = 300},
        {"a full CRL with FreshestCRL (req 4.4)", .issuer = BETA, .freshest_url = "http://crl.test/beta-delta.crl"},
        {"another FreshestCRL", "FreshestCRL's URL", .issuer = BETA, .freshest_url = "http://evil.test/"},
};

static const char *judge_crl(struct bytes tbs, enum fixture_issuer asked)
{
        int key = f->policy.issuers[asked].crl_key;
        struct crl_info info = {0};
        struct policy_crl crl;
        struct bytes entries, tail = tbs;
        size_t tbs_len;
        const char *why;

        assert_int_equal(crl_read_tbs_head(tbs, &tbs_len, &info), OK);
        why = policy_check_crl_head(&f->policy, key, fixture_alg(f, key), &info, f->now_s, &crl);
        assert_int_equal(bytes_take(&tail, info.entries_offset, &entries), OK);
        assert_int_equal(bytes_take(&tail, info.entries_len, &entries), OK);
        while (!why && entries.len > 0) {
                struct crl_entry entry;

                assert_int_equal(crl_read_entry(&entries, &entry), OK);
                why = policy_check_crl_entry(&crl, &entry);
        }
        if (why)
                return why;
        assert_int_equal(crl_read_tbs_tail(tail, &info), OK);
        return policy_check_crl_tail(&crl, &info, tail);
}

static void a_crl_is_signed_or_refused_by_its_rule(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_OF(crl_cases); i++) {
                const struct crl_case *c = &crl_cases[i];
                struct builder b = {0};

                f->conf->issuers[c->issuer].profile = c->cabf ? CONF_PROFILE_CABF_TLS : CONF_PROFILE_PRIVATE;
                fixture_put_crl(f, &b, c);
                expect(c->name, judge_crl(builder_bytes(&b), c->issuer), c->refused);
                f->conf->issuers[c->issuer].profile = CONF_PROFILE_PRIVATE;
                builder_done(&b);
        }
}

/* RFC 5280 5.2.6: crl_put_tbs_tail makes none, so a full CRL's FreshestCRL is given a delta's indicator by hand. */
static void a_delta_never_has_freshest_crl(void **state)
{
        struct crl_case c = {.issuer = BETA, .is_delta = true, .number = 9, .base = 8};
        struct builder b = {0};
        struct crl_info info = {0};
        struct policy_crl crl = {.issuer = &f->policy.issuers[BETA]};
        struct bytes tail, head;
        size_t tbs_len, at = 0;

        (void)state;
        fixture_put_crl(f, &b, &c);
        while (memcmp(b.data + at, "\x06\x03\x55\x1d\x14", 5) != 0) /* CRLNumber's OID becomes FreshestCRL's */
                at++;
        assert_int_equal(crl_read_tbs_head(builder_bytes(&b), &tbs_len, &info), OK);
        tail = builder_bytes(&b);
        assert_int_equal(bytes_take(&tail, info.entries_offset + info.entries_len, &head), OK);
        assert_int_equal(crl_read_tbs_tail(tail, &info), OK);
        expect("as it was", policy_check_crl_tail(&crl, &info, tail), NULL);
        b.data[at + 4] = 0x2e;
        expect("with FreshestCRL", policy_check_crl_tail(&crl, &info, tail), "crlExtensions hold one");
        builder_done(&b);
}

static void put_extension(struct builder *b, uint8_t id, bool critical, struct bytes value)
{
        const uint8_t oid[] = {0x55, 0x1d, id};

        extension_put(b, BYTES_OF(oid), critical, value);
}

static const char *judge_delta(bool number_critical, bool indicator_critical)
{
        struct policy_crl crl = {.issuer = &f->policy.issuers[BETA]};
        struct crl_info info = {.is_delta = true, .this_update_s = 1};
        struct builder b = {0}, aki = {0};
        size_t explicit, list;
        const char *why;

        list = der_begin(&aki, DER_SEQUENCE);
        der_put(&aki, DER_CONTEXT(0), crl.issuer->aki);
        der_end(&aki, list);
        explicit = der_begin(&b, DER_CONTEXT_CONS(0));
        list = der_begin(&b, DER_SEQUENCE);
        put_extension(&b, 0x23, false, builder_bytes(&aki));
        put_extension(&b, 0x14, number_critical, BYTES_LIT("\x02\x02\x7f\xff"));
        put_extension(&b, 0x1b, indicator_critical, BYTES_LIT("\x02\x01\x08"));
        der_end(&b, list);
        der_end(&b, explicit);
        assert_int_equal(crl_read_tbs_tail(builder_bytes(&b), &info), OK);
        why = policy_check_crl_tail(&crl, &info, builder_bytes(&b));
        builder_done(&b);
        builder_done(&aki);
        return why;
}

/* A client that does not know deltas would take it for the whole list (RFC 5280 5.2.4, req 4.4). */
static void a_delta_says_so_critically(void **state)
{
        (void)state;
        expect("as it must be", judge_delta(false, true), NULL);
        expect("the indicator not critical", judge_delta(false, false), "crlExtensions hold one");
        expect("the number critical (req 4.2)", judge_delta(true, true), "crlExtensions hold one");
}

/* It would pass for all shards in one, though it names none (BR 7.2.2.1, req 4.12). */
static void an_idp_without_a_url_is_for_issuers_without_shards(void **state)
{
        static const struct {
                enum fixture_issuer issuer;
                const char *refused;
        } rows[] = {{BETA, NULL}, {ALPHA, "the IDP's URL"}};

        (void)state;
        for (size_t i = 0; i < N_OF(rows); i++) {
                struct policy_crl crl = {.issuer = &f->policy.issuers[rows[i].issuer]};
                struct crl_info info = {.this_update_s = 1};
                struct builder b = {0}, aki = {0};
                size_t explicit, list = der_begin(&aki, DER_SEQUENCE);

                der_put(&aki, DER_CONTEXT(0), crl.issuer->aki);
                der_end(&aki, list);
                explicit = der_begin(&b, DER_CONTEXT_CONS(0));
                list = der_begin(&b, DER_SEQUENCE);
                put_extension(&b, 0x23, false, builder_bytes(&aki));
                put_extension(&b, 0x14, false, BYTES_LIT("\x02\x02\x7f\xff"));
                put_extension(&b, 0x1c, true, BYTES_LIT("\x30\x03\x81\x01\xff")); /* onlyContainsUserCerts */
                der_end(&b, list);
                der_end(&b, explicit);
                assert_int_equal(crl_read_tbs_tail(builder_bytes(&b), &info), OK);
                expect("user certificates only", policy_check_crl_tail(&crl, &info, builder_bytes(&b)), rows[i].refused);
                builder_done(&b);
                builder_done(&aki);
        }
}

/* ---- numbers ---- */

static const char *admit(struct numbers *n, const char *idp, bool is_delta, const char *number, size_t len)
{
        return numbers_admit(n, BYTES_LIT("issuer"), bytes_str(idp), is_delta, bytes_make(number, len));
}

/* RFC 5280 5.2.3, req 4.2, 4.3 */
static void crl_numbers_only_grow_in_each_scope(void **state)
{
        struct numbers n = NUMBERS_INIT;

        (void)state;
        expect("the first", admit(&n, "", false, "\x05", 1), NULL);
        expect("again", admit(&n, "", false, "\x05", 1), "CRLNumber is not above");
        expect("lower", admit(&n, "", false, "\x04", 1), "CRLNumber is not above");
        expect("the delta beside it carries the same", admit(&n, "", true, "\x05", 1), NULL);
        expect("that delta again", admit(&n, "", true, "\x05", 1), "CRLNumber is not above");
        expect("a delta ahead", admit(&n, "", true, "\x07", 1), NULL);
        expect("a full CRL below that delta", admit(&n, "", false, "\x06", 1), "CRLNumber is below the last");
        expect("longer is larger", admit(&n, "", false, "\x01\x00", 2), NULL);
        expect("a sign octet is no digit", admit(&n, "", false, "\x00\xff", 2), "CRLNumber is not above");
        expect("another scope", admit(&n, "idp", false, "\x01", 1), NULL);
        expect("another issuer", numbers_admit(&n, BYTES_LIT("another"), BYTES_NONE, false, BYTES_LIT("\x01")), NULL);
        expect("no number", admit(&n, "", false, "", 0), "CRLNumber cannot be judged");
        numbers_done(&n);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(response_data_is_signed_or_refused_by_its_rule),
                cmocka_unit_test(no_answer_outlives_its_signer),
                cmocka_unit_test(the_shorter_of_signer_and_ca_bounds_nextupdate),
                cmocka_unit_test(a_key_answers_for_its_own_issuers_only),
                cmocka_unit_test(a_ca_key_with_a_delegate_signs_no_answers),
                cmocka_unit_test(an_unknown_response_extension_is_refused),
                cmocka_unit_test(a_nonce_of_more_than_128_octets_is_refused),
                cmocka_unit_test(a_crl_is_signed_or_refused_by_its_rule),
                cmocka_unit_test(a_delta_never_has_freshest_crl),
                cmocka_unit_test(a_delta_says_so_critically),
                cmocka_unit_test(an_idp_without_a_url_is_for_issuers_without_shards),
                cmocka_unit_test(crl_numbers_only_grow_in_each_scope),
        };
        int failed;

        f = fixture_make(NULL);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        fixture_remove(f);
        return failed;
}
