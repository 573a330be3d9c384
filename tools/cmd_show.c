/* show: all that the engine knows of one serial. */
#include <string.h>

#include "pki/serial.h"
#include "tools/show.h"
#include "tools/table.h"

static void put(struct table *table, const char *title, const char *text)
{
        table_cell(table, title);
        table_cell(table, text);
}

/* A time and how far it is; nothing when it is not there. */
static void put_time(struct table *table, const char *title, const json_t *time)
{
        char age[SHOW_AGE_LEN];

        if (!json_is_string(time))
                return;
        table_cell(table, title);
        table_cellf(table, "%s (%s)", json_string_value(time), show_age(time, age));
}

static void put_any(struct table *table, const char *title, const json_t *value)
{
        if (json_is_string(value) && json_string_length(value) > 0)
                put(table, title, json_string_value(value));
        else if (json_is_integer(value) && json_integer_value(value) != 0) {
                table_cell(table, title);
                table_cellf(table, "%lld", (long long)json_integer_value(value));
        }
}

static void put_signature(struct table *table, const json_t *s)
{
        if (!json_is_object(s)) {
                put(table, "OCSP answer", "not signed yet; it is signed when asked for");
                return;
        }
        put(table, "OCSP answer",
                json_is_true(json_object_get(s, "usable")) ? "signed, usable"
                                                           : "signed, out of use: signed anew when asked for");
        put_time(table, "  thisUpdate", json_object_get(s, "this_update"));
        put_time(table, "  nextUpdate", json_object_get(s, "next_update"));
        put_any(table, "  signer", json_object_get(s, "signer"));
        put_any(table, "  window", json_object_get(s, "window"));
}

static void put_events(struct table *table, const json_t *events)
{
        const json_t *event;
        size_t i;

        json_array_foreach(events, i, event)
        {
                table_cell(table, i == 0 ? "history" : "");
                table_cellf(table, "%s  %s  by %s  (event %lld)", show_text(event, "time"), show_text(event, "kind"),
                        show_text(event, "actor"), show_number(event, "sequence"));
        }
}

static void put_status(const struct tool *t, struct table *table, const json_t *c)
{
        const char *status = show_text(c, "status");

        (void)t;
        put(table, "status", status);
        put_any(table, "reason", json_object_get(c, "reason"));
        put_time(table, "revoked", json_object_get(c, "revoked_at"));
        put_time(table, "invalid since", json_object_get(c, "invalidity_date"));
        put_time(table, "notAfter", json_object_get(c, "not_after"));
        put_any(table, "batch", json_object_get(c, "batch"));
        put_any(table, "staged in batch", json_object_get(json_object_get(c, "staged"), "batch"));
        put_any(table, "CRL shard", json_object_get(c, "shard"));
}

static void print_certificate(const struct tool *t, const json_t *c)
{
        json_t *info = json_object_get(c, "certinfo"), *value;
        const char *name;
        struct table table;

        printf("%s%s%s of %s\n", tool_color(t, COLOR_BOLD), show_text(c, "serial"), tool_color(t, COLOR_PLAIN),
                show_text(c, "issuer"));
        table_begin(&table, 2, NULL);
        table.indent = "  ";
        put_status(t, &table, c);
        put_signature(&table, json_object_get(c, "signature"));
        json_object_foreach(info, name, value) put_any(&table, name, value);
        put_events(&table, json_object_get(c, "events"));
        table_end(&table, stdout);
}

int cmd_show(struct tool *t)
{
        const char *text = t->options.operands[0];
        _cleanup_json_ json_t *question = json_pack("{s:s}", "command", "show");
        _cleanup_json_ json_t *final = NULL;
        char serial_text[SERIAL_TEXT_LEN];
        const json_t *certificate;
        struct serial serial;
        size_t i;
        int code = tool_load_conf(t);

        if (code == EXIT_OK)
                code = tool_put_issuer(t, question);
        if (code != EXIT_OK)
                return code;
        if (serial_from_text(bytes_str(text), &serial) != OK)
                return tool_fail(t, EXIT_USAGE, TOOL_SERIAL_HINT, "'%s' is not a serial number in hex", text);
        json_object_set_new(question, "serial", json_string(serial_to_text(serial_bytes(&serial), serial_text)));
        code = tool_ask_plain(t, json_incref(question), TOOL_QUICK_MS, &final);
        if (code != EXIT_OK)
                return code;
        if (t->json)
                tool_print_json(final);
        else if (!t->quiet)
                json_array_foreach(json_object_get(final, "certificates"), i, certificate) print_certificate(t, certificate);
        return EXIT_OK;
}
