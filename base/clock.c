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

#define CLOCK_MAX_S 253402300799 /* 9999-12-31T23:59:59Z */
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
        return year >= 0 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month) && hour >= 0 &&
               hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59;
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
        *ret_time_s = (era * 146097 + day_of_era - 719468) * CLOCK_DAY_S + hour * CLOCK_HOUR_S + minute * CLOCK_MINUTE_S + second;
        return OK;
}

static int64_t clamp(int64_t time_s)
{
        return time_s < CLOCK_MIN_S ? CLOCK_MIN_S : time_s > CLOCK_MAX_S ? CLOCK_MAX_S : time_s;
}

void clock_to_civil(int64_t time_s, int *ret_year, int *ret_month, int *ret_day, int *ret_hour, int *ret_minute, int *ret_second)
{
        int64_t since_year_0 = clamp(time_s) - CLOCK_MIN_S;
        int64_t days = since_year_0 / CLOCK_DAY_S + 306; /* from 0000-03-01 less an era's shift: see below */
        int64_t second_of_day = since_year_0 % CLOCK_DAY_S;
        int64_t era, day_of_era, year_of_era, day_of_year, month_from_march;

        days += 146097 - 366; /* 0000-01-01 is day 305 + 1 of the March year that began in -0001 */
        era = days / 146097;
        day_of_era = days % 146097;
        year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        month_from_march = (5 * day_of_year + 2) / 153;
        *ret_day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
        *ret_month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
        *ret_year = (int)(year_of_era + (era - 1) * 400 + (*ret_month <= 2));
        *ret_hour = (int)(second_of_day / CLOCK_HOUR_S);
        *ret_minute = (int)(second_of_day / CLOCK_MINUTE_S % 60);
        *ret_second = (int)(second_of_day % 60);
}
