/* refresh_walk: one step of a pass, on the reader's thread: looks at rows from r->at on and puts those that are due into r->walking.
 * Knows the store; what becomes of them is refresh.c's.
 */
#pragma once

#include "signer/engine/refresh.h"

/* For some 20 ms, or until the slice is full. r->table_ended: there are no more rows in this table. */
MUST_CHECK enum err refresh_walk(struct refresh *r);

/* Which part of a window `serial` belongs to, for refresh_due_s: a slice's window has one part; one for any serial has a
 * part for each beginning of a serial, so that what is due together lies together. */
uint32_t refresh_part(const struct window *window, struct bytes serial);
/* When is an answer of this part of this window to be signed anew? Spread over the second half of the refresh age, always at
 * the same time for the same part, and a pass's pace before the age is reached (req 2.7). */
int64_t refresh_due_s(const struct issuer *issuer, const struct window *window, uint32_t part);
/* Passes over this issuer that are begun because something is due lie at least this far apart. */
int64_t refresh_pace_s(const struct issuer *issuer);
