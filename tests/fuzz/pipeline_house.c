#include "tests/fuzz/pipeline_house.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/batch.h"
#include "store/ca.h"
#include "store/crl_history.h"
#include "store/exception.h"
#include "store/meta.h"
#include "store/record.h"
#include "store/signer.h"
#include "store/status.h"
#include "tests/fuzz/fuzz.h"

#define FOLDER "/tmp/tocsin-fuzz-XXXXXX"
#define ROOM 72
#define RAW_LEN 64
#define LONG_S 86400
/* thisUpdate of what the engine signs: no row's */
#define LIVE_S (HOUSE_NOW - 1)
#define LIVE_OLD_S (HOUSE_NOW - 5000)

static char folder[] = FOLDER;

/* ---- issuers ---- */

#define POLICY                                                                                                              \
        .ocsp_max_age_good_s = 3600, .ocsp_max_age_revoked_s = 300, .crl_max_age_s = 3600, .profile = CONF_PROFILE_PRIVATE,  \
        .ari_explanation_url = (char *)""

static struct conf_issuer confs[] = {
        {.name = (char *)"plain", .ocsp_cert_id = CONF_HASH_SHA1, .ocsp_allow_sha1_cert_id = true, POLICY},
        {.name = (char *)"echo", .ocsp_cert_id = CONF_HASH_SHA1, .ocsp_allow_sha1_cert_id = true, .ocsp_nonce = CONF_NONCE_ECHO,
                .ocsp_extended_revoked = true, POLICY},
        {.name = (char *)"strict", .ocsp_cert_id = CONF_HASH_SHA256, POLICY},
};
#define N_CONFS (sizeof confs / sizeof confs[0])

static struct issuer {
        const char *label;
        const struct conf_issuer *conf; /* NULL: in the store only; nothing is answered for it */
        uint32_t id, signer, disabled_signer;
        struct ca_key key;
        uint8_t name[17], spki[91];
} issuers[] = {{.label = "plain", .conf = &confs[0]}, {.label = "echo", .conf = &confs[1]}, {.label = "strict", .conf = &confs[2]},
        {.label = "foreign"}};
#define N_ISSUERS (sizeof issuers / sizeof issuers[0])

static struct conf conf = {.store_path = folder, .store_map_size = 1 << 30, .crl_path = folder, .ocsp_path = (char *)"/", .max_uri = 400,
        .max_body = 600, .max_cert_ids = 4, .ari_path = (char *)"/ari", .ari_retry_after_s = 21600, .tags = CONF_TAGS_SURROGATE_KEY,
        .tags_buckets = 65536, .access_log = (char *)"/dev/null", .access_log_sample = 1, .issuers = confs, .n_issuers = N_CONFS};

/* ---- rows ----
 *
 * How each came to be, a letter a step, ten seconds apart:
 *   s signed   x signed, the window has ended   f signed, the window begins tomorrow   o signed in an epoch that is over
 *   d signed by a signer that is disabled now   r revoked (superseded)   k key compromised   h held   l released
 *   b listed by a batch that is staged   a ... and active   w the signature of `good` stands in the exception's row
 *   R revoked in the second of the step before; S signed in it */
enum use {
        NEEDS_ENGINE,
        USABLE,        /* what the store has can be served as it is */
        USABLE_SUDDEN, /* ... and was signed in the very second of the change */
};

