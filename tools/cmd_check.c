/* check: is all well, before something depends on it: configuration, certificates, permissions, then the store, which the
 * engine looks through, or the engine's program when it does not run.
 *
 * All that is found is shown, not the first only; each finding says what to do about it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/ca.h"
#include "tools/check_tls.h"
#include "tools/show.h"

#define PATH_LEN 4096
#define EXPIRY_WARNING_S (30 * CLOCK_DAY_S)
#define SIGNER_WARNING_S (14 * CLOCK_DAY_S)

enum level { LEVEL_FINE, LEVEL_NOTICE, LEVEL_WRONG };

struct check {
        struct tool *t;
        json_t *findings;
        unsigned n_wrong, n_notices;
        int code; /* of the gravest finding */
};

static void find(struct check *c, enum level level, const char *next, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

static void find(struct check *c, enum level level, const char *next, const char *format, ...)
{
        static const struct {
                const char *name;
                enum tool_color color;
        } levels[] = {{"ok", COLOR_GOOD}, {"warning", COLOR_WARNING}, {"WRONG", COLOR_BAD}};
        char text[1024];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        c->n_wrong += level == LEVEL_WRONG;
        c->n_notices += level == LEVEL_NOTICE;
        if (level == LEVEL_WRONG && c->code == EXIT_OK)
                c->code = EXIT_CONFIG;
        json_array_append_new(c->findings,
                json_pack("{s:s, s:s, s:s}", "level", levels[level].name, "text", text, "next", next ? next : ""));
        if (c->t->json || (c->t->quiet && level != LEVEL_WRONG))
                return;
        fprintf(level == LEVEL_WRONG ? stderr : stdout, "%s%-8s%s%s\n", tool_color(c->t, levels[level].color),
                levels[level].name, tool_color(c->t, COLOR_PLAIN), text);
        if (next)
                fprintf(level == LEVEL_WRONG ? stderr : stdout, "          next: %s\n", next);
        fflush(stdout);
}

/* ---- files and permissions ---- */

/* `bits` that a file must not have. */
static void check_mode(struct check *c, const char *path, unsigned bits, const char *danger, const char *next)
{
        struct stat st;

        if (stat(path, &st) != 0)
                return; /* missing files are conf_check_files' business */
        if (st.st_mode & bits)
                find(c, LEVEL_WRONG, next, "%s %s (mode %04o)", path, danger, st.st_mode & 07777);
}

static void find_missing(void *arg, const char *text)
{
        find(arg, LEVEL_WRONG, NULL, "%s", text);
}

static void check_files(struct check *c)
{
        const struct conf *conf = c->t->conf;
        unsigned before = c->n_wrong;
        enum err e = conf_check_files(conf, find_missing, c);

        check_mode(c, conf->token_pin_file, S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH,
                "can be read by others: it holds the token's PIN", "chmod 600, owned by the vault's user");
        check_mode(c, conf->file, S_IWGRP | S_IWOTH, "can be written by others", "chmod 644");
        check_mode(c, conf->issuers_path, S_IWOTH, "can be written by anybody", "chmod 755");
        check_mode(c, conf->store_path, S_IWOTH, "can be written by anybody", "chmod 750");
        check_mode(c, conf->control_socket, S_IROTH | S_IWOTH, "lets anybody revoke",
                "restart tocsin-signer; see control.group");
        if (e == OK && c->n_wrong == before)
                find(c, LEVEL_FINE, NULL, "files and their permissions");
}

static void find_tls(void *arg, enum check_level level, const char *next, const char *text)
{
        static const enum level levels[] = {[CHECK_FINE] = LEVEL_FINE, [CHECK_NOTICE] = LEVEL_NOTICE, [CHECK_WRONG] = LEVEL_WRONG};

        find(arg, levels[level], next, "%s", text);
}

/* ---- issuers ---- */

static void check_expiry(struct check *c, const char *issuer, const char *what, int64_t not_after, int64_t warning_s)
{
        int64_t left = not_after - clock_now_s();
        char until[CLOCK_TEXT_LEN];

        if (not_after == INT64_MAX || left > warning_s)
                return;
        clock_to_text(not_after, until);
        if (left <= 0)
                find(c, LEVEL_NOTICE, "renew it", "%s: %s expired %s", issuer, what, until);
        else
                find(c, LEVEL_NOTICE, "renew it", "%s: %s expires %s, in %lld days", issuer, what, until,
                        (long long)(left / CLOCK_DAY_S));
}

static void check_ca(struct check *c, const struct conf_issuer *issuer, const struct ca *ca)
{
        for (unsigned i = 0; i < ca->n; i++) {
                const char *why = ca_refuse_own(ca, i);

                if (why)
                        find(c, LEVEL_WRONG, NULL, "%s: %s: %s", issuer->name, issuer->certificates.items[i], why);
                check_expiry(c, issuer->name, issuer->certificates.items[i], ca->certificates[i].not_after, EXPIRY_WARNING_S);
        }
}

static void check_signer(struct check *c, const struct conf_issuer *issuer, const struct ca *ca)
{
        __attribute__((cleanup(certificate_done))) struct certificate signer = {0};
        const char *why;
        enum err e;

        if (issuer->offline || issuer->ocsp_certificate[0] == '\0')
                return;
        e = certificate_from_file(issuer->ocsp_certificate, &signer);
        if (e == ERR_NOT_FOUND)
                return; /* conf_check_files has said so */
        if (e != OK) {
                find(c, LEVEL_WRONG, "tocsin key install", "%s: %s cannot be read: %s", issuer->name,
                        issuer->ocsp_certificate, err_text(e));
                return;
        }
        why = ca_refuse_ocsp_signer(ca, &signer);
        if (why) /* RFC 6960 4.2.2.2, req 2.14, 2.15 */
                find(c, LEVEL_WRONG, "have the CA issue one that fits, then tocsin key install",
                        "%s: %s cannot sign OCSP answers: %s", issuer->name, issuer->ocsp_certificate, why);
        check_expiry(c, issuer->name, "its OCSP signer's certificate", signer.not_after, SIGNER_WARNING_S);
}

static void check_issuer(struct check *c, const struct conf_issuer *issuer)
{
        __attribute__((cleanup(ca_done))) struct ca ca = {0};
        unsigned before = c->n_wrong;
        char bad[256];
        enum err e = ca_load(&issuer->certificates, &ca, bad);

        if (e != OK) {
                find(c, LEVEL_WRONG, NULL, "%s: %s cannot be read as a certificate: %s", issuer->name, bad, err_text(e));
                return;
        }
        check_mode(c, issuer->folder, S_IWOTH, "can be written by anybody", "chmod 755");
        check_ca(c, issuer, &ca);
        check_signer(c, issuer, &ca);
        if (issuer->offline)
                find(c, LEVEL_NOTICE, "name its keys and take offline out, if they are in the token",
                        "%s is offline: nothing is signed for it, OCSP is answered unauthorized, no CRLs are made", issuer->name);
        else if (issuer->crl_key[0] == '\0')
                find(c, LEVEL_NOTICE, "set crl.key, if this CA's CRLs are to be made here",
                        "%s: no CRLs are made (crl.key is empty)", issuer->name);
        if (c->n_wrong == before)
                find(c, LEVEL_FINE, NULL, "issuer %s", issuer->name);
}

/* ---- the store ---- */

static void store_wrong(struct check *c, const char *next, const char *text)
{
        find(c, LEVEL_WRONG, next, "store: %s", text);
        c->code = EXIT_ENGINE;
}

static void ask_engine(struct check *c, const json_t *final)
{
        const json_t *problems = json_object_get(final, "problems"), *problem;
        const char *error = json_string_value(json_object_get(final, "error"));
        size_t i;

        json_array_foreach(problems, i, problem)
        {
                const char *text = json_string_value(problem);

                if (strncmp(text, "issuer ", strlen("issuer ")) == 0) /* of its configuration, not of the store */
                        find(c, LEVEL_WRONG, "correct that in its folder, then `tocsin reload`", "%s", text);
                else
                        store_wrong(
                                c, "stop tocsin-signer, keep a copy of the store, restore a backup or ask for help", text);
        }
        if (!json_is_true(json_object_get(final, "ok")) && json_array_size(problems) == 0)
                store_wrong(c, json_string_value(json_object_get(final, "hint")),
                        error ? error : "the engine could not check it");
        else if (json_array_size(problems) == 0)
                find(c, LEVEL_FINE, NULL, "store (the engine has looked through it)");
}

/* The engine is down: its program checks the store on its own. */
static void run_signer(struct check *c)
{
        char program[PATH_LEN], data[PATH_LEN];
        char *words[] = {
                program, (char *)(uintptr_t) "--config", c->t->config_file, (char *)(uintptr_t) "--check-store", NULL};
        int status;
        enum err e;

        if ((size_t)snprintf(data, sizeof(data), "%s/data.mdb", c->t->conf->store_path) < sizeof(data) &&
                access(data, F_OK) != 0 && errno == ENOENT) {
                find(c, LEVEL_NOTICE, "start tocsin-signer: it makes one", "store: there is none yet");
                return;
        }
        if (tool_find_program("tocsin-signer", "TOCSIN_SIGNER", "../signer", program, sizeof(program)) != OK) {
                find(c, LEVEL_NOTICE, "name it: TOCSIN_SIGNER=/path/to/tocsin-signer",
                        "store: not checked: the engine is down, and tocsin-signer is not found");
                return;
        }
        e = tool_run_program(program, words, -1, -1, &status);
        if (e != OK)
                store_wrong(c, NULL, err_text(e));
        else if (status == 0)
                find(c, LEVEL_FINE, NULL, "store (the engine is down; tocsin-signer --check-store has looked through it)");
        else
                store_wrong(c, "keep a copy of the store; restore a backup or ask for help",
                        "tocsin-signer --check-store found it wrong");
}

static void check_store(struct check *c)
{
        _cleanup_json_ json_t *question = json_pack("{s:s}", "command", "check");
        _cleanup_json_ json_t *final = NULL;
        struct control_ask ask = {.question = question, .fd = -1};
        enum err e = control_ask(c->t->conf->control_socket, &ask, &final);

        if (e == OK)
                ask_engine(c, final);
        else if (e == ERR_NOT_FOUND || e == ERR_CLOSED)
                run_signer(c);
        else if (e == ERR_DENIED)
                find(c, LEVEL_NOTICE, "run it as root, or as a member of control.group",
                        "store: not checked: you may not connect to %s", c->t->conf->control_socket);
        else
                store_wrong(c, "look at the log of tocsin-signer", "the engine does not answer");
}

static void print_sum(const struct check *c)
{
        if (c->t->json) {
                _cleanup_json_ json_t *object = json_pack("{s:b, s:i, s:i, s:O}", "ok", c->n_wrong == 0, "wrong", c->n_wrong,
                        "warnings", c->n_notices, "findings", c->findings);

                tool_print_json(object);
                return;
        }
        if (c->n_wrong == 0)
                tool_say(c->t, "all is well%s", c->n_notices ? ", but see the warnings" : "");
        else
                fprintf(stderr, "tocsin: %u thing%s wrong\n", c->n_wrong, c->n_wrong == 1 ? " is" : "s are");
}

int cmd_check(struct tool *t)
{
        _cleanup_json_ json_t *findings = json_array();
        struct check c = {.t = t, .findings = findings};
        int code = tool_load_conf(t);

        if (code != EXIT_OK)
                return code;
        find(&c, LEVEL_FINE, NULL, "configuration %s", t->conf->file);
        check_files(&c);
        check_tls(t->conf, clock_now_s(), find_tls, &c);
        if (t->conf->n_issuers == 0)
                find(&c, LEVEL_NOTICE, "tocsin issuer add NAME --cert ca.pem", "no issuer is configured");
        for (unsigned i = 0; i < t->conf->n_issuers; i++)
                check_issuer(&c, &t->conf->issuers[i]);
        check_store(&c);
        print_sum(&c);
        return c.code;
}
