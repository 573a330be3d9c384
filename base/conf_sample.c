/* conf_sample: the commented sample, printed from the same rows that read it.
 *
 * Every option stands in it: commented out at its default, or set. So the sample as printed loads, and means the defaults.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/conf_table.h"

/* The value of "path=value" in `set`, or NULL. */
static const char *find_set(const char *const *set, const char *path)
{
        size_t len = strlen(path);

        for (; set && *set; set++)
                if (strncmp(*set, path, len) == 0 && (*set)[len] == '=')
                        return *set + len + 1;
        return NULL;
}

/* The default as it would be written, below what `set` makes of the folder that it lies under. */
static void put_default(
        struct builder *b, const struct conf_scope *scope, const struct conf_option *o, const char *const *set)
{
        int at = o->under ? conf_option_find(scope, bytes_str(o->under)) : -1;
        const char *folder;

        if (at >= 0) {
                folder = find_set(set, o->under);
                builder_printf(b, "%s/", folder ? folder : scope->options[at].def);
        }
        builder_put_str(b, o->def);
        builder_put_u8(b, 0);
}

static void put_option(struct builder *b, const struct conf_scope *scope, const struct conf_option *o,
        const char *const *set, bool opens_group)
{
        _cleanup_(builder_done) struct builder def = {0};
        const char *indent = conf_option_group(o).len > 0 ? "  " : "";
        const char *value = find_set(set, o->path);

        put_default(&def, scope, o, set);
        if (builder_failed(&def)) {
                b->failed = true;
                return;
        }
        builder_printf(b, "%s%s# %s\n%s# ", opens_group ? "" : "\n", indent, o->help, indent);
        conf_value_put_range(b, o);
        builder_printf(b, "; default: %s\n", *o->def ? (const char *)def.data : "empty");
        builder_printf(b, "%s%s%s: ", indent, value ? "" : "#", conf_option_key(o));
        conf_value_put_yaml(b, o, value ? value : (const char *)def.data);
        builder_put_str(b, "\n");
}

/* What names no option is printed as it came: loading the file then complains about it by name. */
static void put_unknown(struct builder *b, const struct conf_scope *scope, const char *const *set)
{
        for (; set && *set; set++)
                if (conf_option_find(scope, bytes_make(*set, strcspn(*set, "="))) < 0)
                        builder_printf(b, "\n%.*s: unknown\n", (int)strcspn(*set, "="), *set);
}

static void print_sample(FILE *out, const struct conf_scope *scope, const char *const *set)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct bytes group = BYTES_NONE;

        builder_printf(&b,
                "# %s\n#\n# A line that begins with '#' and an option shows its default; take the '#' away to change it.\n"
                "# Relative paths are taken from this file's folder. `tocsin check` tells whether all is well.\n",
                scope->title);
        for (unsigned i = 0; i < scope->n_options; i++) {
                struct bytes next = conf_option_group(&scope->options[i]);

                bool opens_group = next.len > 0 && !bytes_equal(next, group);

                if (opens_group)
                        builder_printf(&b, "\n%.*s:\n", (int)next.len, (const char *)next.data);
                group = next;
                put_option(&b, scope, &scope->options[i], set, opens_group);
        }
        put_unknown(&b, scope, set);
        if (!builder_failed(&b))
                fwrite(b.data, 1, b.len, out);
}

void conf_print_sample(FILE *out, const char *const *set)
{
        print_sample(out, &conf_scope_main, set);
}

void conf_print_issuer_sample(FILE *out, const char *const *set)
{
        print_sample(out, &conf_scope_issuer, set);
}
