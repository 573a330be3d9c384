/* revoke: check every line here, have the engine check every serial, show what will happen, ask, do it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/facts.h"
#include "tools/handover.h"
#include "tools/reader.h"
#include "tools/table.h"

#define SHARE_WORTH_A_THOUGHT 0.01 /* of the population: an incident by SHECA 4.1 (req 5.10) */
#define REJECTS_TOLD 1000 /* the engine tells of no more (docs/formats.md) */
#define MANY 100

static long long number_of(const json_t *object, const char *name)
{
        return (long long)json_integer_value(json_object_get(object, name));
}

/* ---- options ---- */

static int read_time(struct tool *t, const char *option, uint32_t *ret_time)
{
        const char *text = options_get(&t->options, option);
        struct intake none = {0};
        struct facts f = {0};

        if (!text)
                return EXIT_OK;
        if (!facts_set(&none, &f, facts_named("revokedat"), bytes_str(text)))
                return tool_fail(
                        t, EXIT_USAGE, "for example 2026-01-31T12:00:00Z, not in the future", "--%s: %s", option, f.why);
        *ret_time = f.row.revoked_at;
        return EXIT_OK;
}

static void list_reasons(const struct intake *in, char *ret_text, size_t cap)
{
        size_t len = 0;

        for (unsigned i = 0; i <= REASON_AA_COMPROMISE && len < cap; i++)
                if (reason_allowed(i) && (in->issuer->profile != CONF_PROFILE_CABF_TLS || reason_allowed_cabf(i)))
                        len += (size_t)snprintf(ret_text + len, cap - len, "%s%s", len ? ", " : "", reason_name(i));
}

static int read_reason(struct tool *t, struct intake *in)
{
        const char *text = options_get(&t->options, "reason");
        struct rowfile_row row = {0};
        char names[256] = "";
        const char *why;

        list_reasons(in, names, sizeof(names));
        if (!text)
                return options_has(&t->options, "file")
                               ? EXIT_OK
                               : tool_fail(t, EXIT_USAGE, names, "why? Give --reason REASON, one of the following");
        if (reason_from_text(bytes_str(text), &in->reason) != OK)
                return tool_fail(t, EXIT_USAGE, names, "--reason: '%s' is none of the following", text);
        row.reason = (uint8_t)in->reason;
        why = facts_refuse(in, &row, true);
        if (why)
                return tool_fail(t, EXIT_USAGE, names, "--reason %s: %s", text, why);
        in->has_reason = true;
        return EXIT_OK;
}

/* ---- gathering ---- */

/* A serial on the command line counts as a line of its own. */
static int read_serials(struct tool *t, struct intake *in)
{
        if (t->options.n_operands == 0)
                return EXIT_OK;
        if (sources_add(&in->sources, "serial") != OK)
                return tool_fail(t, EXIT_SYSTEM, NULL, "%s", err_text(ERR_NOMEM));
        for (size_t i = 0; i < t->options.n_operands; i++) {
                struct facts f = {0};

                if (facts_set(in, &f, facts_named("serial"), bytes_str(t->options.operands[i])))
                        facts_finish(in, &f, i + 1);
                else
                        intake_reject(in, i + 1, BYTES_NONE, "%s", f.why);
        }
        return EXIT_OK;
}

static int read_files(struct tool *t, struct intake *in, const char *option)
{
        const char *path;
        size_t at = 0;
        int code = EXIT_OK;

        while (code == EXIT_OK && (path = options_next(&t->options, option, &at)))
                code = handover_read(t, in, path);
        return code;
}

static int gather(struct tool *t, struct intake *in)
{
        int code = handover_begin(t, ROWFILE_REVOKE, in);

        if (code == EXIT_OK && t->options.n_operands == 0 && !options_has(&t->options, "file") &&
                !options_has(&t->options, "cert"))
                code = tool_fail(t, EXIT_USAGE, "tocsin help revoke", "what? Give serials, --file LIST or --cert PEM");
        if (code == EXIT_OK)
                code = read_reason(t, in);
        if (code == EXIT_OK)
                code = read_time(t, "at", &in->revoked_at);
        if (code == EXIT_OK)
                code = read_time(t, "invalidity-date", &in->invalidity_date);
        if (code == EXIT_OK)
                code = read_serials(t, in);
        if (code == EXIT_OK)
                code = read_files(t, in, "cert");
        if (code == EXIT_OK)
                code = read_files(t, in, "file");
        if (code == EXIT_OK)
                code = handover_sort(t, in);
        if (code == EXIT_OK && in->rejects.n > 0)
                code = handover_show_rejects(t, in, NULL, "%zu line%s refused, so nothing was revoked (%zu %s fine)",
                        in->rejects.n, in->rejects.n == 1 ? " is" : "s are", in->rows.n, in->rows.n == 1 ? "is" : "are");
        if (code == EXIT_OK && in->rows.n == 0)
                code = tool_fail(t, EXIT_REFUSED, "tocsin help revoke", "the list holds no serial");
        return code;
}

