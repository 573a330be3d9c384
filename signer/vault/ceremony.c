/* ceremony: the commands in one table. Keys are made non-extractable, sensitive, private, for signing only (req 6.4).
 *
 * As root it becomes the vault's user before it touches the token: a software token's files must belong to who will use
 * them. The file for a request is opened before that, where the operator may write.
 */
#include "signer/vault/ceremony.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/jail.h"
#include "signer/vault/csr.h"
#include "signer/vault/public_key.h"
#include "signer/vault/serve.h"
#include "signer/vault/token.h"

#define KEYS_MAX 1024
#define ID_LEN 20
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

struct arguments {
        const char *label, *algorithm, *subject, *out;
        bool json;
        int out_fd;
};

struct algorithm {
        const char *name;
        enum key_kind kind;
        CK_ULONG bits; /* RSA */
};

static const struct algorithm algorithms[] = {
        {"p256", KEY_P256, 256},
        {"p384", KEY_P384, 384},
        {"rsa2048", KEY_RSA, 2048},
        {"rsa3072", KEY_RSA, 3072},
        {"rsa4096", KEY_RSA, 4096},
};

static const struct algorithm *find_algorithm(const char *name)
{
        for (size_t i = 0; i < N_OF(algorithms); i++)
                if (strcmp(algorithms[i].name, name) == 0)
                        return &algorithms[i];
        return NULL;
}

/* ---- what is told ---- */

static void print_json_text(const char *text)
{
        putchar('"');
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        printf("\\%c", *text);
                else if ((unsigned char)*text < 0x20)
                        printf("\\u%04x", (unsigned char)*text);
                else
                        putchar(*text);
        }
        putchar('"');
}

/* {"ok":true,"label":...,NAME:VALUE}, or the sentence. */
static void tell(const struct arguments *a, const char *name, const char *value, const char *sentence, ...)
        __attribute__((format(printf, 4, 5)));

static void tell(const struct arguments *a, const char *name, const char *value, const char *sentence, ...)
{
        va_list arguments;

        if (!a->json) {
                va_start(arguments, sentence);
                vprintf(sentence, arguments);
                va_end(arguments);
                return;
        }
        printf("{\"ok\":true,\"label\":");
        print_json_text(a->label);
        printf(",\"%s\":", name);
        print_json_text(value);
        printf("}\n");
}

/* ---- key-new ---- */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_RV generate(struct token *token, const struct algorithm *algorithm, const char *label)
{
        static CK_BYTE exponent[] = {1, 0, 1};
        struct bytes curve = public_key_curve(algorithm->kind);
        CK_ULONG bits = algorithm->bits;
        uint8_t id[ID_LEN];
        CK_MECHANISM mechanism = {algorithm->kind == KEY_RSA ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0};
        CK_ATTRIBUTE public[] = {
                {CKA_TOKEN, &yes, sizeof(yes)},
                {CKA_VERIFY, &yes, sizeof(yes)},
                {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
                {CKA_ID, id, sizeof(id)},
                {CKA_EC_PARAMS, (void *)(uintptr_t)curve.data, curve.len},
                {CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)},
        };
        CK_ATTRIBUTE private[] = {
                {CKA_TOKEN, &yes, sizeof(yes)},
                {CKA_PRIVATE, &yes, sizeof(yes)},
                {CKA_SENSITIVE, &yes, sizeof(yes)},
                {CKA_EXTRACTABLE, &no, sizeof(no)},
                {CKA_SIGN, &yes, sizeof(yes)},
                {CKA_DECRYPT, &no, sizeof(no)},
                {CKA_UNWRAP, &no, sizeof(no)},
                {CKA_DERIVE, &no, sizeof(no)},
                {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
                {CKA_ID, id, sizeof(id)},
        };
        CK_OBJECT_HANDLE public_key, private_key;
        CK_ULONG n_public = 5;

        if (getrandom(id, sizeof(id), 0) != sizeof(id))
                return CKR_FUNCTION_FAILED;
        if (algorithm->kind == KEY_RSA) {
                public[4] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)};
                n_public = 6;
        }
        return token->f->C_GenerateKeyPair(
                token->sessions[0], &mechanism, public, n_public, private, N_OF(private), &public_key, &private_key);
}

/* Two keys with one label would leave it to chance which one a person means. */
static enum err refuse_double(struct token *token, const char *label, struct token_problem *ret_problem)
{
        CK_OBJECT_HANDLE object;
        unsigned n = 0;
        enum err e = token_find(token, CKO_PRIVATE_KEY, label, &object, 1, &n, ret_problem);

        if (e != OK || n == 0)
                return e;
        snprintf(ret_problem->text, sizeof(ret_problem->text),
                "the token has a key with the label '%s' already: choose another label", label);
        return ERR_EXISTS;
}

