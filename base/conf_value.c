/* conf_value: the types of options. A type is one row: how a value is read, what it looks like, an example.
 *
 * A value that fails leaves its field as it was.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/conf_table.h"

struct value_type {
        enum err (*set)(const struct conf_option *o, const char *folder, const char *text, void *field);
        void (*put_range)(struct builder *b, const struct conf_option *o);
        const char *example; /* where the default is none */
        bool is_list;
        bool is_text; /* to be quoted in YAML */
};

static struct bytes take_while(struct bytes *in, bool (*wanted)(uint8_t c))
{
        struct bytes taken = {in->data, 0};

        while (in->len > 0 && wanted(in->data[0])) {
                taken.len++;
                in->data++;
                in->len--;
        }
        return taken;
}

static bool is_digit(uint8_t c)
{
        return c >= '0' && c <= '9';
}

/* Digits from the front of `in`; saturates at UINT64_MAX, which is out of every range. */
static enum err take_digits(struct bytes *in, uint64_t *ret_value)
{
        struct bytes digits = take_while(in, is_digit);
        uint64_t value = 0;

        if (digits.len == 0)
                return ERR_INVALID;
        for (size_t i = 0; i < digits.len; i++)
                if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digits.data[i] - '0', &value))
                        value = UINT64_MAX / 10;
        *ret_value = value;
        return OK;
}

static enum err check_range(const struct conf_option *o, uint64_t value)
{
        return value < o->min || value > o->max ? ERR_RANGE : OK;
}

static enum err set_unsigned(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        struct bytes in = bytes_str(text);
        uint64_t value;
        enum err e;

        (void)folder;
        if (take_digits(&in, &value) != OK || in.len > 0)
                return ERR_INVALID;
        e = check_range(o, value);
        if (e == OK)
                *(unsigned *)field = (unsigned)value;
        return e;
}

struct unit {
        char letter;
        uint64_t factor;
};

static const struct unit size_units[] = {{'T', 1ULL << 40}, {'G', 1ULL << 30}, {'M', 1ULL << 20}, {'K', 1ULL << 10}, {0}};
static const struct unit duration_units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}, {0}};

static const struct unit *find_unit(const struct unit *units, uint8_t letter)
{
        for (; units->letter; units++)
                if (units->letter == (char)letter)
                        return units;
        return NULL;
}

/* A number and one of `units`, from the front of `in`. *units moves behind it: the next part must be smaller. */
static enum err take_part(struct bytes *in, const struct unit **units, uint64_t *sum)
{
        const struct unit *unit;
        uint64_t value;
        uint8_t letter;

        if (take_digits(in, &value) != OK || bytes_take_u8(in, &letter) != OK)
                return ERR_INVALID;
        unit = find_unit(*units, letter);
        if (!unit)
                return ERR_INVALID;
        if (__builtin_mul_overflow(value, unit->factor, &value) || __builtin_add_overflow(*sum, value, sum))
                *sum = UINT64_MAX / 2;
        *units = unit + 1;
        return OK;
}

/* "4d", "1d12h"; a bare "0" needs no unit. */
static enum err set_duration(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        const struct unit *units = duration_units;
        struct bytes in = bytes_str(text);
        uint64_t value = 0;
        enum err e = OK;

        (void)folder;
        if (strcmp(text, "0") != 0) {
                do
                        e = take_part(&in, &units, &value);
                while (e == OK && in.len > 0);
        }
        if (e == OK)
                e = check_range(o, value);
        if (e == OK)
                *(int64_t *)field = (int64_t)value;
        return e;
}

/* "64M", or plain bytes. */
static enum err set_size(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        const struct unit *units = size_units;
        struct bytes in = bytes_str(text), plain = in;
        uint64_t value = 0;
        enum err e;

        (void)folder;
        if ((take_digits(&plain, &value) != OK || plain.len > 0) &&
                (value = 0, take_part(&in, &units, &value) != OK || in.len > 0))
                return ERR_INVALID;
        e = check_range(o, value);
        if (e == OK)
                *(uint64_t *)field = value;
        return e;
}

