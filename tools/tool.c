/* tool: the configuration, the engine, and the voice of the command. */
#include "tools/tool.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define TEXT_MAX 1024

extern char **environ;

void tool_find_config(struct tool *t)
{
        static const char *const places[] = {"tocsin.yaml", "/etc/tocsin/tocsin.yaml"};
        const char *file = options_get(&t->options, "config");

        if (!file)
                file = getenv("TOCSIN_CONFIG");
        for (size_t i = 0; !file && i < sizeof(places) / sizeof(*places); i++)
                if (access(places[i], F_OK) == 0)
                        file = places[i];
        snprintf(t->config_file, sizeof(t->config_file), "%s", file ? file : "");
}

int tool_load_conf(struct tool *t)
{
        struct conf_problem problem = {0};
        enum err e;

        if (t->conf)
                return EXIT_OK;
        if (t->config_file[0] == '\0')
                return tool_fail(t, EXIT_CONFIG, "make one with `tocsin init`, or name it: --config FILE, or $TOCSIN_CONFIG",
                        "there is no tocsin.yaml here nor in /etc/tocsin");
        e = conf_load(t->config_file, &t->conf, &problem);
        if (e == OK)
                return EXIT_OK;
        if (problem.text[0] == '\0')
                snprintf(problem.text, sizeof(problem.text), "%.300s: %s", t->config_file, err_text(e));
        return tool_fail(t, EXIT_CONFIG,
                e == ERR_NOT_FOUND ? "make one with `tocsin init`" : "correct it, then `tocsin check`", "%s", problem.text);
}

static void list_issuers(const struct conf *conf, char *ret_text, size_t cap)
{
        size_t len = 0;

        ret_text[0] = '\0';
        for (unsigned i = 0; i < conf->n_issuers && len < cap; i++)
                len += (size_t)snprintf(ret_text + len, cap - len, "%s%s", i ? ", " : "", conf->issuers[i].name);
}

const struct conf_issuer *tool_pick_issuer(struct tool *t, const char *name, int *ret_code)
{
        const struct conf_issuer *issuer = NULL;
        char names[TEXT_MAX];

        list_issuers(t->conf, names, sizeof(names));
        if (t->conf->n_issuers == 0) {
                *ret_code = tool_fail(
                        t, EXIT_CONFIG, "add one: tocsin issuer add NAME --cert ca.pem", "no issuer is configured yet");
        } else if (name) {
                issuer = conf_find_issuer(t->conf, name);
                if (!issuer)
                        *ret_code =
                                tool_fail(t, EXIT_USAGE, "name one of them, or add it: tocsin issuer add NAME --cert ca.pem",
                                        "there is no issuer '%s'; configured: %s", name, names);
        } else if (t->conf->n_issuers > 1) {
                *ret_code =
                        tool_fail(t, EXIT_USAGE, "name one with --issuer NAME", "several issuers are configured: %s", names);
        } else {
                issuer = &t->conf->issuers[0];
        }
        return issuer;
}

int tool_put_issuer(struct tool *t, json_t *question)
{
        const char *name = options_get(&t->options, "issuer");
        int code = EXIT_OK;

        if (name && tool_pick_issuer(t, name, &code))
                json_object_set_new(question, "issuer", json_string(name));
        return code;
}

static void fail_json(const char *text, const char *next)
{
        _cleanup_json_ json_t *object = json_pack("{s:b, s:s}", "ok", 0, "error", text);

        if (next)
                json_object_set_new(object, "hint", json_string(next));
        tool_print_json(object);
}

int tool_fail(const struct tool *t, enum exit_code code, const char *next, const char *format, ...)
{
        char text[TEXT_MAX];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (t->json) {
                fail_json(text, next);
                return code;
        }
        fflush(stdout);
        fprintf(stderr, "tocsin: %s\n", text);
        if (next)
                fprintf(stderr, "  next: %s\n", next);
        return code;
}