static const struct row {
        uint8_t serial;
        const char *steps;
        enum ocsp_cert_status status;
        enum reason reason;
        enum use use;
} ROWS[] = {
        {0x11, "s", OCSP_GOOD, REASON_UNSPECIFIED, USABLE},
        {0x12, "", OCSP_GOOD, REASON_UNSPECIFIED, NEEDS_ENGINE},
        {0x13, "x", OCSP_GOOD, REASON_UNSPECIFIED, NEEDS_ENGINE},
        {0x14, "f", OCSP_GOOD, REASON_UNSPECIFIED, NEEDS_ENGINE},
        {0x15, "shls", OCSP_GOOD, REASON_UNSPECIFIED, USABLE},
        {0x16, "sb", OCSP_GOOD, REASON_UNSPECIFIED, USABLE},
        {0x17, "o", OCSP_GOOD, REASON_UNSPECIFIED, NEEDS_ENGINE},
        {0x18, "d", OCSP_GOOD, REASON_UNSPECIFIED, NEEDS_ENGINE},
        {0x19, "shl", OCSP_GOOD, REASON_UNSPECIFIED, NEEDS_ENGINE},
        {0x1a, "sS", OCSP_GOOD, REASON_UNSPECIFIED, USABLE},
        {0x21, "srs", OCSP_REVOKED, REASON_SUPERSEDED, USABLE},
        {0x22, "r", OCSP_REVOKED, REASON_SUPERSEDED, NEEDS_ENGINE},
        {0x23, "sr", OCSP_REVOKED, REASON_SUPERSEDED, NEEDS_ENGINE},
        {0x24, "shs", OCSP_REVOKED, REASON_CERTIFICATE_HOLD, USABLE},
        {0x25, "sa", OCSP_REVOKED, REASON_KEY_COMPROMISE, NEEDS_ENGINE},
        {0x26, "srsk", OCSP_REVOKED, REASON_KEY_COMPROMISE, NEEDS_ENGINE},
        {0x27, "srw", OCSP_REVOKED, REASON_SUPERSEDED, NEEDS_ENGINE},
        {0x28, "sRS", OCSP_REVOKED, REASON_SUPERSEDED, USABLE_SUDDEN},
        {0x29, "sas", OCSP_REVOKED, REASON_KEY_COMPROMISE, USABLE},
};
#define N_ROWS (sizeof ROWS / sizeof ROWS[0])

/* What the engine would know of a row. */
static struct known {
        uint32_t generation;
        int64_t changed_at_s, revoked_at_s;
} known[N_ISSUERS][N_ROWS];

static const struct row *find_row(struct bytes serial)
{
        for (size_t i = 0; serial.len == 1 && i < N_ROWS; i++)
                if (ROWS[i].serial == serial.data[0])
                        return &ROWS[i];
        return NULL;
}

/* ---- signatures ---- */

/* RFC 3279 2.2.3: r and s; both positive. */
static void sign(struct bytes tbs, enum sig_alg alg, uint8_t raw[RAW_LEN])
{
        uint8_t digest[HASH_LEN_MAX];

        HOLDS(hash_digest(HASH_SHA512, tbs, digest) == OK);
        memcpy(raw, digest, RAW_LEN);
        raw[0] = (uint8_t)(0x40 | alg);
        raw[RAW_LEN / 2] = 0x41;
}

struct parts {
        struct builder responder, cert_id, times, extensions;
};

static void parts_done(struct parts *p)
{
        builder_done(&p->responder);
        builder_done(&p->cert_id);
        builder_done(&p->times);
        builder_done(&p->extensions);
}

static struct ocsp_template make_template(struct parts *p, const struct issuer *issuer, enum hash_alg hash, int64_t from_s, int64_t until_s)
{
        ocsp_template_put_responder_by_key(&p->responder, bytes_make(issuer->key.key_hash[HASH_SHA1], 20), from_s);
        ca_key_put_cert_id_head(&p->cert_id, &issuer->key, hash);
        ocsp_template_put_times(&p->times, from_s, until_s);
        return (struct ocsp_template){.sig_alg = SIG_P256_SHA256, .responder = builder_bytes(&p->responder),
                .cert_id = builder_bytes(&p->cert_id), .times = builder_bytes(&p->times)};
}

/* ---- the steps ---- */

struct made {
        struct txn *txn;
        const struct issuer *issuer;
        struct bytes serial;
        int64_t at_s;
};

