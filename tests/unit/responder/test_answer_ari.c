/* ACME renewal information over a real store (RFC 9773, req 7). */
#include "fixture.h"

#include "pki/ari.h"
#include "pki/certinfo.h"
#include "store/batch.h"
#include "store/ca.h"
#include "store/record.h"

#define SERIAL "0087654321"
#define SERIAL_URL "AIdlQyE"
#define NOT_AFTER (NOW + 900000) /* as fixture_import has it */

static int set_up(void **state)
{
        int result = fixture_set_up(state);
        struct fixture *f = *state;

        f->conf.ari_path = (char *)"/renewal-info";
        f->conf.ari_retry_after_s = 21600;
        fixture_import(f, SERIAL);
        return result;
}

/* ---- asking ---- */

static void put_base64url(struct builder *b, struct bytes octets)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        uint32_t bits = 0;
        unsigned n_bits = 0;

        for (size_t i = 0; i < octets.len; i++) {
                bits = bits << 8 | octets.data[i];
                for (n_bits += 8; n_bits >= 6; n_bits -= 6)
                        builder_put_u8(b, (uint8_t)digits[bits >> (n_bits - 6) & 63]);
        }
        if (n_bits > 0)
                builder_put_u8(b, (uint8_t)digits[bits << (6 - n_bits) & 63]);
}

static struct reply ask_for(struct client *c, const char *serial_url)
{
        struct builder b = {0};
        struct reply r;

        builder_put_str(&b, "GET /renewal-info/");
        put_base64url(&b, bytes_make(c->f->ca_key.key_hash[HASH_SHA1], 20));
        builder_printf(&b, ".%s HTTP/1.1\r\nHost: x\r\n\r\n", serial_url);
        client_send(c, builder_bytes(&b));
        builder_done(&b);
        assert_true(client_take(c, false, &r));
        return r;
}

static int64_t time_behind(const struct reply *r, const char *name)
{
        const uint8_t *at = memmem(r->body.data, r->body.len, name, strlen(name));
        int64_t time_s;

        assert_non_null(at);
        assert_int_equal(clock_from_text(bytes_make(at + strlen(name), 20), &time_s), OK);
        return time_s;
}

static struct ari_window window_of(const struct reply *r)
{
        struct ari_window w;

        assert_int_equal(r->status, 200);
        w.start_s = time_behind(r, "{\"suggestedWindow\":{\"start\":\"");
        w.end_s = time_behind(r, ",\"end\":\"");
        assert_true(w.start_s < w.end_s); /* req 7.2 */
        return w;
}

static struct ari_window ask_window(struct fixture *f)
{
        struct client c;
        struct reply r;
        struct ari_window w;

        client_open(&c, f);
        r = ask_for(&c, SERIAL_URL);
        w = window_of(&r);
        client_close(&c);
        return w;
}

static unsigned ask_status(struct fixture *f, const char *text)
{
        struct client c;
        struct reply r;

        client_open(&c, f);
        client_send(&c, bytes_str(text));
        assert_true(client_take(&c, false, &r));
        client_close(&c);
        return r.status;
}

static struct txn *begin(struct fixture *f)
{
        struct txn *txn;

        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        return txn;
}

/* ---- promises ---- */

static void a_good_certificate_is_to_be_renewed_before_its_end(void **state)
{
        struct ari_window w = ask_window(*state);

        assert_true(w.start_s > NOW && w.end_s < NOT_AFTER);
}

static void with_a_not_before_it_is_two_thirds_into_the_lifetime(void **state)
{
        struct certinfo info = {.not_before = NOT_AFTER - 90 * CLOCK_DAY_S};
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct txn *txn = begin(f);
        struct key key = key_serial(f->ca, BYTES_LIT("\x00\x87\x65\x43\x21"));

        certinfo_put(&b, &info);
        txn_put(txn, TABLE_CERTINFO, key_bytes(&key), builder_bytes(&b));
        assert_int_equal(txn_commit(txn), OK);
        assert_int_equal(ask_window(f).start_s, NOT_AFTER - 30 * CLOCK_DAY_S);
}

static void the_fields_say_json_and_when_to_ask_again(void **state)
{
        struct client c;
        struct reply r;

        client_open(&c, *state);
        r = ask_for(&c, SERIAL_URL);
        assert_field(&r, "Content-Type", "application/json");
        assert_field(&r, "Retry-After", "21600"); /* req 7.3 */
        assert_null(memmem(r.body.data, r.body.len, "explanationURL", 14));
        client_close(&c);
}

static void the_explanation_of_the_configuration_is_given(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        f->issuer.ari_explanation_url = (char *)"https://ca.example/why";
        client_open(&c, f);
        r = ask_for(&c, SERIAL_URL);
        assert_non_null(memmem(r.body.data, r.body.len, ",\"explanationURL\":\"https://ca.example/why\"}", 42));
        client_close(&c);
}

static void a_revoked_certificate_is_to_be_renewed_at_once(void **state) /* req 7.4 */
{
        fixture_revoke(*state, SERIAL, NOW - 10);
        assert_true(ask_window(*state).end_s < NOW - 10);
}

static uint32_t stage(struct fixture *f, struct bytes incident)
{
        struct batch batch = {.state = BATCH_STAGED, .ca_key = f->ca, .created_at = NOW, .actor = BYTES_LIT("test"), .incident = incident};
        struct revocation revocation = {.ca_key = f->ca, .serial = BYTES_LIT("\x00\x87\x65\x43\x21"), .reason = REASON_SUPERSEDED};
        enum revocation_effect effect;
        struct txn *txn = begin(f);
        uint32_t id = batch_put(txn, &batch);

        assert_int_equal(batch_stage(txn, id, &revocation, 72, &effect), OK);
        assert_int_equal(txn_commit(txn), OK);
        return id;
}

