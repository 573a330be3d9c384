/* supervisor: the process that tocsin-signer starts as. It holds the privileges needed to start its two children under their
 * own users and nothing else: it opens no store, no token and no socket to the outside, and parses nothing but the
 * configuration.
 *
 *   supervisor (root) --- fork ---> engine (users.engine): engine_run()
 *                     --- exec ---> tocsin-vault (users.vault)
 *
 * The engine asks for a vault with one octet 'V' on its channel; the supervisor ends the old one (SIGTERM; SIGKILL after 5 s),
 * makes two fresh socket pairs, starts tocsin-vault with them, and hands the engine's ends over: two packets, 'U' with the
 * urgent end and 'B' with the bulk end. 'D' from the supervisor: a vault died; 'N': none could be started. An engine that dies is started again (with a
 * fresh vault) after 1 s; a supervisor that dies takes both with it. SIGTERM: engine first (it finishes its commit), then
 * vault. SIGHUP goes to the engine: reload.
 *
 * An engine that exits with a failure before any engine of this supervisor asked for a vault has refused to start (its store
 * is held, or of a newer schema): it is not started again, and its exit code is the supervisor's. An engine started again
 * reads the configuration anew.
 */
#pragma once

#include "base/conf.h"

/* Packets on the channel, one octet each. */
#define SUPERVISOR_WANT_VAULT 'V' /* engine -> supervisor */
#define SUPERVISOR_URGENT 'U'     /* supervisor -> engine, with the urgent end */
#define SUPERVISOR_BULK 'B'       /* supervisor -> engine, with the bulk end */
#define SUPERVISOR_VAULT_DIED 'D' /* supervisor -> engine; between its 'V' and 'U' it speaks of the vault before */
#define SUPERVISOR_NO_VAULT 'N'   /* supervisor -> engine: none could be started */

/* Where tocsin-vault finds its ends of the pairs. */
#define SUPERVISOR_URGENT_FD 3
#define SUPERVISOR_BULK_FD 4

/* Prepares the folders, starts both and watches them until SIGTERM or SIGINT. Returns the process's exit code. */
int supervisor_run(const struct conf *conf, const char *config_file);
/* The same with this vault program, which supervisor_run looks for beside itself and in libexecdir. */
int supervisor_run_vault(const struct conf *conf, const char *config_file, const char *vault_path);

/* In the engine's process: never returns before the engine is done; the exit code. `channel` is the supervisor's.
 * Implemented by signer/engine. */
int engine_run(struct conf *conf, int channel);
