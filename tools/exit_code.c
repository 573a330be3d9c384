/* exit_code: the tables behind exit_code.h. */
#include "tools/exit_code.h"

#include <string.h>

static const char *const texts[EXIT_CODE_N] = {
        [EXIT_OK] = "done",
        [EXIT_REFUSED] = "the input was refused (a bad line, an unknown serial, a foreign certificate); nothing was changed",
        [EXIT_USAGE] = "the command line is not right; see `tocsin help`",
        [EXIT_CONFIG] = "the configuration is missing or wrong; see `tocsin check`",
        [EXIT_UNREACHABLE] = "the engine (tocsin-signer) could not be reached",
        [EXIT_ENGINE] =
                "the engine said no for a reason of its own (busy, no space, the truth moved on); nothing was changed",
        [EXIT_TOKEN] = "the token (HSM) failed or is away",
        [EXIT_SYSTEM] = "the operating system refused (a file, memory, a program that is not installed)",
};

/* The engine's short names that do not mean EXIT_ENGINE. */
static const struct {
        const char *name;
        enum exit_code code;
} engine_codes[] = {
        {"not-found", EXIT_REFUSED},
        {"exists", EXIT_REFUSED},
        {"invalid", EXIT_REFUSED},
        {"range", EXIT_REFUSED},
        {"unsupported", EXIT_REFUSED},
        {"token", EXIT_TOKEN},
};

const char *exit_code_text(enum exit_code code)
{
        return (unsigned)code < EXIT_CODE_N ? texts[code] : "unknown";
}

void exit_code_print(FILE *out)
{
        for (unsigned i = 0; i < EXIT_CODE_N; i++)
                fprintf(out, "  %u  %s\n", i, texts[i]);
}

enum exit_code exit_code_of_err(enum err e)
{
        if (e == OK)
                return EXIT_OK;
        if (e == ERR_TOKEN)
                return EXIT_TOKEN;
        return e == ERR_INVALID || e == ERR_RANGE || e == ERR_CRYPTO ? EXIT_REFUSED : EXIT_SYSTEM;
}

enum exit_code exit_code_of_engine(const char *code)
{
        for (size_t i = 0; code && i < sizeof(engine_codes) / sizeof(*engine_codes); i++)
                if (strcmp(engine_codes[i].name, code) == 0)
                        return engine_codes[i].code;
        return EXIT_ENGINE;
}
