/* hpack_huffman: HPACK's code for the octets of strings (RFC 7541 5.2 and Appendix B). Reading only: what we write is not
 * worth it. */
#pragma once

#include "base/bytes.h"

#define HUFFMAN_QUICK_BITS 9
#define HUFFMAN_BITS_MAX 30
#define HUFFMAN_SYMBOLS 257

/* So many octets at most come of `n`: the shortest code has five bits. */
#define HUFFMAN_UNFOLDED(n) ((n)*8 / 5)

/* Made once by huffman_init; constant from then on. */
struct huffman {
        uint16_t quick[1 << HUFFMAN_QUICK_BITS]; /* by the next bits: octet << 8 | length of the code; 0 = a longer code */
        uint32_t first[HUFFMAN_BITS_MAX + 1];    /* of each length: the first code, */
        uint16_t n[HUFFMAN_BITS_MAX + 1];        /* how many there are, */
        uint16_t at[HUFFMAN_BITS_MAX + 1];       /* and where their symbols begin in `symbols` */
        uint16_t symbols[HUFFMAN_SYMBOLS];       /* in the order of their codes */
};

/* What was read last, for texts that mostly begin like it: paths of OCSP requests to one issuer share three quarters of
 * their octets. */
#define HUFFMAN_MEMO_IN 192
#define HUFFMAN_MEMO_MARKS 48

struct huffman_memo {
        uint8_t in[HUFFMAN_MEMO_IN];
        uint8_t text[HUFFMAN_UNFOLDED(HUFFMAN_MEMO_IN)];
        uint8_t in_len;
        uint8_t n_marks;
        struct huffman_mark {
                uint16_t n_bits, n_text; /* read so far, and what had come of them */
        } marks[HUFFMAN_MEMO_MARKS];
};

void huffman_init(struct huffman *ret_huffman);
/* `ret_text` holds HUFFMAN_UNFOLDED(in.len). ERR_INVALID: EOS inside, or padding that is none. `memo`, which may be NULL,
 * changes how fast it goes and nothing else. */
MUST_CHECK enum err huffman_read(
        const struct huffman *huffman, struct huffman_memo *memo, struct bytes in, uint8_t *ret_text, size_t *ret_len);
