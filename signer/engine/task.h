/* task: work that leaves the main thread and comes back to it.
 *
 * A runner is one thread with a queue for each priority. A task is embedded in its owner; the owner leaves it alone from
 * runner_submit until `done` was called. `work` runs on the runner's thread; `done` runs on the main thread, from
 * runner_reap, so that everything an owner holds is touched by one thread at a time and needs no lock.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/txn.h"

/* Lower goes first. In the writer: a revocation never waits for more than the chunk that is being committed. */
enum task_priority {
        TASK_TRUTH,      /* revocations, flips, windows that a question waits for */
        TASK_STAGE,      /* chunks of lists: staging, import */
        TASK_SIGNATURES, /* write-backs, windows of refresh slices */
        TASK_HOUSEKEEPING,
        TASK_PRIORITY_N,
};

struct task {
        enum task_priority priority;
        /* The writer passes its transaction, unless `plain`; other runners pass NULL. An error aborts the transaction. */
        enum err (*work)(struct task *task, struct txn *txn);
        void (*done)(struct task *task); /* may be NULL; may submit the task again, or free its owner */
        bool plain;                      /* the writer: on its thread, but without a transaction */
        enum err result;                 /* what work, or the commit, returned */
        struct task *next;
};

#define task_owner(task, type, member) ((type *)((char *)(task)-offsetof(type, member)))

struct task_list {
        struct task *first, *last;
};

struct runner {
        const char *name; /* the thread's, up to 15 characters */
        /* Runs one task on the runner's thread; NULL: calls work without a transaction. */
        enum err (*execute)(struct runner *runner, struct task *task);
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct task_list waiting[TASK_PRIORITY_N];
        struct task_list finished;
        int finished_fd; /* an eventfd: readable while runner_reap has something to do */
        bool started, stop;
        unsigned n_waiting;
};

/* `name` and `execute` are set by the caller before. */
MUST_CHECK enum err runner_start(struct runner *runner);
void runner_submit(struct runner *runner, struct task *task);
/* Calls `done` of what has finished: the main thread, when finished_fd is readable. */
void runner_reap(struct runner *runner);
/* Lets the task under way finish, then ends the thread. Tasks still waiting are never run, and nothing is reaped. */
void runner_stop(struct runner *runner);
unsigned runner_waiting(struct runner *runner);
