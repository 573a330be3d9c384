/* clock: the time, and its texts.
 *
 * The calendar is the proleptic Gregorian one in UTC, years 0 to 9999, computed here: nothing depends on TZ or the locale,
 * nothing allocates, everything is thread safe. Leap seconds (":60") are refused: Unix time has none.
 */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define CLOCK_MAX_S 253402300799   /* 9999-12-31T23:59:59Z */
#define CLOCK_MIN_S (-62167219200) /* 0000-01-01T00:00:00Z */

static _Atomic int64_t frozen_ms;

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static int64_t read_us(clockid_t id)
{
        struct timespec t;

        clock_gettime(id, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void clock_freeze_ms(int64_t time_ms)
{
        atomic_store(&frozen_ms, time_ms);
}

int64_t clock_now_ms(void)
{
        int64_t frozen = atomic_load_explicit(&frozen_ms, memory_order_relaxed);

        return frozen != 0 ? frozen : read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_now_s(void)
{
        return clock_now_ms() / 1000;
}

int64_t clock_mono_ms(void)
{
        return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
        return read_us(CLOCK_MONOTONIC);
}

static int days_in_month(int year, int month)
{
        static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return month == 2 && leap ? 29 : days[month - 1];
}

static bool civil_is_valid(int year, int month, int day, int hour, int minute, int second)
{
        return year >= 0 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month) &&
               hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59;
}

/* Years are counted from March, in eras of 400 years = 146,097 days, so that the leap day is the last of its year. */
enum err clock_from_civil(int year, int month, int day, int hour, int minute, int second, int64_t *ret_time_s)
{
        int64_t y, era, day_of_year, day_of_era;

        if (!civil_is_valid(year, month, day, hour, minute, second))
                return ERR_INVALID;
        y = month <= 2 ? year - 1 : year;
        era = (y >= 0 ? y : y - 399) / 400;
        day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        day_of_era = (y - era * 400) * 365 + (y - era * 400) / 4 - (y - era * 400) / 100 + day_of_year;
        *ret_time_s =
                (era * 146097 + day_of_era - 719468) * CLOCK_DAY_S + hour * CLOCK_HOUR_S + minute * CLOCK_MINUTE_S + second;
        return OK;
}

static int64_t clamp(int64_t time_s)
{
        return time_s < CLOCK_MIN_S ? CLOCK_MIN_S : time_s > CLOCK_MAX_S ? CLOCK_MAX_S : time_s;
}

/* 0000-03-01 is 60 days after 0000-01-01; one era is added, and its 400 years taken off again, so that nothing is negative.
 */
void clock_to_civil(
        int64_t time_s, int *ret_year, int *ret_month, int *ret_day, int *ret_hour, int *ret_minute, int *ret_second)
{
        int64_t since_year_0 = clamp(time_s) - CLOCK_MIN_S;
        int64_t days = since_year_0 / CLOCK_DAY_S - 60 + 146097;
        int64_t second_of_day = since_year_0 % CLOCK_DAY_S;
        int64_t day_of_era = days % 146097;
        int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        int64_t month_from_march = (5 * day_of_year + 2) / 153;

        *ret_day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
        *ret_month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
        *ret_year = (int)(year_of_era + (days / 146097 - 1) * 400 + (*ret_month <= 2));
        *ret_hour = (int)(second_of_day / CLOCK_HOUR_S);
        *ret_minute = (int)(second_of_day / CLOCK_MINUTE_S % 60);
        *ret_second = (int)(second_of_day % 60);
}

/* Writes `value` in `width` digits with leading zeros; returns where the next character goes. */
static char *put_number(char *at, int value, int width)
{
        for (int i = width - 1; i >= 0; i--, value /= 10)
                at[i] = (char)('0' + value % 10);
        return at + width;
}

static char *put_text(char *at, const char *text, size_t len)
{
        memcpy(at, text, len);
        return at + len;
}

static char *put_hms(char *at, int hour, int minute, int second)
{
        at = put_number(at, hour, 2);
        *at++ = ':';
        at = put_number(at, minute, 2);
        *at++ = ':';
        return put_number(at, second, 2);
}

char *clock_to_text(int64_t time_s, char *ret_text)
{
        int year, month, day, hour, minute, second;
        char *at;

        clock_to_civil(time_s, &year, &month, &day, &hour, &minute, &second);
        at = put_number(ret_text, year, 4);
        *at++ = '-';
        at = put_number(at, month, 2);
        *at++ = '-';
        at = put_number(at, day, 2);
        *at++ = 'T';
        at = put_hms(at, hour, minute, second);
        *at++ = 'Z';
        *at = '\0';
        return ret_text;
}

/* 1970-01-01 was a Thursday. */
static int weekday(int64_t time_s)
{
        int64_t since_year_0 = clamp(time_s) - CLOCK_MIN_S;

        return (int)((since_year_0 / CLOCK_DAY_S + 6) % 7);
}

/* By hand instead of snprintf: two of these stand in the head of every answer. */
char *clock_to_http(int64_t time_s, char *ret_text)
{
        int year, month, day, hour, minute, second;
        char *at;

        clock_to_civil(time_s, &year, &month, &day, &hour, &minute, &second);
        at = put_text(ret_text, day_names[weekday(time_s)], 3);
        at = put_text(at, ", ", 2);
        at = put_number(at, day, 2);
        *at++ = ' ';
        at = put_text(at, month_names[month - 1], 3);
        *at++ = ' ';
        at = put_number(at, year, 4);
        *at++ = ' ';
        at = put_hms(at, hour, minute, second);
        at = put_text(at, " GMT", 4);
        *at = '\0';
        return ret_text;
}

static bool is_digit(uint8_t c)
{
        return c >= '0' && c <= '9';
}

static enum err take_number(struct bytes *in, size_t width, int *ret_value)
{
        struct bytes text;
        int value = 0;

        if (bytes_take(in, width, &text) != OK)
                return ERR_INVALID;
        for (size_t i = 0; i < width; i++) {
                if (!is_digit(text.data[i]))
                        return ERR_INVALID;
                value = value * 10 + text.data[i] - '0';
        }
        *ret_value = value;
        return OK;
}

static enum err take_any(struct bytes *in, const char *allowed)
{
        uint8_t c;

        if (bytes_take_u8(in, &c) != OK || c == 0 || !strchr(allowed, c))
                return ERR_INVALID;
        return OK;
}

static enum err take_text(struct bytes *in, const char *text)
{
        struct bytes rest = *in, taken;

        if (bytes_take(&rest, strlen(text), &taken) != OK || !bytes_equal(taken, bytes_str(text)))
                return ERR_INVALID;
        *in = rest;
        return OK;
}

static enum err take_hms(struct bytes *in, int *ret_hour, int *ret_minute, int *ret_second)
{
        if (take_number(in, 2, ret_hour) != OK || take_any(in, ":") != OK || take_number(in, 2, ret_minute) != OK ||
                take_any(in, ":") != OK || take_number(in, 2, ret_second) != OK)
                return ERR_INVALID;
        return OK;
}

static enum err unix_from_text(struct bytes text, int64_t *ret_time_s)
{
        int64_t value = 0;

        if (text.len == 0 || text.len > 12)
                return ERR_INVALID;
        for (size_t i = 0; i < text.len; i++) {
                if (!is_digit(text.data[i]))
                        return ERR_INVALID;
                value = value * 10 + text.data[i] - '0';
        }
        if (value > CLOCK_MAX_S)
                return ERR_INVALID;
        *ret_time_s = value;
        return OK;
}

/* RFC 3339 5.6: a fraction of any length may follow the seconds; ours are whole, so it is dropped. */
static enum err take_fraction(struct bytes *in)
{
        struct bytes dropped;
        size_t n = 1;

        if (in->len == 0 || in->data[0] != '.')
                return OK;
        while (n < in->len && is_digit(in->data[n]))
                n++;
        return n > 1 ? bytes_take(in, n, &dropped) : ERR_INVALID;
}

enum err clock_from_text(struct bytes text, int64_t *ret_time_s)
{
        int year, month, day, hour = 0, minute = 0, second = 0;

        if (unix_from_text(text, ret_time_s) == OK)
                return OK;
        if (take_number(&text, 4, &year) != OK || take_any(&text, "-") != OK || take_number(&text, 2, &month) != OK ||
                take_any(&text, "-") != OK || take_number(&text, 2, &day) != OK)
                return ERR_INVALID;
        if (text.len > 0 && (take_any(&text, "Tt ") != OK || take_hms(&text, &hour, &minute, &second) != OK ||
                                    take_fraction(&text) != OK || take_any(&text, "Zz") != OK || text.len > 0))
                return ERR_INVALID;
        return clock_from_civil(year, month, day, hour, minute, second, ret_time_s);
}

struct http_date {
        int year, month, day, hour, minute, second;
};

static enum err take_month(struct bytes *in, int *ret_month)
{
        struct bytes name;

        if (bytes_take(in, 3, &name) != OK)
                return ERR_INVALID;
        for (int i = 0; i < 12; i++) {
                if (bytes_equal(name, bytes_make(month_names[i], 3))) {
                        *ret_month = i + 1;
                        return OK;
                }
        }
        return ERR_INVALID;
}

/* The day's name is syntax only: it says nothing that the date does not. `len` 0 = the whole name. */
static enum err take_day_name(struct bytes *in, size_t len)
{
        for (int i = 0; i < 7; i++) {
                struct bytes rest = *in, name;
                size_t want = len > 0 ? len : strlen(day_names[i]);

                if (bytes_take(&rest, want, &name) == OK && bytes_equal(name, bytes_make(day_names[i], want))) {
                        *in = rest;
                        return OK;
                }
        }
        return ERR_INVALID;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static enum err take_imf_fixdate(struct bytes in, struct http_date *d)
{
        if (take_day_name(&in, 3) != OK || take_text(&in, ", ") != OK || take_number(&in, 2, &d->day) != OK ||
                take_text(&in, " ") != OK || take_month(&in, &d->month) != OK || take_text(&in, " ") != OK ||
                take_number(&in, 4, &d->year) != OK || take_text(&in, " ") != OK ||
                take_hms(&in, &d->hour, &d->minute, &d->second) != OK || take_text(&in, " GMT") != OK)
                return ERR_INVALID;
        return in.len == 0 ? OK : ERR_INVALID;
}

/* RFC 9110 5.6.7: two digits that seem more than 50 years ahead stand for the latest such year in the past. */
static int full_year(int two_digits)
{
        int now, ignored, year;

        clock_to_civil(clock_now_s(), &now, &ignored, &ignored, &ignored, &ignored, &ignored);
        year = now - now % 100 + two_digits;
        if (year > now + 50)
                year -= 100;
        return year + 50 < now ? year + 100 : year;
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static enum err take_rfc850(struct bytes in, struct http_date *d)
{
        if (take_day_name(&in, 0) != OK || take_text(&in, ", ") != OK || take_number(&in, 2, &d->day) != OK ||
                take_text(&in, "-") != OK || take_month(&in, &d->month) != OK || take_text(&in, "-") != OK ||
                take_number(&in, 2, &d->year) != OK || take_text(&in, " ") != OK ||
                take_hms(&in, &d->hour, &d->minute, &d->second) != OK || take_text(&in, " GMT") != OK)
                return ERR_INVALID;
        d->year = full_year(d->year);
        return in.len == 0 ? OK : ERR_INVALID;
}

/* Sun Nov  6 08:49:37 1994 */
static enum err take_asctime(struct bytes in, struct http_date *d)
{
        if (take_day_name(&in, 3) != OK || take_text(&in, " ") != OK || take_month(&in, &d->month) != OK ||
                take_text(&in, " ") != OK)
                return ERR_INVALID;
        if (take_number(&in, take_text(&in, " ") == OK ? 1 : 2, &d->day) != OK || take_text(&in, " ") != OK ||
                take_hms(&in, &d->hour, &d->minute, &d->second) != OK || take_text(&in, " ") != OK ||
                take_number(&in, 4, &d->year) != OK)
                return ERR_INVALID;
        return in.len == 0 ? OK : ERR_INVALID;
}

enum err clock_from_http(struct bytes text, int64_t *ret_time_s)
{
        struct http_date d = {0};

        if (take_imf_fixdate(text, &d) != OK && take_rfc850(text, &d) != OK && take_asctime(text, &d) != OK)
                return ERR_INVALID;
        return clock_from_civil(d.year, d.month, d.day, d.hour, d.minute, d.second, ret_time_s);
}
