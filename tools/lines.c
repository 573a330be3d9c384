/* lines: see lines.h. */
#include "tools/lines.h"

#include <ctype.h>

static struct bytes skip(struct bytes b, size_t n)
{
        struct bytes taken;

        return bytes_take(&b, n, &taken) == OK ? b : BYTES_NONE;
}

void lines_init(struct lines *l, struct bytes text)
{
        struct bytes mark = BYTES_LIT("\xef\xbb\xbf");

        *l = (struct lines){.rest = text, .total = text.len};
        if (text.len >= mark.len && memcmp(text.data, mark.data, mark.len) == 0)
                l->rest = skip(text, mark.len);
}

static bool is_space(uint8_t c)
{
        return c == ' ' || c == '\t' || c == '\r';
}

struct bytes bytes_trim(struct bytes text)
{
        while (text.len > 0 && is_space(text.data[text.len - 1]))
                text.len--;
        while (text.len > 0 && is_space(text.data[0]))
                text = skip(text, 1);
        return text;
}

bool lines_next(struct lines *l, struct bytes *ret_line)
{
        const uint8_t *end;
        struct bytes line = l->rest;

        if (l->rest.len == 0)
                return false;
        end = memchr(l->rest.data, '\n', l->rest.len);
        if (end)
                line.len = (size_t)(end - l->rest.data);
        l->rest = skip(l->rest, line.len + (end != NULL));
        l->number++;
        while (line.len > 0 && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == ' '))
                line.len--;
        *ret_line = line;
        return true;
}

bool lines_is_blank(struct bytes line)
{
        line = bytes_trim(line);
        return line.len == 0 || line.data[0] == '#';
}

/* `plain` ends with a NUL or a space. */
static bool matches(struct bytes text, const char *plain)
{
        for (size_t i = 0; i < text.len; i++) {
                if (!isalnum(text.data[i]))
                        continue;
                if (*plain == '\0' || *plain == ' ' || tolower(text.data[i]) != *plain)
                        return false;
                plain++;
        }
        return *plain == '\0' || *plain == ' ';
}

bool bytes_is_word(struct bytes text, const char *plain)
{
        return text.len > 0 && matches(text, plain);
}

bool bytes_is_one_of(struct bytes text, const char *words)
{
        for (; text.len > 0 && *words; words = strchr(words, ' ') + 1)
                if (matches(text, words))
                        return true;
        return false;
}

/* After the opening quote: up to the closing one. */
static enum err take_quoted(struct bytes *line, struct builder *scratch, struct bytes *ret_field)
{
        size_t begin = scratch->len;
        bool doubled;

        do {
                const uint8_t *quote = line->len ? memchr(line->data, '"', line->len) : NULL;
                size_t len;

                if (!quote)
                        return ERR_INVALID;
                len = (size_t)(quote - line->data);
                doubled = len + 1 < line->len && line->data[len + 1] == '"';
                builder_put(scratch, bytes_make(line->data, len + doubled));
                *line = skip(*line, len + 1 + doubled);
        } while (doubled);
        if (builder_failed(scratch))
                return ERR_NOMEM;
        *ret_field = bytes_make(scratch->data ? scratch->data + begin : NULL, scratch->len - begin);
        return OK;
}

enum err field_next(struct bytes *line, char delimiter, struct builder *scratch, struct bytes *ret_field, bool *ret_more)
{
        struct bytes at = *line, field = {0}, rest;
        const uint8_t *end;
        enum err e;

        while (at.len > 0 && at.data[0] == ' ')
                at = skip(at, 1);
        if (at.len > 0 && at.data[0] == '"') {
                at = skip(at, 1);
                e = take_quoted(&at, scratch, &field);
                if (e != OK)
                        return e;
        }
        end = at.len ? memchr(at.data, delimiter, at.len) : NULL;
        rest = bytes_make(at.data, end ? (size_t)(end - at.data) : at.len);
        if (field.data && bytes_trim(rest).len > 0)
                return ERR_INVALID;
        *ret_field = field.data ? field : bytes_trim(rest);
        *ret_more = end != NULL;
        *line = skip(at, rest.len + (end != NULL));
        return OK;
}
