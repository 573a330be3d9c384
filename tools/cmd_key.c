/* key new, csr, list: done by the vault's program, which alone may reach the token. key install: an OCSP signer's
 * certificate is checked against RFC 6960 4.2.2.2 and BR 7.1.2.8 (req 2.14, 2.15), then put in its place. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/ca.h"
#include "pki/der.h"
#include "tools/files.h"
#include "tools/pem.h"
#include "tools/tool.h"

#define PATH_LEN 4096
#define WORDS_MAX 16

/* What the vault's program does not say: what has not happened, and what to do. */
static const struct vault_mode {
        const char *mode, *failed, *next;
} vault_modes[] = {
        {"key-new", "no key was made", "`tocsin key list` shows the labels that are taken"},
        {"key-csr", "no request was made", "`tocsin key list` shows the labels there are; `tocsin key new` makes a key"},
        {"key-list", "the token could not be read", "tocsin check"},
};

static const char *const algorithms[] = {"p256", "p384", "rsa2048", "rsa3072", "rsa4096"};

/* What the vault's program returns (its --help), in our codes, and what to do where the mode does not say it better. */
static const struct {
        enum exit_code code;
        const char *next;
} vault_codes[] = {
        {EXIT_OK, NULL},
        {EXIT_REFUSED, NULL},
        {EXIT_CONFIG, "look at token.module, token.label and token.pin_file in tocsin.yaml; tocsin check"},
        {EXIT_TOKEN, "see whether the HSM is there and the PIN is right (token.pin_file); tocsin check"},
        {EXIT_SYSTEM, "run it as root or as the vault's user (users.vault), and name files that can be written"},
};
#define N_VAULT_CODES (sizeof(vault_codes) / sizeof(*vault_codes))

static const struct vault_mode *find_mode(const char *mode)
{
        size_t i = 0;

        while (strcmp(vault_modes[i].mode, mode) != 0)
                i++;
        return &vault_modes[i];
}

/* ---- running the vault's program ---- */

struct vault_run {
        enum exit_code code;
        const char *next;
        char why[512]; /* its last words, "" if it had none */
};

/* Its complaint is a line with its name in front; whatever else it wrote is handed on. */
static void read_complaint(int fd, struct vault_run *run)
{
        static const char name[] = "tocsin-vault: ";
        _cleanup_free_
        char *line = NULL;
        size_t cap = 0;
        FILE *file;

        if (lseek(fd, 0, SEEK_SET) != 0 || !(file = fdopen(dup(fd), "r")))
                return;
        while (getline(&line, &cap, file) > 0) {
                bool is_complaint = strncmp(line, name, strlen(name)) == 0;

                if (is_complaint)
                        snprintf(run->why, sizeof(run->why), "%.*s", (int)strcspn(line + strlen(name), "\n"), line + strlen(name));
                else
                        fputs(line, stderr);
        }
        fclose(file);
}

static int spawn_vault(struct tool *t, const char *program, char *const *words, bool silent, struct vault_run *run)
{
        _cleanup_close_
        int null = silent ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
        _cleanup_close_
        int complaints = memfd_create("complaints", MFD_CLOEXEC);
        int status;
        enum err e = tool_run_program(program, words, null, complaints, &status);

        if (e != OK)
                return tool_fail(t, EXIT_SYSTEM, NULL, "%s cannot be started: %s", program, err_text(e));
        run->code = status < (int)N_VAULT_CODES ? vault_codes[status].code : EXIT_SYSTEM;
        run->next = status < (int)N_VAULT_CODES ? vault_codes[status].next : "look at what it has written above; tocsin check";
        if (status >= (int)N_VAULT_CODES)
                snprintf(run->why, sizeof(run->why), "tocsin-vault ended with code %d", status);
        if (complaints >= 0)
                read_complaint(complaints, run);
        return EXIT_OK;
}

/* *ret_run: what came of it. Otherwise it could not even be run, and that has been said. */
static int start_vault(struct tool *t, const char *mode, const char *const *options, bool silent, struct vault_run *ret_run)
{
        char program[PATH_LEN];
        const char *words[WORDS_MAX] = {program, "--config", t->config_file, mode};
        size_t n = 4;
        int code = tool_load_conf(t);

        *ret_run = (struct vault_run){0};
        if (code != EXIT_OK)
                return code;
        if (tool_find_program("tocsin-vault", "TOCSIN_VAULT", "../signer/vault", program, sizeof(program)) != OK)
                return tool_fail(t, EXIT_SYSTEM, "name it: TOCSIN_VAULT=/path/to/tocsin-vault", "tocsin-vault is not found");
        for (; *options && n < WORDS_MAX - 2; options++)
                words[n++] = *options;
        if (t->json)
                words[n++] = "--json";
        words[n] = NULL;
        return spawn_vault(t, program, (char *const *)(uintptr_t)words, silent, ret_run);
}

