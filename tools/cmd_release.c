/* release: lifts a hold. Nothing else is ever un-revoked. */
#include "pki/serial.h"
#include "tools/tool.h"

int cmd_release(struct tool *t)
{
        _cleanup_json_ json_t *final = NULL;
        const char *text = t->options.operands[0];
        const struct conf_issuer *issuer = NULL;
        char serial_text[SERIAL_TEXT_LEN];
        struct serial serial;
        int code = tool_load_conf(t);

        if (code == EXIT_OK)
                issuer = tool_pick_issuer(t, options_get(&t->options, "issuer"), &code);
        if (code != EXIT_OK)
                return code;
        if (serial_from_text(bytes_str(text), &serial) != OK)
                return tool_fail(t, EXIT_USAGE, TOOL_SERIAL_HINT, "'%s' is not a serial number in hex", text);
        serial_to_text(serial_bytes(&serial), serial_text);
        code = tool_ask_plain(t,
                json_pack("{s:s, s:s, s:s}", "command", "release", "issuer", issuer->name, "serial", serial_text),
                TOOL_QUICK_MS, &final);
        if (code != EXIT_OK)
                return code;
        if (t->json)
                tool_print_json(final);
        tool_say(t, "%s of %s is no longer on hold: it is answered %s", serial_text, issuer->name,
                json_string_value(json_object_get(final, "status")) ? json_string_value(json_object_get(final, "status"))
                                                                    : "good");
        return EXIT_OK;
}
