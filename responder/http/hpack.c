#include "responder/http/hpack.h"

#include <stdlib.h>

#include "responder/http/hpack_static.h"

/* Of an index or a length there is no honest one with more octets than this behind its first. */
#define INT_OCTETS 4
#define FIRST_CAP 512

/* Before an entry's text. With it an entry still takes less than it counts, so HPACK_TABLE_SIZE octets hold any table. */
struct entry {
        uint16_t name_len, value_len;
        uint8_t field, is_sound;
};

void hpack_init(struct hpack *ret_hpack)
{
        memset(ret_hpack, 0, sizeof *ret_hpack);
        ret_hpack->max = HPACK_TABLE_SIZE;
}

void hpack_done(struct hpack *h)
{
        free(h->text);
        h->text = NULL;
}

void hpack_begin(struct hpack *h)
{
        h->may_resize = true;
}

/* ---- the dynamic table (RFC 7541 2.3.2, 4) ---- */

/* Place 0 is the newest. */
static inline uint16_t where(const struct hpack *h, unsigned place)
{
        return h->at[(h->newest + HPACK_ENTRIES_MAX - place) % HPACK_ENTRIES_MAX];
}

static inline struct entry entry_at(const struct hpack *h, uint16_t at)
{
        struct entry e;

        memcpy(&e, &h->text[at], sizeof e);
        return e;
}

static void evict_oldest(struct hpack *h)
{
        struct entry e = entry_at(h, where(h, h->n - 1u));

        h->size = (uint16_t)(h->size - e.name_len - e.value_len - HPACK_OVERHEAD);
        h->n--;
        if (h->n == 0)
                h->end = 0;
}

static void shrink(struct hpack *h, size_t size)
{
        while (h->size > size)
                evict_oldest(h);
}

/* What is left of evicted entries stands before the oldest. */
static void close_gap(struct hpack *h)
{
        uint16_t begin = h->n > 0 ? where(h, h->n - 1u) : h->end;

        memmove(h->text, &h->text[begin], (size_t)(h->end - begin));
        for (unsigned place = 0; place < h->n; place++)
                h->at[(h->newest + HPACK_ENTRIES_MAX - place) % HPACK_ENTRIES_MAX] -= begin;
        h->end = (uint16_t)(h->end - begin);
}

static bool make_room(struct hpack *h, size_t n)
{
        size_t cap = h->cap > 0 ? h->cap : FIRST_CAP;
        uint8_t *more;

        if (h->text && h->end + n <= h->cap)
                return true;
        if (h->text)
                close_gap(h);
        while (cap < h->end + n)
                cap *= 2;
        if (h->text && cap == h->cap)
                return true;
        more = realloc(h->text, cap);
        if (!more)
                return false;
        h->text = more;
        h->cap = (uint16_t)cap;
        return true;
}

/* RFC 7541 4.4: one that is larger than the table empties it, and that is no error. */
MUST_CHECK static enum err insert(struct hpack *h, const struct hpack_field *f)
{
        size_t len = f->name.len + f->value.len;
        struct entry e = {(uint16_t)f->name.len, (uint16_t)f->value.len, (uint8_t)f->field, f->is_sound};

        if (len + HPACK_OVERHEAD > h->max) {
                shrink(h, 0);
                return OK;
        }
        shrink(h, h->max - len - HPACK_OVERHEAD);
        if (!make_room(h, sizeof e + len))
                return ERR_NOMEM;
        h->newest = (uint8_t)((h->newest + 1u) % HPACK_ENTRIES_MAX);
        h->at[h->newest] = h->end;
        memcpy(&h->text[h->end], &e, sizeof e);
        memcpy(&h->text[h->end + sizeof e], f->name.data, f->name.len);
        memcpy(&h->text[h->end + sizeof e + f->name.len], f->value.data, f->value.len);
        h->end = (uint16_t)(h->end + sizeof e + len);
        h->size = (uint16_t)(h->size + len + HPACK_OVERHEAD);
        h->n++;
        return OK;
}

static struct hpack_field field_at(const struct hpack *h, unsigned place)
{
        uint16_t at = where(h, place);
        struct entry e = entry_at(h, at);

        return (struct hpack_field){bytes_make(&h->text[at + sizeof e], e.name_len),
                bytes_make(&h->text[at + sizeof e + e.name_len], e.value_len), (enum http2_field)e.field, e.is_sound};
}

/* RFC 7541 2.3.3: there is no index 0, and none beyond the tables. */
static inline bool find(const struct hpack *h, uint32_t index, struct hpack_field *ret_field)
{
        if (index == 0 || index > HPACK_N_STATIC + h->n)
                return false;
        *ret_field = index <= HPACK_N_STATIC ? HPACK_STATIC[index - 1] : field_at(h, index - HPACK_N_STATIC - 1);
        return true;
}