static void put_signature(struct made *m, const struct window *from, uint32_t signer)
{
        _cleanup_(parts_done) struct parts parts = {0};
        enum hash_alg hash = (enum hash_alg)m->issuer->conf->ocsp_cert_id;
        struct window w = *from;
        struct status status;
        uint8_t tbs[1024], raw[RAW_LEN];
        size_t tbs_len;

        w.ca_key = m->issuer->id;
        w.signer = signer;
        w.produced_at_s = w.this_update_s;
        w.template = make_template(&parts, m->issuer, hash, w.this_update_s, w.next_update_s);
        HOLDS(status_get(m->txn, w.ca_key, m->serial, &status) == OK);
        HOLDS(ocsp_response_tbs(&w.template, m->serial, &status.ocsp, tbs, &tbs_len) == OK);
        w.id = window_put(m->txn, &w);
        sign(bytes_make(tbs, tbs_len), SIG_P256_SHA256, raw);
        HOLDS(status_sign(m->txn, w.ca_key, m->serial, status.generation, &w, bytes_make(raw, RAW_LEN)) == OK);
}

static void step_sign(struct made *m)
{
        put_signature(m, &(struct window){.epoch = 1, .this_update_s = m->at_s, .next_update_s = HOUSE_NOW + LONG_S}, m->issuer->signer);
}

static void step_sign_ended(struct made *m)
{
        put_signature(m, &(struct window){.epoch = 1, .this_update_s = m->at_s, .next_update_s = HOUSE_NOW}, m->issuer->signer);
}

static void step_sign_future(struct made *m)
{
        put_signature(m, &(struct window){.epoch = 1, .this_update_s = HOUSE_NOW + 1, .next_update_s = HOUSE_NOW + LONG_S}, m->issuer->signer);
}

static void step_sign_epoch(struct made *m)
{
        put_signature(m, &(struct window){.epoch = 0, .this_update_s = m->at_s, .next_update_s = HOUSE_NOW + LONG_S}, m->issuer->signer);
}

static void step_sign_disabled(struct made *m)
{
        put_signature(m, &(struct window){.epoch = 1, .this_update_s = m->at_s, .next_update_s = HOUSE_NOW + LONG_S}, m->issuer->disabled_signer);
}

static void apply(struct made *m, enum reason reason)
{
        struct revocation r = {.ca_key = m->issuer->id, .serial = m->serial, .reason = reason};
        enum revocation_effect effect;

        HOLDS(revocation_apply(m->txn, &r, m->at_s, BYTES_LIT("fuzz"), ROOM, &effect) == OK);
        HOLDS(effect == REVOCATION_NEW || effect == REVOCATION_UPGRADE);
}

static void step_revoke(struct made *m)
{
        apply(m, REASON_SUPERSEDED);
}

static void step_compromise(struct made *m)
{
        apply(m, REASON_KEY_COMPROMISE);
}

static void step_hold(struct made *m)
{
        apply(m, REASON_CERTIFICATE_HOLD);
}

static void step_release(struct made *m)
{
        HOLDS(revocation_release(m->txn, m->issuer->id, m->serial, m->at_s, BYTES_LIT("fuzz"), ROOM) == OK);
}

static uint32_t stage(struct made *m)
{
        struct revocation r = {.ca_key = m->issuer->id, .serial = m->serial, .reason = REASON_KEY_COMPROMISE};
        struct batch batch = {.state = BATCH_STAGED, .ca_key = m->issuer->id, .created_at = (uint32_t)m->at_s, .actor = BYTES_LIT("fuzz"),
                .incident = BYTES_LIT("drill")};
        enum revocation_effect effect;
        uint32_t id = batch_put(m->txn, &batch);

        HOLDS(batch_stage(m->txn, id, &r, ROOM, &effect) == OK && effect == REVOCATION_NEW);
        return id;
}

static void step_stage(struct made *m)
{
        stage(m);
}

static void step_activate(struct made *m)
{
        HOLDS(batch_activate(m->txn, stage(m), m->at_s, BYTES_LIT("fuzz"), ROOM) == OK);
}

static void step_wrong(struct made *m)
{
        uint8_t signature[RAW_LEN];
        struct exception x;
        struct record record;

        HOLDS(record_get(m->txn, m->issuer->id, m->serial, &record) == OK && record.signature.len == RAW_LEN);
        HOLDS(exception_get(m->txn, m->issuer->id, m->serial, &x) == OK);
        memcpy(signature, record.signature.data, RAW_LEN);
        x.window = record.window;
        x.signature = bytes_make(signature, RAW_LEN);
        exception_put(m->txn, m->issuer->id, m->serial, &x, ROOM);
}

