/* event: the chain of what changed. Layout: time u64, kind u8, ca_key u32, batch u32, before u8, after u8, shard u16,
 * serial, actor, detail as block16, then the chain value: SHA-256 over the chain value before (32 zeroes for the first), the
 * sequence (u64) and all octets of the row before its own. The sequence stands in the key. */
#include "store/event.h"

#include "base/cleanup.h"
#include "pki/hash_alg.h"
#include "store/row.h"

#define CHAIN_LEN 32

static const char *const kind_texts[EVENT_KIND_N] = {
        [EVENT_REVOKED] = "revoked",
        [EVENT_HELD] = "held",
        [EVENT_RELEASED] = "released",
        [EVENT_UPGRADED] = "upgraded",
        [EVENT_BATCH_STAGED] = "batch staged",
        [EVENT_BATCH_ACTIVE] = "batch active",
        [EVENT_BATCH_DROPPED] = "batch dropped",
        [EVENT_IMPORT] = "import",
        [EVENT_CRL] = "crl",
        [EVENT_CA] = "ca",
        [EVENT_ENGINE] = "engine",
};

const char *event_kind_text(enum event_kind kind)
{
        return kind < EVENT_KIND_N && kind_texts[kind] ? kind_texts[kind] : "unknown";
}

static void put_body(struct builder *b, const struct event *event)
{
        builder_put_u64(b, (uint64_t)event->time_s);
        builder_put_u8(b, event->kind);
        builder_put_u32(b, event->ca_key);
        builder_put_u32(b, event->batch);
        builder_put_u8(b, event->before);
        builder_put_u8(b, event->after);
        builder_put_u16(b, event->shard);
        builder_put_block16(b, event->serial);
        builder_put_block16(b, event->actor);
        builder_put_block16(b, event->detail);
}

static enum err take_body(struct bytes *in, struct event *event)
{
        uint64_t time;

        if (bytes_take_u64(in, &time) != OK || bytes_take_u8(in, &event->kind) != OK ||
                bytes_take_u32(in, &event->ca_key) != OK || bytes_take_u32(in, &event->batch) != OK ||
                bytes_take_u8(in, &event->before) != OK || bytes_take_u8(in, &event->after) != OK ||
                bytes_take_u16(in, &event->shard) != OK || bytes_take_block16(in, &event->serial) != OK ||
                bytes_take_block16(in, &event->actor) != OK || bytes_take_block16(in, &event->detail) != OK)
                return ERR_CORRUPT;
        event->time_s = (int64_t)time;
        return OK;
}

/* A row of a later version may hold more between detail and chain. */
static enum err read_event(struct bytes value, uint64_t sequence, struct event *ret_event, struct bytes *ret_body)
{
        struct event event = {.sequence = sequence};
        struct bytes body, in, chain = value;

        if (value.len < CHAIN_LEN || bytes_take(&chain, value.len - CHAIN_LEN, &body) != OK)
                return ERR_CORRUPT;
        in = body;
        if (take_body(&in, &event) != OK)
                return ERR_CORRUPT;
        memcpy(event.chain, chain.data, CHAIN_LEN);
        *ret_event = event;
        *ret_body = body;
        return OK;
}

static enum err get_row(struct txn *txn, uint64_t sequence, struct event *ret_event, struct bytes *ret_body)
{
        struct key key = key_event(sequence);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_EVENT, key_bytes(&key), &value);

        return e == OK ? read_event(value, sequence, ret_event, ret_body) : e;
}

enum err event_get(struct txn *txn, uint64_t sequence, struct event *ret_event)
{
        struct bytes body;

        return get_row(txn, sequence, ret_event, &body);
}

/* OK and 0 in an empty store. */
static enum err get_last(struct txn *txn, uint64_t *ret_last)
{
        _cleanup_(cursor_close) struct cursor c = {0};
        struct bytes key, value;
        enum err e = cursor_open(&c, txn, TABLE_EVENT, BYTES_NONE, BYTES_NONE);

        if (e == OK)
                e = cursor_last(&c, &key, &value);
        if (e == ERR_NOT_FOUND) {
                *ret_last = 0;
                return OK;
        }
        return e == OK ? row_error(bytes_take_u64(&key, ret_last)) : e;
}

uint64_t event_last(struct txn *txn)
{
        uint64_t last;

        return get_last(txn, &last) == OK ? last : 0;
}

static enum err chain_before(struct txn *txn, uint64_t sequence, uint8_t *ret_chain)
{
        struct event previous;
        enum err e;

        memset(ret_chain, 0, CHAIN_LEN);
        if (sequence == 1)
                return OK;
        e = event_get(txn, sequence - 1, &previous);
        if (e == OK)
                memcpy(ret_chain, previous.chain, CHAIN_LEN);
        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
}

static enum err chain_value(const uint8_t *before, uint64_t sequence, struct bytes body, uint8_t *ret_chain)
{
        _cleanup_(builder_done) struct builder b = {0};

        builder_put(&b, bytes_make(before, CHAIN_LEN));
        builder_put_u64(&b, sequence);
        builder_put(&b, body);
        return builder_failed(&b) ? ERR_NOMEM : hash_digest(HASH_SHA256, builder_bytes(&b), ret_chain);
}

static enum err append(struct txn *txn, const struct event *event, uint64_t *ret_sequence)
{
        _cleanup_(builder_done) struct builder b = {0};
        uint8_t before[CHAIN_LEN], chain[HASH_LEN_MAX];
        uint64_t last;
        struct key key;
        enum err e = get_last(txn, &last);

        if (e == OK)
                e = chain_before(txn, last + 1, before);
        if (e != OK)
                return e;
        put_body(&b, event);
        if (builder_failed(&b))
                return ERR_NOMEM;
        e = chain_value(before, last + 1, builder_bytes(&b), chain);
        if (e != OK)
                return e;
        builder_put(&b, bytes_make(chain, CHAIN_LEN));
        key = key_event(last + 1);
        row_put_built(txn, TABLE_EVENT, key_bytes(&key), &b);
        *ret_sequence = last + 1;
        return OK;
}

uint64_t event_put(struct txn *txn, const struct event *event)
{
        uint64_t sequence = 0;
        enum err e = append(txn, event, &sequence);

        if (e != OK)
                txn_fail(txn, e);
        return txn_failed(txn) ? 0 : sequence;
}

static enum err verify_one(struct txn *txn, uint64_t sequence, uint8_t *chain)
{
        uint8_t expected[HASH_LEN_MAX];
        struct event event;
        struct bytes body;
        enum err e = get_row(txn, sequence, &event, &body);

        if (e == OK)
                e = chain_value(chain, sequence, body, expected);
        if (e != OK)
                return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
        memcpy(chain, event.chain, CHAIN_LEN);
        return memcmp(chain, expected, CHAIN_LEN) == 0 ? OK : ERR_CORRUPT;
}

enum err event_verify(struct txn *txn, uint64_t from, uint64_t to, uint64_t *ret_bad)
{
        uint8_t chain[CHAIN_LEN];
        uint64_t sequence = from > 0 ? from : 1;
        enum err e = chain_before(txn, sequence, chain);

        for (; e == OK && sequence <= to; sequence++) {
                e = verify_one(txn, sequence, chain);
                if (e != OK)
                        break;
        }
        if (e == ERR_CORRUPT)
                *ret_bad = sequence;
        return e;
}