/* ---- representations (RFC 7541 5, 6) ---- */

/* RFC 7541 5.1; the first octet is there. */
MUST_CHECK static enum err take_int(struct bytes *in, unsigned prefix, uint32_t *ret_value)
{
        uint32_t most = (1u << prefix) - 1, value;
        uint8_t octet;

        if (bytes_take_u8(in, &octet) != OK)
                return ERR_INVALID;
        value = octet & most;
        for (unsigned i = 0; value >= most && i <= INT_OCTETS; i++) {
                if (i == INT_OCTETS || bytes_take_u8(in, &octet) != OK)
                        return ERR_INVALID;
                value += (uint32_t)(octet & 127) << (7 * i);
                if (!(octet & 128))
                        break;
        }
        *ret_value = value;
        return OK;
}

/* The octet in the middle tells issuers apart. Of no other field: what one client says must not be felt by another, unless
 * it is public. */
static struct huffman_memo *memo_of(struct hpack_shared *shared, enum http2_field field, struct bytes text)
{
        return field == FIELD_PATH && text.len > 0 ? &shared->paths[text.data[text.len / 2] % HPACK_MEMOS] : NULL;
}

/* RFC 7541 5.2. A text that is not in the block itself goes to `memory`. `field`: whose value it is. */
MUST_CHECK static enum err take_string(
        struct hpack_shared *shared, struct bytes *in, enum http2_field field, uint8_t *memory, struct bytes *ret_text)
{
        bool is_huffman = in->len > 0 && in->data[0] & 0x80;
        uint32_t len;
        struct bytes text;

        if (take_int(in, 7, &len) != OK || bytes_take(in, len, &text) != OK)
                return ERR_INVALID;
        if (is_huffman) {
                if (huffman_read(&shared->huffman, memo_of(shared, field, text), text, memory, &text.len) != OK)
                        return ERR_INVALID;
                text.data = memory;
        }
        *ret_text = text;
        return OK;
}

MUST_CHECK static enum err take_name(struct hpack *h, struct hpack_shared *shared, struct bytes *in, unsigned prefix,
        uint8_t **memory, struct hpack_field *ret_field)
{
        uint32_t index;
        struct bytes octet;

        if (in->data[0] & ((1u << prefix) - 1)) {
                if (take_int(in, prefix, &index) != OK || !find(h, index, ret_field))
                        return ERR_INVALID;
                if (index > HPACK_N_STATIC) { /* the entry may go when this one comes */
                        memcpy(*memory, ret_field->name.data, ret_field->name.len);
                        ret_field->name.data = *memory;
                }
        } else {
                if (bytes_take(in, 1, &octet) != OK || take_string(shared, in, FIELD_OTHER, *memory, &ret_field->name) != OK)
                        return ERR_INVALID;
                ret_field->field = http2_field_find(ret_field->name);
        }
        if (ret_field->name.data == *memory)
                *memory = &(*memory)[ret_field->name.len];
        return OK;
}

/* RFC 7541 6.2 */
MUST_CHECK static enum err take_literal(
        struct hpack *h, struct hpack_shared *shared, struct bytes *in, unsigned prefix, struct hpack_field *ret_field)
{
        uint8_t *memory = shared->memory;

        if (take_name(h, shared, in, prefix, &memory, ret_field) != OK ||
                take_string(shared, in, ret_field->field, memory, &ret_field->value) != OK)
                return ERR_INVALID;
        ret_field->is_sound = http2_field_is_sound(ret_field->field, ret_field->value);
        return OK;
}

/* RFC 7541 4.2, 6.3: before the first field, and not above what we offered. */
MUST_CHECK static enum err resize(struct hpack *h, struct bytes *in)
{
        uint32_t max;

        if (!h->may_resize || take_int(in, 5, &max) != OK || max > HPACK_TABLE_SIZE)
                return ERR_INVALID;
        h->max = (uint16_t)max;
        shrink(h, max);
        return OK;
}

enum err hpack_read(struct hpack *h, struct hpack_shared *shared, struct bytes *block, struct hpack_field *ret_field)
{
        uint32_t index;
        uint8_t first;
        enum err e;

        while (block->len > 0 && (block->data[0] & 0xe0) == 0x20)
                if (resize(h, block) != OK)
                        return ERR_INVALID;
        if (block->len == 0)
                return ERR_NOT_FOUND;
        h->may_resize = false;
        first = block->data[0];
        if (first & 0x80) /* 6.1 */
                return take_int(block, 7, &index) == OK && find(h, index, ret_field) ? OK : ERR_INVALID;
        if (!(first & 0x40)) /* 6.2.2, 6.2.3 */
                return take_literal(h, shared, block, 4, ret_field);
        e = take_literal(h, shared, block, 6, ret_field); /* 6.2.1 */
        return e == OK ? insert(h, ret_field) : e;
}
