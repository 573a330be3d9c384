/* tree: see tree.h. A page: number u64, padding u16, flags u16, lower u16, upper u16, then the nodes' offsets u16. A node: size or page
 * u32, flags u16 (in a branch: the page's upper bits), key length u16, key, value. In the machine's order of octets. */
#include "store/tree.h"

#include <endian.h>

#define PAGE_HEADER 16
#define NODE_HEADER 8
#define PAGE_BRANCH 0x01
#define PAGE_LEAF 0x02
#define PAGE_KIND_MASK 0x6f /* all but dirty, which says nothing here */
#define DEPTH_MAX 32
#define CACHE_LINE 64
/* The nodes that the first four steps of a search may look at. */
#define AHEAD 16

struct table_row { /* what LMDB keeps of a table */
        uint32_t pad;
        uint16_t flags;
        uint16_t depth;
        uint64_t n_branches, n_leaves, n_overflows, n_rows;
        uint64_t root;
};

struct page_header {
        uint64_t number;
        uint16_t pad, flags, lower, upper;
};

struct node_header {
        uint16_t low, high, flags, key_len;
};

struct node {
        struct node_header header;
        const uint8_t *key;
        size_t room; /* octets of the page from the key on */
};

_Static_assert(sizeof(struct table_row) == 48 && sizeof(struct page_header) == PAGE_HEADER && sizeof(struct node_header) == NODE_HEADER,
        "the layout of LMDB's data version 1 on 64 bits");

static const uint8_t *find_map(uint64_t n_pages, uint32_t page_size, const uint8_t *row)
{
        const uint8_t *page = (const uint8_t *)((uintptr_t)row / page_size * page_size);
        struct page_header h;

        memcpy(&h, page, sizeof h);
        if ((h.flags & PAGE_KIND_MASK) != PAGE_LEAF || h.number >= n_pages)
                return NULL;
        return (const uint8_t *)((uintptr_t)page - h.number * page_size);
}

enum err tree_init(struct tree *ret_tree, uint64_t n_pages, uint32_t page_size, struct bytes row)
{
        struct table_row r;
        const uint8_t *map;

        if (row.len != sizeof r || page_size == 0)
                return ERR_UNSUPPORTED;
        memcpy(&r, row.data, sizeof r);
        map = find_map(n_pages, page_size, row.data);
        if (!map || r.flags != 0 || r.depth > DEPTH_MAX)
                return ERR_UNSUPPORTED;
        *ret_tree = (struct tree){.map = map, .n_pages = n_pages, .page_size = page_size, .depth = r.depth, .root = r.root};
        return OK;
}

static const uint8_t *page_at(const struct tree *t, uint64_t number)
{
        return number < t->n_pages ? &t->map[number * t->page_size] : NULL;
}

/* How many nodes the page has; 0: it is not of that kind. */
static inline unsigned count_nodes(const struct tree *t, const uint8_t *page, unsigned kind)
{
        struct page_header h;

        memcpy(&h, page, sizeof h);
        if ((h.flags & PAGE_KIND_MASK) != kind || h.lower < PAGE_HEADER || h.lower > t->page_size)
                return 0;
        return (h.lower - PAGE_HEADER) / 2u;
}

static inline unsigned offset_of(const uint8_t *page, unsigned i)
{
        uint16_t offset;

        memcpy(&offset, &page[PAGE_HEADER + 2 * i], sizeof offset);
        return offset;
}

/* False: it does not lie in its page. */
static inline bool read_node(const struct tree *t, const uint8_t *page, unsigned i, struct node *ret)
{
        unsigned offset = offset_of(page, i);

        if (offset + NODE_HEADER > t->page_size)
                return false;
        memcpy(&ret->header, &page[offset], sizeof ret->header);
        ret->key = &page[offset + NODE_HEADER];
        ret->room = t->page_size - offset - NODE_HEADER;
        return ret->header.key_len <= ret->room;
}

