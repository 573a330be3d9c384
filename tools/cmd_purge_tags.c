/* purge-tags: which tags a CDN is to purge for a list of serials. Needs the configuration only, no engine: it works on the day when
 * nothing else does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pki/cache_tag.h"
#include "pki/serial.h"
#include "tools/lines.h"
#include "tools/tool.h"

/* The buckets of an issuer's serials, a bit each. */
struct buckets {
        const struct conf_issuer *issuer;
        uint32_t n;
        uint8_t *bits;
        uint64_t n_serials;
};

static bool buckets_init(struct buckets *b, const struct conf *conf, const struct conf_issuer *issuer)
{
        *b = (struct buckets){.issuer = issuer, .n = conf->tags_buckets, .bits = calloc(conf->tags_buckets / 8 + 1, 1)};
        return b->bits != NULL;
}

static void buckets_done(struct buckets *b)
{
        free(b->bits);
}

static bool buckets_has(const struct buckets *b, uint32_t bucket)
{
        return b->bits[bucket / 8] & (1u << bucket % 8);
}

static enum err add_text(struct buckets *b, struct bytes text)
{
        struct serial serial;
        enum err e = serial_from_text(text, &serial);
        uint32_t bucket;

        if (e != OK)
                return e;
        bucket = cache_tag_bucket(serial_bytes(&serial), b->n);
        b->n_serials++;
        b->bits[bucket / 8] |= (uint8_t)(1u << bucket % 8);
        return OK;
}

static struct bytes first_field(struct bytes line)
{
        const uint8_t *comma = memchr(line.data, ',', line.len);

        return comma ? bytes_trim(bytes_make(line.data, (size_t)(comma - line.data))) : line;
}

/* Of the list that was revoked: CSV may have one. */
static bool is_header(struct bytes field)
{
        return field.len >= 6 && strncasecmp((const char *)field.data, "serial", 6) == 0;
}

static int add_lines(const struct tool *t, struct buckets *b, const char *name, FILE *file)
{
        char line[4096];
        unsigned number = 0;

        while (fgets(line, sizeof line, file)) {
                struct bytes text = bytes_trim(bytes_make(line, strcspn(line, "\r\n")));

                number++;
                if (lines_is_blank(text) || (number == 1 && is_header(first_field(text))))
                        continue;
                if (add_text(b, first_field(text)) != OK)
                        return tool_fail(t, EXIT_REFUSED, "a list is SERIAL or SERIAL,... on a line, in hex", "%s:%u: \"%.*s\" is no serial", name,
                                number, (int)text.len, (const char *)text.data);
        }
        return EXIT_OK;
}

static int add_file(const struct tool *t, struct buckets *b, const char *name)
{
        FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
        int code;

        if (!file)
                return tool_fail(t, EXIT_SYSTEM, "name a file that is there, or - for standard input", "%s: %s", name, strerror(errno));
        code = add_lines(t, b, name, file);
        if (file != stdin)
                fclose(file);
        return code;
}

static int add_all(const struct tool *t, struct buckets *b)
{
        size_t at = 0;
        const char *name;
        int code = EXIT_OK;

        for (size_t i = 0; i < t->options.n_operands; i++)
                if (add_text(b, bytes_str(t->options.operands[i])) != OK)
                        return tool_fail(t, EXIT_USAGE, "serials are written in hex", "\"%s\" is no serial", t->options.operands[i]);
        while (code == EXIT_OK && (name = options_next(&t->options, "file", &at)))
                code = add_file(t, b, name);
        return code;
}

static void print_bucket(const struct tool *t, const struct buckets *b, uint32_t bucket, json_t *tags)
{
        uint8_t memory[128];
        struct builder text = builder_fixed(memory, sizeof memory);
        struct cache_tags list = {&text, " "};

        cache_tag_put_bucket_number(&list, bytes_str(b->issuer->name), bucket);
        if (t->json)
                json_array_append_new(tags, json_stringn((const char *)text.data, text.len));
        else
                printf("%.*s\n", (int)text.len, (const char *)text.data);
}

static void print_all(const struct tool *t, const struct buckets *b)
{
        _cleanup_json_ json_t *object = json_pack("{s:s, s:[]}", "issuer", b->issuer->name, "tags");

        for (uint32_t i = 0; i < b->n; i++)
                if (buckets_has(b, i))
                        print_bucket(t, b, i, json_object_get(object, "tags"));
        if (t->json)
                tool_print_json(object);
}

int cmd_purge_tags(struct tool *t)
{
        _cleanup_(buckets_done) struct buckets b = {0};
        const struct conf_issuer *issuer = NULL;
        int code = tool_load_conf(t);

        if (code == EXIT_OK)
                issuer = tool_pick_issuer(t, options_get(&t->options, "issuer"), &code);
        if (code == EXIT_OK && t->options.n_operands == 0 && !options_has(&t->options, "file"))
                code = tool_fail(t, EXIT_USAGE, "tocsin help purge-tags", "of what? Give serials or --file LIST");
        if (code != EXIT_OK)
                return code;
        if (!buckets_init(&b, t->conf, issuer))
                return tool_fail(t, EXIT_SYSTEM, NULL, "out of memory");
        if (t->conf->tags == CONF_TAGS_OFF)
                tool_note(t, "responder.tags is off: no answer carries tags");
        code = add_all(t, &b);
        if (code == EXIT_OK && b.n_serials == 0)
                code = tool_fail(t, EXIT_REFUSED, "tocsin help purge-tags", "the list holds no serial");
        if (code == EXIT_OK)
                print_all(t, &b);
        return code;
}
