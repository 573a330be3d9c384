/* handover: see handover.h. */
#include "tools/handover.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/reader.h"

#define REJECTS_SHOWN 20
#define REJECTS_JSON 10000
#define CHUNK_TEXT 512

static int set_format(struct tool *t, struct intake *in)
{
        const char *format = options_get(&t->options, "format");
        char names[CHUNK_TEXT];

        if (!format || strcmp(format, "auto") == 0)
                return EXIT_OK;
        in->reader = reader_find(format);
        if (in->reader)
                return EXIT_OK;
        reader_names(names, sizeof(names));
        return tool_fail(
                t, EXIT_USAGE, names, "there is no format '%s'; auto, which recognizes it, or one of the following", format);
}

int handover_begin(struct tool *t, enum rowfile_kind kind, struct intake *ret)
{
        struct intake in = {.kind = kind};
        int code = tool_load_conf(t);
        char file[256];
        enum err e;

        if (code == EXIT_OK)
                in.issuer = tool_pick_issuer(t, options_get(&t->options, "issuer"), &code);
        if (code == EXIT_OK)
                code = set_format(t, &in);
        if (code != EXIT_OK)
                return code;
        e = ca_load(&in.issuer->certificates, &in.ca, file);
        if (e != OK)
                return tool_fail(
                        t, EXIT_CONFIG, "tocsin check", "%s: the certificate cannot be read: %s", file, err_text(e));
        progress_init(&in.progress, stderr, t->quiet || t->json);
        *ret = in;
        return EXIT_OK;
}

static const char *hint_of(enum err e)
{
        if (e == ERR_NOT_FOUND)
                return "name a file or a directory that is there, or - for standard input";
        if (e == ERR_DENIED)
                return "let it be read, or give it on standard input: tocsin ... - <FILE";
        return e == ERR_INVALID
                       ? "is --issuer the right one? `tocsin help import` lists the formats, --format NAME names one"
                       : NULL;
}

int handover_read(struct tool *t, struct intake *in, const char *path)
{
        char why[INTAKE_WHY_MAX] = "";
        enum err e = intake_path(in, path, why);

        progress_done(&in->progress);
        if (e == OK)
                return EXIT_OK;
        return tool_fail(
                t, exit_code_of_err(e), hint_of(e), "%s (nothing was sent to the engine)", why[0] ? why : err_text(e));
}

int handover_sort(struct tool *t, struct intake *in)
{
        enum err e = rows_sort(&in->rows, &in->rejects, &in->sources);

        if (e == OK && builder_failed(&in->rejects.texts))
                e = ERR_NOMEM;
        if (e != OK)
                return tool_fail(t, exit_code_of_err(e), NULL, "the list cannot be sorted: %s", err_text(e));
        if (in->unused.len)
                tool_note(t, "columns that are not used: %.*s", (int)in->unused.len, (const char *)in->unused.data);
        if (in->n_skipped)
                tool_note(t, "%llu files hold no certificate and were passed over", (unsigned long long)in->n_skipped);
        return EXIT_OK;
}

static void print_json(const struct intake *in, const json_t *answer, const char *headline)
{
        _cleanup_json_ json_t *object = answer ? json_copy((json_t *)(uintptr_t)answer)
                                               : json_pack("{s:b, s:s, s:s}", "ok", 0, "error", headline, "code", "invalid");

        json_object_set_new(object, "rejects", rejects_json(&in->rejects, &in->sources, REJECTS_JSON));
        json_object_set_new(object, "n_rejects", json_integer((json_int_t)in->rejects.n));
        tool_print_json(object);
}

/* After all else has been said: the refusal stands whether or not it could be written down. */
static int write_file(const struct intake *in, const char *path)
{
        enum err e = path ? rejects_write(&in->rejects, &in->sources, path) : OK;

        if (e == OK)
                return EXIT_REFUSED;
        fprintf(stderr, "tocsin: the rejects could not be written to %s: %s\n  next: name a file that can be written\n", path, err_text(e));
        return EXIT_SYSTEM;
}

int handover_show_rejects(struct tool *t, struct intake *in, const json_t *answer, const char *format, ...)
{
        const char *hint = json_string_value(json_object_get(answer, "hint"));
        char headline[CHUNK_TEXT];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(headline, sizeof(headline), format, arguments);
        va_end(arguments);
        rejects_sort(&in->rejects);
        if (t->json)
                print_json(in, answer, headline);
        fflush(stdout);
        fprintf(stderr, "tocsin: %s:\n", headline);
        rejects_print(&in->rejects, &in->sources, stderr, REJECTS_SHOWN);
        if (!t->json)
                fprintf(stderr, "  next: %s\n", hint ? hint : "correct what is named, and give it again");
        return write_file(in, options_get(&t->options, "rejects"));
}

int handover_write(struct tool *t, struct intake *in, int *ret_fd)
{
        enum err e = rows_write(&in->rows, in->kind, ret_fd);

        if (e != OK)
                return tool_fail(t, EXIT_SYSTEM, e == ERR_NOSPC ? "name another folder: TMPDIR=/somewhere tocsin ..." : NULL,
                        "the list for the engine cannot be written: %s", err_text(e));
        return EXIT_OK;
}

static void on_progress(void *user, const char *phase, uint64_t done, uint64_t total)
{
        struct intake *in = user;

        progress_set(&in->progress, phase, done, total);
}

static void on_reject(void *user, uint32_t line, const char *serial, const char *why)
{
        struct intake *in = user;

        rejects_add(&in->rejects, line, serial, "%s", why);
}

int handover_ask(struct tool *t, struct intake *in, json_t *question, int fd, json_t **ret_final)
{
        struct control_ask ask = {
                .question = question, .fd = fd, .on_progress = on_progress, .on_reject = on_reject, .user = in};
        enum err e = control_ask(t->conf->control_socket, &ask, ret_final);

        progress_done(&in->progress);
        return e == OK ? EXIT_OK : tool_unreachable(t, e);
}
