/* tool: what every subcommand gets: its options, the configuration when it asks for it, and how to speak to people.
 *
 * A subcommand is a row of the table in commands.c. Its handler returns an exit code; whatever it complains about goes
 * through tool_fail, so that every complaint says what to do next, and so that --json gets an object in any case.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/conf.h"
#include "tools/control.h"
#include "tools/exit_code.h"
#include "tools/options.h"

struct tool;

struct command {
        const char *name; /* "revoke", "issuer add": one or two words */
        int (*run)(struct tool *t);
        const char *help;     /* one line */
        const char *operands; /* "NAME", "[SERIAL...]": for the usage line */
        size_t least, most;   /* operands */
        const struct option_row *options;
        const char *more; /* paragraphs and examples under the options; NULL = none */
};

/* commands.c: ends with a row without name. */
extern const struct command tool_commands[];
extern const struct option_row tool_global_options[];

struct tool {
        const struct command *command;
        struct options options; /* global ones and the command's own */
        char config_file[4096];
        struct conf *conf; /* after tool_load_conf */
        bool json, quiet;
        bool color; /* standard output takes colours */
};

/* Which configuration file: --config, $TOCSIN_CONFIG, ./tocsin.yaml, /etc/tocsin/tocsin.yaml. */
void tool_find_config(struct tool *t);
/* EXIT_OK, or the complaint is printed and the exit code returned. */
MUST_CHECK int tool_load_conf(struct tool *t);
/* The issuer to work on: `name`, or the only one there is. NULL: *ret_code, and the complaint is printed. */
const struct conf_issuer *tool_pick_issuer(struct tool *t, const char *name, int *ret_code);

/* "tocsin: <text>", then what to do `next` (NULL = the text says it). Returns `code`. */
int tool_fail(const struct tool *t, enum exit_code code, const char *next, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* A remark on standard error; nothing under --quiet. */
void tool_note(const struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line on standard output for people; nothing under --quiet or --json. */
void tool_say(const struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints an object on standard output. */
void tool_print_json(const json_t *object);

/* Asks the engine; on failure (unreachable, or it said no) the complaint is printed. EXIT_OK: *ret_final (the caller's). */
MUST_CHECK int tool_ask(const struct tool *t, const struct control_ask *ask, json_t **ret_final);
/* The issuer that --issuer names, if any, into the question. EXIT_OK, or the complaint's code. */
MUST_CHECK int tool_put_issuer(struct tool *t, json_t *question);
/* A command without further fields; silence of `timeout_ms` is a failure. */
MUST_CHECK int tool_ask_plain(const struct tool *t, json_t *question, int timeout_ms, json_t **ret_final);
/* Complains about an answer with `ok` false; its exit code. `why` e != OK: there was no answer. */
int tool_refused(const struct tool *t, const json_t *final);
int tool_unreachable(const struct tool *t, enum err e);
/* The engine reads its configuration anew, if it is up. Never fails the command: it says what remains to be done. */
void tool_reload_engine(const struct tool *t);
#define TOOL_QUICK_MS 15000

#define TOOL_SERIAL_HINT "write it as `openssl x509 -serial` prints it: 0A1B2C"

/* Escape sequences, or "" where colours are not wanted. */
enum tool_color { COLOR_PLAIN, COLOR_GOOD, COLOR_WARNING, COLOR_BAD, COLOR_DIM, COLOR_BOLD, COLOR_N };
const char *tool_color(const struct tool *t, enum tool_color color);

/* A sister program: environment variable `variable`, then beside this executable, in `build_folder` as the build tree has
 * it, in libexec and sbin of the installation, in PATH. ret_path holds `cap`. ERR_NOT_FOUND. */
MUST_CHECK enum err tool_find_program(
        const char *name, const char *variable, const char *build_folder, char *ret_path, size_t cap);

/* Runs it and waits. `out` and `err`: descriptors that become its standard output and error, -1: ours. *ret_status is its exit code, or
 * 128 + the signal that ended it. */
MUST_CHECK enum err tool_run_program(const char *program, char *const *words, int out, int err, int *ret_status);

/* The subcommands, one file each. */
int cmd_init(struct tool *t);
int cmd_check(struct tool *t);
int cmd_issuer_add(struct tool *t);
int cmd_issuer_list(struct tool *t);
int cmd_key_new(struct tool *t);
int cmd_key_csr(struct tool *t);
int cmd_key_list(struct tool *t);
int cmd_key_install(struct tool *t);
int cmd_import(struct tool *t);
int cmd_revoke(struct tool *t);
int cmd_purge_tags(struct tool *t);
int cmd_release(struct tool *t);
int cmd_reload(struct tool *t);
int cmd_status(struct tool *t);
int cmd_show(struct tool *t);
int cmd_crl_issue(struct tool *t);
int cmd_crl_list(struct tool *t);
int cmd_help(struct tool *t);
int cmd_complete(struct tool *t);

/* help.c: shared with main.c. */
void help_print_command(FILE *out, const struct command *c);
void help_print_overview(FILE *out);
/* The row whose name the first one or two words are; *ret_n of words used. NULL: none. */
const struct command *help_find_command(size_t n_words, const char *const *words, size_t *ret_n);
/* Is it the first of the two words of some commands? The list of those, for people. */
bool help_is_family(const char *word);
void help_list_family(const char *word, char *ret_text, size_t cap);
/* The command meant by a mistyped word, or NULL. */
const struct command *help_nearest_command(const char *word);
