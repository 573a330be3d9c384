/* token: opening, finding, signing. Every PKCS#11 call is made here or, for making keys, in ceremony.c. */
#include "signer/vault/token.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PIN_MAX 256
#define SLOTS_MAX 64
#define CANDIDATES_MAX 16
#define TRIAL_LEN 64

struct rv_row {
        CK_RV rv;
        const char *name;
};

#define RV(name)                                                                                                            \
        {                                                                                                                   \
                name, #name                                                                                                 \
        }

/* Those that an operator may meet. */
static const struct rv_row rv_rows[] = {
        RV(CKR_HOST_MEMORY),
        RV(CKR_SLOT_ID_INVALID),
        RV(CKR_GENERAL_ERROR),
        RV(CKR_FUNCTION_FAILED),
        RV(CKR_ARGUMENTS_BAD),
        RV(CKR_CANT_LOCK),
        RV(CKR_ATTRIBUTE_TYPE_INVALID),
        RV(CKR_ATTRIBUTE_VALUE_INVALID),
        RV(CKR_DATA_INVALID),
        RV(CKR_DATA_LEN_RANGE),
        RV(CKR_DEVICE_ERROR),
        RV(CKR_DEVICE_MEMORY),
        RV(CKR_DEVICE_REMOVED),
        RV(CKR_FUNCTION_CANCELED),
        RV(CKR_FUNCTION_NOT_SUPPORTED),
        RV(CKR_KEY_HANDLE_INVALID),
        RV(CKR_KEY_SIZE_RANGE),
        RV(CKR_KEY_TYPE_INCONSISTENT),
        RV(CKR_KEY_FUNCTION_NOT_PERMITTED),
        RV(CKR_MECHANISM_INVALID),
        RV(CKR_MECHANISM_PARAM_INVALID),
        RV(CKR_OBJECT_HANDLE_INVALID),
        RV(CKR_OPERATION_ACTIVE),
        RV(CKR_OPERATION_NOT_INITIALIZED),
        RV(CKR_PIN_INCORRECT),
        RV(CKR_PIN_INVALID),
        RV(CKR_PIN_LEN_RANGE),
        RV(CKR_PIN_EXPIRED),
        RV(CKR_PIN_LOCKED),
        RV(CKR_SESSION_CLOSED),
        RV(CKR_SESSION_COUNT),
        RV(CKR_SESSION_HANDLE_INVALID),
        RV(CKR_SESSION_READ_ONLY),
        RV(CKR_TEMPLATE_INCOMPLETE),
        RV(CKR_TEMPLATE_INCONSISTENT),
        RV(CKR_TOKEN_NOT_PRESENT),
        RV(CKR_TOKEN_NOT_RECOGNIZED),
        RV(CKR_TOKEN_WRITE_PROTECTED),
        RV(CKR_USER_ALREADY_LOGGED_IN),
        RV(CKR_USER_NOT_LOGGED_IN),
        RV(CKR_USER_PIN_NOT_INITIALIZED),
        RV(CKR_USER_TYPE_INVALID),
        RV(CKR_BUFFER_TOO_SMALL),
        RV(CKR_CRYPTOKI_NOT_INITIALIZED),
        RV(CKR_CRYPTOKI_ALREADY_INITIALIZED),
};

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

char *token_rv_text(CK_RV rv, char *ret_text)
{
        for (size_t i = 0; i < N_OF(rv_rows); i++) {
                if (rv_rows[i].rv == rv) {
                        snprintf(ret_text, TOKEN_RV_TEXT, "%s", rv_rows[i].name);
                        return ret_text;
                }
        }
        snprintf(ret_text, TOKEN_RV_TEXT, "CKR 0x%08lx", rv);
        return ret_text;
}

static enum err problem(struct token_problem *ret, enum err e, const char *call, CK_RV rv)
{
        char name[TOKEN_RV_TEXT];

        snprintf(ret->text, sizeof(ret->text), "%s: %s", call, token_rv_text(rv, name));
        return e;
}