/* ---- the plan ---- */

static long long population_of(const struct tool *t, const char *issuer)
{
        _cleanup_json_ json_t *question = json_pack("{s:s}", "command", "issuer.list");
        _cleanup_json_ json_t *final = NULL;
        struct control_ask ask = {.question = question, .fd = -1, .timeout_ms = TOOL_QUICK_MS};
        json_t *item;
        size_t i;

        if (control_ask(t->conf->control_socket, &ask, &final) != OK)
                return 0;
        json_array_foreach(json_object_get(final, "issuers"), i, item)
        {
                const char *name = json_string_value(json_object_get(item, "name"));

                if (name && strcmp(name, issuer) == 0)
                        return number_of(item, "records");
        }
        return 0;
}

static void say_effects(const struct tool *t, const json_t *effects)
{
        static const struct {
                const char *name, *words;
        } rows[] = {
                {"new", "valid until now: revoked, or put on hold"},
                {"from_hold", "on hold until now: revoked"},
                {"upgrade", "revoked before: the graver reason, or the earlier date"},
                {"nothing", "so already"},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                if (number_of(effects, rows[i].name) > 0)
                        tool_say(t, "  %10lld  %s", number_of(effects, rows[i].name), rows[i].words);
}

static void say_reasons(const struct tool *t, const struct intake *in)
{
        size_t counts[REASON_AA_COMPROMISE + 1] = {0};

        for (size_t i = 0; i < in->rows.n; i++)
                counts[in->rows.items[i].reason]++;
        for (unsigned i = 0; i <= REASON_AA_COMPROMISE; i++)
                if (counts[i] > 0)
                        tool_say(t, "  %10zu  reason %s", counts[i], reason_name(i));
}

static void say_plan(const struct tool *t, const struct intake *in, const json_t *checked)
{
        long long rows = number_of(checked, "rows"), population = population_of(t, in->issuer->name);
        double share = population > 0 ? (double)rows / (double)population : 0;

        tool_say(t, "%s: %lld serial%s, %.3g %% of its %lld certificates", in->issuer->name, rows, rows == 1 ? "" : "s",
                share * 100, population);
        say_effects(t, json_object_get(checked, "effects"));
        say_reasons(t, in);
        if (share >= SHARE_WORTH_A_THOUGHT && rows >= MANY)
                tool_say(t, "  %sa mass revocation event by most plans: at least %d certificates or 1 %%%s",
                        tool_color(t, COLOR_WARNING), MANY, tool_color(t, COLOR_PLAIN));
}

/* One serial that was typed is what it looks like; a list is not. */
static bool needs_consent(const struct tool *t, const struct intake *in)
{
        return !options_has(&t->options, "yes") &&
               (in->rows.n > 1 || options_has(&t->options, "file") || options_has(&t->options, "cert"));
}

static int ask_consent(const struct tool *t, size_t count)
{
        char line[64], wanted[32];

        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
                return tool_fail(t, EXIT_USAGE, "look at it with --dry-run, then give --yes",
                        "nothing was revoked: there is no terminal to ask on, and no --yes");
        snprintf(wanted, sizeof(wanted), "%zu", count);
        fprintf(stderr, "This cannot be undone. Type the number of serials (%s) to revoke them: ", wanted);
        fflush(stderr);
        if (!fgets(line, sizeof(line), stdin))
                line[0] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        if (strcmp(line, wanted) == 0)
                return EXIT_OK;
        return tool_fail(t, EXIT_REFUSED, "look at the list again; --dry-run shows what it would do",
                "nothing was revoked: the number was not %s", wanted);
}

/* ---- asking the engine ---- */

static json_t *make_question(const struct tool *t, const struct intake *in, bool dry_run, const char *digest)
{
        const char *incident = options_get(&t->options, "incident");
        json_t *question = json_pack("{s:s, s:s, s:b}", "command", "revoke", "issuer", in->issuer->name, "dry_run", dry_run);

        if (incident)
                json_object_set_new(question, "incident", json_string(incident));
        if (digest)
                json_object_set_new(question, "digest", json_string(digest));
        return question;
}

static int ask(struct tool *t, struct intake *in, int fd, bool dry_run, const char *digest, json_t **ret_final)
{
        _cleanup_json_ json_t *question = make_question(t, in, dry_run, digest);
        _cleanup_json_ json_t *final = NULL;
        int code = handover_ask(t, in, question, fd, &final);

        if (code != EXIT_OK)
                return code;
        if (in->rejects.n > 0)
                return handover_show_rejects(t, in, final, "the engine refuses %s%zu of %zu serial%s, so nothing was revoked",
                        in->rejects.n >= REJECTS_TOLD ? "at least " : "", in->rejects.n, in->rows.n,
                        in->rows.n == 1 ? "" : "s");
        if (!json_is_true(json_object_get(final, "ok")))
                return tool_refused(t, final);
        *ret_final = steal(&final);
        return EXIT_OK;
}

/* A list that is revoked once more. */
static bool changed_nothing(const json_t *done)
{
        return number_of(json_object_get(done, "effects"), "nothing") == number_of(done, "rows");
}

static void say_done(const struct tool *t, const struct intake *in, const json_t *done)
{
        const char *at = json_string_value(json_object_get(done, "activated_at"));
        long long batch = number_of(done, "batch");
        char staged[32], activated[32];

        if (changed_nothing(done)) {
                tool_say(t, "%s: nothing was changed: it stood so already for all that the list names", in->issuer->name);
                return;
        }
        tool_say(t, "%s%s: done for %lld serial%s%s%s%s", tool_color(t, COLOR_GOOD), in->issuer->name,
                number_of(done, "rows"), number_of(done, "rows") == 1 ? "" : "s", at ? ", true since " : "", at ? at : "",
                tool_color(t, COLOR_PLAIN));
        say_effects(t, json_object_get(done, "effects"));
        tool_say(t, "staged in %s, made true in %s", progress_duration(staged, number_of(done, "staged_ms")),
                progress_duration(activated, number_of(done, "activated_ms")));
        if (batch > 0)
                tool_say(t,
                        "batch %lld: fresh answers are being signed; until then they are signed as they are asked for. CRLs "
                        "follow within %lld s.",
                        batch, (long long)in->issuer->crl_after_revocation_s);
        tool_say(t, "next: tocsin status%s, tocsin crl issue%s%s", batch > 0 ? " --watch" : "",
                t->conf->n_issuers > 1 ? " --issuer " : "", t->conf->n_issuers > 1 ? in->issuer->name : "");
}

static int carry_out(struct tool *t, struct intake *in, int fd, const json_t *checked)
{
        _cleanup_json_ json_t *done = NULL;
        int code = ask(t, in, fd, false, json_string_value(json_object_get(checked, "digest")), &done);

        if (code != EXIT_OK)
                return code;
        if (t->json)
                tool_print_json(done);
        say_done(t, in, done);
        return EXIT_OK;
}

int cmd_revoke(struct tool *t)
{
        _cleanup_(intake_done) struct intake in = {0};
        _cleanup_json_ json_t *checked = NULL;
        _cleanup_close_
        int fd = -1;
        int code = gather(t, &in);

        if (code == EXIT_OK)
                code = handover_write(t, &in, &fd);
        if (code == EXIT_OK)
                code = ask(t, &in, fd, true, NULL, &checked);
        if (code != EXIT_OK)
                return code;
        say_plan(t, &in, checked);
        if (options_has(&t->options, "dry-run")) {
                if (t->json)
                        tool_print_json(checked);
                tool_say(t, "dry run: nothing was changed");
                return EXIT_OK;
        }
        if (needs_consent(t, &in))
                code = ask_consent(t, in.rows.n);
        return code == EXIT_OK ? carry_out(t, &in, fd, checked) : code;
}