static enum err key_new(struct token *token, const struct arguments *arguments, struct token_problem *ret_problem)
{
        const struct algorithm *algorithm = find_algorithm(arguments->algorithm);
        enum err e = refuse_double(token, arguments->label, ret_problem);
        char name[TOKEN_RV_TEXT];
        CK_RV rv;

        if (e != OK)
                return e;
        rv = generate(token, algorithm, arguments->label);
        if (rv != CKR_OK) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "C_GenerateKeyPair: %s", token_rv_text(rv, name));
                return ERR_TOKEN;
        }
        tell(arguments, "algorithm", algorithm->name, "made the %s key \"%s\" in the token; it cannot be taken out of it\n",
                algorithm->name, arguments->label);
        return OK;
}

/* ---- key-csr ---- */

static void close_file(FILE **file)
{
        if (*file)
                fclose(*file);
}

static enum err key_csr(struct token *token, const struct arguments *arguments, struct token_problem *ret_problem)
{
        _cleanup_(close_file) FILE *out = fdopen(dup(arguments->out_fd), "w");
        _cleanup_(builder_done) struct builder der = {0};
        enum err e = csr_make(token, arguments->label, arguments->subject, &der, ret_problem);

        if (e == ERR_INVALID)
                snprintf(ret_problem->text, sizeof(ret_problem->text),
                        "a subject is written \"/CN=OCSP signer/O=Example\", not \"%s\"", arguments->subject);
        if (e != OK)
                return e;
        if (!out || ftruncate(arguments->out_fd, 0) != 0 ||
                PEM_write(out, "CERTIFICATE REQUEST", "", der.data, (long)der.len) <= 0 || fflush(out) != 0) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "cannot write %s: %s", arguments->out,
                        strerrordesc_np(errno));
                return ERR_IO;
        }
        tell(arguments, "file", arguments->out, "wrote the request for \"%s\" to %s\n", arguments->label, arguments->out);
        return OK;
}

/* ---- key-list ---- */

struct key_line {
        char label[128], id[2 * 64 + 1];
        const char *algorithm;
        bool extractable;
};

/* Public attributes only; a token may hide some, which then stay empty. */
static void read_line(struct token *token, CK_OBJECT_HANDLE key, struct key_line *ret)
{
        CK_KEY_TYPE type = 0;
        CK_BBOOL extractable = CK_FALSE;
        uint8_t id[64];
        CK_ATTRIBUTE a[] = {
                {CKA_LABEL, ret->label, sizeof(ret->label) - 1},
                {CKA_ID, id, sizeof(id)},
                {CKA_KEY_TYPE, &type, sizeof(type)},
                {CKA_EXTRACTABLE, &extractable, sizeof(extractable)},
        };

        *ret = (struct key_line){0};
        for (size_t i = 0; i < N_OF(a); i++)
                if (token->f->C_GetAttributeValue(token->sessions[0], key, &a[i], 1) != CKR_OK ||
                        a[i].ulValueLen == CK_UNAVAILABLE_INFORMATION)
                        a[i].ulValueLen = 0;
        ret->label[a[0].ulValueLen] = '\0';
        bytes_to_hex(bytes_make(id, a[1].ulValueLen), ret->id);
        ret->algorithm = type == CKK_EC ? "ec" : type == CKK_RSA ? "rsa" : "other";
        ret->extractable = extractable;
}

static void print_line(const struct key_line *line, bool json, bool first)
{
        if (!json) {
                printf("%-32s %-5s %-14s %s\n", line->label, line->algorithm,
                        line->extractable ? "extractable" : "stays in token", line->id);
                return;
        }
        printf("%s{\"label\":", first ? "" : ",");
        print_json_text(line->label);
        printf(",\"algorithm\":\"%s\",\"extractable\":%s,\"id\":\"%s\"}", line->algorithm,
                line->extractable ? "true" : "false", line->id);
}

static enum err key_list(struct token *token, const struct arguments *arguments, struct token_problem *ret_problem)
{
        static CK_OBJECT_HANDLE keys[KEYS_MAX];
        struct key_line line;
        unsigned n = 0;
        enum err e = token_find(token, CKO_PRIVATE_KEY, NULL, keys, KEYS_MAX, &n, ret_problem);

        if (e != OK)
                return e;
        if (arguments->json)
                printf("{\"keys\":[");
        else if (n == 0)
                printf("the token holds no keys yet; tocsin key new --label LABEL makes one\n");
        for (unsigned i = 0; i < n; i++) {
                read_line(token, keys[i], &line);
                print_line(&line, arguments->json, i == 0);
        }
        if (arguments->json)
                printf("]}\n");
        return OK;
}

