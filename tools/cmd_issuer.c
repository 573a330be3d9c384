/* issuer add, issuer list.
 *
 * A new issuer's folder is filled under a name that nobody reads, checked, and renamed into place: the engine and the
 * workers never see half of one.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/ca.h"
#include "tools/files.h"
#include "tools/show.h"
#include "tools/table.h"

#define PATH_LEN 4096
#define SETTINGS_MAX 96
#define SETTING_LEN 512

struct addition {
        struct tool *t;
        const char *name;
        char folder[PATH_LEN]; /* where it is filled: issuers/.NAME.new */
        char target[PATH_LEN];
        struct ca ca;
        const char *settings[SETTINGS_MAX];
        size_t n_settings;
        struct builder texts[SETTINGS_MAX];
};

static void addition_done(struct addition *a)
{
        ca_done(&a->ca);
        for (size_t i = 0; i < SETTINGS_MAX; i++)
                builder_done(&a->texts[i]);
}

/* ---- settings ---- */

static void set(struct addition *a, const char *path, const char *value)
{
        struct builder *text = &a->texts[a->n_settings];

        if (a->n_settings + 1 >= SETTINGS_MAX)
                return;
        builder_printf(text, "%s=%s", path, value);
        builder_put_u8(text, 0);
        if (!builder_failed(text))
                a->settings[a->n_settings++] = (const char *)text->data;
}

/* The value that counts, the first; NULL: it was not set. */
static const char *setting(const struct addition *a, const char *path)
{
        size_t len = strlen(path);

        for (size_t i = 0; i < a->n_settings; i++)
                if (strncmp(a->settings[i], path, len) == 0 && a->settings[i][len] == '=')
                        return a->settings[i] + len + 1;
        return NULL;
}

/* The options that stand for one of issuer.yaml's. */
static const struct {
        const char *option, *path;
} shortcuts[] = {
        {"profile", "profile"},
        {"ocsp-key", "ocsp.key"},
        {"crl-key", "crl.key"},
        {"crl-url", "crl.url"},
        {"delta-url", "crl.delta_url"},
        {"delta-period", "crl.delta_period"},
        {"shards", "crl.shards"},
};

static void list_certificates(struct addition *a)
{
        _cleanup_(builder_done) struct builder list = {0};

        for (unsigned i = 0; i < a->ca.n; i++)
                builder_printf(&list, i == 0 ? "ca.pem" : ",ca-%u.pem", i + 1);
        builder_put_u8(&list, 0);
        if (a->ca.n > 1 && !builder_failed(&list))
                set(a, "certificates", (const char *)list.data);
}

/* Of two settings of one path the first counts: what --set says goes before what is concluded here. */
static int collect_settings(struct addition *a)
{
        const struct options *o = &a->t->options;
        const char *text;
        size_t at = 0;

        while ((text = options_next(o, "set", &at))) {
                char path[SETTING_LEN];

                if (!files_is_setting(text))
                        return tool_fail(
                                a->t, EXIT_USAGE, "write --set ocsp.validity=4d", "--set: '%s' is not PATH=VALUE", text);
                snprintf(path, sizeof(path), "%.*s", (int)strcspn(text, "="), text);
                set(a, path, strchr(text, '=') + 1);
        }
        for (size_t i = 0; i < sizeof(shortcuts) / sizeof(*shortcuts); i++)
                if ((text = options_get(o, shortcuts[i].option)))
                        set(a, shortcuts[i].path, text);
        list_certificates(a);
        if (!setting(a, "ocsp.key") && !options_has(o, "ocsp-cert"))
                set(a, "ocsp.certificate", ""); /* the CA key signs */
        return EXIT_OK;
}

/* ---- checks ---- */

static bool is_good_name(const char *name)
{
        size_t len = strlen(name);

        for (size_t i = 0; i < len; i++)
                if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
                        return false;
        return len >= 1 && len <= 64 && name[0] != '.';
}

