/* exit_code: what `tocsin` returns to its shell, one table: shown by `tocsin help exit-codes` and in tocsin(1). */
#pragma once

#include <stdio.h>

#include "base/err.h"

enum exit_code {
        EXIT_OK = 0,
        EXIT_REFUSED = 1,
        EXIT_USAGE = 2,
        EXIT_CONFIG = 3,
        EXIT_UNREACHABLE = 4,
        EXIT_ENGINE = 5,
        EXIT_TOKEN = 6,
        EXIT_SYSTEM = 7,
        EXIT_CODE_N,
};

/* What the code means, for people. */
const char *exit_code_text(enum exit_code code);
void exit_code_print(FILE *out);

/* For a failure on this side (files, memory, sockets). */
enum exit_code exit_code_of_err(enum err e);
/* For the `code` of the engine's final answer (docs/formats.md); NULL or unknown: EXIT_ENGINE. */
enum exit_code exit_code_of_engine(const char *code);
