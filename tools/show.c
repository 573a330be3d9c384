/* show: see show.h. */
#include "tools/show.h"

#include "base/clock.h"
#include "tools/progress.h"
#include "tools/table.h"

#define BAR_WIDTH 20

const char *show_text(const json_t *object, const char *name)
{
        const char *text = json_string_value(json_object_get(object, name));

        return text && text[0] ? text : "-";
}

long long show_number(const json_t *object, const char *name)
{
        return (long long)json_integer_value(json_object_get(object, name));
}

static char *in_words(long long s, char *ret_text)
{
        static const struct {
                long long from, unit;
                const char *word;
        } units[] = {{2 * CLOCK_DAY_S, CLOCK_DAY_S, "d"}, {2 * CLOCK_HOUR_S, CLOCK_HOUR_S, "h"},
                {2 * CLOCK_MINUTE_S, CLOCK_MINUTE_S, "min"}, {0, 1, "s"}};
        size_t i = 0;

        while (s < units[i].from)
                i++;
        snprintf(ret_text, SHOW_AGE_LEN, "%lld %s", s / units[i].unit, units[i].word);
        return ret_text;
}

char *show_age(const json_t *time, char *ret_text)
{
        const char *text = json_string_value(time);
        int64_t time_s, now = clock_now_s();
        char words[SHOW_AGE_LEN];

        if (!text || clock_from_text(bytes_str(text), &time_s) != OK)
                snprintf(ret_text, SHOW_AGE_LEN, "-");
        else if (time_s > now)
                snprintf(ret_text, SHOW_AGE_LEN, "in %.30s", in_words(time_s - now, words));
        else
                snprintf(ret_text, SHOW_AGE_LEN, "%.30s ago", in_words(now - time_s, words));
        return ret_text;
}

static void put_crl(struct table *table, const json_t *crl)
{
        char issued[SHOW_AGE_LEN], next[SHOW_AGE_LEN];
        long long shard = show_number(crl, "shard");

        table_cell(table, show_text(crl, "issuer"));
        table_cellf(table, shard ? "shard %lld" : "all", shard);
        table_cell(table, show_text(crl, "kind"));
        table_cell(table, show_text(crl, "number"));
        table_cellf(table, "%lld", show_number(crl, "entries"));
        table_cellf(table, "%lld", show_number(crl, "size"));
        table_cell(table, show_age(json_object_get(crl, "this_update"), issued));
        table_cell(table, show_age(json_object_get(crl, "next_update"), next));
        table_cell(table, show_text(crl, "state"));
        table_cell(table, show_text(crl, "file"));
}

void show_crls(const struct tool *t, const json_t *crls, const char *indent)
{
        static const char *const titles[] = {
                "issuer", "scope", "kind", "number", "entries", "bytes", "issued", "next due", "state", "file"};
        struct table table;
        size_t i;
        json_t *crl;

        (void)t;
        if (json_array_size(crls) == 0)
                return;
        table_begin(&table, sizeof(titles) / sizeof(*titles), titles);
        table.indent = indent;
        table.right = 1 << 3 | 1 << 4 | 1 << 5;
        json_array_foreach(crls, i, crl) put_crl(&table, crl);
        table_end(&table, stdout);
}

static void put_batch(struct table *table, const json_t *batch)
{
        char bar[BAR_WIDTH + 3], age[SHOW_AGE_LEN];
        long long items = show_number(batch, "items"), is_signed = show_number(batch, "signed");

        table_cellf(table, "%lld", show_number(batch, "id"));
        table_cell(table, show_text(batch, "state"));
        table_cellf(table, "%lld", items);
        table_cell(table, progress_bar(bar, BAR_WIDTH, (uint64_t)is_signed, (uint64_t)items));
        table_cellf(table, "%lld signed", is_signed);
        table_cell(table, show_age(json_object_get(batch, "activated_at"), age));
        table_cell(table, show_text(batch, json_string_length(json_object_get(batch, "incident")) > 0 ? "incident" : "reason"));
}

void show_batches(const struct tool *t, const json_t *batches, const char *indent)
{
        static const char *const titles[] = {"batch", "state", "serials", "signing", "", "true since", "what for"};
        struct table table;
        size_t i;
        json_t *batch;

        (void)t;
        if (json_array_size(batches) == 0)
                return;
        table_begin(&table, sizeof(titles) / sizeof(*titles), titles);
        table.indent = indent;
        table.right = 1 << 0 | 1 << 2;
        json_array_foreach(batches, i, batch) put_batch(&table, batch);
        table_end(&table, stdout);
}

void show_refused(const json_t *issuers, const char *indent)
{
        static const struct {
                const char *field, *words;
        } rows[] = {{"refused", "IS NOT SERVED"}, {"ocsp_refused", "GETS NO OCSP ANSWERS SIGNED"},
                {"crl_refused", "GETS NO CRLS SIGNED"}};
        const json_t *issuer;
        size_t i;

        json_array_foreach(issuers, i, issuer)
        {
                for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++)
                        if (json_object_get(issuer, rows[k].field))
                                printf("%s%s %s: %s\n", indent, show_text(issuer, "name"), rows[k].words,
                                        show_text(issuer, rows[k].field));
        }
}
