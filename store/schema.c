/* schema: the list of tables and the layout of their keys. */
#include "store/schema.h"

#include <endian.h>

static const char *const table_names[TABLE_N] = {
        [TABLE_META] = "meta",
        [TABLE_CA] = "ca",
        [TABLE_SIGNER] = "signer",
        [TABLE_WINDOW] = "window",
        [TABLE_RECORD] = "record",
        [TABLE_EXCEPTION] = "exception",
        [TABLE_BATCH] = "batch",
        [TABLE_ITEM] = "item",
        [TABLE_CRL_ENTRY] = "crl_entry",
        [TABLE_EVENT] = "event",
        [TABLE_CRL_HISTORY] = "crl_history",
        [TABLE_CERTINFO] = "certinfo",
        [TABLE_JOB] = "job",
};

const char *schema_table_name(enum table table)
{
        return table_names[table];
}

/* A serial of more than SERIAL_MAX octets is never in the store; cut, it keeps one octet too many and so is not found
 * either. */
static void put_serial(struct builder *b, struct bytes serial)
{
        builder_put(b, bytes_make(serial.data, serial.len > SERIAL_MAX ? SERIAL_MAX + 1 : serial.len));
}

struct key key_id(uint32_t id)
{
        struct key k = {.len = 4};
        struct builder b = builder_fixed(k.data, sizeof(k.data));

        builder_put_u32(&b, id);
        return k;
}

/* By hand: two for each request. */
struct key key_serial(uint32_t ca_key, struct bytes serial)
{
        size_t len = serial.len > SERIAL_MAX ? SERIAL_MAX + 1 : serial.len;
        uint32_t big = htobe32(ca_key);
        struct key k;

        _Static_assert(sizeof big + SERIAL_MAX + 1 <= sizeof k.data, "any serial fits");
        memcpy(k.data, &big, sizeof big);
        if (len > 0)
                memcpy(&k.data[sizeof big], serial.data, len);
        k.len = (uint8_t)(sizeof big + len);
        return k;
}

struct key key_item(uint32_t batch, uint32_t ca_key, struct bytes serial)
{
        struct key k = {0};
        struct builder b = builder_fixed(k.data, sizeof(k.data));

        builder_put_u32(&b, batch);
        builder_put_u32(&b, ca_key);
        put_serial(&b, serial);
        k.len = (uint8_t)b.len;
        return k;
}

struct key key_item_deferred(uint32_t batch, uint32_t ca_key, struct bytes serial)
{
        struct key k = {0};
        struct builder b = builder_fixed(k.data, sizeof(k.data));

        builder_put_u32(&b, 0);
        builder_put_u32(&b, batch);
        builder_put_u32(&b, ca_key);
        put_serial(&b, serial);
        k.len = (uint8_t)b.len;
        return k;
}

struct key key_crl_entry(uint32_t ca_key, uint16_t shard, struct bytes serial)
{
        struct key k = {0};
        struct builder b = builder_fixed(k.data, sizeof(k.data));

        builder_put_u32(&b, ca_key);
        builder_put_u16(&b, shard);
        put_serial(&b, serial);
        k.len = (uint8_t)b.len;
        return k;
}

struct key key_event(uint64_t sequence)
{
        struct key k = {.len = 8};
        struct builder b = builder_fixed(k.data, sizeof(k.data));

        builder_put_u64(&b, sequence);
        return k;
}

struct key key_crl_history(uint32_t ca_key, uint16_t shard, uint64_t number, bool is_delta)
{
        struct key k = {.len = 15};
        struct builder b = builder_fixed(k.data, sizeof(k.data));

        builder_put_u32(&b, ca_key);
        builder_put_u16(&b, shard);
        builder_put_u64(&b, number);
        builder_put_u8(&b, is_delta);
        return k;
}

enum err key_take_serial(struct bytes key, size_t prefix_len, struct serial *ret_serial)
{
        struct bytes prefix, rest = key;

        if (bytes_take(&rest, prefix_len, &prefix) != OK || rest.len == 0 || rest.len > SERIAL_MAX)
                return ERR_CORRUPT;
        ret_serial->len = (uint8_t)rest.len;
        memcpy(ret_serial->data, rest.data, rest.len);
        return OK;
}