void tool_note(const struct tool *t, const char *format, ...)
{
        va_list arguments;

        if (t->quiet)
                return;
        fflush(stdout); /* so that both streams keep their order in one log */
        va_start(arguments, format);
        fputs("tocsin: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
}

void tool_say(const struct tool *t, const char *format, ...)
{
        va_list arguments;

        if (t->quiet || t->json)
                return;
        va_start(arguments, format);
        vprintf(format, arguments);
        putchar('\n');
        va_end(arguments);
}

void tool_print_json(const json_t *object)
{
        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        fflush(stdout);
}

int tool_unreachable(const struct tool *t, enum err e)
{
        const char *socket = t->conf->control_socket;

        if (e == ERR_DENIED)
                return tool_fail(t, EXIT_UNREACHABLE, "run it as root, or as a member of the group in control.group",
                        "you may not connect to %s", socket);
        if (e == ERR_TIMEOUT)
                return tool_fail(
                        t, EXIT_UNREACHABLE, "look at the log of tocsin-signer", "the engine does not answer on %s", socket);
        if (e == ERR_INVALID)
                return tool_fail(t, EXIT_UNREACHABLE, "are tocsin and tocsin-signer of the same version?",
                        "the engine's answer could not be understood");
        if (e == ERR_NOT_FOUND || e == ERR_CLOSED)
                return tool_fail(t, EXIT_UNREACHABLE,
                        "start it: systemctl start tocsin-signer, or tocsin-signer --config FILE; "
                        "if it was at work, `tocsin status` says what is done",
                        "the engine is not reachable on %s", socket);
        return tool_fail(t, EXIT_UNREACHABLE, NULL, "asking the engine on %s failed: %s", socket, err_text(e));
}

int tool_refused(const struct tool *t, const json_t *final)
{
        const char *error = json_string_value(json_object_get(final, "error"));
        const char *hint = json_string_value(json_object_get(final, "hint"));
        enum exit_code code = exit_code_of_engine(json_string_value(json_object_get(final, "code")));

        if (t->json) {
                tool_print_json(final);
                return code;
        }
        return tool_fail(t, code, hint, "%s", error ? error : "the engine refused, and gave no reason");
}

int tool_ask(const struct tool *t, const struct control_ask *ask, json_t **ret_final)
{
        _cleanup_json_ json_t *final = NULL;
        enum err e = control_ask(t->conf->control_socket, ask, &final);

        if (e != OK)
                return tool_unreachable(t, e);
        if (!json_is_true(json_object_get(final, "ok")))
                return tool_refused(t, final);
        *ret_final = steal(&final);
        return EXIT_OK;
}

int tool_ask_plain(const struct tool *t, json_t *question, int timeout_ms, json_t **ret_final)
{
        _cleanup_json_ json_t *owned = question;
        struct control_ask ask = {.question = owned, .fd = -1, .timeout_ms = timeout_ms};

        return tool_ask(t, &ask, ret_final);
}

void tool_reload_engine(const struct tool *t)
{
        _cleanup_json_ json_t *question = json_pack("{s:s}", "command", "reload");
        _cleanup_json_ json_t *final = NULL;
        struct control_ask ask = {.question = question, .fd = -1, .timeout_ms = TOOL_QUICK_MS};
        enum err e = control_ask(t->conf->control_socket, &ask, &final);

        if (e != OK)
                tool_note(t, "the engine is not running: it will read this when it starts");
        else if (json_is_true(json_object_get(final, "ok")))
                tool_say(t, "The engine has read it.");
        else
                tool_note(t,
                        "the engine keeps its old configuration: %s; correct it, then restart tocsin-signer or send it "
                        "SIGHUP",
                        json_string_value(json_object_get(final, "error")));
}

const char *tool_color(const struct tool *t, enum tool_color color)
{
        static const char *const escapes[COLOR_N] = {
                [COLOR_PLAIN] = "\033[0m",
                [COLOR_GOOD] = "\033[32m",
                [COLOR_WARNING] = "\033[33m",
                [COLOR_BAD] = "\033[31m",
                [COLOR_DIM] = "\033[2m",
                [COLOR_BOLD] = "\033[1m",
        };

        return t->color ? escapes[color] : "";
}

/* The folder of this executable, ending in '/'; "" if the kernel does not tell. */
static void own_folder(char *ret_folder, size_t cap)
{
        ssize_t n = readlink("/proc/self/exe", ret_folder, cap - 1);
        char *slash;

        ret_folder[n > 0 ? n : 0] = '\0';
        slash = strrchr(ret_folder, '/');
        if (slash)
                slash[1] = '\0';
}

static bool try_program(char *path, size_t cap, const char *folder, const char *between, const char *name)
{
        int n = snprintf(path, cap, "%s%s%s%s", folder, between, between[0] ? "/" : "", name);

        return n > 0 && (size_t)n < cap && access(path, X_OK) == 0;
}

static bool find_in_path(const char *name, char *ret_path, size_t cap)
{
        _cleanup_free_
        char *list = strdup(getenv("PATH") ? getenv("PATH") : "");
        char *rest = list;

        for (char *folder; list && (folder = strsep(&rest, ":"));)
                if (folder[0] == '/' && try_program(ret_path, cap, folder, "/", name))
                        return true;
        return false;
}

enum err tool_find_program(const char *name, const char *variable, const char *build_folder, char *ret_path, size_t cap)
{
        const char *const betweens[] = {"", build_folder, "../libexec", "../libexec/tocsin", "../lib/tocsin", "../sbin"};
        const char *named = getenv(variable);
        char folder[2048];

        if (named)
                return (size_t)snprintf(ret_path, cap, "%s", named) < cap && access(named, X_OK) == 0 ? OK : ERR_NOT_FOUND;
        own_folder(folder, sizeof(folder));
        for (size_t i = 0; folder[0] && i < sizeof(betweens) / sizeof(*betweens); i++)
                if (try_program(ret_path, cap, folder, betweens[i], name))
                        return OK;
        return find_in_path(name, ret_path, cap) ? OK : ERR_NOT_FOUND;
}

enum err tool_run_program(const char *program, char *const *words, int out, int err, int *ret_status)
{
        posix_spawn_file_actions_t actions;
        int status, errnum;
        pid_t pid;

        fflush(NULL);
        errnum = posix_spawn_file_actions_init(&actions);
        if (errnum != 0)
                return err_from_errno(errnum);
        if (out >= 0)
                errnum = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (errnum == 0 && err >= 0)
                errnum = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
        if (errnum == 0)
                errnum = posix_spawn(&pid, program, &actions, NULL, words, environ);
        posix_spawn_file_actions_destroy(&actions);
        if (errnum != 0)
                return err_from_errno(errnum);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return err_from_errno(errno);
        *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return OK;
}
