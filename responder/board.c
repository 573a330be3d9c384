#include "responder/board.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"

#define PAGE 4096
#define PAGES_OF(type) ((sizeof(type) + PAGE - 1) / PAGE * PAGE)
#define SLOT_SIZE PAGES_OF(struct stats)
#define READ_TRIES 1000

/* Written by the master only. */
struct board {
        _Atomic uint32_t sequence;
        struct stats retired;
        struct {
                bool taken;
                pid_t pid;
        } owners[BOARD_SLOTS];
};
#define HEAD_SIZE PAGES_OF(struct board)
#define BOARD_SIZE (HEAD_SIZE + BOARD_SLOTS * SLOT_SIZE)

struct stats *board_slot(const struct board *board, unsigned slot)
{
        return (struct stats *)((char *)board + HEAD_SIZE + slot * SLOT_SIZE);
}

struct board *board_new(void)
{
        void *memory = mmap(NULL, BOARD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        return memory == MAP_FAILED ? NULL : memory;
}

void board_free(struct board *board)
{
        if (board)
                munmap(board, BOARD_SIZE);
}

unsigned board_take(struct board *board)
{
        unsigned slot = 0;

        while (slot < BOARD_SLOTS && board->owners[slot].taken)
                slot++;
        if (slot < BOARD_SLOTS)
                board->owners[slot].taken = true;
        return slot;
}

void board_set_owner(struct board *board, unsigned slot, pid_t pid)
{
        if (slot < BOARD_SLOTS)
                board->owners[slot].pid = pid;
}

unsigned board_find(const struct board *board, pid_t pid)
{
        unsigned slot = 0;

        while (slot < BOARD_SLOTS && !(board->owners[slot].taken && board->owners[slot].pid == pid))
                slot++;
        return slot;
}

void board_give_back(struct board *board, unsigned slot)
{
        if (slot >= BOARD_SLOTS)
                return;
        atomic_fetch_add(&board->sequence, 1);
        stats_add(&board->retired, board_slot(board, slot));
        memset(board_slot(board, slot), 0, sizeof(struct stats));
        board->owners[slot].taken = false;
        board->owners[slot].pid = 0;
        atomic_fetch_add(&board->sequence, 1);
}

struct stats *board_keep_own(struct board *board, unsigned slot)
{
        char *own, *end = (char *)board + BOARD_SIZE;

        if (slot >= BOARD_SLOTS) {
                munmap(board, BOARD_SIZE);
                return NULL;
        }
        own = (char *)board_slot(board, slot);
        munmap(board, (size_t)(own - (char *)board));
        if (own + SLOT_SIZE < end)
                munmap(own + SLOT_SIZE, (size_t)(end - own - SLOT_SIZE));
        return (struct stats *)own;
}

void board_read_only(struct board *board)
{
        (void)mprotect(board, BOARD_SIZE, PROT_READ);
}

static void add_worker(struct board_view *view, const struct stats *s)
{
        view->n_workers++;
        view->n_silent += s->now.published_ms + BOARD_SILENT_MS < view->now_ms;
        stats_add(&view->sum, s);
        view->sum.now.n_open += s->now.n_open;
        view->sum.now.n_questions += s->now.n_questions;
        if (s->now.longest_turn_us > view->sum.now.longest_turn_us)
                view->sum.now.longest_turn_us = s->now.longest_turn_us;
        if (s->now.commit > view->sum.now.commit) {
                view->sum.now.commit = s->now.commit;
                view->sum.now.commit_since_ms = s->now.commit_since_ms;
        } else if (s->now.commit == view->sum.now.commit && s->now.commit_since_ms < view->sum.now.commit_since_ms) {
                view->sum.now.commit_since_ms = s->now.commit_since_ms; /* who was there first saw it come */
        }
}

static void read_once(const struct board *board, struct board_view *view)
{
        *view = (struct board_view){.sum = board->retired, .now_ms = (uint64_t)clock_mono_ms()};
        for (unsigned i = 0; i < BOARD_SLOTS; i++)
                if (board->owners[i].taken && board->owners[i].pid > 0)
                        add_worker(view, board_slot(board, i));
}

void board_read(const struct board *board, struct board_view *ret_view)
{
        for (unsigned i = 0; i < READ_TRIES; i++) {
                uint32_t before = atomic_load(&board->sequence);

                read_once(board, ret_view);
                if (before % 2 == 0 && atomic_load(&board->sequence) == before)
                        return;
        }
}
