/* crl issue, crl list. */
#include <string.h>

#include "base/clock.h"
#include "tools/table.h"
#include "tools/tool.h"
#include "tools/show.h"

static const char *kind_wanted(const struct tool *t)
{
        bool full = options_has(&t->options, "full"), delta = options_has(&t->options, "delta");

        return full == delta ? "both" : full ? "full" : "delta";
}

int cmd_crl_issue(struct tool *t)
{
        _cleanup_json_ json_t *final = NULL;
        const struct conf_issuer *issuer = NULL;
        const char *kind = kind_wanted(t);
        int code = tool_load_conf(t);

        if (code == EXIT_OK)
                issuer = tool_pick_issuer(t, options_get(&t->options, "issuer"), &code);
        if (code != EXIT_OK)
                return code;
        if (strcmp(kind, "both") == 0 && issuer->crl_delta_period_s == 0 && !options_has(&t->options, "delta"))
                kind = "full"; /* an issuer without deltas */
        code = tool_ask_plain(
                t, json_pack("{s:s, s:s, s:s}", "command", "crl.issue", "issuer", issuer->name, "kind", kind), 0, &final);
        if (code != EXIT_OK)
                return code;
        if (t->json)
                tool_print_json(final);
        else if (!t->quiet)
                show_crls(t, json_object_get(final, "crls"), NULL);
        return EXIT_OK;
}

int cmd_crl_list(struct tool *t)
{
        _cleanup_json_ json_t *question = json_pack("{s:s, s:b}", "command", "crl.list", "all", options_has(&t->options, "all"));
        _cleanup_json_ json_t *final = NULL;
        int code = tool_load_conf(t);

        if (code == EXIT_OK)
                code = tool_put_issuer(t, question);
        if (code != EXIT_OK)
                return code;
        code = tool_ask_plain(t, json_incref(question), TOOL_QUICK_MS, &final);
        if (code != EXIT_OK)
                return code;
        if (t->json)
                tool_print_json(final);
        else if (json_array_size(json_object_get(final, "crls")) == 0)
                tool_say(t, "no CRLs yet; tocsin crl issue makes one");
        else
                show_crls(t, json_object_get(final, "crls"), NULL);
        return EXIT_OK;
}
