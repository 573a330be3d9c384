/* read_index: index.txt, the database of `openssl ca` (apps/ca.c): tab-separated
 *
 *   status (V, R, E)  expiry  revocation[,reason[,extra]]  serial in hex  file name  subject
 */
#include <ctype.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/facts.h"
#include "tools/lines.h"
#include "tools/reader.h"

#define N_FIELDS 6
enum { STATUS, EXPIRY, REVOCATION, SERIAL, FILE_NAME, SUBJECT };

bool read_index_recognize(struct bytes content)
{
        struct lines lines;
        struct bytes line;

        lines_init(&lines, content);
        while (lines_next(&lines, &line))
                if (!lines_is_blank(line))
                        return line.len > 2 && memchr("VRE", line.data[0], 3) && line.data[1] == '\t';
        return false;
}

static bool take_number(struct bytes *text, size_t n_digits, int *ret_number)
{
        struct bytes digits;
        int number = 0;

        if (bytes_take(text, n_digits, &digits) != OK)
                return false;
        for (size_t i = 0; i < n_digits; i++) {
                if (!isdigit(digits.data[i]))
                        return false;
                number = number * 10 + digits.data[i] - '0';
        }
        *ret_number = number;
        return true;
}

/* YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ (RFC 5280 4.1.2.5: years 50 to 99 are 19xx). */
static bool read_date(struct bytes text, int64_t *ret_time)
{
        size_t year_digits = text.len == 15 ? 4 : 2;
        int year, part[5];

        if ((text.len != 13 && text.len != 15) || !take_number(&text, year_digits, &year))
                return false;
        for (size_t i = 0; i < 5; i++)
                if (!take_number(&text, 2, &part[i]))
                        return false;
        if (text.len != 1 || text.data[0] != 'Z')
                return false;
        if (year_digits == 2)
                year += year >= 50 ? 1900 : 2000;
        return clock_from_civil(year, part[0], part[1], part[2], part[3], part[4], ret_time) == OK;
}

static bool take_past(struct bytes text, uint32_t *ret_time)
{
        int64_t time_s;

        if (!read_date(text, &time_s) || time_s <= 0 || time_s > UINT32_MAX)
                return false;
        *ret_time = (uint32_t)time_s;
        return true;
}

static struct bytes take_part(struct bytes *text)
{
        const uint8_t *comma = text->len ? memchr(text->data, ',', text->len) : NULL;
        struct bytes part, dropped;

        if (bytes_take(text, comma ? (size_t)(comma - text->data) : text->len, &part) != OK)
                return BYTES_NONE;
        if (comma && bytes_take(text, 1, &dropped) != OK)
                return BYTES_NONE;
        return part;
}

/* The reasons that openssl writes with something after them. */
static const struct {
        const char *word;
        enum reason reason;
        bool has_invalidity_date;
} odd_reasons[] = {
        {"holdinstruction", REASON_CERTIFICATE_HOLD, false},
        {"keytime", REASON_KEY_COMPROMISE, true},
        {"cakeytime", REASON_CA_COMPROMISE, true},
};

static const char *read_reason(struct facts *f, struct bytes reason, struct bytes extra)
{
        enum reason plain;

        for (size_t i = 0; i < sizeof(odd_reasons) / sizeof(*odd_reasons); i++) {
                if (!bytes_is_word(reason, odd_reasons[i].word))
                        continue;
                f->row.reason = (uint8_t)odd_reasons[i].reason;
                if (odd_reasons[i].has_invalidity_date && !take_past(extra, &f->row.invalidity_date))
                        return "the date of the compromise cannot be read";
                return NULL;
        }
        if (reason_from_text(reason, &plain) != OK)
                return "the reason of the revocation is unknown";
        f->row.reason = (uint8_t)plain;
        /* keyCompromise,DATE: the date of the compromise */
        if (extra.len > 0 && !take_past(extra, &f->row.invalidity_date))
                return "the date of the compromise cannot be read";
        return NULL;
}

static const char *read_revocation(struct facts *f, struct bytes text)
{
        struct bytes date = take_part(&text), reason = take_part(&text);

        f->has_status = f->is_revoked = f->has_date = true;
        f->row.flags = ROWFILE_REVOKED;
        if (!take_past(date, &f->row.revoked_at))
                return "the date of the revocation cannot be read (YYMMDDHHMMSSZ)";
        f->has_reason = true;
        return reason.len > 0 ? read_reason(f, reason, take_part(&text)) : NULL;
}

static const char *read_fields(struct intake *in, struct facts *f, const struct bytes fields[N_FIELDS])
{
        uint8_t status = fields[STATUS].len == 1 ? fields[STATUS].data[0] : 0;
        int64_t expiry;

        if (!facts_set(in, f, facts_named("serial"), fields[SERIAL]))
                return f->why;
        if (!read_date(fields[EXPIRY], &expiry) || !facts_expiry(expiry, &f->row.not_after))
                return "the date of expiry cannot be read (YYMMDDHHMMSSZ)";
        if (status == 'R')
                return read_revocation(f, fields[REVOCATION]);
        if (status != 'V' && status != 'E')
                return "the status is neither V, R nor E";
        f->has_status = true;
        /* An expired certificate that had been revoked keeps its date: it stays revoked (nothing imported un-revokes). */
        return fields[REVOCATION].len > 0 ? read_revocation(f, fields[REVOCATION]) : NULL;
}

static void read_line(struct intake *in, struct bytes line, uint64_t number)
{
        struct bytes fields[N_FIELDS] = {0};
        struct facts f = {0};
        const char *why = NULL;
        unsigned n = 0;

        while (n < N_FIELDS) {
                const uint8_t *tab = line.len ? memchr(line.data, '\t', line.len) : NULL;
                struct bytes dropped;

                if (bytes_take(&line, tab ? (size_t)(tab - line.data) : line.len, &fields[n++]) != OK || !tab ||
                        bytes_take(&line, 1, &dropped) != OK)
                        break;
        }
        if (n < SERIAL + 1)
                why = "not a line of an OpenSSL index.txt: six fields between tabs";
        if (!why)
                why = read_fields(in, &f, fields);
        if (why)
                intake_reject(in, number, f.row.serial_len ? f.serial_text : BYTES_NONE, "%s", why);
        else
                facts_finish(in, &f, number);
}

enum err read_index(struct intake *in, struct bytes content, char *ret_why)
{
        (void)ret_why;
        intake_lines(in, content, read_line);
        return OK;
}