static int check_certificates(struct addition *a)
{
        for (unsigned i = 0; i < a->ca.n; i++) {
                const char *why = ca_refuse_own(&a->ca, i);

                if (why)
                        return tool_fail(a->t, EXIT_REFUSED, "--cert takes the CA's own certificates; nothing was added",
                                "certificate %u: %s", i + 1, why);
                if (a->ca.certificates[i].not_after < clock_now_s())
                        tool_note(a->t, "certificate %u has expired", i + 1);
        }
        return EXIT_OK;
}

/* Two configured issuers of one name and key would answer for each other's certificates. */
static int check_others(struct addition *a)
{
        for (unsigned i = 0; i < a->t->conf->n_issuers; i++) {
                __attribute__((cleanup(ca_done))) struct ca other = {0};
                char file[256];

                if (ca_load(&a->t->conf->issuers[i].certificates, &other, file) != OK || other.n == 0)
                        continue;
                if (bytes_equal(other.certificates[0].subject, a->ca.certificates[0].subject) &&
                        bytes_equal(other.certificates[0].spki, a->ca.certificates[0].spki))
                        return tool_fail(a->t, EXIT_REFUSED,
                                "add the certificate to its folder and its issuer.yaml (certificates)",
                                "the issuer '%s' has this name and key already", a->t->conf->issuers[i].name);
        }
        return EXIT_OK;
}

static int load_certificates(struct addition *a)
{
        char *files[SETTINGS_MAX];
        struct conf_list list = {.items = files};
        const char *path;
        char bad[256];
        size_t at = 0;
        enum err e;

        while ((path = options_next(&a->t->options, "cert", &at)) && list.n < SETTINGS_MAX)
                files[list.n++] = (char *)(uintptr_t)path;
        if (list.n == 0)
                return tool_fail(a->t, EXIT_USAGE, "--cert FILE: the CA's certificate, PEM or DER", "which certificate?");
        e = ca_load(&list, &a->ca, bad);
        if (e != OK)
                return tool_fail(a->t, e == ERR_NOT_FOUND ? EXIT_SYSTEM : EXIT_REFUSED,
                        "--cert FILE: the CA's certificate, PEM or DER", "%s: %s", bad,
                        e == ERR_NOT_FOUND ? "there is no such file" : "it is no certificate, PEM or DER");
        return check_certificates(a);
}

/* Without a key nothing can be signed; with the CA key alone it must be allowed to (RFC 6960 4.2.2.2, req 2.14). */
static int check_keys(struct addition *a)
{
        const char *offline = setting(a, "offline"), *ocsp = setting(a, "ocsp.key"), *crl = setting(a, "crl.key");

        if (offline && strcmp(offline, "true") == 0)
                return EXIT_OK;
        if (!ocsp && !crl)
                return tool_fail(a->t, EXIT_USAGE,
                        "--ocsp-key LABEL, --crl-key LABEL, or both; --set offline=true for a CA whose keys are in no token "
                        "here",
                        "no key is named, so nothing could be signed for %s", a->name);
        for (unsigned i = 0; !ocsp && i < a->ca.n; i++)
                if (a->ca.certificates[i].has_key_usage && !a->ca.certificates[i].ku_digital_signature)
                        return tool_fail(a->t, EXIT_REFUSED, "name a key of its own for OCSP: --ocsp-key LABEL",
                                "certificate %u: its keyUsage lacks digitalSignature, so the CA key may not sign OCSP "
                                "answers",
                                i + 1);
        return EXIT_OK;
}

/* ---- writing ---- */

static enum err write_certificate(const struct addition *a, const char *name, const struct certificate *c)
{
        _cleanup_(builder_done) struct builder pem = {0};
        char path[PATH_LEN + 64];

