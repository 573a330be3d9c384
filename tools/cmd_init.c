/* init: a commented tocsin.yaml and the folders that it names. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/files.h"
#include "tools/tool.h"

#define PATH_LEN 4096
#define SETTINGS_MAX 64

static const struct {
        const char *name;
        unsigned mode;
} folders[] = {
        {"issuers", 0755},
        {"store", 0750},
        {"crl", 0755},
        {"run", 0755},
};

/* Without root there are no other users to be. */
static const char *const settings_without_root[] = {"users.engine=", "users.vault=", "users.responder="};

/* What --set says goes before what follows from not being root. */
static int collect_settings(struct tool *t, const char *settings[SETTINGS_MAX])
{
        const char *text;
        size_t at = 0, n = 0;

        while ((text = options_next(&t->options, "set", &at)) && n < SETTINGS_MAX - 4) {
                if (!files_is_setting(text))
                        return tool_fail(
                                t, EXIT_USAGE, "write --set token.label=prod", "--set: '%s' is not PATH=VALUE", text);
                settings[n++] = text;
        }
        for (size_t i = 0; geteuid() != 0 && i < sizeof(settings_without_root) / sizeof(*settings_without_root); i++)
                settings[n++] = settings_without_root[i];
        settings[n] = NULL;
        return EXIT_OK;
}

static enum err write_sample(const char *path, const char *const *settings)
{
        _cleanup_free_
        char *text = NULL;
        size_t len;
        FILE *memory = open_memstream(&text, &len);

        if (!memory)
                return ERR_NOMEM;
        conf_print_sample(memory, settings);
        if (fclose(memory) != 0)
                return ERR_NOMEM;
        return files_write(path, bytes_make(text, len), 0644);
}

static enum err make_folders(const char *dir, char *path)
{
        enum err e = OK;

        for (size_t i = 0; e == OK && i < sizeof(folders) / sizeof(*folders); i++) {
                snprintf(path, PATH_LEN, "%s/%s", dir, folders[i].name);
                e = files_make_folder(path, folders[i].mode);
        }
        return e;
}

/* What was wrong leaves nothing behind, but for a folder that held something before. */
static int check_result(struct tool *t, const char *dir, const char *path)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;
        struct conf_problem problem;

        if (conf_load(path, &conf, &problem) == OK)
                return EXIT_OK;
        unlink(path);
        rmdir(dir);
        return tool_fail(t, EXIT_CONFIG, "correct --set", "%s", problem.text);
}

static void say_next(struct tool *t, const char *dir, const char *path)
{
        tool_say(t, "%s is written: every option with its default and range.", path);
        tool_say(t, "next:");
        tool_say(t,
                "  1. a token: softhsm2-util --init-token --free --label tocsin   (or your HSM: token.module, token.label)");
        tool_say(t, "     its PIN, one line, in %s/pin, readable by the vault's user alone: chmod 600 %s/pin", dir, dir);
        tool_say(t, "  2. an OCSP signer's key: tocsin --config %s key new --label ocsp-1", path);
        tool_say(t, "  3. the CA: tocsin --config %s issuer add NAME --cert ca.pem --ocsp-key ocsp-1 --crl-key LABEL", path);
        tool_say(t,
                "  4. its certificate: tocsin --config %s key csr --label ocsp-1 --subject \"/CN=OCSP signer\" --out "
                "ocsp.csr,",
                path);
        tool_say(t, "     have the CA sign it, then: tocsin --config %s key install NAME ocsp-signer.pem", path);
        tool_say(t, "  5. tocsin --config %s check, start tocsin-signer and tocsin-responder, tocsin import", path);
}

int cmd_init(struct tool *t)
{
        static const char another[] = "name another folder: tocsin init DIR";
        const char *dir = t->options.n_operands ? t->options.operands[0] : ".";
        const char *settings[SETTINGS_MAX];
        char path[PATH_LEN], folder[PATH_LEN];
        int code = collect_settings(t, settings);
        enum err e;

        if (code != EXIT_OK)
                return code;
        snprintf(path, sizeof(path), "%s/tocsin.yaml", dir);
        if (access(path, F_OK) == 0)
                return tool_fail(t, EXIT_REFUSED, "tocsin check", "%s is there already; it is left as it is", path);
        e = files_make_folder(dir, 0755);
        if (e != OK)
                return tool_fail(t, EXIT_SYSTEM, another, "the folder %s cannot be made: %s", dir, err_text(e));
        e = write_sample(path, settings);
        if (e != OK)
                return tool_fail(t, EXIT_SYSTEM, another, "%s cannot be written: %s", path, err_text(e));
        code = check_result(t, dir, path);
        if (code != EXIT_OK)
                return code;
        e = make_folders(dir, folder);
        if (e != OK)
                return tool_fail(t, EXIT_SYSTEM, another, "the folder %s cannot be made: %s", folder, err_text(e));
        if (t->json) {
                _cleanup_json_ json_t *object = json_pack("{s:b, s:s}", "ok", 1, "file", path);

                tool_print_json(object);
        }
        say_next(t, dir, path);
        return EXIT_OK;
}
