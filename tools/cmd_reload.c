/* reload: the engine reads its configuration anew. A mistake in it: the old one stays. */
#include "tools/show.h"

int cmd_reload(struct tool *t)
{
        _cleanup_json_ json_t *final = NULL;
        int code = tool_load_conf(t);

        if (code == EXIT_OK)
                code = tool_ask_plain(t, json_pack("{s:s}", "command", "reload"), TOOL_QUICK_MS, &final);
        if (code != EXIT_OK)
                return code;
        if (t->json)
                tool_print_json(final);
        tool_say(t, "the engine has read its configuration anew: %lld issuer%s", show_number(final, "issuers"),
                show_number(final, "issuers") == 1 ? "" : "s");
        return EXIT_OK;
}
