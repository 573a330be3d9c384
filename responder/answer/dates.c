#include "responder/answer/dates.h"

#define TEN_OF(high) high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7" high "8" high "9"
static const uint8_t TWO_DIGITS[] = TEN_OF("0") TEN_OF("1") TEN_OF("2") TEN_OF("3") TEN_OF("4") TEN_OF("5") TEN_OF("6") TEN_OF("7")
        TEN_OF("8") TEN_OF("9");

static inline void write_two(uint8_t *at, unsigned n)
{
        at[0] = TWO_DIGITS[2 * n];
        at[1] = TWO_DIGITS[2 * n + 1];
}

/* "Sat, 21 Nov 2026 10:00:00 GMT": the clock's digits stand at 17, 20 and 23. */
static inline void write_time_of_day(uint8_t *date, unsigned second_of_day)
{
        write_two(&date[17], second_of_day / CLOCK_HOUR_S);
        write_two(&date[20], second_of_day / CLOCK_MINUTE_S % 60);
        write_two(&date[23], second_of_day % 60);
}

static const char *day_text(struct dates *dates, int64_t day)
{
        struct date_slot *slot = &dates->slots[(uint64_t)day % (sizeof dates->slots / sizeof dates->slots[0])];

        if (slot->day != day || slot->text[0] == 0)
                clock_to_http(day * CLOCK_DAY_S, slot->text);
        slot->day = day;
        return slot->text;
}

void dates_write(struct dates *dates, int64_t time_s, uint8_t *at)
{
        char text[CLOCK_HTTP_LEN + 1];
        int64_t day = time_s / CLOCK_DAY_S;

        if (time_s < 0) {
                memcpy(at, clock_to_http(time_s, text), CLOCK_HTTP_LEN);
                return;
        }
        memcpy(at, day_text(dates, day), CLOCK_HTTP_LEN);
        write_time_of_day(at, (unsigned)(time_s - day * CLOCK_DAY_S));
}
