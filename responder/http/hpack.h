/* hpack: a client's field blocks (RFC 7541), field by field. One `struct hpack` a connection: its dynamic table, which takes
 * memory only as it fills, 4 kB at most. */
#pragma once

#include "responder/http/hpack_huffman.h"
#include "responder/http/http2_field.h"

/* RFC 7541 4.2: SETTINGS_HEADER_TABLE_SIZE as it is when nobody says anything, and nobody does. */
#define HPACK_TABLE_SIZE 4096
/* RFC 7541 4.1: what a field counts beside its octets. */
#define HPACK_OVERHEAD 32
#define HPACK_ENTRIES_MAX (HPACK_TABLE_SIZE / HPACK_OVERHEAD)
/* Longest block that can be read. */
#define HPACK_BLOCK_MAX (96 * 1024)

/* Paths that are kept to be compared with the next, of different issuers if it goes well. */
#define HPACK_MEMOS 4

/* What the connections of one worker share. */
struct hpack_shared {
        struct huffman huffman;
        struct huffman_memo paths[HPACK_MEMOS];
        uint8_t memory[HUFFMAN_UNFOLDED(HPACK_BLOCK_MAX) + HPACK_TABLE_SIZE]; /* texts of the field in hand */
};

struct hpack {
        uint8_t *text; /* entries one behind the other, oldest first: each its lengths, then name and value */
        uint16_t cap, end;
        uint16_t at[HPACK_ENTRIES_MAX]; /* a ring of where entries begin */
        uint8_t newest;                 /* in the ring */
        uint8_t n;
        uint16_t size, max; /* RFC 7541 4.1 */
        bool may_resize;    /* the block's first field has not been read */
};

struct hpack_field {
        struct bytes name, value; /* good until the next is read */
        enum http2_field field;
        bool is_sound; /* RFC 9113 8.2 has nothing against it */
};

void hpack_init(struct hpack *ret_hpack);
void hpack_done(struct hpack *hpack);
/* Before the first field of each block. */
void hpack_begin(struct hpack *hpack);
/* The next field of `block`, at most HPACK_BLOCK_MAX long at its beginning, off which it is taken. ERR_NOT_FOUND: that was
 * all. ERR_INVALID: COMPRESSION_ERROR. */
MUST_CHECK enum err hpack_read(
        struct hpack *hpack, struct hpack_shared *shared, struct bytes *block, struct hpack_field *ret_field);