static enum err set_bool(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        bool is_true = strcmp(text, "true") == 0;

        (void)o;
        (void)folder;
        if (!is_true && strcmp(text, "false") != 0)
                return ERR_INVALID;
        *(bool *)field = is_true;
        return OK;
}

static int find_name(const char *const *names, const char *text)
{
        for (int i = 0; names && names[i]; i++)
                if (strcmp(names[i], text) == 0)
                        return i;
        return -1;
}

static enum err set_enum(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        int at = find_name(o->names, text);

        (void)folder;
        if (at < (int)o->min)
                return at < 0 ? ERR_INVALID : ERR_RANGE;
        *(int *)field = at; /* every enum of ours is an int: conf.c asserts it */
        return OK;
}

static enum err check_text(const struct conf_option *o, const char *text)
{
        if (strlen(text) < o->min)
                return ERR_RANGE;
        for (; *text; text++)
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        return ERR_INVALID;
        return OK;
}

static enum err replace_text(char **field, char *text)
{
        if (!text)
                return ERR_NOMEM;
        free(*field);
        *field = text;
        return OK;
}

static char *make_path(const struct conf_option *o, const char *folder, const char *text)
{
        char *path = NULL;

        if (*text == '\0' || *text == '/' || find_name(o->names, text) >= 0)
                return strdup(text);
        return asprintf(&path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, text) < 0 ? NULL : path;
}

static enum err set_string(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        enum err e = check_text(o, text);

        (void)folder;
        return e == OK ? replace_text(field, strdup(text)) : e;
}

static enum err set_path(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        enum err e = check_text(o, text);

        return e == OK ? replace_text(field, make_path(o, folder, text)) : e;
}

static enum err list_add(struct conf_list *list, char *item)
{
        char **items;

        if (!item)
                return ERR_NOMEM;
        items = reallocarray(list->items, list->n + 1, sizeof(*items));
        if (!items) {
                free(item);
                return ERR_NOMEM;
        }
        items[list->n] = item;
        list->items = items;
        list->n++;
        return OK;
}

static enum err add_string(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        enum err e = *text == '\0' ? ERR_RANGE : check_text(o, text);

        (void)folder;
        return e == OK ? list_add(field, strdup(text)) : e;
}

static enum err add_path(const struct conf_option *o, const char *folder, const char *text, void *field)
{
        enum err e = *text == '\0' ? ERR_RANGE : check_text(o, text);

        return e == OK ? list_add(field, make_path(o, folder, text)) : e;
}

/* With the largest unit that leaves no rest. */
static void put_with_unit(struct builder *b, const struct unit *units, uint64_t value)
{
        while (value != 0 && units->letter && value % units->factor != 0)
                units++;
        if (value == 0 || !units->letter)
                builder_printf(b, "%llu", (unsigned long long)value);
        else
                builder_printf(b, "%llu%c", (unsigned long long)(value / units->factor), units->letter);
}

static void put_range_unsigned(struct builder *b, const struct conf_option *o)
{
        builder_printf(b, "a number in %llu..%llu", (unsigned long long)o->min, (unsigned long long)o->max);
        if (o->unit)
                builder_printf(b, " (%s)", o->unit);
}

static void put_range_duration(struct builder *b, const struct conf_option *o)
{
        builder_put_str(b, "a duration (d, h, m, s) in ");
        put_with_unit(b, duration_units, o->min);
        builder_put_str(b, "..");
        put_with_unit(b, duration_units, o->max);
}

static void put_range_size(struct builder *b, const struct conf_option *o)
{
        builder_put_str(b, "a size in bytes (or K, M, G, T) in ");
        put_with_unit(b, size_units, o->min);
        builder_put_str(b, "..");
        put_with_unit(b, size_units, o->max);
}

static void put_range_enum(struct builder *b, const struct conf_option *o)
{
        builder_put_str(b, "one of ");
        for (unsigned i = (unsigned)o->min; o->names[i]; i++)
                builder_printf(b, "%s%s", i > o->min ? ", " : "", o->names[i]);
}

static void put_range_bool(struct builder *b, const struct conf_option *o)
{
        (void)o;
        builder_put_str(b, "true or false");
}

static void put_range_string(struct builder *b, const struct conf_option *o)
{
        builder_put_str(b, o->min > 0 ? "a text of printable characters, not empty" : "a text of printable characters");
}