        files_put_pem(&pem, "CERTIFICATE", c->der);
        snprintf(path, sizeof(path), "%s/%s", a->folder, name);
        return builder_failed(&pem) ? ERR_NOMEM : files_write(path, builder_bytes(&pem), 0644);
}

static enum err write_certificates(const struct addition *a)
{
        enum err e = OK;

        for (unsigned i = 0; e == OK && i < a->ca.n; i++) {
                char name[32] = "ca.pem";

                if (i > 0)
                        snprintf(name, sizeof(name), "ca-%u.pem", i + 1);
                e = write_certificate(a, name, &a->ca.certificates[i]);
        }
        return e;
}

static enum err write_yaml(const struct addition *a)
{
        _cleanup_free_
        char *text = NULL;
        char path[PATH_LEN + 64];
        size_t len;
        FILE *memory = open_memstream(&text, &len);

        if (!memory)
                return ERR_NOMEM;
        conf_print_issuer_sample(memory, a->settings);
        if (fclose(memory) != 0)
                return ERR_NOMEM;
        snprintf(path, sizeof(path), "%s/issuer.yaml", a->folder);
        return files_write(path, bytes_make(text, len), 0644);
}

static int write_signer(const struct addition *a)
{
        const char *path = options_get(&a->t->options, "ocsp-cert");
        __attribute__((cleanup(certificate_done))) struct certificate c = {0};
        const char *why;
        enum err e;

        if (!path)
                return EXIT_OK;
        e = certificate_from_file(path, &c);
        if (e != OK)
                return tool_fail(a->t, EXIT_REFUSED,
                        "--ocsp-cert FILE: the OCSP signer's certificate, PEM or DER; nothing was added",
                        "%s: it cannot be read as a certificate: %s", path, err_text(e));
        why = ca_refuse_ocsp_signer(&a->ca, &c);
        if (why)
                return tool_fail(a->t, EXIT_REFUSED, "have the CA issue one that fits; nothing was added",
                        "%s cannot sign OCSP answers for this CA: %s", path, why);
        e = write_certificate(a, "ocsp-signer.pem", &c);
        return e == OK ? EXIT_OK : tool_fail(a->t, EXIT_SYSTEM, NULL, "its copy cannot be written: %s", err_text(e));
}

static int fill_folder(struct addition *a)
{
        enum err e = files_make_folder(a->t->conf->issuers_path, 0755);

        files_remove_folder(a->folder); /* left by one that was interrupted */
        if (e == OK)
                e = files_make_folder(a->folder, 0755);
        if (e == OK)
                e = write_certificates(a);
        if (e == OK)
                e = write_yaml(a);
        if (e != OK)
                return tool_fail(a->t, EXIT_SYSTEM, NULL, "%s cannot be written: %s", a->folder, err_text(e));
        return write_signer(a);
}

/* The configuration as it is now, with the new issuer in it, must load; else the issuer goes again. */
static int check_result(const struct addition *a)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;
        struct conf_problem problem = {0};
        enum err e = conf_load(a->t->config_file, &conf, &problem);

        if (e == OK)
                return EXIT_OK;
        files_remove_folder(a->target);
        return tool_fail(a->t, EXIT_CONFIG, "give what it asks for with an option or --set; nothing was added", "%s",
                problem.text[0] ? problem.text : err_text(e));
}

static int put_in_place(struct addition *a)
{
        int code = fill_folder(a);

        if (code == EXIT_OK && rename(a->folder, a->target) != 0)
                code = tool_fail(a->t, EXIT_SYSTEM, NULL, "%s: %s", a->target, strerror(errno));
        if (code != EXIT_OK) {
                files_remove_folder(a->folder);
                return code;
        }
        return check_result(a);
}