static int run_vault(struct tool *t, const char *mode, const char *const *options)
{
        const struct vault_mode *m = find_mode(mode);
        struct vault_run run;
        int code = start_vault(t, mode, options, t->quiet && !t->json, &run);

        if (code != EXIT_OK || run.code == EXIT_OK)
                return code;
        return tool_fail(
                t, run.code, run.next ? run.next : m->next, "%s%s%s", m->failed, run.why[0] ? ": " : "", run.why);
}

static int need(struct tool *t, const char *option, const char *example)
{
        const char *value = options_get(&t->options, option);
        char next[128];

        if (value && value[0] != '\0')
                return EXIT_OK;
        snprintf(next, sizeof(next), "for example --%s %s", option, example);
        return tool_fail(t, EXIT_USAGE, next, "--%s is %s", option, value ? "empty" : "missing");
}

int cmd_key_new(struct tool *t)
{
        const char *algorithm = options_get(&t->options, "algorithm");
        const char *words[] = {
                "--label", options_get(&t->options, "label"), "--algorithm", algorithm ? algorithm : "p256", NULL};
        int code = need(t, "label", "ocsp-1");
        bool known = !algorithm;

        for (size_t i = 0; algorithm && i < sizeof(algorithms) / sizeof(*algorithms); i++)
                known = known || strcmp(algorithm, algorithms[i]) == 0;
        if (code == EXIT_OK && !known)
                return tool_fail(t, EXIT_USAGE, "one of p256, p384, rsa2048, rsa3072, rsa4096",
                        "--algorithm: there is no '%s'", algorithm);
        return code == EXIT_OK ? run_vault(t, "key-new", words) : code;
}

/* The vault's program opens it before it knows whether there is anything to write. */
static void remove_empty(const char *path)
{
        struct stat st;

        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
                unlink(path);
}

int cmd_key_csr(struct tool *t)
{
        const struct options *o = &t->options;
        const char *out = options_get(o, "out");
        const char *words[] = {"--label", options_get(o, "label"), "--subject", options_get(o, "subject"), "--out", out, NULL};
        int code = need(t, "label", "ocsp-1");
        bool was_there;

        if (code == EXIT_OK)
                code = need(t, "subject", "\"/CN=OCSP signer 1\"");
        if (code == EXIT_OK)
                code = need(t, "out", "ocsp-1.csr");
        if (code != EXIT_OK)
                return code;
        was_there = access(out, F_OK) == 0;
        code = run_vault(t, "key-csr", words);
        if (code != EXIT_OK && !was_there)
                remove_empty(out);
        return code;
}

int cmd_key_list(struct tool *t)
{
        const char *words[] = {NULL};

        return run_vault(t, "key-list", words);
}

/* ---- install ---- */

static int check_signer(struct tool *t, const struct conf_issuer *issuer, const char *file, const struct certificate *c)
{
        __attribute__((cleanup(ca_done))) struct ca ca = {0};
        const char *why;
        char bad[256];
        enum err e = ca_load(&issuer->certificates, &ca, bad);

        if (e != OK)
                return tool_fail(t, EXIT_CONFIG, "tocsin check", "%s: %s", bad, err_text(e));
        why = ca_refuse_ocsp_signer(&ca, c);
        if (why)
                return tool_fail(t, EXIT_REFUSED, "have the CA issue one that fits",
                        "%s cannot sign OCSP answers for %s: %s", file, issuer->name, why);
        return EXIT_OK;
}

/* CertificationRequest (RFC 2986 4): version, subject, then the key. */
static enum err take_request_key(struct bytes der, struct bytes *ret_spki)
{
        struct bytes request, info;
        enum err e = der_read_only(der, DER_SEQUENCE, &request);

        if (e == OK)
                e = der_read(&request, DER_SEQUENCE, &info);
        for (unsigned i = 0; e == OK && i < 2; i++)
                e = der_read_any(&info, NULL, NULL, NULL);
        return e == OK ? der_read_tlv(&info, DER_SEQUENCE, ret_spki) : e;
}

