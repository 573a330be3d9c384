/* handover: what import and revoke have in common: gather a list for one issuer, show what was refused of it, hand it to the
 * engine. */
#pragma once

#include "tools/intake.h"
#include "tools/tool.h"

/* The issuer of --issuer (or the only one), its certificates, the format of --format. EXIT_OK or an exit code, complaint
 * printed. */
MUST_CHECK int handover_begin(struct tool *t, enum rowfile_kind kind, struct intake *ret);
/* Reads a file, a directory or standard input. */
MUST_CHECK int handover_read(struct tool *t, struct intake *in, const char *path);
/* Sorts, merges, says which columns were not used. */
MUST_CHECK int handover_sort(struct tool *t, struct intake *in);
/* Shows the rejects (all of them into --rejects FILE) under `format`'s headline, which says what that means. EXIT_REFUSED.
 * `answer`: the engine's, for --json; NULL = it was not asked. */
int handover_show_rejects(struct tool *t, struct intake *in, const json_t *answer, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* The sorted rows as a file. */
MUST_CHECK int handover_write(struct tool *t, struct intake *in, int *ret_fd);
/* Asks, showing progress, adding the engine's rejects to the intake's. EXIT_OK when it answered, be it ok or not. */
MUST_CHECK int handover_ask(struct tool *t, struct intake *in, json_t *question, int fd, json_t **ret_final);