/* ---- opening ---- */

static enum err load(struct token *token, const char *module, struct token_problem *ret_problem)
{
        CK_RV (*get_list)(CK_FUNCTION_LIST **);
        CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
        CK_FUNCTION_LIST *f = NULL;
        CK_RV rv;

        token->library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
        if (!token->library) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "cannot load the module: %s", dlerror());
                return ERR_NOT_FOUND;
        }
        *(void **)&get_list = dlsym(token->library, "C_GetFunctionList");
        if (!get_list || get_list(&f) != CKR_OK || !f) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "%s is no PKCS#11 module", module);
                return ERR_NOT_FOUND;
        }
        rv = f->C_Initialize(&args);
        if (rv != CKR_OK)
                return problem(ret_problem, ERR_TOKEN, "C_Initialize", rv);
        token->f = f;
        return OK;
}

/* Token labels are padded with spaces to 32 octets. */
static bool label_is(const CK_UTF8CHAR *padded, const char *label)
{
        size_t len = strlen(label);

        if (len > TOKEN_LABEL_MAX || memcmp(padded, label, len) != 0)
                return false;
        while (len < TOKEN_LABEL_MAX && padded[len] == ' ')
                len++;
        return len == TOKEN_LABEL_MAX;
}

static enum err find_slot(struct token *token, const char *label, CK_TOKEN_INFO *ret_info, struct token_problem *ret_problem)
{
        CK_SLOT_ID slots[SLOTS_MAX];
        CK_ULONG n = SLOTS_MAX;
        CK_RV rv = token->f->C_GetSlotList(CK_TRUE, slots, &n);

        if (rv != CKR_OK)
                return problem(ret_problem, ERR_TOKEN, "C_GetSlotList", rv);
        for (CK_ULONG i = 0; i < n; i++) {
                if (token->f->C_GetTokenInfo(slots[i], ret_info) == CKR_OK && label_is(ret_info->label, label)) {
                        token->slot = slots[i];
                        return OK;
                }
        }
        snprintf(ret_problem->text, sizeof(ret_problem->text), "no token has the label '%s'", label);
        return ERR_NOT_FOUND;
}

static enum err open_sessions(struct token *token, const struct token_options *options, struct token_problem *ret_problem)
{
        CK_FLAGS flags = CKF_SERIAL_SESSION | (options->read_write ? CKF_RW_SESSION : 0);

        for (unsigned i = 0; i < options->n_sessions && i < TOKEN_SESSIONS_MAX; i++) {
                CK_RV rv = token->f->C_OpenSession(token->slot, flags, NULL, NULL, &token->sessions[i]);

                if (rv != CKR_OK)
                        return problem(ret_problem, ERR_TOKEN, "C_OpenSession", rv);
                token->n_sessions = i + 1;
        }
        return OK;
}

struct pin {
        size_t len;
        uint8_t text[PIN_MAX];
};

static void pin_wipe(struct pin *pin)
{
        explicit_bzero(pin, sizeof(*pin));
}

/* The first line of the file. */
static enum err pin_read(const char *file, struct pin *ret, struct token_problem *ret_problem)
{
        _cleanup_close_
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, ret->text, sizeof(ret->text));
        uint8_t *end;

        if (n < 0) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "cannot read the PIN file %s: %s", file,
                        strerrordesc_np(errno));
                return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        }
        end = memchr(ret->text, '\n', (size_t)n);
        ret->len = end ? (size_t)(end - ret->text) : (size_t)n;
        if (ret->len > 0 && ret->text[ret->len - 1] == '\r')
                ret->len--;
        if (ret->len == 0 || (!end && (size_t)n == sizeof(ret->text))) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "the PIN file %s is empty or too long", file);
                return ERR_INVALID;
        }
        return OK;
}

static enum err refuse_last_try(const CK_TOKEN_INFO *info, struct token_problem *ret_problem)
{
        const char *why = NULL;

