/* rejects: collecting and showing. */
#include "tools/rejects.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#define PLACE_MAX 512
#define WHY_MAX 512

void sources_done(struct sources *s)
{
        for (size_t i = 0; i < s->n; i++)
                free(s->items[i].name);
        free(s->items);
        *s = (struct sources){0};
}

static enum err grow(void **items, size_t n, size_t *cap, size_t size)
{
        size_t new_cap = *cap ? *cap * 2 : 16;
        void *memory;

        if (n < *cap)
                return OK;
        memory = realloc(*items, new_cap * size);
        if (!memory)
                return ERR_NOMEM;
        *items = memory;
        *cap = new_cap;
        return OK;
}

enum err sources_add(struct sources *s, const char *name)
{
        char *copy = strdup(name);
        enum err e = copy ? grow((void **)&s->items, s->n, &s->cap, sizeof(*s->items)) : ERR_NOMEM;

        if (e != OK) {
                free(copy);
                return e;
        }
        s->items[s->n++] = (struct source){copy, s->n_lines};
        return OK;
}

uint32_t sources_number(struct sources *s, uint64_t line)
{
        uint64_t number = s->n ? s->items[s->n - 1].before + line : line;

        if (number > UINT32_MAX)
                return 0;
        if (number > s->n_lines)
                s->n_lines = (uint32_t)number;
        return (uint32_t)number;
}

char *sources_place(const struct sources *s, uint32_t number, char *ret_text, size_t cap)
{
        size_t low = 0, high = s->n;

        if (number == 0 || s->n == 0) {
                snprintf(ret_text, cap, number ? "line %u" : "somewhere", number);
                return ret_text;
        }
        while (high - low > 1) { /* the last file whose numbers begin before this one */
                size_t middle = low + (high - low) / 2;

                if (s->items[middle].before < number)
                        low = middle;
                else
                        high = middle;
        }
        snprintf(ret_text, cap, "%s:%u", s->items[low].name, number - s->items[low].before);
        return ret_text;
}

void rejects_done(struct rejects *r)
{
        free(r->items);
        builder_done(&r->texts);
        *r = (struct rejects){0};
}

void rejects_add(struct rejects *r, uint32_t number, const char *serial, const char *format, ...)
{
        char why[WHY_MAX];
        size_t at = r->texts.len;
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(why, sizeof(why), format, arguments);
        va_end(arguments);
        builder_printf(&r->texts, "%s%s%s", serial, serial[0] ? ": " : "", why);
        builder_put_u8(&r->texts, 0);
        if (grow((void **)&r->items, r->n, &r->cap, sizeof(*r->items)) == OK)
                r->items[r->n++] = (struct reject){number, at};
        else
                r->texts.failed = true;
}

static int compare(const void *a, const void *b)
{
        const struct reject *x = a, *y = b;

        if (x->number != y->number)
                return x->number < y->number ? -1 : 1;
        return x->text < y->text ? -1 : x->text > y->text;
}

void rejects_sort(struct rejects *r)
{
        if (r->n > 1)
                qsort(r->items, r->n, sizeof(*r->items), compare);
}

static const char *words_of(const struct rejects *r, const struct reject *reject)
{
        return builder_failed(&r->texts) ? "refused (too little memory to say why)"
                                         : (const char *)r->texts.data + reject->text;
}

/* What came from the input cannot move the cursor of a terminal. */
static void print_clean(FILE *out, const char *text)
{
        for (; *text; text++)
                putc((uint8_t)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static void print_one(const struct rejects *r, const struct sources *s, FILE *out, size_t i)
{
        char place[PLACE_MAX];

        if (r->items[i].number) { /* else the words say where */
                print_clean(out, sources_place(s, r->items[i].number, place, sizeof(place)));
                fputs(": ", out);
        }
        print_clean(out, words_of(r, &r->items[i]));
        putc('\n', out);
}

void rejects_print(const struct rejects *r, const struct sources *s, FILE *out, size_t most)
{
        for (size_t i = 0; i < r->n && i < most; i++) {
                fputs("  ", out);
                print_one(r, s, out, i);
        }
        if (r->n > most)
                fprintf(out, "  ... and %zu more (--rejects FILE writes them all)\n", r->n - most);
}

enum err rejects_write(const struct rejects *r, const struct sources *s, const char *path)
{
        FILE *file = fopen(path, "we");
        bool failed;

        if (!file)
                return err_from_errno(errno);
        for (size_t i = 0; i < r->n; i++)
                print_one(r, s, file, i);
        failed = ferror(file) != 0;
        if (fclose(file) != 0 || failed)
                return err_from_errno(errno);
        return OK;
}

json_t *rejects_json(const struct rejects *r, const struct sources *s, size_t most)
{
        json_t *array = json_array();

        for (size_t i = 0; i < r->n && i < most; i++) {
                char place[PLACE_MAX];

                sources_place(s, r->items[i].number, place, sizeof(place));
                json_array_append_new(array, json_pack("{s:s+, s:I, s:s}", "place", place, "", "line",
                                                     (json_int_t)r->items[i].number, "why", words_of(r, &r->items[i])));
        }
        return array;
}
