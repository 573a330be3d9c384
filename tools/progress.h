/* progress: one line that moves, on a terminal only: phase, bar, count, rate, time left. Nothing is shown for what is over
 * within a second. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
        FILE *out; /* NULL: shows nothing */
        char phase[32];
        int64_t started_ms, shown_ms;
        bool visible;
};

/* Shown only when `out` is a terminal and `quiet` is false. */
void progress_init(struct progress *p, FILE *out, bool quiet);
/* `total` 0 = not known. Drawn ten times a second at most; a new phase starts a new clock. */
void progress_set(struct progress *p, const char *phase, uint64_t done, uint64_t total);
/* Takes the line away. */
void progress_done(struct progress *p);

/* "[#####     ]", `width` marks; ret_text holds width + 3. Returns ret_text. */
char *progress_bar(char *ret_text, unsigned width, uint64_t done, uint64_t total);
/* "850 ms", "12 s", "3 min 20 s", "2 h 5 min"; ret_text holds 32. Returns ret_text. */
char *progress_duration(char *ret_text, int64_t ms);
