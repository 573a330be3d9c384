/* dates: IMF-fixdate texts (RFC 9110 5.6.7), of which a head has three. A day's is kept, the time of day is made. (Kept by second they would
 * not do: as many are about as there are windows.) */
#pragma once

#include "base/clock.h"

/* Zeroed it keeps none. */
struct dates {
        struct date_slot {
                int64_t day; /* since 1970; where the text is empty, none */
                char text[30];
        } slots[32];
};

/* Writes CLOCK_HTTP_LEN octets at `at`. */
void dates_write(struct dates *dates, int64_t time_s, uint8_t *at);
