/* tree: looks one key up in LMDB's pages themselves. For read turns, where each request asks for two rows that no cache of the CPU holds:
 * what LMDB finds in a chain of misses is asked for at once here, and the leaves of two tables can be on their way together.
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

/* The leaf that has the key if any has, on its way to the cache. ERR_NOT_FOUND: the table is empty. ERR_UNSUPPORTED. */
MUST_CHECK enum err tree_find_leaf(const struct tree *tree, struct bytes key, const uint8_t **ret_leaf);
/* ERR_NOT_FOUND, ERR_UNSUPPORTED. */
MUST_CHECK enum err tree_search_leaf(const struct tree *tree, const uint8_t *leaf, struct bytes key, struct bytes *ret_value);
