/* mkcrl: a CRL of any size in seconds, for benches and tests of how large ones are served.
 *
 *   mkcrl STORE CRL_FOLDER LABEL N CA.pem CA.key
 *
 * Adds N entries to what the full CRL of issuer LABEL lists, in a store that mkstore made, and issues that CRL as the engine does and with the
 * engine's code: the number is reserved, the list is written from the store, signed, read back and verified, named, and published in the store, where
 * responders find it at once. What differs from the engine: the CA's key is a file and no vault is asked. Serials are of 16 octets, spread over their
 * whole range; each has a reason, which makes 49 octets.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/made.h"
#include "pki/certificate.h"
#include "signer/engine/crl_file.h"
#include "store/ca.h"
#include "store/crl_history.h"

#define A_COMMIT 500000
#define VALIDITY_S (7 * CLOCK_DAY_S)
#define MAP_SIZE (1ull << 40)

struct mkcrl {
        struct env *env;
        EVP_PKEY *key;
        struct certificate ca;
        const char *label;
        uint32_t ca_id;
        char folder[2048]; /* the issuer's */
        char file[256];    /* below the CRL folder */
        struct crl_row row;
        int tbs_fd;
        uint64_t tbs_len;
        uint64_t random;
        int64_t now_ms;
};

static void mkcrl_done(struct mkcrl *m)
{
        cleanup_close(&m->tbs_fd);
        certificate_done(&m->ca);
        EVP_PKEY_free(m->key);
        env_close(m->env);
}

static enum err find_ca(struct mkcrl *m)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct ca ca;
        enum err e = txn_begin_read(m->env, &txn);

        if (e == OK)
                e = ca_find(txn, bytes_str(m->label), &ca);
        if (e == OK)
                m->ca_id = ca.id;
        return e;
}

static enum err open_all(struct mkcrl *m, char **argv)
{
        struct env_config config = {.path = argv[1], .map_size = MAP_SIZE};
        enum err e = certificate_from_file(argv[5], &m->ca);

        m->label = argv[3];
        snprintf(m->folder, sizeof m->folder, "%s/%s", argv[2], m->label);
        m->key = made_read_key(argv[6]);
        if (e == OK)
                e = m->key ? env_open_writer(&config, &m->env, NULL) : ERR_IO;
        if (e == OK)
                e = find_ca(m);
        if (e == OK && mkdir(m->folder, 0755) != 0 && errno != EEXIST)
                e = err_from_errno(errno);
        return e;
}

/* ---- what it lists ---- */

static void put_entry(struct mkcrl *m, struct txn *txn, uint64_t i, uint64_t n)
{
        const struct crl_entry_row row = {.reason = REASON_SUPERSEDED, .revoked_at = (uint32_t)(m->now_ms / 1000) - CLOCK_HOUR_S};
        struct serial serial = made_serial(&m->random, i, n);

        crl_entry_row_put(txn, m->ca_id, 0, serial_bytes(&serial), &row);
}

static enum err put_some(struct mkcrl *m, uint64_t from, uint64_t until, uint64_t n)
{
        struct txn *txn;
        enum err e = txn_begin_write(m->env, &txn);

        if (e != OK)
                return e;
        for (uint64_t i = from; i < until; i++)
                put_entry(m, txn, i, n);
        return txn_commit(txn);
}

static enum err put_entries(struct mkcrl *m, uint64_t n)
{
        enum err e = OK;

        for (uint64_t i = 0; e == OK && i < n; i += A_COMMIT)
                e = put_some(m, i, i + A_COMMIT < n ? i + A_COMMIT : n, n);
        return e;
}

/* ---- the steps of signer/engine/crl_builder ---- */

static enum err reserve(struct mkcrl *m)
{
        struct txn *txn;
        enum err e = txn_begin_write(m->env, &txn);

        if (e != OK)
                return e;
        m->row = (struct crl_row){.state = CRL_RESERVED, .this_update = (uint32_t)(m->now_ms / 1000),
                .next_update = (uint32_t)(m->now_ms / 1000 + VALIDITY_S)};
        m->row.number = crl_reserve(txn, m->ca_id, 0, &m->row, m->now_ms);
        snprintf(m->file, sizeof m->file, "%s/0-%llu.crl", m->label, (unsigned long long)m->row.number);
        return txn_commit(txn);
}