static const struct step {
        char letter;
        void (*take)(struct made *m);
} STEPS[] = {{'s', step_sign}, {'x', step_sign_ended}, {'f', step_sign_future}, {'o', step_sign_epoch}, {'d', step_sign_disabled},
        {'r', step_revoke}, {'k', step_compromise}, {'h', step_hold}, {'l', step_release}, {'b', step_stage}, {'a', step_activate},
        {'w', step_wrong}, {'R', step_revoke}, {'S', step_sign}};

static void take_step(struct made *m, char letter)
{
        const struct step *step = STEPS;

        m->at_s += letter >= 'a' ? 10 : 0;
        while (step->letter != letter)
                step++;
        step->take(m);
}

static void make_row(struct txn *txn, const struct issuer *issuer, const struct row *row)
{
        struct made m = {.txn = txn, .issuer = issuer, .serial = bytes_make(&row->serial, 1), .at_s = HOUSE_NOW - 1000};
        struct record record = {.not_after = HOUSE_NOW + 900000, .shard = (uint16_t)(row->serial == 0x16 ? 7 : 0)};

        record_put(txn, issuer->id, m.serial, &record, ROOM);
        for (const char *letter = row->steps; issuer->conf && *letter; letter++)
                take_step(&m, *letter);
}

static void learn(struct txn *txn)
{
        for (size_t i = 0; i < N_ISSUERS; i++)
                for (size_t j = 0; issuers[i].conf && j < N_ROWS; j++) {
                        struct status s;

                        HOLDS(status_get(txn, issuers[i].id, bytes_make(&ROWS[j].serial, 1), &s) == OK);
                        known[i][j] = (struct known){s.generation, s.changed_at_s, s.ocsp.revoked_at_s};
                }
}

/* ---- CRLs ---- */

/* `really`: how many octets the file has; 0: it is not there. */
static void publish(struct txn *txn, const char *file, uint16_t shard, bool is_delta, size_t size, size_t really)
{
        struct crl_row row = {.number = 1 + is_delta, .state = CRL_PUBLISHED, .is_delta = is_delta, .base = is_delta, .this_update = HOUSE_NOW - 10,
                .next_update = HOUSE_NOW + 1000, .size = size, .file = bytes_str(file)};
        uint8_t content[1024], digest[HASH_LEN_MAX];
        char path[64];

        memset(content, file[0], sizeof content);
        snprintf(path, sizeof path, "%s/%s", folder, file);
        if (really > 0) {
                _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT, 0600);

                HOLDS(write(fd, content, really) == (ssize_t)really);
        }
        HOLDS(hash_digest(HASH_SHA256, bytes_make(content, size), digest) == OK);
        memcpy(row.digest, digest, sizeof row.digest);
        crl_put(txn, issuers[0].id, shard, &row);
}

static const char *const FILES[] = {"full", "delta", "shard", "small", "data.mdb", "lock.mdb", "engine.lock", "reserve"};

static void remove_folder(void)
{
        char path[64];

        for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
                snprintf(path, sizeof path, "%s/%s", folder, FILES[i]);
                unlink(path);
        }
        rmdir(folder);
}

/* ---- the house ---- */

static void make_issuer(struct txn *txn, struct issuer *issuer, uint8_t n)
{
        struct ca ca = {.label = bytes_str(issuer->label), .not_after_s = HOUSE_NOW + 1000000, .certificate = BYTES_LIT("\x30\x03\x02\x01\x07")};
        struct signer signer = {.use = SIGNER_OCSP, .sig_alg = SIG_P256_SHA256, .key_label = BYTES_LIT("gone"),
                .not_after_s = HOUSE_NOW + 1000000, .raw_len = RAW_LEN};

        memcpy(issuer->name, "\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04Test", sizeof issuer->name);
        issuer->name[16] = n;
        memcpy(issuer->spki, "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04", 27);
        memset(&issuer->spki[27], n, 64);
        ca.name = bytes_make(issuer->name, sizeof issuer->name);
        ca.spki = signer.spki = bytes_make(issuer->spki, sizeof issuer->spki);
        HOLDS(ca_key_init(&issuer->key, ca.name, bytes_make(&issuer->spki[26], 65)) == OK);
        ca.key = issuer->key;
        ca.ski = bytes_make(issuer->key.key_hash[HASH_SHA1], 20);
        HOLDS(ca_put(txn, &ca, &issuer->id) == OK);
        signer.ca_key = issuer->key.id = issuer->id;
        signer.certificate = BYTES_LIT("\x30\x03\x02\x01\x08");
        HOLDS(signer_put(txn, &signer, &issuer->disabled_signer) == OK);
        signer.certificate = BYTES_NONE;
        HOLDS(signer_put(txn, &signer, &issuer->signer) == OK);
}

