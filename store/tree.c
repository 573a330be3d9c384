/* tree: see tree.h. A page: number u64, padding u16, flags u16, lower u16, upper u16, then the nodes' offsets u16. A node: size or page
 * u32, flags u16 (in a branch: the page's upper bits), key length u16, key, value. In the machine's order of octets. */
#include "store/tree.h"

#include <endian.h>
#include <stddef.h>

#define PAGE_HEADER 16
#define NODE_HEADER 8
#define PAGE_BRANCH 0x01
#define PAGE_LEAF 0x02
#define PAGE_KIND_MASK 0x6f /* all but dirty, which says nothing here */
#define DEPTH_MAX 32
#define CACHE_LINE 64
/* A node's header and as much of its key as nearly always tells. */
#define NODE_LOOK (NODE_HEADER + 12)
/* Most steps do none of this; so what they do needs no registers saved. */
#define ASIDE __attribute__((noinline))

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

static inline void end(struct tree_seek *s, enum err outcome)
{
        s->outcome = outcome;
}

/* Where the first nodes that are looked at stand. (Each of these may have to wait for the page's address to be translated: few.) */
static inline void fetch_page(const uint8_t *page, bool is_leaf)
{
        __builtin_prefetch(page);
        if (!is_leaf) /* its nodes are short, so it has many */
                __builtin_prefetch(&page[CACHE_LINE]);
}

static inline void fetch_more_offsets(const uint8_t *page)
{
        __builtin_prefetch(&page[2 * CACHE_LINE]);
        __builtin_prefetch(&page[3 * CACHE_LINE]);
}

static void go_to(struct tree_seek *s, uint64_t number)
{
        s->page = page_at(s->tree, number);
        s->is_inside = false;
        s->level++;
        if (!s->page || s->level > s->tree->depth)
                end(s, ERR_UNSUPPORTED);
        else
                fetch_page(s->page, s->level == s->tree->depth);
}

static ASIDE void go_down(struct tree_seek *s, unsigned i)
{
        struct node node;

        if (read_node(s->tree, s->page, i, &node))
                go_to(s, node.header.low | (uint64_t)node.header.high << 16 | (uint64_t)node.header.flags << 32);
        else
                end(s, ERR_UNSUPPORTED);
}

static void take_value(struct tree_seek *s, const struct node *node)
{
        uint32_t len = node->header.low | (uint32_t)node->header.high << 16;

        if (node->header.flags != 0 || len > node->room - node->header.key_len) { /* on pages of its own, or no plain value */
                end(s, ERR_UNSUPPORTED);
                return;
        }
        s->value = bytes_make(&node->key[node->header.key_len], len);
        __builtin_prefetch(&s->value.data[len > CACHE_LINE ? CACHE_LINE : 0]);
        end(s, OK);
}

/* The node in the middle of what is left is looked at next; or nothing is left. */
static inline void aim(struct tree_seek *s, int low, int high, bool is_leaf)
{
        unsigned offset;

        s->low = (int16_t)low;
        s->high = (int16_t)high;
        if (low > high) {
                if (is_leaf)
                        end(s, ERR_NOT_FOUND);
                else
                        go_down(s, (unsigned)high);
                return;
        }
        s->middle = (int16_t)((low + high) / 2);
        offset = offset_of(s->page, (unsigned)s->middle);
        s->offset = (uint16_t)offset;
        __builtin_prefetch(&s->page[offset]);
        __builtin_prefetch(&s->page[offset + NODE_LOOK]);
}

/* The key of a branch's first node does not count: it is for all before the second. */
static ASIDE void enter(struct tree_seek *s, bool is_leaf)
{
        unsigned n = count_nodes(s->tree, s->page, is_leaf ? PAGE_LEAF : PAGE_BRANCH);

        if (n == 0) {
                end(s, ERR_UNSUPPORTED);
                return;
        }
        s->is_inside = true;
        if (!is_leaf)
                fetch_more_offsets(s->page);
        aim(s, is_leaf ? 0 : 1, (int)n - 1, is_leaf);
}

/* The order of the first eight octets, which nearly always tell; 0: they do not. */
static inline int compare_heads(const struct tree_seek *s)
{
        const uint8_t *node = &s->page[s->offset];
        uint16_t key_len;
        uint64_t head;

        if (!s->has_head || s->offset + NODE_HEADER + 8u > s->tree->page_size)
                return 0;
        memcpy(&key_len, &node[offsetof(struct node_header, key_len)], sizeof key_len);
        head = first_eight(&node[NODE_HEADER]);
        if (key_len < 8 || s->key_head == head)
                return 0;
        return s->key_head < head ? -1 : 1;
}

/* All that eight octets leave open. */
static ASIDE void look_closely(struct tree_seek *s, bool is_leaf)
{
        struct node node;
        int order;

        if (!read_node(s->tree, s->page, (unsigned)s->middle, &node)) {
                end(s, ERR_UNSUPPORTED);
                return;
        }
        order = bytes_compare(s->key, bytes_make(node.key, node.header.key_len));
        if (order < 0)
                aim(s, s->low, s->middle - 1, is_leaf);
        else if (order > 0)
                aim(s, s->middle + 1, s->high, is_leaf);
        else if (is_leaf)
                take_value(s, &node);
        else
                go_down(s, (unsigned)s->middle); /* the page below it begins with that key */
}

/* LMDB's order of keys. */
static inline void look(struct tree_seek *s, bool is_leaf)
{
        int order = compare_heads(s);

        if (order < 0)
                aim(s, s->low, s->middle - 1, is_leaf);
        else if (order > 0)
                aim(s, s->middle + 1, s->high, is_leaf);
        else
                look_closely(s, is_leaf);
}

void tree_seek_begin(const struct tree *t, struct bytes key, struct tree_seek *ret_seek)
{
        ret_seek->tree = t;
        ret_seek->key = key;
        ret_seek->has_head = key.len >= 8;
        ret_seek->key_head = key.len >= 8 ? first_eight(key.data) : 0;
        ret_seek->level = 0;
        ret_seek->outcome = ERR_AGAIN;
        if (t->depth == 0)
                end(ret_seek, ERR_NOT_FOUND);
        else
                go_to(ret_seek, t->root);
}

bool tree_seek_step(struct tree_seek *s)
{
        bool is_leaf;

        if (s->outcome != ERR_AGAIN)
                return false;
        is_leaf = s->level == s->tree->depth;
        if (s->is_inside)
                look(s, is_leaf);
        else
                enter(s, is_leaf);
        return s->outcome == ERR_AGAIN;
}
