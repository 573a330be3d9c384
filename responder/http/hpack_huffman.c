/* Bits are taken from the top of a word of 64. Nearly all octets that occur have codes of nine bits or fewer: one look-up
 * each. */
#include "responder/http/hpack_huffman.h"

#include <endian.h>

#define EOS 256

/* RFC 7541 Appendix B: how long each symbol's code is. The code is canonical: shorter before longer, then by symbol. */
/* clang-format off */
static const uint8_t LENGTHS[HUFFMAN_SYMBOLS] = {
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        [EOS] = 30};
/* clang-format on */

static void fill_quick(struct huffman *h, uint32_t code, unsigned len, unsigned symbol)
{
        unsigned spare = HUFFMAN_QUICK_BITS - len;

        for (unsigned i = 0; i < 1u << spare; i++)
                h->quick[code << spare | i] = (uint16_t)(symbol << 8 | len);
}

void huffman_init(struct huffman *ret_huffman)
{
        uint32_t code = 0;
        uint16_t at = 0;

        memset(ret_huffman, 0, sizeof *ret_huffman);
        for (unsigned len = 1; len <= HUFFMAN_BITS_MAX; len++) {
                code <<= 1;
                ret_huffman->first[len] = code;
                ret_huffman->at[len] = at;
                for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++) {
                        if (LENGTHS[symbol] != len)
                                continue;
                        if (len <= HUFFMAN_QUICK_BITS)
                                fill_quick(ret_huffman, code, len, symbol);
                        ret_huffman->symbols[at++] = (uint16_t)symbol;
                        ret_huffman->n[len]++;
                        code++;
                }
        }
}

struct bits {
        uint64_t top; /* the next bits first; behind `n` of them stands what comes next, or noughts */
        unsigned n;
        struct bytes rest;
};

static inline void refill(struct bits *b)
{
        uint64_t word;
        struct bytes octet;

        if (b->rest.len >= sizeof word) {
                struct bytes taken;

                memcpy(&word, b->rest.data, sizeof word);
                b->top |= be64toh(word) >> b->n;
                if (bytes_take(&b->rest, (63 - b->n) / 8, &taken) == OK)
                        b->n |= 56;
                return;
        }
        while (b->n <= 56 && bytes_take(&b->rest, 1, &octet) == OK) {
                b->top |= (uint64_t)octet.data[0] << (56 - b->n);
                b->n += 8;
        }
}

static inline void drop(struct bits *b, unsigned n)
{
        b->top <<= n;
        b->n -= n;
}

/* A code longer than the quick ones. EOS must not be there (RFC 7541 5.2). False: none is whole. */
static bool take_long(const struct huffman *h, struct bits *b, uint8_t *ret_octet)
{
        for (unsigned len = HUFFMAN_QUICK_BITS + 1; len <= HUFFMAN_BITS_MAX && len <= b->n; len++) {
                uint32_t which = (uint32_t)(b->top >> (64 - len)) - h->first[len];

                if (which >= h->n[len])
                        continue;
                if (h->symbols[h->at[len] + which] == EOS)
                        return false;
                *ret_octet = (uint8_t)h->symbols[h->at[len] + which];
                drop(b, len);
                return true;
        }
        return false;
}

/* RFC 7541 5.2: fewer than eight bits, the beginning of EOS: ones. */
static bool is_padding(const struct bits *b)
{
        return b->rest.len == 0 && (b->n == 0 || (b->n < 8 && ~b->top >> (64 - b->n) == 0));
}

#define ROUND 6
#define ROUND_BITS (ROUND * HUFFMAN_QUICK_BITS)

static inline void mark(struct huffman_memo *memo, size_t n_bits, size_t n_text)
{
        if (memo && memo->n_marks < HUFFMAN_MEMO_MARKS)
                memo->marks[memo->n_marks++] = (struct huffman_mark){(uint16_t)n_bits, (uint16_t)n_text};
}

/* Symbols with quick codes, a round of them without asking for bits, as long as there are enough for a whole one. */
static size_t take_rounds(const struct huffman *h, struct huffman_memo *memo, size_t in_len, struct bits *ret_bits,
        uint8_t *ret_text, size_t len)
{
        struct bits b = *ret_bits; /* whose address nobody else has: it stays in registers */
        unsigned i = ROUND;

        while (i == ROUND) {
                uint16_t entry;

                refill(&b);
                if (b.n < ROUND_BITS)
                        break;
                for (i = 0; i < ROUND && (entry = h->quick[b.top >> (64 - HUFFMAN_QUICK_BITS)]) != 0; i++) {
                        ret_text[len + i] = (uint8_t)(entry >> 8);
                        drop(&b, entry & 63);
                }
                len += i;
                mark(memo, 8 * (in_len - b.rest.len) - b.n, len);
        }
        *ret_bits = b;
        return len;
}

/* False: the next bits begin none of the quick codes, or are too few. */
static bool take_quick(const struct huffman *h, struct bits *b, uint8_t *ret_octet)
{
        uint16_t entry = h->quick[b->top >> (64 - HUFFMAN_QUICK_BITS)];

        if (entry == 0 || (entry & 63u) > b->n)
                return false;
        *ret_octet = (uint8_t)(entry >> 8);
        drop(b, entry & 63);
        return true;
}

/* ---- texts that begin alike ---- */

/* What the memo knows is copied, and the bits stand behind it. Returns how many octets of text. From here on the memo is of
 * `in`. */
static size_t begin_as_before(struct huffman_memo *memo, struct bytes in, struct bits *ret_bits, uint8_t *ret_text)
{
        size_t common = bytes_common(memo->in, in.data, in.len < memo->in_len ? in.len : memo->in_len);
        struct huffman_mark last = {0};
        unsigned n_marks = memo->n_marks;
        struct bytes taken;

        while (n_marks > 0 && memo->marks[n_marks - 1].n_bits > 8 * common)
                n_marks--;
        if (n_marks > 0)
                last = memo->marks[n_marks - 1];
        memo->n_marks = (uint8_t)n_marks;
        memcpy(&memo->in[common], &in.data[common], in.len - common);
        memo->in_len = (uint8_t)in.len;
        memcpy(ret_text, memo->text, last.n_text);
        if (bytes_take(&ret_bits->rest, last.n_bits / 8, &taken) != OK)
                return 0;
        refill(ret_bits);
        if (last.n_bits % 8 > 0)
                drop(ret_bits, last.n_bits % 8);
        return last.n_text;
}

enum err huffman_read(
        const struct huffman *h, struct huffman_memo *memo, struct bytes in, uint8_t *ret_text, size_t *ret_len)
{
        struct bits b = {.rest = in};
        size_t begun = 0, len;

        if (in.len > HUFFMAN_MEMO_IN)
                memo = NULL;
        if (memo)
                begun = begin_as_before(memo, in, &b, ret_text);
        for (len = begun;; len++) {
                len = take_rounds(h, memo, in.len, &b, ret_text, len);
                refill(&b); /* a long code may have ended a round anywhere */
                while (take_quick(h, &b, &ret_text[len]))
                        len++;
                if (is_padding(&b))
                        break;
                if (!take_long(h, &b, &ret_text[len])) {
                        if (memo)
                                memo->in_len = memo->n_marks = 0;
                        return ERR_INVALID;
                }
        }
        if (memo)
                memcpy(&memo->text[begun], &ret_text[begun], len - begun);
        *ret_len = len;
        return OK;
}
