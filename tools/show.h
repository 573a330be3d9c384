/* show: pieces of the engine's answers for people, used by several subcommands. */
#pragma once

#include "tools/tool.h"

/* A line for each issuer that is configured but not served, or has no fit signer, and why. */
void show_refused(const json_t *issuers, const char *indent);
/* Nothing for an empty list. `indent` may be NULL. */
void show_crls(const struct tool *t, const json_t *crls, const char *indent);
void show_batches(const struct tool *t, const json_t *batches, const char *indent);
/* Words for a time text of the engine's: "3 min ago", "in 4 d"; "-" when it is null. ret_text holds 40. Returns ret_text. */
char *show_age(const json_t *time, char *ret_text);
#define SHOW_AGE_LEN 40
/* A text field; "-" where it is missing or empty. */
const char *show_text(const json_t *object, const char *name);
long long show_number(const json_t *object, const char *name);