static inline uint64_t first_eight(const uint8_t *data)
{
        uint64_t n;

        memcpy(&n, data, sizeof n);
        return be64toh(n);
}

/* LMDB's order; eight octets nearly always tell. */
static inline int compare(struct bytes a, struct bytes b)
{
        if (a.len >= 8 && b.len >= 8) {
                uint64_t x = first_eight(a.data), y = first_eight(b.data);

                if (x != y)
                        return x < y ? -1 : 1;
        }
        return bytes_compare(a, b);
}

/* The last node of [first, n) whose key is not beyond `key`; first - 1: none. *ret_exact: it is the key's own. -2: no node. */
static inline int search(const struct tree *t, const uint8_t *page, unsigned first, unsigned n, struct bytes key, bool *ret_exact)
{
        int low = (int)first, high = (int)n - 1;

        *ret_exact = false;
        while (low <= high) {
                int middle = (low + high) / 2, order;
                struct node node;

                if (!read_node(t, page, (unsigned)middle, &node))
                        return -2;
                order = compare(key, bytes_make(node.key, node.header.key_len));
                if (order == 0) {
                        *ret_exact = true;
                        return middle;
                }
                if (order < 0)
                        high = middle - 1;
                else
                        low = middle + 1;
        }
        return high;
}

/* The keys of a branch's first node do not count: it is for all before the second. */
static const uint8_t *descend(const struct tree *t, const uint8_t *page, struct bytes key)
{
        unsigned n = count_nodes(t, page, PAGE_BRANCH);
        struct node node;
        bool exact;
        int i;

        if (n == 0)
                return NULL;
        i = search(t, page, 1, n, key, &exact);
        if (i < 0 || !read_node(t, page, (unsigned)i, &node))
                return NULL;
        return page_at(t, node.header.low | (uint64_t)node.header.high << 16 | (uint64_t)node.header.flags << 32);
}

enum err tree_find_leaf(const struct tree *t, struct bytes key, const uint8_t **ret_leaf)
{
        const uint8_t *page = t->depth > 0 ? page_at(t, t->root) : NULL;

        if (t->depth == 0)
                return ERR_NOT_FOUND;
        for (unsigned level = 1; page && level < t->depth; level++)
                page = descend(t, page, key);
        if (!page)
                return ERR_UNSUPPORTED;
        __builtin_prefetch(page);
        __builtin_prefetch(&page[CACHE_LINE]);
        *ret_leaf = page;
        return OK;
}

/* The nodes that the search will come by, all at once: in a store larger than the caches each would be a miss of its own. */
static inline void fetch_ahead(const struct tree *t, const uint8_t *leaf, unsigned n)
{
        for (unsigned i = 1; i < AHEAD && n >= AHEAD; i++) {
                unsigned offset = offset_of(leaf, i * n / AHEAD);

                if (offset < t->page_size)
                        __builtin_prefetch(&leaf[offset]);
        }
}

enum err tree_search_leaf(const struct tree *t, const uint8_t *leaf, struct bytes key, struct bytes *ret_value)
{
        unsigned n = count_nodes(t, leaf, PAGE_LEAF);
        struct node node;
        uint32_t len;
        bool exact;
        int i;

        if (n == 0)
                return ERR_UNSUPPORTED;
        fetch_ahead(t, leaf, n);
        i = search(t, leaf, 0, n, key, &exact);
        if (i == -2)
                return ERR_UNSUPPORTED;
        if (!exact)
                return ERR_NOT_FOUND;
        if (!read_node(t, leaf, (unsigned)i, &node))
                return ERR_UNSUPPORTED;
        len = node.header.low | (uint32_t)node.header.high << 16;
        if (node.header.flags != 0 || len > node.room - node.header.key_len) /* on pages of its own, or no plain value */
                return ERR_UNSUPPORTED;
        *ret_value = bytes_make(&node.key[node.header.key_len], len);
        return OK;
}
