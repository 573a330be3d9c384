/* tree: looks one key up in LMDB's pages themselves. For read turns, where each request asks for two rows that no cache of the CPU holds:
 * what LMDB finds in a chain of misses is found here in small steps, and those of many searches can take turns (tree_seek_step).
 *
 * Knows the pages of LMDB 0.9's data format (version 1, which the meta page promises) as far as our tables have them. Whatever looks
 * otherwise is ERR_UNSUPPORTED, and LMDB is asked. Nothing outside the map's pages is read, also if a page changes underneath. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define TREE_TOP_MAX 1024

/* The pages of one of a tree's upper levels, in order: searches begin there, and nothing above is looked at. */
struct tree_top {
        uint16_t level; /* the root's is 1 */
        uint16_t n;
        uint64_t heads[TREE_TOP_MAX]; /* of each page, the first eight octets of the keys it begins with; the first one's do not count */
        uint64_t pages[TREE_TOP_MAX];
};

/* A table as one snapshot has it. */
struct tree {
        const uint8_t *map;
        uint64_t n_pages; /* of the map: no page beyond is read */
        uint32_t page_size;
        uint16_t depth; /* 0 = empty */
        uint64_t root;
        struct tree_top top; /* the lowest level that fits */
};

/* From the row that LMDB keeps of a table under its name, in place: the page it lies in knows its number, and so tells where the map
 * begins, which LMDB does not. ERR_UNSUPPORTED. */
MUST_CHECK enum err tree_init(struct tree *ret_tree, uint64_t n_pages, uint32_t page_size, struct bytes row);

/* Makes `top`, of what stands above; tree_init has done it. */
void tree_flatten(struct tree *tree);

/* A search under way. Each step looks at what the step before asked the memory for, and asks for what the next will look at: between the
 * steps of one search there is time for those of others. */
struct tree_seek {
        const struct tree *tree;
        struct bytes key; /* the caller's: it stays in place until the end */
        uint64_t key_head;   /* its first eight octets; */
        int32_t heads_until; /* in a page, so many may stand behind a node's header up to here; -1: the key has fewer than eight */
        const uint8_t *page;
        uint16_t level;   /* of the page; the root's is 1 */
        bool is_leaf;     /* it is */
        bool is_inside;   /* its nodes are being looked at */
        int16_t low, high, middle;
        uint16_t offset; /* of the middle one in its page */
        enum err outcome; /* ERR_AGAIN: not known yet; OK: `value`; ERR_NOT_FOUND; ERR_UNSUPPORTED */
        struct bytes value;
};

void tree_seek_begin(const struct tree *tree, struct bytes key, struct tree_seek *ret_seek);
/* Asks the memory for what the first step looks at. Of several in a row, so that they wait for the pages' addresses together, too. */
void tree_seek_fetch(const struct tree_seek *seek);
/* False: the outcome is known. */
bool tree_seek_step(struct tree_seek *seek);
