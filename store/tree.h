/* tree: looks one key up in LMDB's pages themselves. For read turns, where each request asks for two rows that no cache of the CPU holds:
 * what LMDB finds in a chain of misses is found here in small steps, and those of many searches can take turns (tree_seek_step).
 *
 * Knows the pages of LMDB 0.9's data format (version 1, which the meta page promises) as far as our tables have them. Whatever looks
 * otherwise is ERR_UNSUPPORTED, and LMDB is asked. Nothing outside the map's pages is read, also if a page changes underneath. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* A table as one snapshot has it. */
struct tree {
        const uint8_t *map;
        uint64_t n_pages; /* of the map: no page beyond is read */
        uint32_t page_size;
        uint16_t depth; /* 0 = empty */
        uint64_t root;
};

/* From the row that LMDB keeps of a table under its name, in place: the page it lies in knows its number, and so tells where the map
 * begins, which LMDB does not. ERR_UNSUPPORTED. */
MUST_CHECK enum err tree_init(struct tree *ret_tree, uint64_t n_pages, uint32_t page_size, struct bytes row);

/* A search under way. Each step looks at what the step before asked the memory for, and asks for what the next will look at: between the
 * steps of one search there is time for those of others. */
struct tree_seek {
        const struct tree *tree;
        struct bytes key; /* the caller's: it stays in place until the end */
        uint64_t key_head; /* its first eight octets ... */
        bool has_head;     /* ... if it has as many */
        const uint8_t *page;
        uint16_t level;   /* of the page; the root's is 1 */
        bool is_inside;   /* its nodes are being looked at */
        int16_t low, high, middle;
        uint16_t offset; /* of the middle one in its page */
        enum err outcome; /* ERR_AGAIN: not known yet; OK: `value`; ERR_NOT_FOUND; ERR_UNSUPPORTED */
        struct bytes value;
};

void tree_seek_begin(const struct tree *tree, struct bytes key, struct tree_seek *ret_seek);
/* False: the outcome is known. */
bool tree_seek_step(struct tree_seek *seek);
