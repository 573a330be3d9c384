/* token: the PKCS#11 token. The only file that knows a module, a session or the PIN.
 *
 * The PIN is read from its file when it is needed, and wiped at once. A token that warns of its last try is not tried: that
 * try belongs to a person, not to a program that starts again and again.
 */
#pragma once

#include <p11-kit/pkcs11.h>
#undef hash_alg /* that header renames a field by a macro; here it is pki/hash_alg.h's enum */

#include <signal.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pki/sig_alg.h"

#define TOKEN_SESSIONS_MAX 64
#define TOKEN_LABEL_MAX 32

struct token_options {
        const char *module;
        const char *label;
        const char *pin_file;
        unsigned n_sessions; /* 1..TOKEN_SESSIONS_MAX */
        bool read_write;     /* for making keys */
};

/* What went wrong, for people: "C_Login: CKR_PIN_INCORRECT". Never holds a secret. */
struct token_problem {
        char text[256];
};

struct token {
        void *library;
        CK_FUNCTION_LIST *f; /* C_Initialize has succeeded */
        CK_SLOT_ID slot;
        unsigned n_sessions;
        CK_SESSION_HANDLE sessions[TOKEN_SESSIONS_MAX]; /* each belongs to one thread */
};

/* Loads the module, finds the token by its label, opens the sessions and logs in. ERR_NOT_FOUND: no module, token or PIN
 * file; ERR_DENIED: the PIN is wrong, or must not be tried; ERR_TOKEN. Whatever the outcome, token_close. */
MUST_CHECK enum err token_open(struct token *token, const struct token_options *options, struct token_problem *ret_problem);
void token_close(struct token *token);

/* Whoever asks this process to end (SIGTERM, SIGINT, SIGHUP, SIGQUIT) waits until token_let_signals: a module may be rewriting the token's
 * files. SoftHSM empties token.object and writes it anew at every log-in; killed in between, the token and its keys are lost. token_open
 * does so itself; what makes keys does so from before it to the end. */
void token_hold_signals(sigset_t *ret_before);
void token_let_signals(const sigset_t *before);

/* "CKR_DEVICE_REMOVED", or "CKR 0x..." for one that has no name here; ret_text holds TOKEN_RV_TEXT. Returns ret_text. */
#define TOKEN_RV_TEXT 40
char *token_rv_text(CK_RV rv, char *ret_text);

/* Handles of the objects with that class and label: at most `max`. */
MUST_CHECK enum err token_find(struct token *token, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret_handles,
        unsigned max, unsigned *ret_n, struct token_problem *ret_problem);
/* The private key with that label whose signature verifies with `spki` (one trial for each candidate). ERR_NOT_FOUND: no
 * such label; ERR_CRYPTO: the label is there, but no key of it fits; ERR_TOKEN. */
MUST_CHECK enum err token_find_key(struct token *token, const char *label, enum key_kind kind, struct bytes spki,
        CK_OBJECT_HANDLE *ret_key, struct token_problem *ret_problem);

/* Signs a digest (of sig_alg_hash(alg)) that the caller made itself. ret_raw holds SIG_RAW_MAX; raw as in pki/sig_alg.h.
 * Allocates nothing. */
MUST_CHECK CK_RV token_sign(const struct token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, enum sig_alg alg,
        const uint8_t *digest, uint8_t *ret_raw, size_t *ret_len);
/* Is the session still alive? */
MUST_CHECK CK_RV token_check(const struct token *token, CK_SESSION_HANDLE session);