static void fill_store(struct txn *txn)
{
        for (size_t i = 0; i < N_ISSUERS; i++) {
                make_issuer(txn, &issuers[i], (uint8_t)('0' + i));
                for (size_t j = 0; j < N_ROWS; j++)
                        make_row(txn, &issuers[i], &ROWS[j]);
                HOLDS(signer_disable(txn, issuers[i].disabled_signer, HOUSE_NOW) == OK);
        }
        publish(txn, "full", 0, false, 1000, 1000);
        publish(txn, "delta", 0, true, 3, 3);
        publish(txn, "shard", 7, false, 1, 1);
        publish(txn, "small", 8, false, 100, 99);
        publish(txn, "absent", 9, false, 100, 0);
        learn(txn);
}

struct service *house_open(void)
{
        static struct service service;
        static struct env *writer, *reader;
        struct env_config store = {.path = folder, .map_size = conf.store_map_size};
        struct txn *txn;

        if (reader)
                return &service;
        log_init("fuzz", LEVEL_ERROR); /* "foreign" is not in the configuration: it is meant so */
        clock_freeze_ms((int64_t)HOUSE_NOW * 1000);
        HOLDS(mkdtemp(folder));
        atexit(remove_folder);
        HOLDS(env_open_writer(&store, &writer, NULL) == OK);
        HOLDS(txn_begin_write(writer, &txn) == OK);
        fill_store(txn);
        HOLDS(txn_commit(txn) == OK);
        HOLDS(env_open_reader(&store, &reader, NULL) == OK);
        HOLDS(service_init(&service, &conf, reader) == OK);
        HOLDS(access_log_new(&conf, &service.access_log) == OK);
        return &service;
}

/* ---- the engine's double ---- */

static const struct issuer *find_issuer_id(uint32_t id)
{
        for (size_t i = 0; i < N_ISSUERS; i++)
                if (issuers[i].id == id)
                        return &issuers[i];
        return NULL;
}

/* As it is; or a lie that no row tells. */
static struct ocsp_status status_of(const struct issuer *issuer, const struct row *row, bool is_lie)
{
        bool is_good = row && row->status == OCSP_GOOD;

        if (is_lie)
                return is_good ? (struct ocsp_status){OCSP_REVOKED, REASON_CA_COMPROMISE, HOUSE_NOW - 1}
                               : (struct ocsp_status){.cert_status = OCSP_GOOD};
        if (!row) /* req 2.5 */
                return (struct ocsp_status){OCSP_REVOKED, REASON_CERTIFICATE_HOLD, 0};
        return (struct ocsp_status){row->status, row->reason, known[issuer - issuers][row - ROWS].revoked_at_s};
}

struct question {
        const struct issuer *issuer;
        unsigned n;
        const struct row *rows[MSG_CERT_IDS_MAX]; /* NULL: never issued */
        struct bytes serials[MSG_CERT_IDS_MAX];
        bool is_extended, has_changed;
};