        if (info->flags & CKF_USER_PIN_LOCKED)
                why = "the token's PIN is locked: unlock it with the security officer's PIN";
        else if (info->flags & CKF_USER_PIN_FINAL_TRY)
                why = "the token has one try left before its PIN locks: log in by hand once with the right PIN";
        if (!why)
                return OK;
        snprintf(ret_problem->text, sizeof(ret_problem->text), "%s", why);
        return ERR_DENIED;
}

/* A login holds for all sessions of this process. */
static enum err login(struct token *token, const char *pin_file, struct token_problem *ret_problem)
{
        _cleanup_(pin_wipe) struct pin pin = {0};
        enum err e = pin_read(pin_file, &pin, ret_problem);
        CK_RV rv;

        if (e != OK)
                return e;
        rv = token->f->C_Login(token->sessions[0], CKU_USER, pin.text, pin.len);
        if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
                return OK;
        return problem(ret_problem, rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED ? ERR_DENIED : ERR_TOKEN, "C_Login", rv);
}

void token_hold_signals(sigset_t *ret_before)
{
        sigset_t held;

        sigemptyset(&held);
        sigaddset(&held, SIGTERM);
        sigaddset(&held, SIGINT);
        sigaddset(&held, SIGHUP);
        sigaddset(&held, SIGQUIT);
        pthread_sigmask(SIG_BLOCK, &held, ret_before);
}

void token_let_signals(const sigset_t *before)
{
        pthread_sigmask(SIG_SETMASK, before, NULL);
}

static enum err open_token(struct token *token, const struct token_options *options, struct token_problem *ret_problem)
{
        CK_TOKEN_INFO info;
        enum err e;

        e = load(token, options->module, ret_problem);
        if (e == OK)
                e = find_slot(token, options->label, &info, ret_problem);
        if (e == OK)
                e = refuse_last_try(&info, ret_problem);
        if (e == OK)
                e = open_sessions(token, options, ret_problem);
        if (e == OK)
                e = login(token, options->pin_file, ret_problem);
        return e;
}

enum err token_open(struct token *token, const struct token_options *options, struct token_problem *ret_problem)
{
        sigset_t before;
        enum err e;

        *token = (struct token){0};
        token_hold_signals(&before);
        e = open_token(token, options, ret_problem);
        token_let_signals(&before);
        return e;
}

/* The library stays loaded: modules leave threads and exit handlers behind. */
void token_close(struct token *token)
{
        if (token->f)
                token->f->C_Finalize(NULL);
        *token = (struct token){0};
}

/* ---- finding ---- */

enum err token_find(struct token *token, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret_handles,
        unsigned max, unsigned *ret_n, struct token_problem *ret_problem)
{
        CK_ATTRIBUTE template[] = {
                {CKA_CLASS, &class, sizeof(class)},
                {CKA_LABEL, (void *)(uintptr_t)label, label ? strlen(label) : 0},
        };
        CK_ULONG n = 0;
        CK_RV rv = token->f->C_FindObjectsInit(token->sessions[0], template, label ? 2 : 1);

        if (rv != CKR_OK)
                return problem(ret_problem, ERR_TOKEN, "C_FindObjectsInit", rv);
        rv = token->f->C_FindObjects(token->sessions[0], ret_handles, max, &n);
        token->f->C_FindObjectsFinal(token->sessions[0]);
        if (rv != CKR_OK)
                return problem(ret_problem, ERR_TOKEN, "C_FindObjects", rv);
        *ret_n = (unsigned)n;
        return OK;
}

/* Signs and verifies random octets behind a text that no DER begins with, so that the trial's signature is good for nothing
 * else. */
