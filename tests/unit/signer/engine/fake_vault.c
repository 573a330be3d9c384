/* fake_vault: one thread, one question at a time, urgent first. */
#include "fake_vault.h"

#include <assert.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/msg.h"
#include "pki/hash_alg.h"
#include "signer/supervisor.h"

struct ends {
        int urgent, bulk;
};

static void close_ends(struct ends *e)
{
        if (e->urgent >= 0)
                close(e->urgent);
        if (e->bulk >= 0)
                close(e->bulk);
        *e = (struct ends){-1, -1};
}

static void answer(int fd, const struct vault_answer *a)
{
        static uint8_t memory[VAULT_PACKET_MAX];
        struct builder b = builder_fixed(memory, sizeof(memory));

        vault_answer_put(&b, a);
        (void)!msg_send(fd, builder_bytes(&b), -1);
}

static void start_vault(struct fake_vault *v, struct ends *e)
{
        int urgent[2], bulk[2];
        static const uint8_t u = SUPERVISOR_URGENT, b = SUPERVISOR_BULK;

        close_ends(e);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, urgent) != 0 ||
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, bulk) != 0)
                abort();
        if (msg_send(v->channel, bytes_make(&u, 1), urgent[0]) != OK ||
                msg_send(v->channel, bytes_make(&b, 1), bulk[0]) != OK)
                abort();
        close(urgent[0]);
        close(bulk[0]);
        *e = (struct ends){urgent[1], bulk[1]};
        pthread_mutex_lock(&v->lock);
        v->n_vaults++;
        pthread_mutex_unlock(&v->lock);
        answer(e->urgent, &(struct vault_answer){.kind = VAULT_HEALTH, .outcome = VAULT_OK, .text = BYTES_LIT("a double")});
}

static EVP_PKEY *find_key(struct fake_vault *v, const uint8_t spki[32])
{
        for (unsigned i = 0; i < FAKE_KEYS; i++)
                if (memcmp(v->spki_sha256[i], spki, 32) == 0)
                        return v->keys[i];
        return NULL;
}

static size_t sign(EVP_PKEY *key, enum sig_alg alg, struct bytes tbs, uint8_t *ret_raw)
{
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t der[256];
        size_t len = sizeof(der), raw_len = 0;

        if (EVP_DigestSignInit(ctx, NULL, EVP_get_digestbyname(hash_alg_name(sig_alg_hash(alg))), NULL, key) != 1 ||
                EVP_DigestSign(ctx, der, &len, tbs.data, tbs.len) != 1 ||
                sig_from_der(alg, bytes_make(der, len), ret_raw, &raw_len) != OK)
                abort();
        EVP_MD_CTX_free(ctx);
        return raw_len;
}

static void sign_all(struct fake_vault *v, int fd, const struct vault_question *q, struct bytes crl)
{
        static uint8_t raw[VAULT_BATCH_MAX][SIG_RAW_MAX];
        struct vault_answer a = {.kind = q->kind, .id = q->id, .n = q->kind == VAULT_SIGN_CRL ? 1 : q->n};
        EVP_PKEY *key = find_key(v, q->signer);

        if (!key) {
                answer(fd, &(struct vault_answer){
                                   .kind = q->kind, .id = q->id, .outcome = VAULT_NO_KEY, .text = BYTES_LIT("no key")});
                return;
        }
        for (unsigned i = 0; i < a.n; i++)
                a.signatures[i] =
                        bytes_make(raw[i], sign(key, q->sig_alg, q->kind == VAULT_SIGN_CRL ? crl : q->tbs[i], raw[i]));
        answer(fd, &a);
}

static void sign_crl(struct fake_vault *v, int fd, const struct vault_question *q, int file)
{
        void *map = mmap(NULL, q->crl_len, PROT_READ, MAP_SHARED, file, 0);

        if (map == MAP_FAILED)
                abort();
        sign_all(v, fd, q, bytes_make(map, q->crl_len));
        munmap(map, q->crl_len);
        close(file);
}

static void wait_while_held(struct fake_vault *v)
{
        pthread_mutex_lock(&v->lock);
        while (v->hold && !v->stop && !v->die)
                pthread_cond_wait(&v->changed, &v->lock);
        pthread_mutex_unlock(&v->lock);
}

static void take_question(struct fake_vault *v, int fd, bool urgent)
{
        static uint8_t packet[VAULT_PACKET_MAX];
        static struct vault_question q;
        size_t len;
        int file = -1;

        if (msg_receive(fd, packet, sizeof(packet), &len, &file) != OK)
                return;
        if (vault_question_take(bytes_make(packet, len), &q) != OK)
                abort();
        pthread_mutex_lock(&v->lock);
        *(urgent ? &v->n_urgent : &v->n_bulk) += q.kind == VAULT_SIGN_OCSP ? q.n : 0;
        pthread_mutex_unlock(&v->lock);
        wait_while_held(v);
        if (q.kind == VAULT_SIGN_CRL)
                sign_crl(v, fd, &q, file);
        else
                sign_all(v, fd, &q, BYTES_NONE);
}