/* ---- running one ---- */

struct command {
        const char *name;
        enum err (*run)(struct token *token, const struct arguments *arguments, struct token_problem *ret_problem);
        bool writes_token, needs_label, needs_algorithm, needs_csr;
};

static const struct command commands[] = {
        {.name = "key-new", .run = key_new, .writes_token = true, .needs_label = true, .needs_algorithm = true},
        {.name = "key-csr", .run = key_csr, .needs_label = true, .needs_csr = true},
        {.name = "key-list", .run = key_list},
};

static const struct command *find_command(const char *name)
{
        for (size_t i = 0; i < N_OF(commands); i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

static bool read_arguments(int argc, char **argv, struct arguments *ret)
{
        static const struct option table[] = {
                {"label", required_argument, NULL, 'l'},
                {"algorithm", required_argument, NULL, 'a'},
                {"subject", required_argument, NULL, 's'},
                {"out", required_argument, NULL, 'o'},
                {"json", no_argument, NULL, 'j'},
                {0},
        };
        int c;

        *ret = (struct arguments){.out_fd = -1};
        while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
                if (c == 'l')
                        ret->label = optarg;
                else if (c == 'a')
                        ret->algorithm = optarg;
                else if (c == 's')
                        ret->subject = optarg;
                else if (c == 'o')
                        ret->out = optarg;
                else if (c == 'j')
                        ret->json = true;
                else
                        return false;
        }
        return optind == argc;
}

static bool arguments_fit(const struct command *command, const struct arguments *a)
{
        if (command->needs_label && (!a->label || *a->label == '\0'))
                return false;
        if (command->needs_algorithm && (!a->algorithm || !find_algorithm(a->algorithm)))
                return false;
        return !command->needs_csr || (a->subject && a->out);
}

static enum err become_vault_user(const struct conf *conf)
{
        enum err e = geteuid() == 0 ? jail_user(conf->vault_user) : OK;

        return e == OK ? jail_no_new_privileges(0) : e;
}

/* The token, its PIN and its module are the configuration's; what the command was given is the operator's. */
static int exit_code_of(enum err e, bool is_open)
{
        if (e == OK)
                return EXIT_SUCCESS;
        if (e == ERR_TOKEN || (e == ERR_DENIED && !is_open))
                return SERVE_EXIT_TOKEN;
        if (e == ERR_IO || e == ERR_NOMEM)
                return CEREMONY_EXIT_SYSTEM;
        return is_open ? EXIT_FAILURE : CEREMONY_EXIT_CONFIG;
}

static int run_command(const struct conf *conf, const struct command *command, const struct arguments *arguments)
{
        const struct token_options options = {
                .module = conf->token_module,
                .label = conf->token_label,
                .pin_file = conf->token_pin_file,
                .n_sessions = 1,
                .read_write = command->writes_token,
        };
        _cleanup_(token_close) struct token token = {0};
        struct token_problem problem = {0};
        bool is_open = false;
        sigset_t before;
        enum err e;

        token_hold_signals(&before); /* nobody's ^C leaves half a key */
        e = token_open(&token, &options, &problem);
        if (e == OK) {
                is_open = true;
                e = command->run(&token, arguments, &problem);
        }
        if (e == OK && fflush(stdout) != 0)
                e = ERR_IO;
        if (e != OK)
                fprintf(stderr, "tocsin-vault: %s\n", problem.text[0] ? problem.text : err_text(e));
        token_close(&token);
        token_let_signals(&before);
        return exit_code_of(e, is_open);
}

int ceremony_run(const struct conf *conf, int argc, char **argv)
{
        const struct command *command = find_command(argv[0]);
        _cleanup_close_
        int out_fd = -1;
        struct arguments arguments;
        enum err e;

        if (!command || !read_arguments(argc, argv, &arguments) || !arguments_fit(command, &arguments))
                return CEREMONY_WRONG_USAGE;
        if (command->needs_csr) {
                out_fd = open(arguments.out, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                if (out_fd < 0) {
                        fprintf(stderr, "tocsin-vault: cannot write %s: %s\n", arguments.out, strerrordesc_np(errno));
                        return CEREMONY_EXIT_SYSTEM;
                }
                arguments.out_fd = out_fd;
        }
        e = become_vault_user(conf);
        if (e != OK) {
                fprintf(stderr, "tocsin-vault: cannot become the vault's user '%s': %s\n", conf->vault_user, err_text(e));
                return e == ERR_NOT_FOUND ? CEREMONY_EXIT_CONFIG : CEREMONY_EXIT_SYSTEM;
        }
        return run_command(conf, command, &arguments);
}
