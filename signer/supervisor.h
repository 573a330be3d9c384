/* supervisor: the process that tocsin-signer starts as. It holds the privileges needed to start its two children under their own users and
 * nothing else: it opens no store, no token and no socket to the outside, and parses nothing but the configuration.
 *
 *   supervisor (root) --- fork ---> engine (users.engine): engine_run()
 *                     --- exec ---> tocsin-vault (users.vault)
 *
 * The engine asks for a vault with one octet 'V' on its channel; the supervisor kills the old one (SIGKILL, waited for), makes two fresh socket
 * pairs, starts tocsin-vault with them, and hands the engine's ends over: two packets, 'U' with the urgent end and 'B' with the bulk end.
 * 'D' from the supervisor: a vault died. An engine that dies is started again (with a fresh vault) after 1 s; a supervisor that dies takes
 * both with it. SIGTERM: engine first (it finishes its commit), then vault. SIGHUP goes to the engine: reload.
 */
#pragma once

#include "base/conf.h"

/* Returns the process's exit code. */
int supervisor_run(const struct conf *conf, const char *config_file);

/* In the engine's process: never returns before the engine is done; the exit code. `channel` is the supervisor's. Implemented by signer/engine. */
int engine_run(struct conf *conf, int channel);
