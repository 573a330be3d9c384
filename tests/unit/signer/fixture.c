/* fixture: see fixture.h. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "signer/vault/policy_load.h"

const char *fixture_path(const struct fixture *f, const char *name)
{
        static char paths[8][256];
        static unsigned next;
        char *path = paths[next++ % 8];

        snprintf(path, sizeof(paths[0]), "%s/%s", f->folder, name);
        return path;
}

void fixture_write(const struct fixture *f, const char *name, const char *text)
{
        FILE *file = fopen(fixture_path(f, name), "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

struct fixture *fixture_make(const char *module)
{
        static struct fixture f;
        struct conf_problem problem;
        char command[512];

        snprintf(f.folder, sizeof(f.folder), "/tmp/tocsin-vault-test-XXXXXX");
        assert_non_null(mkdtemp(f.folder));
        snprintf(command, sizeof(command), "%s %s %s", getenv("TOKEN_FIXTURE"), f.folder, module ? module : "");
        assert_int_equal(system(command), 0);
        snprintf(f.config, sizeof(f.config), "%s/tocsin.yaml", f.folder);
        setenv("SOFTHSM2_CONF", fixture_path(&f, "softhsm2.conf"), 1);
        if (conf_load(f.config, &f.conf, &problem) != OK)
                fail_msg("%s", problem.text);
        assert_int_equal(f.conf->n_issuers, 4);
        f.now_s = clock_now_s();
        assert_int_equal(policy_load(f.conf, f.now_s, &f.policy), OK);
        return &f;
}

void fixture_remove(struct fixture *f)
{
        char command[128];

        policy_done(&f->policy);
        conf_free(f->conf);
        snprintf(command, sizeof(command), "rm -rf %s", f->folder);
        assert_int_equal(system(command), 0);
}

enum sig_alg fixture_alg(const struct fixture *f, int key)
{
        enum sig_alg alg;

        assert_true(key >= 0);
        assert_int_equal(sig_alg_find(f->policy.keys[key].kind, HASH_SHA256, &alg), OK);
        return alg;
}

static const struct certificate *signer_of(const struct policy_issuer *issuer)
{
        return issuer->ocsp_signer.memory ? &issuer->ocsp_signer : &issuer->ca;
}

void fixture_put_ocsp(struct fixture *f, struct builder *b, const struct ocsp_case *c)
{
        struct policy_issuer *issuer = &f->policy.issuers[c->issuer];
        const struct certificate *signer = signer_of(c->other_signer ? &f->policy.issuers[c->signer] : issuer);
        struct builder responder = {0}, times = {0}, extensions = {0}, cert_id = {0}, second_id = {0};
        static const uint8_t serial[] = {0x11, 0x22, 0x33}, nonce[200] = {1};
        struct ocsp_template t = {.sig_alg = SIG_P256_SHA256};
        struct ocsp_single singles[2] = {
                {.serial = BYTES_OF(serial),
                        .status = {.cert_status = c->status, .reason = c->reason, .revoked_at_s = f->now_s - 3600}},
                {.serial = BYTES_OF(serial),
                        .status = {.cert_status = c->second_reason ? OCSP_REVOKED : OCSP_GOOD,
                                .reason = c->second_reason,
                                .revoked_at_s = f->now_s - 3600}},
        };

        if (c->by_name)
                ocsp_template_put_responder_by_name(&responder, signer->subject, f->now_s + c->produced_s);
        else
                ocsp_template_put_responder_by_key(&responder, signer->key, f->now_s + c->produced_s);
        ocsp_template_put_times(&times, f->now_s + c->this_s, f->now_s + issuer->conf->ocsp_validity_s + c->next_s);
        if (c->extensions)
                builder_put(&extensions, bytes_make(c->extensions, c->extensions_len));
        else
                ocsp_template_put_extensions(&extensions, bytes_make(nonce, c->nonce_len), c->extended);
        ca_key_put_cert_id_head(&cert_id, &issuer->ca_key, c->hash);
        ca_key_put_cert_id_head(&second_id, &f->policy.issuers[c->second].ca_key, c->hash);
        t.responder = builder_bytes(&responder);
        t.times = builder_bytes(&times);
        t.extensions = builder_bytes(&extensions);
        singles[0].cert_id_head = builder_bytes(&cert_id);
        singles[1].cert_id_head = builder_bytes(&second_id);
        ocsp_response_put_tbs(b, &t, singles, c->has_second ? 2 : 1);
        assert_false(builder_failed(b));
        builder_done(&responder);
        builder_done(&times);
        builder_done(&extensions);
        builder_done(&cert_id);
        builder_done(&second_id);
}

static void put_entries(struct fixture *f, struct builder *b, const struct crl_case *c)
{
        for (unsigned i = 0; i < c->n_entries; i++) {
                uint8_t serial[] = {0x01, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
                struct crl_entry entry = {.serial = BYTES_OF(serial), .revoked_at_s = f->now_s - 60, .reason = c->reason};

                crl_put_entry(b, &entry);
        }
}

/* The same for all of one process, and above any thisUpdate a test asks for. */
static uint64_t number_base(void)
{
        static uint64_t base;

        if (base == 0)
                base = (uint64_t)(clock_now_s() + CLOCK_HOUR_S) * 1000;
        return base;
}

void fixture_put_crl(struct fixture *f, struct builder *b, const struct crl_case *c)
{
        const struct policy_issuer *issuer = &f->policy.issuers[c->issuer];
        struct crl_params p = {
                .sig_alg = c->inner ? c->inner : fixture_alg(f, issuer->crl_key),
                .issuer = f->policy.issuers[c->other_name ? c->named : c->issuer].ca.subject,
                .this_update_s = f->now_s + c->this_s,
                .next_update_s = f->now_s + issuer->conf->crl_validity_s + c->next_s,
                .aki = c->no_aki ? BYTES_LIT("another key's id") : issuer->aki,
                .number = c->small_number ? c->small_number : number_base() + (c->number ? c->number : 7),
                .is_delta = c->is_delta,
                .base_number = number_base() + c->base,
                .idp_url = bytes_str(c->idp),
                .freshest_url = bytes_str(c->freshest_url),
        };
        struct builder entries = {0};

        put_entries(f, &entries, c);
        crl_put_tbs_head(b, &p, entries.len);
        builder_put(b, builder_bytes(&entries));
        crl_put_tbs_tail(b, &p);
        assert_false(builder_failed(b) || builder_failed(&entries));
        builder_done(&entries);
}
