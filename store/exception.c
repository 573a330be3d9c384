/* exception: 28 octets and the signature. */
#include "store/exception.h"

#include "store/batch.h"
#include "store/row.h"

struct exception_head {
        uint8_t status;
        uint8_t reason;
        uint16_t signature_len;
        uint32_t revoked_at;
        uint32_t invalidity_date;
        uint32_t batch;
        uint32_t generation;
        uint32_t changed_at;
        uint32_t window;
} __attribute__((packed));

_Static_assert(sizeof(struct exception_head) == 28, "the layout of schema version 1");

void exception_put(struct txn *txn, uint32_t ca_key, struct bytes serial, const struct exception *exception, size_t reserve)
{
        struct key key = key_serial(ca_key, serial);
        struct exception_head head = {
                .status = exception->status,
                .reason = exception->reason,
                .signature_len = (uint16_t)exception->signature.len,
                .revoked_at = exception->revoked_at,
                .invalidity_date = exception->invalidity_date,
                .batch = exception->batch,
                .generation = exception->generation,
                .changed_at = exception->changed_at,
                .window = exception->window,
        };

        row_put_signed(
                txn, TABLE_EXCEPTION, key_bytes(&key), bytes_make(&head, sizeof(head)), exception->signature, reserve);
}

enum err exception_read(struct bytes value, struct exception *ret_exception)
{
        struct exception_head head;
        struct bytes signature;

        if (row_take_head(&value, &head, sizeof(head)) != OK || bytes_take(&value, head.signature_len, &signature) != OK)
                return ERR_CORRUPT;
        *ret_exception = (struct exception){
                .status = head.status,
                .reason = head.reason,
                .revoked_at = head.revoked_at,
                .invalidity_date = head.invalidity_date,
                .batch = head.batch,
                .generation = head.generation,
                .changed_at = head.changed_at,
                .window = head.window,
                .signature = signature,
        };
        return OK;
}

enum err exception_get(struct txn *txn, uint32_t ca_key, struct bytes serial, struct exception *ret_exception)
{
        struct key key = key_serial(ca_key, serial);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_EXCEPTION, key_bytes(&key), &value);

        return e == OK ? exception_read(value, ret_exception) : e;
}

void exception_delete(struct txn *txn, uint32_t ca_key, struct bytes serial)
{
        struct key key = key_serial(ca_key, serial);

        txn_delete(txn, TABLE_EXCEPTION, key_bytes(&key));
}

static void fill_in(struct exception *exception, uint32_t activated_at)
{
        if (exception->revoked_at == 0)
                exception->revoked_at = activated_at;
        if (exception->changed_at == 0)
                exception->changed_at = activated_at;
}

enum err exception_read_visible(struct txn *txn, struct bytes value, struct exception *ret_exception)
{
        struct exception exception;
        struct batch_brief batch;
        enum err e = exception_read(value, &exception);

        if (e == OK && exception.batch != 0) {
                e = batch_get_brief(txn, exception.batch, &batch);
                if (e != OK)
                        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
                if (batch.state != BATCH_ACTIVE)
                        return ERR_NOT_FOUND;
                fill_in(&exception, batch.activated_at);
        }
        if (e == OK)
                *ret_exception = exception;
        return e;
}

enum err exception_get_visible(struct txn *txn, uint32_t ca_key, struct bytes serial, struct exception *ret_exception)
{
        struct key key = key_serial(ca_key, serial);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_EXCEPTION, key_bytes(&key), &value);

        return e == OK ? exception_read_visible(txn, value, ret_exception) : e;
}

size_t exception_room(struct bytes value)
{
        return value.len > sizeof(struct exception_head) ? value.len - sizeof(struct exception_head) : 0;
}