static void one_that_a_declared_incident_lists_is_to_be_renewed_at_once(void **state) /* req 7.4 */
{
        stage(*state, BYTES_LIT("keys leaked"));
        assert_true(ask_window(*state).end_s < NOW);
}

static void a_staged_list_without_an_incident_says_nothing_yet(void **state)
{
        stage(*state, BYTES_NONE);
        assert_true(ask_window(*state).start_s > NOW);
}

static void an_incident_taken_back_counts_no_more(void **state)
{
        struct fixture *f = *state;
        uint32_t id = stage(f, BYTES_LIT("a false alarm"));
        struct txn *txn = begin(f);
        bool is_left;

        assert_int_equal(batch_drop(txn, id, 0, &is_left), OK);
        assert_int_equal(txn_commit(txn), OK);
        assert_true(is_left); /* its row is still there */
        assert_true(ask_window(f).start_s > NOW);
}

static void an_unknown_certificate_is_404(void **state)
{
        struct client c;

        client_open(&c, *state);
        assert_int_equal(ask_for(&c, "EQ").status, 404);
        client_close(&c);
        assert_int_equal(ask_status(*state, "GET /renewal-info/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
}

/* When it ends nobody knows, so nobody knows when it had better be renewed. */
static void a_certificate_whose_end_is_unknown_is_404(void **state)
{
        struct fixture *f = *state;
        struct record record = {.not_after = 0};
        struct client c;
        struct txn *txn = begin(f);

        record_put(txn, f->ca, BYTES_LIT("\x11"), &record, 72);
        assert_int_equal(txn_commit(txn), OK);
        client_open(&c, f);
        assert_int_equal(ask_for(&c, "EQ").status, 404);
        client_close(&c);
}

static void an_issuer_that_is_not_configured_is_404(void **state)
{
        struct fixture *f = *state;
        struct client c;

        f->conf.n_issuers = 0;
        client_open(&c, f);
        assert_int_equal(ask_for(&c, SERIAL_URL).status, 404);
        client_close(&c);
}

/* Two CAs of one key, and so of one identifier: the one that has issued the serial is meant (answer_ari.c). */
static void of_two_cas_with_one_key_the_one_that_has_issued_it_answers(void **state)
{
        struct fixture *f = *state;
        struct conf_issuer issuers[2] = {f->issuer, f->issuer};
        struct builder name = {0};
        struct ca ca = {.label = BYTES_LIT("renamed"), .spki = builder_bytes(&f->spki), .ski = bytes_make(f->ca_key.key_hash[HASH_SHA1], 20),
                .not_after_s = NOW + 1000000, .certificate = BYTES_LIT("\x30\x03\x02\x01\x08")};
        struct record record = {.not_after = NOT_AFTER};
        struct txn *txn = begin(f);
        struct client c;
        uint32_t id;

        builder_put(&name, BYTES_LIT("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04Next"));
        ca.name = builder_bytes(&name);
        assert_int_equal(ca_key_init(&ca.key, ca.name, builder_bytes(&f->octets)), OK);
        assert_int_equal(ca_put(txn, &ca, &id), OK);
        record_put(txn, id, BYTES_LIT("\x11"), &record, 72);
        assert_int_equal(txn_commit(txn), OK);
        issuers[1].name = (char *)"renamed";
        f->conf.issuers = issuers;
        f->conf.n_issuers = 2;
        client_open(&c, f);
        assert_int_equal(ask_for(&c, SERIAL_URL).status, 200);
        assert_int_equal(ask_for(&c, "EQ").status, 200);
        assert_int_equal(ask_for(&c, "Eg").status, 404);
        client_close(&c);
        builder_done(&name);
}

static void what_is_no_identifier_is_400_and_other_methods_405(void **state)
{
        assert_int_equal(ask_status(*state, "GET /renewal-info/x HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
        assert_int_equal(ask_status(*state, "GET /renewal-info/a.b.c HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
        assert_int_equal(ask_status(*state, "GET /renewal-info HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
        assert_int_equal(ask_status(*state, "POST /renewal-info/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), 405);
}

static void it_can_be_switched_off(void **state)
{
        struct fixture *f = *state;
        struct client c;

        f->conf.ari_path = (char *)"";
        client_open(&c, f);
        assert_int_equal(ask_for(&c, SERIAL_URL).status, 400); /* then it is an OCSP request that is none */
        client_close(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
                TEST(a_good_certificate_is_to_be_renewed_before_its_end),
                TEST(with_a_not_before_it_is_two_thirds_into_the_lifetime),
                TEST(the_fields_say_json_and_when_to_ask_again),
                TEST(the_explanation_of_the_configuration_is_given),
                TEST(a_revoked_certificate_is_to_be_renewed_at_once),
                TEST(one_that_a_declared_incident_lists_is_to_be_renewed_at_once),
                TEST(a_staged_list_without_an_incident_says_nothing_yet),
                TEST(an_incident_taken_back_counts_no_more),
                TEST(an_unknown_certificate_is_404),
                TEST(a_certificate_whose_end_is_unknown_is_404),
                TEST(an_issuer_that_is_not_configured_is_404),
                TEST(of_two_cas_with_one_key_the_one_that_has_issued_it_answers),
                TEST(what_is_no_identifier_is_400_and_other_methods_405),
                TEST(it_can_be_switched_off),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