/* What may be asked of the engine at all. */
static void read_ask(const struct msg_sign_ask *ask, struct question *q)
{
        *q = (struct question){.issuer = find_issuer_id(ask->cert_ids[0].ca_key), .n = ask->n_cert_ids};
        HOLDS(q->issuer && q->issuer->conf && q->n >= 1 && q->n <= conf.max_cert_ids);
        HOLDS(ask->nonce_len == 0 || q->issuer->conf->ocsp_nonce == CONF_NONCE_ECHO);
        for (unsigned i = 0; i < q->n; i++) {
                q->serials[i] = bytes_make(ask->cert_ids[i].serial, ask->cert_ids[i].serial_len);
                q->rows[i] = find_row(q->serials[i]);
                HOLDS(ask->cert_ids[i].ca_key == q->issuer->id);
                HOLDS(q->rows[i] || q->issuer->conf->ocsp_extended_revoked);
                q->is_extended |= !q->rows[i];
                q->has_changed |= q->rows[i] && known[q->issuer - issuers][q->rows[i] - ROWS].changed_at_s > 0;
        }
        HOLDS(ask->lane == MSG_LANE_EXTRAS || (q->n == 1 && ask->nonce_len == 0 && !q->is_extended));
}

static void sign_question(const struct msg_sign_ask *ask, const struct question *q, bool is_lie, const struct msg_sign_answer *dates,
        struct builder *ret)
{
        _cleanup_(parts_done) struct parts parts = {0};
        _cleanup_(builder_done) struct builder tbs = {0};
        struct ocsp_template t = make_template(&parts, q->issuer, (enum hash_alg)ask->cert_id_hash, dates->this_update_s, dates->next_update_s);
        struct ocsp_single singles[MSG_CERT_IDS_MAX];
        uint8_t raw[RAW_LEN];

        ocsp_template_put_extensions(&parts.extensions, bytes_make(ask->nonce, ask->nonce_len), q->is_extended);
        t.extensions = builder_bytes(&parts.extensions);
        if (ask->preferred > 0)
                t.sig_alg = (enum sig_alg)(ask->preferred - 1);
        HOLDS(sig_alg_key(t.sig_alg) == KEY_P256);
        for (unsigned i = 0; i < q->n; i++)
                singles[i] = (struct ocsp_single){t.cert_id, q->serials[i], status_of(q->issuer, q->rows[i], is_lie)};
        ocsp_response_put_tbs(&tbs, &t, singles, q->n);
        sign(builder_bytes(&tbs), t.sig_alg, raw);
        ocsp_response_put(ret, &t, builder_bytes(&tbs), bytes_make(raw, RAW_LEN));
        HOLDS(!builder_failed(&tbs) && !builder_failed(ret));
}

const struct msg_sign_answer *house_sign(const struct msg_sign_ask *ask, enum mood mood)
{
        static const uint8_t outcomes[MOOD_N] = {[MOOD_TRY_LATER] = MSG_TRY_LATER, [MOOD_UNAUTHORIZED] = MSG_UNAUTHORIZED};
        static struct msg_sign_answer answer;
        static struct builder response;
        struct question q;
        bool is_lie;

        read_ask(ask, &q);
        if (mood == MOOD_AWAY)
                return NULL;
        is_lie = mood >= MOOD_LATE && (mood != MOOD_OLD || q.has_changed);
        answer = (struct msg_sign_answer){.id = ask->id, .outcome = outcomes[mood], .n_cert_ids = ask->n_cert_ids,
                .this_update_s = mood == MOOD_OLD ? LIVE_OLD_S : LIVE_S,
                .next_update_s = mood == MOOD_EXPIRED ? HOUSE_NOW : HOUSE_NOW + LONG_S};
        for (unsigned i = 0; i < q.n; i++)
                answer.generations[i] = (q.rows[i] ? known[q.issuer - issuers][q.rows[i] - ROWS].generation : 0) + (mood == MOOD_LATE);
        answer.n_cert_ids = (uint8_t)(answer.n_cert_ids + (mood == MOOD_MISCOUNTED));
        builder_reset(&response);
        if (answer.outcome == MSG_SIGNED)
                sign_question(ask, &q, is_lie, &answer, &response);
        answer.response = builder_bytes(&response);
        return &answer;
}

/* ---- what is promised ---- */

static const struct issuer *find_issuer(const struct ocsp_single_read *single)
{
        for (size_t i = 0; i < N_ISSUERS; i++)
                if (issuers[i].conf && ca_key_matches(&issuers[i].key, single->hash, single->name_hash, single->key_hash))
                        return &issuers[i];
        return NULL;
}

