/* clock: the time, read in one place so that tests can set it.
 *
 * Seconds are signed 64-bit Unix time (UTC). Store rows keep them as unsigned 32 bits (to 2106-02-07), 0 meaning "none".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define CLOCK_MINUTE_S 60
#define CLOCK_HOUR_S 3600
#define CLOCK_DAY_S 86400

/* Wall clock, seconds / milliseconds since 1970-01-01 UTC. */
int64_t clock_now_s(void);
int64_t clock_now_ms(void);
/* Tests: from now on the wall clock stands at `time_ms`; 0 sets it going again. */
void clock_freeze_ms(int64_t time_ms);
/* CLOCK_MONOTONIC: never stepped, for durations. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* RFC 3339, "2026-11-21T10:00:00Z"; ret_text holds CLOCK_TEXT_LEN. Returns ret_text. Here and below a time outside the years 0 to 9999
 * becomes the nearest inside. */
#define CLOCK_TEXT_LEN 24
char *clock_to_text(int64_t time_s, char *ret_text);
/* RFC 3339 in UTC ("...Z", a space may stand for the T; a fraction is dropped), a date alone (midnight UTC), or all-digits
 * Unix seconds. ERR_INVALID: anything else. */
MUST_CHECK enum err clock_from_text(struct bytes text, int64_t *ret_time_s);
/* RFC 9110 5.6.7 IMF-fixdate, "Sat, 21 Nov 2026 10:00:00 GMT"; ret_text holds CLOCK_HTTP_LEN + 1. Returns ret_text. */
#define CLOCK_HTTP_LEN 29
char *clock_to_http(int64_t time_s, char *ret_text);
/* IMF-fixdate only, plus the two obsolete forms RFC 9110 5.6.7 asks recipients to accept. ERR_INVALID otherwise. */
MUST_CHECK enum err clock_from_http(struct bytes text, int64_t *ret_time_s);
/* Days from civil: the seconds of a proleptic Gregorian UTC date and time. ERR_INVALID: a field out of range: years 0..9999, months and
 * days from 1, seconds to 59 (no leap seconds). */
MUST_CHECK enum err clock_from_civil(int year, int month, int day, int hour, int minute, int second, int64_t *ret_time_s);
void clock_to_civil(
        int64_t time_s, int *ret_year, int *ret_month, int *ret_day, int *ret_hour, int *ret_minute, int *ret_second);
