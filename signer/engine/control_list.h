/* control_list: what import and revoke share: taking over the client's rowfile, its digest, its slices, and the list of
 * rejects.
 *
 * A list is worked off in slices, each a task on the reader's or the writer's thread; in between, on the main thread,
 * progress goes to the client and a hang-up is noticed. The struct is touched by the thread that runs its task, and by the
 * main thread otherwise.
 */
#pragma once

#include "base/rowfile.h"
#include "signer/engine/engine.h"
#include "store/batch.h"
#include "store/import.h"

/* Rows that are told one by one; beyond it they are only counted. */
#define LIST_REJECTS_MAX 1000
/* Of a list passed as a plain file, which is copied; a sealed memfd is mapped. */
#define LIST_COPY_MAX (UINT64_C(2) << 30)

struct list {
        struct task task;
        struct engine *engine;
        struct client *client; /* a reference */
        struct issuer *issuer;
        enum rowfile_kind kind;
        int fd;
        struct rowfile rows;
        void *map;
        size_t map_len;
        uint8_t digest[32];
        json_t *rejects; /* of the present slice */
        uint32_t n_rejects;
        int64_t now_s; /* when it was asked */
        int64_t began_ms;
        bool ended;    /* the last row was worked off */
        char why[256]; /* why the list as a whole is refused */

        /* import */
        uint32_t imported[IMPORT_EFFECT_N];

        /* revoke */
        bool dry_run;
        char *incident;
        char wanted_digest[80]; /* hex, or "" */
        uint32_t effects[REVOCATION_EFFECT_N];
        uint32_t batch;
        uint8_t reason; /* of all rows, or BATCH_REASON_MIXED */
        enum err failure;
        enum revocation_effect effect;
        struct open_window *window;
        int64_t staged_ms, activated_ms, activated_at_s;
        uint64_t commit;
};

/* Takes over `fd`. NULL: the client was told why not. */
struct list *list_new(struct client *client, json_t *question, int fd, enum rowfile_kind kind);
void list_free(struct list *list);
/* Maps or copies the rows and takes their digest (a task's work, on the reader). */
MUST_CHECK enum err list_load(struct list *list);
void list_reject(struct list *list, const struct rowfile_row *row, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Main thread: sends what list_reject collected in this slice. */
void list_send_rejects(struct list *list);
void list_submit(struct list *list, struct runner *runner, enum task_priority priority,
        enum err (*work)(struct task *, struct txn *), void (*done)(struct task *));
static inline struct list *list_of(struct task *task)
{
        return task_owner(task, struct list, task);
}