static bool key_fits(struct token *token, CK_OBJECT_HANDLE key, enum key_kind kind, struct bytes spki)
{
        uint8_t trial[TRIAL_LEN] = "tocsin-vault: does this key fit?", digest[HASH_LEN_MAX], raw[SIG_RAW_MAX];
        enum sig_alg alg;
        size_t len;

        if (getrandom(trial + TRIAL_LEN / 2, TRIAL_LEN / 2, 0) != TRIAL_LEN / 2 ||
                sig_alg_find(kind, HASH_SHA256, &alg) != OK)
                return false;
        if (hash_digest(HASH_SHA256, BYTES_OF(trial), digest) != OK)
                return false;
        if (token_sign(token, token->sessions[0], key, alg, digest, raw, &len) != CKR_OK)
                return false;
        return sig_verify(alg, spki, BYTES_OF(trial), bytes_make(raw, len)) == OK;
}

enum err token_find_key(struct token *token, const char *label, enum key_kind kind, struct bytes spki,
        CK_OBJECT_HANDLE *ret_key, struct token_problem *ret_problem)
{
        CK_OBJECT_HANDLE candidates[CANDIDATES_MAX];
        unsigned n = 0;
        enum err e = token_find(token, CKO_PRIVATE_KEY, label, candidates, CANDIDATES_MAX, &n, ret_problem);

        if (e != OK)
                return e;
        for (unsigned i = 0; i < n; i++) {
                if (key_fits(token, candidates[i], kind, spki)) {
                        *ret_key = candidates[i];
                        return OK;
                }
        }
        snprintf(ret_problem->text, sizeof(ret_problem->text),
                n == 0 ? "the token has no private key with the label '%s'"
                       : "no key with the label '%s' fits the certificate",
                label);
        return n == 0 ? ERR_NOT_FOUND : ERR_CRYPTO;
}

/* ---- signing ---- */

/* DigestInfo (RFC 8017 9.2) around the digest; its length. */
static size_t put_digest_info(enum hash_alg hash, const uint8_t *digest, uint8_t *ret_info)
{
        struct bytes identifier = hash_alg_identifier(hash);
        size_t digest_len = hash_alg_len(hash);
        size_t at = 0;

        ret_info[at++] = 0x30;
        ret_info[at++] = (uint8_t)(identifier.len + 2 + digest_len);
        memcpy(ret_info + at, identifier.data, identifier.len);
        at += identifier.len;
        ret_info[at++] = 0x04;
        ret_info[at++] = (uint8_t)digest_len;
        memcpy(ret_info + at, digest, digest_len);
        return at + digest_len;
}

/* FIPS 186-5 6.4: of a digest longer than the group's order, the leftmost octets. Some tokens refuse what they would have to
 * cut. */
static size_t put_ecdsa_digest(enum sig_alg alg, const uint8_t *digest, uint8_t *ret_input)
{
        size_t order_len = sig_alg_key(alg) == KEY_P256 ? 32 : 48;
        size_t len = hash_alg_len(sig_alg_hash(alg));

        len = len > order_len ? order_len : len;
        memcpy(ret_input, digest, len);
        return len;
}

CK_RV token_sign(const struct token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, enum sig_alg alg,
        const uint8_t *digest, uint8_t *ret_raw, size_t *ret_len)
{
        bool is_rsa = sig_alg_key(alg) == KEY_RSA;
        CK_MECHANISM mechanism = {is_rsa ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
        uint8_t input[32 + HASH_LEN_MAX];
        size_t input_len = is_rsa ? put_digest_info(sig_alg_hash(alg), digest, input) : put_ecdsa_digest(alg, digest, input);
        CK_ULONG len = SIG_RAW_MAX;
        CK_RV rv = token->f->C_SignInit(session, &mechanism, key);

        if (rv == CKR_OK)
                rv = token->f->C_Sign(session, input, input_len, ret_raw, &len);
        if (rv != CKR_OK)
                return rv;
        if (!sig_raw_len_fits(alg, len))
                return CKR_DEVICE_ERROR;
        *ret_len = len;
        return CKR_OK;
}

CK_RV token_check(const struct token *token, CK_SESSION_HANDLE session)
{
        CK_SESSION_INFO info;

        return token->f->C_GetSessionInfo(session, &info);
}
