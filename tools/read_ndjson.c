/* read_ndjson: one JSON object a line, the facts under the names that CSV columns have. */
#include <jansson.h>
#include <stdio.h>

#include "tools/control.h"
#include "tools/facts.h"
#include "tools/lines.h"
#include "tools/reader.h"

#define NUMBER_TEXT 24

bool read_ndjson_recognize(struct bytes content)
{
        struct lines lines;
        struct bytes line;

        lines_init(&lines, content);
        while (lines_next(&lines, &line)) {
                line = bytes_trim(line);
                if (line.len > 0)
                        return line.data[0] == '{';
        }
        return false;
}

/* False: a value of a kind that no fact has. `number` holds the text of a number. */
static bool text_of(const json_t *value, char *number, struct bytes *ret_text)
{
        if (json_is_string(value))
                *ret_text = bytes_trim(bytes_make(json_string_value(value), json_string_length(value)));
        else if (json_is_integer(value))
                *ret_text = bytes_make(
                        number, (size_t)snprintf(number, NUMBER_TEXT, "%lld", (long long)json_integer_value(value)));
        else if (json_is_boolean(value))
                *ret_text = bytes_str(json_is_true(value) ? "true" : "false");
        else if (json_is_null(value))
                *ret_text = BYTES_NONE;
        else
                return false;
        return true;
}

static bool put_value(struct intake *in, struct facts *f, const char *name, const json_t *value)
{
        const struct fact_row *row = facts_find(bytes_str(name));
        char number[NUMBER_TEXT];
        struct bytes text;

        if (!row || (in->kind == ROWFILE_REVOKE && !row->revokes)) {
                intake_unused(in, bytes_str(name));
                return true;
        }
        if (facts_is_serial(row) && !json_is_string(value)) {
                snprintf(f->why, sizeof(f->why), "the serial must be a string of hex digits (a number could be decimal)");
                return false;
        }
        if (!text_of(value, number, &text)) {
                snprintf(f->why, sizeof(f->why), "'%.40s' holds neither text nor a number", name);
                return false;
        }
        return facts_set(in, f, row, text);
}

static void read_object(struct intake *in, json_t *object, uint64_t number)
{
        struct facts f = {0};
        const char *name;
        json_t *value;

        json_object_foreach(object, name, value)
        {
                if (put_value(in, &f, name, value))
                        continue;
                intake_reject(in, number, f.row.serial_len ? f.serial_text : BYTES_NONE, "%s", f.why);
                return;
        }
        facts_finish(in, &f, number);
}

static void read_line(struct intake *in, struct bytes line, uint64_t number)
{
        json_error_t error;
        _cleanup_json_ json_t *object = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, &error);

        if (!object)
                intake_reject(in, number, BYTES_NONE, "not JSON: %s", error.text);
        else if (!json_is_object(object))
                intake_reject(in, number, BYTES_NONE, "not a JSON object");
        else
                read_object(in, object, number);
}

enum err read_ndjson(struct intake *in, struct bytes content, char *ret_why)
{
        (void)ret_why;
        intake_lines(in, content, read_line);
        return OK;
}