static bool should_die(struct fake_vault *v)
{
        bool die;

        pthread_mutex_lock(&v->lock);
        die = v->die;
        v->die = false;
        pthread_mutex_unlock(&v->lock);
        return die;
}

static bool is_set(struct fake_vault *v, const bool *flag)
{
        bool value;

        pthread_mutex_lock(&v->lock);
        value = *flag;
        pthread_mutex_unlock(&v->lock);
        return value;
}

static void fail(struct fake_vault *v, struct ends *e)
{
        static const uint8_t died = SUPERVISOR_VAULT_DIED;

        if (msg_send(v->channel, bytes_make(&died, 1), -1) != OK)
                abort();
        answer(e->bulk, &(struct vault_answer){.kind = VAULT_SIGN_OCSP, .outcome = VAULT_TOKEN, .text = BYTES_LIT("on fire")});
        close_ends(e);
        pthread_mutex_lock(&v->lock);
        v->fail = false;
        pthread_cond_broadcast(&v->changed);
        pthread_mutex_unlock(&v->lock);
}

static void *run(void *arg)
{
        struct fake_vault *v = arg;
        struct ends e = {-1, -1};
        uint8_t word[16];
        size_t len;

        while (!is_set(v, &v->stop)) {
                struct pollfd fds[] = {{.fd = v->channel, .events = POLLIN}, {.fd = e.urgent, .events = POLLIN},
                        {.fd = e.bulk, .events = POLLIN}};

                poll(fds, 3, 2);
                bool asked = (fds[0].revents & POLLIN) && msg_receive(v->channel, word, sizeof(word), &len, NULL) == OK;

                if (asked && !is_set(v, &v->refuse))
                        start_vault(v, &e);
                else if (is_set(v, &v->fail))
                        fail(v, &e);
                else if (should_die(v))
                        close_ends(&e);
                else if (fds[1].revents & POLLIN)
                        take_question(v, e.urgent, true);
                else if (fds[2].revents & POLLIN)
                        take_question(v, e.bulk, false);
        }
        close_ends(&e);
        return NULL;
}

static void add_key(struct fake_vault *v, unsigned i, EVP_PKEY *key)
{
        uint8_t *der = NULL;
        int len = i2d_PUBKEY(key, &der);

        if (len <= 0 || hash_digest(HASH_SHA256, bytes_make(der, (size_t)len), v->spki_sha256[i]) != OK)
                abort();
        v->keys[i] = key;
        OPENSSL_free(der);
}

void fake_vault_start(struct fake_vault *v, EVP_PKEY *ca, EVP_PKEY *ocsp, int *ret_engine_end)
{
        int pair[2];

        *v = (struct fake_vault){0};
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
                abort();
        v->channel = pair[0];
        *ret_engine_end = pair[1];
        add_key(v, 0, ca);
        add_key(v, 1, ocsp);
        pthread_mutex_init(&v->lock, NULL);
        pthread_cond_init(&v->changed, NULL);
        if (pthread_create(&v->thread, NULL, run, v) != 0)
                abort();
}

static void set(struct fake_vault *v, bool *flag, bool value)
{
        pthread_mutex_lock(&v->lock);
        *flag = value;
        pthread_cond_broadcast(&v->changed);
        pthread_mutex_unlock(&v->lock);
}

void fake_vault_stop(struct fake_vault *v)
{
        set(v, &v->stop, true);
        pthread_join(v->thread, NULL);
        close(v->channel);
}

void fake_vault_hold(struct fake_vault *v, bool hold)
{
        set(v, &v->hold, hold);
}

void fake_vault_die(struct fake_vault *v)
{
        set(v, &v->die, true);
}

void fake_vault_refuse(struct fake_vault *v, bool refuse)
{
        set(v, &v->refuse, refuse);
}

void fake_vault_fail(struct fake_vault *v)
{
        pthread_mutex_lock(&v->lock);
        v->fail = true;
        while (v->fail)
                pthread_cond_wait(&v->changed, &v->lock);
        pthread_mutex_unlock(&v->lock);
}

static unsigned get(struct fake_vault *v, const unsigned *n)
{
        unsigned value;

        pthread_mutex_lock(&v->lock);
        value = *n;
        pthread_mutex_unlock(&v->lock);
        return value;
}

unsigned fake_vault_urgent(struct fake_vault *v)
{
        return get(v, &v->n_urgent);
}

unsigned fake_vault_bulk(struct fake_vault *v)
{
        return get(v, &v->n_bulk);
}

unsigned fake_vault_started(struct fake_vault *v)
{
        return get(v, &v->n_vaults);
}
