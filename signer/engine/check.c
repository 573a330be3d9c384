/* check: opens the store offline, so that no engine can start meanwhile, and walks it. */
#include "signer/engine/check.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "store/check.h"
#include "store/env.h"
#include "store/event.h"

#define EXIT_PROBLEMS 1
#define EXIT_NOT_LOOKED 2

static void print_problem(void *arg, const char *text)
{
        (void)arg;
        printf("store: %s\n", text);
}

static int check_open_store(struct env *env)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        uint64_t n = 0;
        enum err e = txn_begin_read(env, &txn);

        if (e == OK)
                e = store_check(txn, print_problem, NULL, &n);
        if (e != OK) {
                printf("store: it cannot be read: %s\n", err_text(e));
                return EXIT_NOT_LOOKED;
        }
        printf("store: %" PRIu64 " problem%s, %" PRIu64 " events\n", n, n == 1 ? "" : "s", event_last(txn));
        return n == 0 ? 0 : EXIT_PROBLEMS;
}

int engine_check_store(const struct conf *conf)
{
        struct env_config config = {.path = conf->store_path, .map_size = conf->store_map_size};
        struct env *env;
        unsigned version = 0;
        int code;
        enum err e = env_open_offline(&config, &env, &version);

        if (e == ERR_BUSY) {
                printf("store: tocsin-signer is running: ask it with `tocsin check`\n");
                return EXIT_NOT_LOOKED;
        }
        if (e == ERR_VERSION) {
                printf("store: it has schema %u, this program knows %d: use the version of Tocsin that wrote it\n", version,
                        SCHEMA_VERSION);
                return EXIT_NOT_LOOKED;
        }
        if (e != OK) {
                printf("store: %s cannot be opened: %s\n", conf->store_path, err_text(e));
                return EXIT_NOT_LOOKED;
        }
        code = check_open_store(env);
        env_close(env);
        return code;
}
