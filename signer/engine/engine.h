/* engine: the one process that writes the store: every rule about order is enforced here.
 *
 *   main thread    libevent: the control socket, the workers' sockets, the vault, timers. Never blocks for longer than a few
 * ms. writer         the only one that begins write transactions (writer.h) reader         walks the store for lists and
 * refresh, in short read transactions crl            builds CRL files
 *
 * This struct belongs to the main thread. Others touch env, conf, clock and the tasks handed to them.
 */
#pragma once

#include "base/conf.h"
#include "signer/engine/bulk.h"
#include "signer/engine/control.h"
#include "signer/engine/crl_builder.h"
#include "signer/engine/crl_recover.h"
#include "signer/engine/engine_clock.h"
#include "signer/engine/issuer.h"
#include "signer/engine/live_window.h"
#include "signer/engine/ondemand.h"
#include "signer/engine/refresh.h"
#include "signer/engine/schedule.h"
#include "signer/engine/task.h"
#include "signer/engine/vault_client.h"
#include "signer/engine/window_purger.h"
#include "signer/engine/worker.h"
#include "signer/engine/writeback.h"
#include "signer/engine/writer.h"
#include "store/env.h"

struct event_base;

struct engine {
        const struct conf *conf; /* the present one; those before are kept with their issuers, for work under way */
        int channel;
        struct event_base *base;
        struct env *env;
        uint32_t epoch;
        struct engine_clock clock;
        struct issuers *issuers;
        int64_t started_at_s;
        bool space_short; /* the reserve cannot be had: bulk and batches stop */
        bool stopping;
        int exit_code;

        struct writer writer;
        struct runner reader, crl_runner;
        struct event *events[8]; /* the runners' and the signals' */
        unsigned n_events;

        struct vault_client vault;
        struct workers workers;
        struct ondemand ondemand;
        struct writeback writeback;
        struct bulk bulk;
        struct refresh refresh;
        struct crl_recover crl_recover;
        struct crl_builder crls;
        struct schedule schedule;
        struct window_purger window_purger;
        struct control control;
};

/* Ends the event loop after the present event. */
void engine_quit(struct engine *engine, const char *why);
void engine_vault_is_up(struct engine *engine);
/* On-demand questions first, then bulk. After each batch of answers. */
void engine_feed_vault(struct engine *engine);
/* Statuses changed, and that is committed. */
void engine_truth_changed(struct engine *engine, struct issuer *issuer);
/* Records came in. */
void engine_population_changed(struct engine *engine, struct issuer *issuer);
/* Sign this serial's present status ahead of the bulk. */
void engine_sign_soon(struct engine *engine, struct issuer *issuer, struct bytes serial);
/* Reads the configuration anew. Problem text on failure; the old one stays. */
MUST_CHECK enum err engine_reload(struct engine *engine, struct conf_problem *ret_problem);
/* For tests: everything but the loop. */
MUST_CHECK enum err engine_open(struct engine *engine, const struct conf *conf, int channel);
MUST_CHECK enum err engine_start(struct engine *engine);
void engine_close(struct engine *engine);
