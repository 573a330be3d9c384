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
/* A row with a signature of RSA-2048. */
#define VALUE_FETCHED 320
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
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint16_t low, high, flags, key_len;
#else
        uint16_t high, low, flags, key_len;
#endif
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
        ret_tree->map = map;
        ret_tree->n_pages = n_pages;
        ret_tree->page_size = page_size;
        ret_tree->depth = r.depth;
        ret_tree->root = r.root;
        tree_flatten(ret_tree);
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

/* Of a branch's node. */
static inline uint64_t child_of(const struct node *node)
{
        return node->header.low | (uint64_t)node->header.high << 16 | (uint64_t)node->header.flags << 32;
}

/* ---- the top ---- */

/* The children of one page. False: there is no room for them, or they are not as they should be. */
static bool put_children(const struct tree *t, uint64_t number, uint64_t head, struct tree_top *below)
{
        const uint8_t *page = page_at(t, number);
        unsigned n = page ? count_nodes(t, page, PAGE_BRANCH) : 0;
        struct node node;

        if (n == 0 || below->n + n > TREE_TOP_MAX)
                return false;
        for (unsigned i = 0; i < n; i++, below->n++) {
                if (!read_node(t, page, i, &node) || (i > 0 && node.header.key_len < 8))
                        return false;
                below->heads[below->n] = i > 0 ? first_eight(node.key) : head; /* the first node's key does not count */
                below->pages[below->n] = child_of(&node);
        }
        return true;
}

static bool go_deeper(struct tree *t)
{
        struct tree_top below;

        below.level = (uint16_t)(t->top.level + 1);
        below.n = 0;
        for (unsigned i = 0; i < t->top.n; i++)
                if (!put_children(t, t->top.pages[i], t->top.heads[i], &below))
                        return false;
        t->top = below;
        return true;
}

void tree_flatten(struct tree *t)
{
        t->top.level = t->top.n = 1;
        t->top.heads[0] = 0;
        t->top.pages[0] = t->root;
        while (t->top.level < t->depth && go_deeper(t))
                ;
}

/* ---- searching ---- */

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

/* False: there is no such page. */
static bool move_to(struct tree_seek *s, uint64_t number)
{
        s->page = page_at(s->tree, number);
        s->is_inside = false;
        s->level++;
        s->is_leaf = s->level == s->tree->depth;
        if (s->page && s->level <= s->tree->depth)
                return true;
        end(s, ERR_UNSUPPORTED);
        return false;
}

static void go_to(struct tree_seek *s, uint64_t number)
{
        if (move_to(s, number))
                fetch_page(s->page, s->is_leaf);
}

static ASIDE void go_down(struct tree_seek *s, unsigned i)
{
        struct node node;

        if (read_node(s->tree, s->page, i, &node))
                go_to(s, child_of(&node));
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
        for (uint32_t at = CACHE_LINE; at < len && at <= VALUE_FETCHED; at += CACHE_LINE)
                __builtin_prefetch(&s->value.data[at]);
        end(s, OK);
}

/* The node in the middle of what is left is looked at next; or nothing is left. */
static inline void aim(struct tree_seek *s, int low, int high)
{
        unsigned offset;

        s->low = (int16_t)low;
        s->high = (int16_t)high;
        if (low > high) {
                if (s->is_leaf)
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
static ASIDE void enter(struct tree_seek *s)
{
        unsigned n = count_nodes(s->tree, s->page, s->is_leaf ? PAGE_LEAF : PAGE_BRANCH);

        if (n == 0) {
                end(s, ERR_UNSUPPORTED);
                return;
        }
        s->is_inside = true;
        if (!s->is_leaf)
                fetch_more_offsets(s->page);
        aim(s, s->is_leaf ? 0 : 1, (int)n - 1);
}

/* All that eight octets leave open. */
static ASIDE void look_closely(struct tree_seek *s)
{
        struct node node;
        int order;

        if (!read_node(s->tree, s->page, (unsigned)s->middle, &node)) {
                end(s, ERR_UNSUPPORTED);
                return;
        }
        order = bytes_compare(s->key, bytes_make(node.key, node.header.key_len));
        if (order < 0)
                aim(s, s->low, s->middle - 1);
        else if (order > 0)
                aim(s, s->middle + 1, s->high);
        else if (s->is_leaf)
                take_value(s, &node);
        else
                go_down(s, (unsigned)s->middle); /* the page below it begins with that key */
}

/* Without a branch, which the CPU would foresee wrongly every other time. */
static inline int choose(bool is_first, int first, int second)
{
        return second ^ ((first ^ second) & -(int)is_first);
}

/* LMDB's order of keys, of which the first eight octets nearly always tell. */
static inline void look(struct tree_seek *s)
{
        const uint8_t *node = &s->page[s->offset];
        uint16_t key_len = 0;
        uint64_t head = 0;
        bool is_before;

        if (s->offset <= s->heads_until) {
                memcpy(&key_len, &node[offsetof(struct node_header, key_len)], sizeof key_len);
                head = first_eight(&node[NODE_HEADER]);
        }
        if (key_len < 8 || s->key_head == head) {
                look_closely(s);
                return;
        }
        is_before = s->key_head < head;
        aim(s, choose(is_before, s->low, s->middle + 1), choose(is_before, s->middle - 1, s->high));
}

/* The last whose head is not above; the first, if all are. */
static unsigned find_in_top(const struct tree_top *top, uint64_t head)
{
        unsigned first = 0;

        for (unsigned n = top->n, half; n > 1; n -= half) {
                half = n / 2;
                first += half & -(unsigned)(top->heads[first + half] <= head);
        }
        return first;
}

void tree_seek_begin(const struct tree *t, struct bytes key, struct tree_seek *ret_seek)
{
        unsigned at;

        ret_seek->tree = t;
        ret_seek->key = key;
        ret_seek->heads_until = key.len >= 8 ? (int32_t)t->page_size - NODE_HEADER - 8 : -1;
        ret_seek->key_head = key.len >= 8 ? first_eight(key.data) : 0;
        ret_seek->level = 0;
        ret_seek->outcome = ERR_AGAIN;
        if (t->depth == 0) {
                end(ret_seek, ERR_NOT_FOUND);
                return;
        }
        at = find_in_top(&t->top, ret_seek->key_head);
        if (key.len < 8 || (at > 0 && t->top.heads[at] == ret_seek->key_head)) { /* the rest of the key would tell */
                (void)move_to(ret_seek, t->root);
                return;
        }
        ret_seek->level = (uint16_t)(t->top.level - 1);
        (void)move_to(ret_seek, t->top.pages[at]);
}

void tree_seek_fetch(const struct tree_seek *s)
{
        if (s->outcome == ERR_AGAIN)
                fetch_page(s->page, s->is_leaf);
}

bool tree_seek_step(struct tree_seek *s)
{
        if (s->outcome != ERR_AGAIN)
                return false;
        if (s->is_inside)
                look(s);
        else
                enter(s);
        return s->outcome == ERR_AGAIN;
}
