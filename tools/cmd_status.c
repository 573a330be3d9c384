/* status: how things stand, on one screen. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/progress.h"
#include "tools/show.h"
#include "tools/table.h"

#define WATCH_S 2

static void head(const struct tool *t, const char *title)
{
        printf("%s%s%s\n", tool_color(t, COLOR_BOLD), title, tool_color(t, COLOR_PLAIN));
}

static void print_engine(const struct tool *t, const json_t *final)
{
        const json_t *engine = json_object_get(final, "engine"), *store = json_object_get(final, "store");
        char age[SHOW_AGE_LEN];

        head(t, "engine");
        printf("  version %s, pid %lld, started %s%s\n", show_text(engine, "version"), show_number(engine, "pid"),
                show_age(json_object_get(engine, "started_at"), age),
                json_is_true(json_object_get(engine, "clock_frozen"))
                        ? "; THE CLOCK JUMPED: purge, refresh and schedules stand still"
                        : "");
        printf("  store: commit %lld, epoch %lld, event %lld, %.1f MB used, %.1f GB free on its disk%s%s%s\n",
                show_number(store, "commit"), show_number(store, "epoch"), show_number(store, "event"),
                (double)show_number(store, "used") / 1e6, (double)show_number(store, "disk_free") / 1e9,
                tool_color(t, COLOR_BAD),
                json_is_false(json_object_get(store, "reserve_ok")) ? "; THE RESERVE IS GONE: make room on the disk" : "",
                tool_color(t, COLOR_PLAIN));
}

static void print_token(const struct tool *t, const json_t *token)
{
        bool up = strcmp(show_text(token, "state"), "up") == 0;
        char since[SHOW_AGE_LEN], retry[SHOW_AGE_LEN];

        head(t, "token");
        printf("  %s%s%s since %s", tool_color(t, up ? COLOR_GOOD : COLOR_BAD), show_text(token, "state"),
                tool_color(t, COLOR_PLAIN), show_age(json_object_get(token, "since"), since));
        if (up)
                printf(", %lld sessions\n", show_number(token, "sessions"));
        else
                printf(": %s; next try %s. Revocations commit all the same.\n", show_text(token, "error"),
                        show_age(json_object_get(token, "retry_at"), retry));
}

static void print_lanes(const struct tool *t, const json_t *lanes)
{
        static const char *const titles[] = {"", "queued", "in flight", "signed", "refused", "a second"};
        static const char *const names[] = {"truth", "extras", "bulk"};
        struct table table;

        head(t, "signing");
        table_begin(&table, sizeof(titles) / sizeof(*titles), titles);
        table.indent = "  ";
        table.right = 0x3e;
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                const json_t *lane = json_object_get(lanes, names[i]);

                table_cell(&table, names[i]);
                table_cellf(&table, "%lld", show_number(lane, "queued"));
                table_cellf(&table, "%lld", show_number(lane, "in_flight"));
                table_cellf(&table, "%lld", show_number(lane, "signed"));
                table_cellf(&table, "%lld", show_number(lane, "refused"));
                table_cellf(&table, "%.0f", json_number_value(json_object_get(lane, "rate")));
        }
        table_end(&table, stdout);
}

static void print_issuers(const struct tool *t, const json_t *issuers)
{
        static const char *const titles[] = {"", "certificates", "revoked or held", "answers signed", "due"};
        struct table table;
        const json_t *issuer;
        size_t i;

        head(t, "issuers");
        if (json_array_size(issuers) == 0)
                printf("  none; tocsin issuer add NAME --cert ca.pem\n");
        table_begin(&table, sizeof(titles) / sizeof(*titles), json_array_size(issuers) ? titles : NULL);
        table.indent = "  ";
        table.right = 0x1e;
        json_array_foreach(issuers, i, issuer)
        {
                const json_t *ocsp = json_object_get(issuer, "ocsp");

                table_cellf(&table, "%s%s", show_text(issuer, "name"),
                        json_is_true(json_object_get(issuer, "offline")) ? " (offline)" : "");
                table_cellf(&table, "%lld", show_number(issuer, "records"));
                table_cellf(&table, "%lld", show_number(issuer, "exceptions"));
                table_cellf(&table, "%lld", show_number(ocsp, "signed"));
                table_cellf(&table, "%lld", show_number(ocsp, "due"));
        }
        table_end(&table, stdout);
        show_refused(issuers, "  ");
}

/* When will the bulk lane be done, at its present rate? */
static void print_estimate(const json_t *bulk)
{
        double rate = json_number_value(json_object_get(bulk, "rate"));
        long long left = show_number(bulk, "queued") + show_number(bulk, "in_flight");
        char text[32];

        if (left > 0 && rate > 0)
                printf("  %lld answers to sign at %.0f a second: about %s\n", left, rate,
                        progress_duration(text, (int64_t)((double)left / rate * 1000)));
}

static void print_status(const struct tool *t, const json_t *final)
{
        const json_t *lanes = json_object_get(final, "lanes");

        print_engine(t, final);
        print_token(t, json_object_get(final, "token"));
        print_lanes(t, lanes);
        print_estimate(json_object_get(lanes, "bulk"));
        print_issuers(t, json_object_get(final, "issuers"));
        if (json_array_size(json_object_get(final, "batches"))) {
                head(t, "batches");
                show_batches(t, json_object_get(final, "batches"), "  ");
        }
        if (json_array_size(json_object_get(final, "crls"))) {
                head(t, "CRLs");
                show_crls(t, json_object_get(final, "crls"), "  ");
        }
        fflush(stdout);
}

static int once(struct tool *t, bool clear)
{
        _cleanup_json_ json_t *final = NULL;
        int code = tool_ask_plain(t, json_pack("{s:s}", "command", "status"), TOOL_QUICK_MS, &final);

        if (code != EXIT_OK)
                return code;
        if (clear)
                fputs("\033[H\033[2J", stdout);
        if (t->json)
                tool_print_json(final);
        else if (!t->quiet)
                print_status(t, final);
        return EXIT_OK;
}

int cmd_status(struct tool *t)
{
        bool watch = options_has(&t->options, "watch"), screen = watch && !t->json && isatty(STDOUT_FILENO);
        int code = tool_load_conf(t);

        if (code == EXIT_OK)
                code = once(t, screen);
        while (watch && (code == EXIT_OK || code == EXIT_UNREACHABLE)) {
                sleep(WATCH_S);
                if (ferror(stdout))
                        break;
                code = once(t, screen);
        }
        return code;
}