static void check_single(const struct ocsp_single_read *single, const struct ocsp_cert_id *asked)
{
        const struct issuer *issuer = find_issuer(single);
        const struct row *row = find_row(single->serial);
        struct ocsp_status want;

        HOLDS(issuer);
        HOLDS(single->hash == asked->hash && bytes_equal(single->name_hash, asked->name_hash) && bytes_equal(single->key_hash, asked->key_hash));
        HOLDS(bytes_equal(single->serial, asked->serial));
        HOLDS(single->hash != HASH_SHA1 || issuer->conf->ocsp_allow_sha1_cert_id); /* req 1.9 */
        HOLDS(row || issuer->conf->ocsp_extended_revoked);                         /* req 2.3 */
        want = status_of(issuer, row, false);
        HOLDS(single->status.cert_status == want.cert_status);
        HOLDS(want.cert_status == OCSP_GOOD || (single->status.reason == want.reason && single->status.revoked_at_s == want.revoked_at_s));
        HOLDS(single->this_update_s <= HOUSE_NOW && HOUSE_NOW < single->next_update_s);
        HOLDS(!row || single->this_update_s >= known[issuer - issuers][row - ROWS].changed_at_s);
        HOLDS((row && row->use != NEEDS_ENGINE) || single->this_update_s == LIVE_S || single->this_update_s == LIVE_OLD_S);
}

static void check_signature(struct bytes tbs, enum sig_alg alg, struct bytes der)
{
        uint8_t raw[SIG_RAW_MAX], want[RAW_LEN];
        size_t len;

        HOLDS(sig_from_der(alg, der, raw, &len) == OK);
        sign(tbs, alg, want);
        HOLDS(bytes_equal(bytes_make(raw, len), bytes_make(want, RAW_LEN)));
}

/* One that the store alone can answer: it may not depend on the engine's mood. */
static bool is_answerable(const struct ocsp_request *r)
{
        const struct ocsp_cert_id *id = &r->cert_ids[0];
        const struct issuer *issuer = find_issuer(&(struct ocsp_single_read){.hash = id->hash, .name_hash = id->name_hash, .key_hash = id->key_hash});
        const struct row *row = find_row(id->serial);

        return r->n_cert_ids == 1 && r->nonce.len == 0 && r->n_preferred == 0 && issuer && row && row->use != NEEDS_ENGINE &&
                (unsigned)id->hash == (unsigned)issuer->conf->ocsp_cert_id;
}

/* req 2.1 */
static void check_error(uint8_t status, enum err readable, const struct ocsp_request *r)
{
        HOLDS(status == OCSP_MALFORMED_REQUEST || status == OCSP_TRY_LATER || status == OCSP_UNAUTHORIZED);
        HOLDS((status == OCSP_MALFORMED_REQUEST) == (readable == ERR_INVALID));
        HOLDS(readable != OK || !is_answerable(r));
}

void house_check_response(struct bytes response, struct bytes request)
{
        struct ocsp_request r;
        enum err readable = ocsp_request_read(request, &r);
        struct ocsp_response_data data;
        struct ocsp_single_read single;
        struct bytes tbs, signature, certs;
        enum sig_alg alg;

        if (response.len == 5 && memcmp(response.data, "\x30\x03\x0a\x01", 4) == 0) {
                check_error(response.data[4], readable, &r);
                return;
        }
        HOLDS(readable == OK);
        HOLDS(ocsp_response_read(response, &tbs, &alg, &signature, &certs) == OK);
        check_signature(tbs, alg, signature);
        HOLDS(ocsp_response_data_read(tbs, &data) == OK);
        for (unsigned i = 0; i < r.n_cert_ids; i++) {
                HOLDS(ocsp_single_read(&data.responses, &single) == OK);
                check_single(&single, &r.cert_ids[i]);
        }
        HOLDS(data.responses.len == 0);
}

void house_check_not_modified(struct bytes request)
{
        struct ocsp_request r;
        const struct row *row;

        if (ocsp_request_read(request, &r) != OK)
                return;
        row = find_row(r.cert_ids[0].serial);
        HOLDS(row && row->use != USABLE_SUDDEN); /* req 3.5 */
}
