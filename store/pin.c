/* pin: the engine's read transactions that keep pages from being reused while a worker without a lock may still read them
 * (env.h).
 *
 * Invariant, at the start of each write transaction at time t: the oldest pin's snapshot was still the newest commit at some
 * time at or before t - ENV_PIN_MS. A pin opened at time o was the newest at o; the oldest is let go only once the next was
 * opened ENV_PIN_MS ago or more. LMDB takes no page that the oldest pin can see, neither at once nor later in that
 * transaction, which can only begin earlier than its pages are written. A turn that began at time b reads a snapshot that
 * was the newest at b or later; what it sees can be overwritten only by a transaction that begins after b + ENV_PIN_MS. The
 * turn is thrown away after b + ENV_PIN_MS / 2.
 */
#include <time.h>

#include "base/clock.h"
#include "store/env_lmdb.h"

enum err pin_open(struct env *env)
{
        struct pin *pin = &env->pins[env->n_pins];
        int rc;

        if (env->n_pins == ENV_PINS)
                return ERR_CORRUPT;
        /* The time first: the snapshot is the newest at this time or later. */
        pin->opened_ms = clock_mono_ms();
        rc = mdb_txn_begin(env->lmdb, NULL, MDB_RDONLY, &pin->lmdb);
        if (rc != 0)
                return err_from_lmdb(rc);
        env->n_pins++;
        return OK;
}

static void close_oldest(struct env *env)
{
        mdb_txn_abort(env->pins[0].lmdb);
        env->n_pins--;
        for (unsigned i = 0; i < env->n_pins; i++)
                env->pins[i] = env->pins[i + 1];
}

void pin_close_all(struct env *env)
{
        while (env->n_pins > 0)
                close_oldest(env);
}

static void wait_until(int64_t mono_ms)
{
        struct timespec t = {.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
                ;
}

enum err pin_rotate(struct env *env)
{
        int64_t now_ms;

        if (clock_mono_ms() < env->first_write_ms)
                wait_until(env->first_write_ms);
        now_ms = clock_mono_ms();
        while (env->n_pins >= 2 && now_ms - env->pins[1].opened_ms >= ENV_PIN_MS)
                close_oldest(env);
        if (env->n_pins == 0 || now_ms - env->pins[env->n_pins - 1].opened_ms > ENV_PIN_MS / 2)
                return pin_open(env);
        return OK;
}
