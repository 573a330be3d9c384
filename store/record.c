/* record: 16 octets and the signature. With a P-256 signature, key and LMDB's node about 115 octets all in. */
#include "store/record.h"

#include "store/row.h"

struct record_head {
        uint32_t window;
        uint32_t not_after;
        uint32_t good_until;
        uint16_t shard;
        uint16_t signature_len;
} __attribute__((packed));

_Static_assert(sizeof(struct record_head) == 16, "the layout of schema version 1");

void record_put(struct txn *txn, uint32_t ca_key, struct bytes serial, const struct record *record, size_t reserve)
{
        struct key key = key_serial(ca_key, serial);
        struct record_head head = {
                .window = record->window,
                .not_after = record->not_after,
                .good_until = record->good_until,
                .shard = record->shard,
                .signature_len = (uint16_t)record->signature.len,
        };

        row_put_signed(txn, TABLE_RECORD, key_bytes(&key), bytes_make(&head, sizeof(head)), record->signature, reserve);
}

enum err record_read(struct bytes value, struct record *ret_record)
{
        struct record_head head;
        struct bytes signature;

        if (row_take_head(&value, &head, sizeof(head)) != OK || bytes_take(&value, head.signature_len, &signature) != OK)
                return ERR_CORRUPT;
        *ret_record = (struct record){
                .window = head.window,
                .not_after = head.not_after,
                .good_until = head.good_until,
                .shard = head.shard,
                .signature = signature,
        };
        return OK;
}

enum err record_get(struct txn *txn, uint32_t ca_key, struct bytes serial, struct record *ret_record)
{
        struct key key = key_serial(ca_key, serial);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_RECORD, key_bytes(&key), &value);

        return e == OK ? record_read(value, ret_record) : e;
}

size_t record_room(struct bytes value)
{
        return value.len > sizeof(struct record_head) ? value.len - sizeof(struct record_head) : 0;
}
