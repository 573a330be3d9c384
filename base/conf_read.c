/* conf_read: libyaml's events into an object, through the scope's rows.
 *
 * The shape is fixed: a map of options, and of groups that are maps of options. Everything else (aliases, several
 * documents, deeper maps, the same key twice, a key that is no option) is refused where it stands.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/conf_table.h"

#define WORD_MAX 64

struct reader {
        const struct conf_source *source;
        yaml_parser_t parser;
        yaml_event_t event; /* the current one */
        bool has_event;
};

enum err conf_complain(const struct conf_source *s, enum err e, unsigned line, const char *format, ...)
{
        struct conf_problem *p = s->problem;
        va_list args;
        int len = line > 0 ? snprintf(p->text, sizeof(p->text), "%s:%u: ", s->shown, line)
                           : snprintf(p->text, sizeof(p->text), "%s: ", s->shown);

        if (len < 0 || (size_t)len >= sizeof(p->text))
                return e;
        va_start(args, format);
        vsnprintf(p->text + len, sizeof(p->text) - (size_t)len, format, args);
        va_end(args);
        for (char *c = p->text; *c; c++) /* one line, whatever was in the file */
                if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        *c = '?';
        return e;
}

static void reader_done(struct reader *r)
{
        if (r->has_event)
                yaml_event_delete(&r->event);
        yaml_parser_delete(&r->parser);
}

static unsigned line_of(const struct reader *r)
{
        return (unsigned)r->event.start_mark.line + 1;
}

static enum err reader_next(struct reader *r)
{
        if (r->has_event)
                yaml_event_delete(&r->event);
        r->has_event = yaml_parser_parse(&r->parser, &r->event);
        if (r->has_event)
                return OK;
        if (r->parser.error == YAML_MEMORY_ERROR)
                return conf_complain(r->source, ERR_NOMEM, 0, "%s", err_text(ERR_NOMEM));
        return conf_complain(r->source, ERR_INVALID, (unsigned)(r->parser.problem_mark.line + 1), "not YAML: %s",
                r->parser.problem ? r->parser.problem : "unreadable");
}

unsigned conf_distance(struct bytes a, struct bytes b)
{
        unsigned row[WORD_MAX + 1];

        if (a.len > WORD_MAX || b.len > WORD_MAX)
                return WORD_MAX;
        for (unsigned j = 0; j <= b.len; j++)
                row[j] = j;
        for (unsigned i = 1; i <= a.len; i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (unsigned j = 1; j <= b.len; j++) {
                        unsigned change = diagonal + (a.data[i - 1] != b.data[j - 1]);
                        unsigned add = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

                        diagonal = row[j];
                        row[j] = change < add ? change : add;
                }
        }
        return row[b.len];
}

bool conf_is_near(unsigned distance, struct bytes word)
{
        return distance <= (word.len < 4 ? 1 : 2) || 3 * distance <= word.len;
}