static void say_next(const struct addition *a)
{
        const struct options *o = &a->t->options;

        tool_say(a->t, "%s is configured: %s", a->name, a->target);
        if (a->t->json) {
                _cleanup_json_ json_t *object =
                        json_pack("{s:b, s:s, s:s}", "ok", 1, "issuer", a->name, "folder", a->target);

                tool_print_json(object);
        }
        tool_reload_engine(a->t);
        tool_say(a->t, "The responder notices within seconds.");
        if (options_has(o, "ocsp-key") && !options_has(o, "ocsp-cert"))
                tool_say(a->t,
                        "next: tocsin key csr --label %s --subject \"/CN=...\" --out ocsp.csr; have the CA sign it; tocsin "
                        "key install %s CERT",
                        options_get(o, "ocsp-key"), a->name);
        else
                tool_say(a->t, "next: tocsin check; tocsin import --issuer %s FILE", a->name);
}

int cmd_issuer_add(struct tool *t)
{
        _cleanup_(addition_done) struct addition a = {.t = t, .name = t->options.operands[0]};
        int code = tool_load_conf(t);

        if (code != EXIT_OK)
                return code;
        if (!is_good_name(a.name))
                return tool_fail(t, EXIT_USAGE, "choose one as issuing-ca",
                        "'%s' is no name: letters, digits, '-', '_' and '.', up to 64", a.name);
        snprintf(a.folder, sizeof(a.folder), "%s/.%s.new", t->conf->issuers_path, a.name);
        snprintf(a.target, sizeof(a.target), "%s/%s", t->conf->issuers_path, a.name);
        if (access(a.target, F_OK) == 0)
                return tool_fail(
                        t, EXIT_REFUSED, "edit its issuer.yaml, or choose another name", "%s is there already", a.target);
        code = load_certificates(&a);
        if (code == EXIT_OK)
                code = check_others(&a);
        if (code == EXIT_OK)
                code = collect_settings(&a);
        if (code == EXIT_OK)
                code = check_keys(&a);
        if (code == EXIT_OK)
                code = put_in_place(&a);
        if (code == EXIT_OK)
                say_next(&a);
        return code;
}

/* ---- list ---- */

static void print_issuers(const json_t *issuers)
{
        static const char *const titles[] = {
                "issuer", "profile", "certificates", "revoked or held", "CA until", "OCSP signer", "until", "CRL"};
        struct table table;
        const json_t *issuer;
        size_t i;

        table_begin(&table, sizeof(titles) / sizeof(*titles), titles);
        table.right = 1 << 2 | 1 << 3;
        json_array_foreach(issuers, i, issuer)
        {
                const json_t *signer = json_object_get(issuer, "ocsp_signer");

                table_cell(&table, show_text(issuer, "name"));
                table_cell(&table, show_text(issuer, "profile"));
                table_cellf(&table, "%lld", show_number(issuer, "records"));
                table_cellf(&table, "%lld", show_number(issuer, "exceptions"));
                table_cellf(&table, "%.10s", show_text(issuer, "not_after"));
                if (json_is_object(signer))
                        table_cellf(&table, "%s, %s", show_text(signer, "by"), show_text(signer, "algorithm"));
                else
                        table_cell(&table, "none");
                table_cellf(&table, "%.10s", show_text(signer, "not_after"));
                table_cell(&table, show_text(issuer, "crl_url"));
        }
        table_end(&table, stdout);
        show_refused(issuers, "");
}

int cmd_issuer_list(struct tool *t)
{
        _cleanup_json_ json_t *final = NULL;
        int code = tool_load_conf(t);

        if (code == EXIT_OK)
                code = tool_ask_plain(t, json_pack("{s:s}", "command", "issuer.list"), TOOL_QUICK_MS, &final);
        if (code != EXIT_OK)
                return code;
        if (t->json)
                tool_print_json(final);
        else if (json_array_size(json_object_get(final, "issuers")) == 0)
                tool_say(t, "no issuers yet; tocsin issuer add NAME --cert ca.pem");
        else if (!t->quiet)
                print_issuers(json_object_get(final, "issuers"));
        return EXIT_OK;
}
