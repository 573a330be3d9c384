/* control_command: the one table of commands, and what a question must look like. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "pki/serial.h"
#include "signer/engine/control.h"

static const struct command commands[] = {
        {"status", command_status, false, {{0}}},
        {"issuer.list", command_issuer_list, false, {{0}}},
        {"import", command_import, true, {{"issuer", JSON_STRING, true}}},
        {"revoke", command_revoke, true,
                {{"issuer", JSON_STRING, true}, {"dry_run", JSON_TRUE, false}, {"incident", JSON_STRING, false},
                        {"digest", JSON_STRING, false}}},
        {"release", command_release, false, {{"issuer", JSON_STRING, true}, {"serial", JSON_STRING, true}}},
        {"show", command_show, false, {{"serial", JSON_STRING, true}, {"issuer", JSON_STRING, false}}},
        {"batch.list", command_batch_list, false, {{0}}},
        {"crl.issue", command_crl_issue, false, {{"issuer", JSON_STRING, true}, {"kind", JSON_STRING, true}}},
        {"crl.list", command_crl_list, false, {{"issuer", JSON_STRING, false}, {"all", JSON_TRUE, false}}},
        {"check", command_check, false, {{0}}},
        {"reload", command_reload, false, {{0}}},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))
#define N_FIELDS (sizeof(commands[0].fields) / sizeof(commands[0].fields[0]))

static const struct command *find_command(const char *name)
{
        for (size_t i = 0; i < N_COMMANDS; i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

static bool has_type(const json_t *value, json_type type)
{
        return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static const char *type_name(json_type type)
{
        return type == JSON_TRUE ? "true or false" : type == JSON_STRING ? "a string" : "a number";
}

static const struct command_field *find_field(const struct command *command, const char *name)
{
        for (size_t i = 0; i < N_FIELDS && command->fields[i].name; i++)
                if (strcmp(command->fields[i].name, name) == 0)
                        return &command->fields[i];
        return NULL;
}

/* An empty string where something is wrong means: nothing is. */
static void check_fields(const struct command *command, json_t *question, char *memory, size_t cap)
{
        const char *key;
        json_t *value;

        for (size_t i = 0; i < N_FIELDS && command->fields[i].name; i++)
                if (command->fields[i].required && !json_object_get(question, command->fields[i].name)) {
                        snprintf(memory, cap, "%s needs the field \"%s\"", command->name, command->fields[i].name);
                        return;
                }
        json_object_foreach(question, key, value)
        {
                const struct command_field *field = find_field(command, key);

                if (!field && strcmp(key, "command") != 0) {
                        snprintf(memory, cap, "%s has no field \"%.40s\"", command->name, key);
                        return;
                }
                if (field && !has_type(value, field->type)) {
                        snprintf(memory, cap, "the field \"%s\" of %s must be %s", key, command->name,
                                type_name(field->type));
                        return;
                }
        }
}

const char *control_check_question(json_t *question, int fd, const struct command **ret_command, char *memory, size_t cap)
{
        const char *name = json_field(question, "command");
        const struct command *command;

        if (!json_is_object(question))
                return "a question is one JSON object";
        if (!name)
                return "the field \"command\" must be a string";
        command = find_command(name);
        if (!command) {
                snprintf(memory, cap, "there is no command \"%.40s\"", name);
                return memory;
        }
        memory[0] = '\0';
        check_fields(command, question, memory, cap);
        if (memory[0] != '\0')
                return memory;
        if (command->needs_fd && fd < 0) {
                snprintf(memory, cap, "%s needs a file passed as a descriptor", name);
                return memory;
        }
        if (!command->needs_fd && fd >= 0) {
                snprintf(memory, cap, "%s takes no descriptor", name);
                return memory;
        }
        *ret_command = command;
        return NULL;
}

void control_dispatch(struct client *client, const char *text, size_t len, int fd)
{
        const struct command *command = NULL;
        char memory[256];
        json_error_t error;
        json_t *question = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
        const char *why;

        if (!question)
                why = error.text;
        else
                why = control_check_question(question, fd, &command, memory, sizeof(memory));
        if (why) {
                if (fd >= 0)
                        close(fd);
                client_fail(client, ERR_INVALID, "docs/formats.md lists the commands and their fields", "%s", why);
        } else {
                command->run(client, question, fd);
        }
        json_decref(question);
}

const char *json_field(json_t *question, const char *name)
{
        return json_string_value(json_object_get(question, name));
}

json_t *json_time(int64_t time_s)
{
        char text[CLOCK_TEXT_LEN];

        return time_s == 0 ? json_null() : json_string(clock_to_text(time_s, text));
}

json_t *json_hex(const void *data, size_t len)
{
        char text[2 * 64 + 1];

        return len > 64 ? json_null() : json_string(bytes_to_hex(bytes_make(data, len), text));
}

json_t *json_serial(const void *data, size_t len)
{
        char text[SERIAL_TEXT_LEN];

        return json_string(serial_to_text(bytes_make(data, len), text));
}

json_t *json_text(const void *data, size_t len)
{
        char copy[1024];
        json_t *value = json_stringn(data ? data : "", len);

        if (value)
                return value;
        if (len > sizeof(copy))
                len = sizeof(copy);
        for (size_t i = 0; i < len; i++) {
                char c = ((const char *)data)[i];

                copy[i] = c >= ' ' && c <= '~' ? c : '?';
        }
        return json_stringn(copy, len);
}

const char *control_code(enum err e)
{
        static const char *const names[ERR_N] = {
                [OK] = "ok",
                [ERR_NOMEM] = "no-memory",
                [ERR_IO] = "io",
                [ERR_NOSPC] = "no-space",
                [ERR_NOT_FOUND] = "not-found",
                [ERR_EXISTS] = "exists",
                [ERR_INVALID] = "invalid",
                [ERR_RANGE] = "range",
                [ERR_UNSUPPORTED] = "unsupported",
                [ERR_AGAIN] = "again",
                [ERR_STALE] = "stale",
                [ERR_DENIED] = "denied",
                [ERR_VERSION] = "version",
                [ERR_BUSY] = "busy",
                [ERR_CLOSED] = "closed",
                [ERR_TIMEOUT] = "timeout",
                [ERR_TOKEN] = "token",
                [ERR_CRYPTO] = "crypto",
                [ERR_CORRUPT] = "corrupt",
        };

        return e < ERR_N ? names[e] : "unknown";
}