static enum err build(struct mkcrl *m)
{
        struct crl_params params = {.sig_alg = SIG_P256_SHA256, .issuer = m->ca.subject, .this_update_s = m->row.this_update,
                .next_update_s = m->row.next_update, .number = m->row.number};
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        uint8_t key_id[HASH_LEN_MAX];
        struct crl_walk *walk = NULL;
        enum err e = hash_digest(HASH_SHA1, m->ca.key, key_id);

        params.aki = bytes_make(key_id, hash_alg_len(HASH_SHA1));
        if (e == OK)
                e = txn_begin_read(m->env, &txn);
        if (e == OK)
                e = crl_walk_full(txn, m->ca_id, 0, &walk);
        if (e == OK)
                e = crl_file_write_tbs(m->folder, &params, walk, &m->tbs_fd, &m->tbs_len, &m->row.n_entries);
        crl_walk_free(walk);
        return e;
}

static bool feed(EVP_MD_CTX *context, int fd, uint64_t len)
{
        uint8_t buffer[65536];
        ssize_t n = 1;

        for (uint64_t at = 0; at < len && n > 0; at += (uint64_t)n) {
                n = pread(fd, buffer, sizeof buffer, (off_t)at);
                if (n <= 0 || EVP_DigestSignUpdate(context, buffer, (size_t)n) != 1)
                        return false;
        }
        return true;
}

/* Where the engine asks the vault. */
static enum err sign(struct mkcrl *m, uint8_t raw[SIG_RAW_MAX], size_t *ret_len)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        uint8_t der[128];
        size_t der_len = sizeof der;
        bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, m->key) == 1 && feed(context, m->tbs_fd, m->tbs_len) &&
                EVP_DigestSignFinal(context, der, &der_len) == 1;

        EVP_MD_CTX_free(context);
        return ok ? sig_from_der(SIG_P256_SHA256, bytes_make(der, der_len), raw, ret_len) : ERR_CRYPTO;
}

static enum err publish(struct mkcrl *m)
{
        struct txn *txn;
        enum err e = txn_begin_write(m->env, &txn);

        if (e != OK)
                return e;
        m->row.state = CRL_PUBLISHED;
        m->row.file = bytes_str(m->file);
        crl_put(txn, m->ca_id, 0, &m->row);
        return txn_commit(txn);
}

static enum err issue(struct mkcrl *m)
{
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len = 0;
        enum err e = reserve(m);

        if (e == OK)
                e = build(m);
        if (e == OK)
                e = sign(m, raw, &raw_len);
        if (e == OK)
                e = crl_file_publish(m->folder, strrchr(m->file, '/') + 1, m->tbs_fd, m->tbs_len, SIG_P256_SHA256, bytes_make(raw, raw_len),
                        m->ca.spki, &m->row.size, m->row.digest);
        return e == OK ? publish(m) : e;
}

int main(int argc, char **argv)
{
        _cleanup_(mkcrl_done) struct mkcrl m = {.random = (uint64_t)clock_now_ms() | 1, .now_ms = clock_now_ms(), .tbs_fd = -1};
        enum err e;

        if (argc != 7) {
                fprintf(stderr, "usage: mkcrl STORE CRL_FOLDER LABEL N CA.pem CA.key\n");
                return 2;
        }
        e = open_all(&m, argv);
        if (e == OK)
                e = put_entries(&m, strtoull(argv[4], NULL, 10));
        if (e == OK)
                e = issue(&m);
        if (e != OK) {
                fprintf(stderr, "mkcrl: %s\n", err_text(e));
                return 1;
        }
        printf("{\"file\": \"%s\", \"number\": %llu, \"entries\": %u, \"octets\": %llu}\n", m.file, (unsigned long long)m.row.number,
                m.row.n_entries, (unsigned long long)m.row.size);
        return 0;
}
