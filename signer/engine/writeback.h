/* writeback: signatures on their way into the store, in group commits sorted by key. A chunk is handed to the writer when it
 * is full or WRITEBACK_MS old. Each signature is checked again there against its row's generation: a late one is dropped.
 * Main thread, but for the chunk that the writer holds.
 */
#pragma once

#include "signer/engine/task.h"
#include "store/status.h"

#define WRITEBACK_ITEMS 2048
#define WRITEBACK_OCTETS (256u << 10)
#define WRITEBACK_CHUNKS 4
#define WRITEBACK_MS 50

struct engine;
struct event;

struct writeback_item {
        uint32_t ca_key, window, generation;
        uint32_t signature_at; /* in the chunk's octets */
        uint16_t signature_len;
        bool is_written;
        struct serial serial;
};

struct writeback_chunk {
        struct task task;
        struct engine *engine;
        struct writeback_chunk *next;
        unsigned n, done;
        unsigned n_written, n_stale;
        size_t n_octets;
        int64_t began_ms; /* monotonic, of its first item */
        struct writeback_item items[WRITEBACK_ITEMS];
        uint8_t octets[WRITEBACK_OCTETS];
};

struct writeback {
        struct writeback_chunk *chunks; /* all of them, one allocation */
        struct writeback_chunk *free, *filling;
        struct event *timer;
        uint64_t n_written, n_stale, n_lost;
};

MUST_CHECK enum err writeback_start(struct engine *engine);
void writeback_stop(struct engine *engine);
/* Room for more without waiting for the writer? The bulk lane stops while there is none. */
bool writeback_has_room(const struct engine *engine);
/* A signature that finds no room is lost: the serial is signed again when it is asked for. */
void writeback_add(struct engine *engine, uint32_t ca_key, struct bytes serial, uint32_t generation, uint32_t window,
        struct bytes raw_signature);
