/* import: certificates and earlier revocations come in. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/handover.h"

static long long number_of(const json_t *object, const char *name)
{
        return (long long)json_integer_value(json_object_get(object, name));
}

static void say_result(const struct tool *t, const struct intake *in, const json_t *final, int64_t read_ms)
{
        static const struct {
                const char *name, *words;
        } counts[] = {
                {"new", "new"},
                {"updated", "known, with something added"},
                {"known", "known already"},
                {"revoked", "revocations added"},
                {"kept", "kept revoked, though the input says otherwise"},
                {"conflict", "ALARM: the same serial with another certificate"},
        };
        char read_text[32], engine_text[32];

        tool_say(t, "%s: %lld entr%s", in->issuer->name, number_of(final, "rows"),
                number_of(final, "rows") == 1 ? "y" : "ies");
        for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
                if (number_of(final, counts[i].name) > 0)
                        tool_say(t, "  %10lld  %s", number_of(final, counts[i].name), counts[i].words);
        tool_say(t, "read and sorted in %s, stored in %s", progress_duration(read_text, read_ms),
                progress_duration(engine_text, number_of(final, "elapsed_ms")));
        tool_say(t, "next: tocsin status (signing goes on by itself), tocsin show SERIAL");
}

/* What the engine would not take of a list that it took: conflicts are alarms. */
static int say_engine_rejects(struct tool *t, struct intake *in, const json_t *final, size_t n_before)
{
        if (in->rejects.n == n_before && n_before == 0) {
                if (t->json)
                        tool_print_json(final);
                return EXIT_OK;
        }
        return handover_show_rejects(t, in, final, "%zu entr%s not imported, the others were", in->rejects.n,
                in->rejects.n == 1 ? "y was" : "ies were");
}

static int send_rows(struct tool *t, struct intake *in, int64_t began_ms)
{
        _cleanup_json_ json_t *question = json_pack("{s:s, s:s}", "command", "import", "issuer", in->issuer->name);
        _cleanup_json_ json_t *final = NULL;
        _cleanup_close_
        int fd = -1;
        size_t n_before = in->rejects.n;
        int64_t read_ms;
        int code = handover_write(t, in, &fd);

        read_ms = clock_mono_ms() - began_ms;
        if (code == EXIT_OK)
                code = handover_ask(t, in, question, fd, &final);
        if (code != EXIT_OK)
                return code;
        if (!json_is_true(json_object_get(final, "ok")))
                return in->rejects.n > n_before ? handover_show_rejects(t, in, final, "the engine refused the list")
                                                : tool_refused(t, final);
        say_result(t, in, final, read_ms);
        return say_engine_rejects(t, in, final, n_before);
}

int cmd_import(struct tool *t)
{
        _cleanup_(intake_done) struct intake in = {0};
        int64_t began_ms = clock_mono_ms();
        int code = handover_begin(t, ROWFILE_IMPORT, &in);

        for (size_t i = 0; code == EXIT_OK && i < t->options.n_operands; i++)
                code = handover_read(t, &in, t->options.operands[i]);
        if (code == EXIT_OK)
                code = handover_sort(t, &in);
        if (code != EXIT_OK)
                return code;
        if (in.rejects.n > 0 && !options_has(&t->options, "skip-rejects"))
                return handover_show_rejects(t, &in, NULL,
                        "%zu entr%s refused, so nothing was imported (--skip-rejects imports the other %zu)", in.rejects.n,
                        in.rejects.n == 1 ? "y is" : "ies are", in.rows.n);
        if (in.rows.n == 0)
                return in.rejects.n ? handover_show_rejects(t, &in, NULL, "every entry is refused")
                                    : tool_fail(t, EXIT_REFUSED, "tocsin help import", "there is nothing to import in it");
        return send_rows(t, &in, began_ms);
}