static void put_range_path(struct builder *b, const struct conf_option *o)
{
        for (unsigned i = 0; o->names && o->names[i]; i++)
                builder_printf(b, "%s, ", o->names[i]);
        builder_put_str(b, o->min > 0 ? "a path, not empty" : "a path");
}

static void put_range_strings(struct builder *b, const struct conf_option *o)
{
        builder_printf(b, "a list of texts%s", *o->def ? ", at least one" : "");
}

static void put_range_paths(struct builder *b, const struct conf_option *o)
{
        builder_printf(b, "a list of paths%s", *o->def ? ", at least one" : "");
}

static const struct value_type types[] = {
        [CONF_STRING] = {.set = set_string, .put_range = put_range_string, .example = "text", .is_text = true},
        [CONF_PATH] = {.set = set_path, .put_range = put_range_path, .example = "/a/path", .is_text = true},
        [CONF_BOOL] = {.set = set_bool, .put_range = put_range_bool, .example = "true"},
        [CONF_UNSIGNED] = {.set = set_unsigned, .put_range = put_range_unsigned, .example = "1"},
        [CONF_SIZE] = {.set = set_size, .put_range = put_range_size, .example = "64M"},
        [CONF_DURATION] = {.set = set_duration, .put_range = put_range_duration, .example = "1h30m"},
        [CONF_ENUM] = {.set = set_enum, .put_range = put_range_enum, .example = "none"},
        [CONF_STRINGS] = {.set = add_string, .put_range = put_range_strings, .is_list = true, .is_text = true},
        [CONF_PATHS] = {.set = add_path, .put_range = put_range_paths, .is_list = true, .is_text = true},
};

bool conf_type_is_list(enum conf_type type)
{
        return types[type].is_list;
}

enum err conf_value_set(const struct conf_option *o, void *object, const char *folder, const char *text)
{
        return types[o->type].set(o, folder, text, (char *)object + o->offset);
}

static void list_done(struct conf_list *list)
{
        for (unsigned i = 0; i < list->n; i++)
                free(list->items[i]);
        free(list->items);
        *list = (struct conf_list){0};
}

void conf_value_free(const struct conf_option *o, void *object)
{
        void *field = (char *)object + o->offset;

        if (types[o->type].is_list) {
                list_done(field);
        } else if (types[o->type].is_text) {
                free(*(char **)field);
                *(char **)field = NULL;
        }
}

void conf_value_put_range(struct builder *b, const struct conf_option *o)
{
        types[o->type].put_range(b, o);
}

/* Plain words and paths read better bare; anything else is quoted. */
static bool needs_quotes(struct bytes text)
{
        static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";

        for (size_t i = 0; i < text.len; i++)
                if (!strchr(bare, text.data[i]))
                        return true;
        return text.len == 0 || text.data[0] == '-';
}

static void put_scalar(struct builder *b, bool is_text, struct bytes text)
{
        if (!is_text || !needs_quotes(text)) {
                builder_put(b, text);
                return;
        }
        builder_put_u8(b, '"');
        for (size_t i = 0; i < text.len; i++) {
                if (text.data[i] == '"' || text.data[i] == '\\')
                        builder_put_u8(b, '\\');
                builder_put_u8(b, text.data[i]);
        }
        builder_put_u8(b, '"');
}

void conf_value_put_yaml(struct builder *b, const struct conf_option *o, const char *text)
{
        const char *separator = "[";

        if (!types[o->type].is_list) {
                put_scalar(b, types[o->type].is_text, bytes_str(text));
                return;
        }
        if (*text == '\0')
                builder_put_str(b, separator);
        for (; *text; separator = ", ") {
                size_t len = strcspn(text, ",");

                builder_put_str(b, separator);
                put_scalar(b, true, bytes_make(text, len));
                text += len + (text[len] == ',');
        }
        builder_put_str(b, "]");
}

void conf_value_put_example(struct builder *b, const struct conf_option *o)
{
        bool default_says_little = *o->def == '\0' || strcmp(o->def, "0") == 0;

        conf_value_put_yaml(b, o, default_says_little ? types[o->type].example : o->def);
}
