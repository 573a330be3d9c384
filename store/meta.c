/* meta: one row a fact, by name; integers big-endian. */
#include "store/meta.h"

#include "store/row.h"

static const char *const counter_names[META_COUNTER_N] = {
        [META_CA_KEY] = "next_ca_key",
        [META_SIGNER] = "next_signer",
        [META_WINDOW] = "next_window",
        [META_BATCH] = "next_batch",
};

static enum err get_uint(struct txn *txn, const char *name, size_t len, uint64_t *ret_value)
{
        struct bytes value;
        enum err e = txn_get(txn, TABLE_META, bytes_str(name), &value);

        if (e != OK)
                return e;
        return row_error(bytes_take_uint(&value, len, ret_value));
}

static enum err get_u32_or(struct txn *txn, const char *name, uint32_t absent, uint32_t *ret_value)
{
        uint64_t value = absent;
        enum err e = get_uint(txn, name, 4, &value);

        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        *ret_value = (uint32_t)value;
        return OK;
}

static void put_u32(struct txn *txn, const char *name, uint32_t value)
{
        uint8_t memory[4];
        struct builder b = builder_fixed(memory, sizeof(memory));

        builder_put_u32(&b, value);
        row_put_built(txn, TABLE_META, bytes_str(name), &b);
}

enum err meta_get_epoch(struct txn *txn, uint32_t *ret_epoch)
{
        return get_u32_or(txn, SCHEMA_META_EPOCH, 1, ret_epoch);
}

enum err meta_get_generation(struct txn *txn, uint32_t *ret_generation)
{
        return get_u32_or(txn, "generation", 0, ret_generation);
}

static void bump(struct txn *txn, const char *name, uint32_t absent)
{
        uint32_t value;
        enum err e = get_u32_or(txn, name, absent, &value);

        if (e != OK)
                txn_fail(txn, e);
        else
                put_u32(txn, name, value + 1);
}

void meta_bump_epoch(struct txn *txn)
{
        bump(txn, SCHEMA_META_EPOCH, 1);
        meta_bump_generation(txn);
}

void meta_bump_generation(struct txn *txn)
{
        bump(txn, "generation", 0);
}

enum err meta_get_time(struct txn *txn, int64_t now_s, int64_t *ret_time_s)
{
        uint64_t mark = 0;
        enum err e = get_uint(txn, "time", 8, &mark);

        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        *ret_time_s = (int64_t)mark > now_s ? (int64_t)mark : now_s;
        return OK;
}

void meta_put_time(struct txn *txn, int64_t time_s)
{
        uint8_t memory[8];
        struct builder b = builder_fixed(memory, sizeof(memory));
        int64_t mark;
        enum err e = meta_get_time(txn, time_s, &mark);

        if (e != OK)
                txn_fail(txn, e);
        builder_put_u64(&b, (uint64_t)mark);
        if (e == OK && mark == time_s)
                row_put_built(txn, TABLE_META, bytes_str("time"), &b);
}

enum err meta_get_windows(struct txn *txn, struct meta_windows *ret_windows)
{
        struct bytes value;
        uint64_t horizon = 0, gone = 0;
        enum err e = txn_get(txn, TABLE_META, BYTES_LIT("windows"), &value);

        if (e == OK && (bytes_take_u64(&value, &horizon) != OK || bytes_take_u64(&value, &gone) != OK))
                return ERR_CORRUPT;
        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        *ret_windows = (struct meta_windows){(int64_t)horizon, (int64_t)gone};
        return OK;
}

void meta_put_windows(struct txn *txn, const struct meta_windows *windows)
{
        uint8_t memory[16];
        struct builder b = builder_fixed(memory, sizeof(memory));

        builder_put_u64(&b, (uint64_t)windows->horizon_s);
        builder_put_u64(&b, (uint64_t)windows->gone_s);
        row_put_built(txn, TABLE_META, BYTES_LIT("windows"), &b);
}

uint32_t meta_next_id(struct txn *txn, enum meta_counter counter)
{
        uint32_t next;
        enum err e = get_u32_or(txn, counter_names[counter], 1, &next);

        if (e == OK && next == UINT32_MAX)
                e = ERR_RANGE;
        if (e != OK) {
                txn_fail(txn, e);
                return 0;
        }
        put_u32(txn, counter_names[counter], next + 1);
        return txn_failed(txn) ? 0 : next;
}