static bool request_has_key(const char *path, struct bytes spki)
{
        _cleanup_(builder_done) struct builder text = {0}, der = {0};
        struct pem_block block;
        struct bytes found;
        struct pem pem;

        if (files_read(path, &text) != OK)
                return false;
        pem_init(&pem, builder_bytes(&text));
        return pem_next(&pem, &block) && pem_decode(block.base64, &der) == OK &&
               take_request_key(builder_bytes(&der), &found) == OK && bytes_equal(found, spki);
}

/* Is the certificate's key the token's? The vault tells a key only in a request, so it makes one, for nobody. */
static int check_key(struct tool *t, const struct conf_issuer *issuer, const char *file, const struct certificate *c)
{
        const char *base = getenv("TMPDIR");
        char folder[PATH_LEN], path[PATH_LEN + 16];
        const char *words[] = {"--label", issuer->ocsp_key, "--subject", "/CN=compare", "--out", path, NULL};
        struct vault_run run;
        int code;
        bool same;

        if (issuer->offline || issuer->ocsp_key[0] == '\0')
                return EXIT_OK;
        snprintf(folder, sizeof(folder), "%s/tocsin-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(folder))
                return tool_fail(
                        t, EXIT_SYSTEM, "name another folder: TMPDIR=/somewhere tocsin ...", "%s cannot be made", folder);
        snprintf(path, sizeof(path), "%s/key", folder);
        code = start_vault(t, "key-csr", words, true, &run);
        same = request_has_key(path, c->spki);
        files_remove_folder(folder);
        if (code != EXIT_OK)
                return code;
        if (run.code != EXIT_OK)
                return tool_fail(t, run.code, run.next ? run.next : "`tocsin key list` shows the keys there are; tocsin check",
                        "%s: it could not be compared with the key '%s' of the token, so nothing was changed: %s", file,
                        issuer->ocsp_key, run.why);
        return same ? EXIT_OK
                    : tool_fail(t, EXIT_REFUSED, "have the CA sign the request that `tocsin key csr` makes",
                              "%s is for another key than '%s' of the token", file, issuer->ocsp_key);
}

static int write_signer(struct tool *t, const char *path, const struct certificate *c)
{
        _cleanup_(builder_done) struct builder pem = {0};
        enum err e;

        files_put_pem(&pem, "CERTIFICATE", c->der);
        e = builder_failed(&pem) ? ERR_NOMEM : files_write(path, builder_bytes(&pem), 0644);
        return e == OK ? EXIT_OK : tool_fail(t, EXIT_SYSTEM, NULL, "%s cannot be written: %s", path, err_text(e));
}

int cmd_key_install(struct tool *t)
{
        __attribute__((cleanup(certificate_done))) struct certificate c = {0};
        const char *file = t->options.operands[1];
        const struct conf_issuer *issuer = NULL;
        char until[CLOCK_TEXT_LEN];
        int code = tool_load_conf(t);
        enum err e;

        if (code == EXIT_OK)
                issuer = tool_pick_issuer(t, t->options.operands[0], &code);
        if (code != EXIT_OK)
                return code;
        if (issuer->ocsp_certificate[0] == '\0')
                return tool_fail(t, EXIT_CONFIG,
                        "in its issuer.yaml set ocsp.key to the key's label, and take ocsp.certificate out",
                        "%s is configured to have the CA key sign OCSP answers", issuer->name);
        e = certificate_from_file(file, &c);
        if (e != OK)
                return tool_fail(t, exit_code_of_err(e), "give the certificate that the CA has issued for the key, PEM or DER",
                        "%s: %s", file, e == ERR_INVALID ? "it is no certificate" : err_text(e));
        code = check_signer(t, issuer, file, &c);
        if (code == EXIT_OK)
                code = check_key(t, issuer, file, &c);
        if (code == EXIT_OK)
                code = write_signer(t, issuer->ocsp_certificate, &c);
        if (code != EXIT_OK)
                return code;
        tool_say(t, "%s signs with this certificate from now on, until %s", issuer->name, clock_to_text(c.not_after, until));
        if (t->json) {
                _cleanup_json_ json_t *object =
                        json_pack("{s:b, s:s, s:s}", "ok", 1, "issuer", issuer->name, "file", issuer->ocsp_certificate);

                tool_print_json(object);
        }
        tool_reload_engine(t);
        return EXIT_OK;
}
