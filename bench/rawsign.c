/* rawsign: what the token can do at best: a bare C_SignInit, C_Sign loop, one session a thread, over one digest. The
 * yardstick that bulk signing is held against: same module, same token, same key, same number of sessions. Opening and
 * finding are the vault's own code; the loop is nothing but the two calls.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "signer/vault/token.h"

static const char usage[] = "usage: rawsign --label KEY [--module FILE] [--token-label LABEL] --pin-file FILE [--sessions "
                            "N] [--seconds S] [--json]\n"
                            "Signs one digest again and again with that key of the token and prints signatures per second: "
                            "as JSON with --json,\n"
                            "and wherever no terminal reads it.\n"
                            "Defaults: SoftHSM's module, token \"tocsin\", 2 sessions, 5 seconds.\n";

struct options {
        struct token_options token;
        const char *key_label;
        unsigned seconds;
        bool json;
};

struct loop {
        pthread_t thread;
        struct token *token;
        CK_SESSION_HANDLE session;
        CK_OBJECT_HANDLE key;
        CK_MECHANISM mechanism;
        uint8_t input[64];
        CK_ULONG input_len;
        uint64_t n_signed;
        CK_RV rv;
};

static atomic_bool is_over;

static bool read_options(int argc, char **argv, struct options *ret)
{
        static const struct option table[] = {
                {"module", required_argument, NULL, 'm'},
                {"token-label", required_argument, NULL, 't'},
                {"pin-file", required_argument, NULL, 'p'},
                {"key", required_argument, NULL, 'l'},
                {"label", required_argument, NULL, 'l'},
                {"sessions", required_argument, NULL, 's'},
                {"seconds", required_argument, NULL, 'S'},
                {"json", no_argument, NULL, 'j'},
                {0},
        };
        int c;

        *ret = (struct options){.seconds = 5, .json = !isatty(STDOUT_FILENO)};
        ret->token = (struct token_options){.module = "/usr/lib/softhsm/libsofthsm2.so", .label = "tocsin", .n_sessions = 2};
        while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
                if (c == 'm')
                        ret->token.module = optarg;
                else if (c == 't')
                        ret->token.label = optarg;
                else if (c == 'p')
                        ret->token.pin_file = optarg;
                else if (c == 'l')
                        ret->key_label = optarg;
                else if (c == 's')
                        ret->token.n_sessions = (unsigned)atoi(optarg);
                else if (c == 'S')
                        ret->seconds = (unsigned)atoi(optarg);
                else if (c == 'j')
                        ret->json = true;
                else
                        return false;
        }
        return optind == argc && ret->key_label && ret->token.pin_file && ret->seconds > 0 && ret->token.n_sessions >= 1 &&
               ret->token.n_sessions <= TOKEN_SESSIONS_MAX;
}

static void *run_loop(void *argument)
{
        struct loop *l = argument;
        CK_FUNCTION_LIST *f = l->token->f;
        uint8_t raw[SIG_RAW_MAX];

        while (!is_over && l->rv == CKR_OK) {
                CK_ULONG len = sizeof(raw);

                l->rv = f->C_SignInit(l->session, &l->mechanism, l->key);
                if (l->rv == CKR_OK)
                        l->rv = f->C_Sign(l->session, l->input, l->input_len, raw, &len);
                l->n_signed += l->rv == CKR_OK;
        }
        return NULL;
}

/* What the vault hands to C_Sign for SHA-256: the digest, or for RSA the DigestInfo around it. */
static void set_input(struct loop *l, CK_KEY_TYPE type)
{
        static const uint8_t prefix[] = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
        size_t at = 0;

        if (type == CKK_RSA) {
                memcpy(l->input, prefix, sizeof(prefix) - 1);
                at = sizeof(prefix) - 1;
        }
        memset(l->input + at, 0x5a, 32);
        l->input_len = at + 32;
        l->mechanism = (CK_MECHANISM){type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
}

static enum err find_key(struct token *token, const char *label, CK_OBJECT_HANDLE *ret_key, CK_KEY_TYPE *ret_type,
        struct token_problem *ret_problem)
{
        CK_ATTRIBUTE type = {CKA_KEY_TYPE, ret_type, sizeof(*ret_type)};
        unsigned n = 0;
        enum err e = token_find(token, CKO_PRIVATE_KEY, label, ret_key, 1, &n, ret_problem);

        if (e != OK)
                return e;
        if (n == 0 || token->f->C_GetAttributeValue(token->sessions[0], *ret_key, &type, 1) != CKR_OK) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "no private key with the label \"%s\"", label);
                return ERR_NOT_FOUND;
        }
        return OK;
}

static CK_RV run_all(struct loop *loops, unsigned n, unsigned seconds, double *ret_rate)
{
        int64_t begin_us = clock_mono_us();
        uint64_t n_signed = 0;
        CK_RV rv = CKR_OK;

        for (unsigned i = 0; i < n; i++)
                if (pthread_create(&loops[i].thread, NULL, run_loop, &loops[i]) != 0)
                        return CKR_HOST_MEMORY;
        sleep(seconds);
        is_over = true;
        for (unsigned i = 0; i < n; i++) {
                pthread_join(loops[i].thread, NULL);
                n_signed += loops[i].n_signed;
                rv = rv == CKR_OK ? loops[i].rv : rv;
        }
        *ret_rate = (double)n_signed * 1e6 / (double)(clock_mono_us() - begin_us);
        return rv;
}

static enum err measure(const struct options *o, struct token_problem *ret_problem)
{
        static struct loop loops[TOKEN_SESSIONS_MAX];
        _cleanup_(token_close) struct token token = {0};
        CK_OBJECT_HANDLE key = 0;
        CK_KEY_TYPE type = 0;
        double rate = 0;
        char name[TOKEN_RV_TEXT];
        CK_RV rv;
        enum err e = token_open(&token, &o->token, ret_problem);

        if (e == OK)
                e = find_key(&token, o->key_label, &key, &type, ret_problem);
        if (e != OK)
                return e;
        for (unsigned i = 0; i < token.n_sessions; i++) {
                loops[i] = (struct loop){.token = &token, .session = token.sessions[i], .key = key};
                set_input(&loops[i], type);
        }
        rv = run_all(loops, token.n_sessions, o->seconds, &rate);
        if (rv != CKR_OK) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "C_Sign: %s", token_rv_text(rv, name));
                return ERR_TOKEN;
        }
        if (o->json)
                printf("{\"rate\": %.1f, \"sessions\": %u, \"seconds\": %u}\n", rate, token.n_sessions, o->seconds);
        else
                printf("%.1f signatures/s with %u sessions\n", rate, token.n_sessions);
        return OK;
}

int main(int argc, char **argv)
{
        struct token_problem problem = {0};
        struct options options;

        if (!read_options(argc, argv, &options)) {
                fputs(usage, stderr);
                return 2;
        }
        if (measure(&options, &problem) == OK)
                return EXIT_SUCCESS;
        fprintf(stderr, "rawsign: %s\n", problem.text);
        return EXIT_FAILURE;
}