static bool is_bare_empty(const struct reader *r)
{
        return r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0 &&
               r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* The option whose path is nearest, or whose last part is the same word in another group. */
static const struct conf_option *nearest_option(const struct conf_scope *scope, struct bytes group, struct bytes key)
{
        const struct conf_option *best = NULL;
        unsigned best_distance = WORD_MAX;

        for (unsigned i = 0; i < scope->n_options; i++) {
                const struct conf_option *o = &scope->options[i];
                bool same_group = bytes_equal(group, conf_option_group(o));
                unsigned distance = 2 * conf_distance(key, bytes_str(conf_option_key(o))) + !same_group;

                if (conf_is_near(distance / 2, key) && distance < best_distance) {
                        best = o;
                        best_distance = distance;
                }
        }
        return best;
}

static bool nearest_group(const struct conf_scope *scope, struct bytes key, struct bytes *ret_group)
{
        unsigned best_distance = WORD_MAX;

        *ret_group = BYTES_NONE;
        for (unsigned i = 0; i < scope->n_options; i++) {
                struct bytes group = conf_option_group(&scope->options[i]);
                unsigned distance = conf_distance(key, group);

                if (group.len > 0 && conf_is_near(distance, key) && distance < best_distance) {
                        *ret_group = group;
                        best_distance = distance;
                }
        }
        return ret_group->len > 0;
}

static enum err complain_unknown(const struct reader *r, unsigned line, struct bytes group, struct bytes key)
{
        const struct conf_option *o = nearest_option(r->source->scope, group, key);
        struct bytes near_group = BYTES_NONE;
        char name[2 * WORD_MAX + 2];

        snprintf(name, sizeof(name), "%.*s%s%.*s", (int)group.len, (const char *)group.data, group.len > 0 ? "." : "",
                (int)(key.len > WORD_MAX ? WORD_MAX : key.len), (const char *)key.data);
        if (group.len == 0 && nearest_group(r->source->scope, key, &near_group))
                return conf_complain(r->source, ERR_INVALID, line, "%s: no such option; did you mean %.*s?", name,
                        (int)near_group.len, (const char *)near_group.data);
        if (o)
                return conf_complain(r->source, ERR_INVALID, line, "%s: no such option; did you mean %s?", name, o->path);
        return conf_complain(
                r->source, ERR_INVALID, line, "%s: no such option; the commented sample lists all there are", name);
}

/* What the option takes: "a number in 0..256; for example "workers: 4" (default 0)". */
static const char *describe(struct builder *b, const struct conf_option *o)
{
        conf_value_put_range(b, o);
        builder_printf(b, "; for example \"%s: ", conf_option_key(o));
        conf_value_put_example(b, o);
        builder_printf(b, "\" (default %s%s%s)", o->under ? o->under : "", o->under ? "/" : "", *o->def ? o->def : "empty");
        builder_put_u8(b, 0);
        return builder_failed(b) ? "allowed" : (const char *)b->data;
}

static enum err complain_value(
        const struct reader *r, enum err e, const struct conf_option *o, unsigned line, const char *text)
{
        _cleanup_(builder_done) struct builder b = {0};
        const char *quote = *text ? "" : "\"";

        if (e == ERR_NOMEM)
                return conf_complain(r->source, e, line, "%s: %s", o->path, err_text(e));
        return conf_complain(r->source, e, line, "%s: %s%.80s%s is not %s", o->path, quote, text, quote, describe(&b, o));
}

/* The current event as a value of the option (or as one item of its list). */
static enum err read_value(struct reader *r, const struct conf_option *o)
{
        const struct conf_source *s = r->source;
        const char *text;
        enum err e;

        if (r->event.type == YAML_ALIAS_EVENT)
                return conf_complain(
                        s, ERR_INVALID, line_of(r), "%s: aliases are not taken; write the value itself", o->path);
        if (r->event.type != YAML_SCALAR_EVENT)
                return complain_value(r, ERR_INVALID, o, line_of(r),
                        r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a group of options");
        if (is_bare_empty(r))
                return complain_value(r, ERR_INVALID, o, line_of(r), "no value at all");
        text = (const char *)r->event.data.scalar.value;
        if (strlen(text) != r->event.data.scalar.length)
                return complain_value(r, ERR_INVALID, o, line_of(r), "a text with a NUL byte");
        e = conf_value_set(o, s->object, s->folder, text);
        return e == OK ? OK : complain_value(r, e, o, line_of(r), text);
}

static enum err read_list(struct reader *r, const struct conf_option *o)
{
        unsigned line = line_of(r), n = 0;
        enum err e;

        if (r->event.type != YAML_SEQUENCE_START_EVENT)
                return complain_value(r, ERR_INVALID, o, line, "what stands here");
        while ((e = reader_next(r)) == OK && r->event.type != YAML_SEQUENCE_END_EVENT) {
                e = read_value(r, o);
                if (e != OK)
                        return e;
                n++;
        }
        if (e == OK && n == 0 && *o->def != '\0')
                return complain_value(r, ERR_RANGE, o, line, "an empty list");
        return e;
}

/* The key was read; its value comes next. */
static enum err read_option(struct reader *r, unsigned at, unsigned line)
{
        const struct conf_source *s = r->source;
        const struct conf_option *o = &s->scope->options[at];
        enum err e;

        if (s->lines[at] != 0)
                return conf_complain(
                        s, ERR_INVALID, line, "%s: set twice, first on line %u; keep one of them", o->path, s->lines[at]);
        s->lines[at] = line;
        e = reader_next(r);
        if (e != OK)
                return e;
        return conf_type_is_list(o->type) ? read_list(r, o) : read_value(r, o);
}

static enum err take_key(struct reader *r, char key[WORD_MAX + 1])
{
        if (r->event.type != YAML_SCALAR_EVENT)
                return conf_complain(r->source, ERR_INVALID, line_of(r), "an option's name is expected here");
        snprintf(key, WORD_MAX + 1, "%s", (const char *)r->event.data.scalar.value);
        return OK;
}

static enum err read_group(struct reader *r, struct bytes group)
{
        const struct conf_scope *scope = r->source->scope;
        char key[WORD_MAX + 1], path[2 * WORD_MAX + 2];
        enum err e = reader_next(r);

        if (e != OK || is_bare_empty(r)) /* all of its options are commented out */
                return e;
        if (r->event.type != YAML_MAPPING_START_EVENT)
                return conf_complain(r->source, ERR_INVALID, line_of(r),
                        "%.*s: a group: its options stand indented below it", (int)group.len, (const char *)group.data);
        while ((e = reader_next(r)) == OK && r->event.type != YAML_MAPPING_END_EVENT) {
                unsigned line = line_of(r);
                int at;

                e = take_key(r, key);
                if (e != OK)
                        return e;
                snprintf(path, sizeof(path), "%.*s.%s", (int)group.len, (const char *)group.data, key);
                at = conf_option_find(scope, bytes_str(path));
                if (at < 0)
                        return complain_unknown(r, line, group, bytes_str(key));
                e = read_option(r, (unsigned)at, line);
                if (e != OK)
                        return e;
        }
        return e;
}

/* The first option of a group, whose place stands for the group; -1 if there is none. */
static int find_group(const struct conf_scope *scope, struct bytes name)
{
        for (unsigned i = 0; name.len > 0 && i < scope->n_options; i++)
                if (bytes_equal(name, conf_option_group(&scope->options[i])))
                        return (int)i;
        return -1;
}

static enum err read_entry(struct reader *r, unsigned *group_lines)
{
        const struct conf_scope *scope = r->source->scope;
        unsigned line = line_of(r);
        char key[WORD_MAX + 1];
        int at, group;
        enum err e = take_key(r, key);

        if (e != OK)
                return e;
        at = strchr(key, '.') ? -1 : conf_option_find(scope, bytes_str(key));
        if (at >= 0)
                return read_option(r, (unsigned)at, line);
        group = find_group(scope, bytes_str(key));
        if (group < 0)
                return complain_unknown(r, line, BYTES_NONE, bytes_str(key));
        if (group_lines[group] != 0)
                return conf_complain(r->source, ERR_INVALID, line,
                        "%s: set twice, first on line %u; put all its options there", key, group_lines[group]);
        group_lines[group] = line;
        return read_group(r, bytes_str(key));
}

static enum err read_top(struct reader *r)
{
        _cleanup_free_
        unsigned *group_lines = calloc(r->source->scope->n_options, sizeof(*group_lines));
        enum err e = OK;

        if (!group_lines)
                return conf_complain(r->source, ERR_NOMEM, 0, "%s", err_text(ERR_NOMEM));
        if (is_bare_empty(r)) /* nothing but comments in a document */
                return OK;
        if (r->event.type != YAML_MAPPING_START_EVENT)
                return conf_complain(r->source, ERR_INVALID, line_of(r), "options are expected here, as \"name: value\"");
        while (e == OK && (e = reader_next(r)) == OK && r->event.type != YAML_MAPPING_END_EVENT)
                e = read_entry(r, group_lines);
        return e;
}

static enum err read_document(struct reader *r)
{
        enum err e = reader_next(r); /* the stream's start */

        if (e == OK)
                e = reader_next(r);
        if (e != OK || r->event.type == YAML_STREAM_END_EVENT)
                return e;
        e = reader_next(r);
        if (e == OK)
                e = read_top(r);
        if (e == OK)
                e = reader_next(r); /* the document's end */
        if (e == OK)
                e = reader_next(r);
        if (e == OK && r->event.type != YAML_STREAM_END_EVENT)
                return conf_complain(
                        r->source, ERR_INVALID, line_of(r), "a second document begins here; there may be one only");
        return e;
}

static void close_file(FILE **file)
{
        if (*file)
                fclose(*file);
}

enum err conf_read(const struct conf_source *s, const char *path)
{
        _cleanup_(close_file) FILE *file = fopen(path, "re");
        _cleanup_(reader_done) struct reader r = {.source = s};

        if (!file)
                return conf_complain(s, err_from_errno(errno), 0, "cannot be read: %s", strerrordesc_np(errno));
        if (!yaml_parser_initialize(&r.parser))
                return conf_complain(s, ERR_NOMEM, 0, "%s", err_text(ERR_NOMEM));
        yaml_parser_set_input_file(&r.parser, file);
        return read_document(&r);
}
