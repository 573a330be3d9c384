/* revocation: the rules for one serial. A revocation is never undone but by releasing a hold; its reason may be raised to
 * keyCompromise and its date moved back (BR 7.2.2, req 4.10). What the store already says is only ever made stronger.
 *
 * A change of a row that belongs to an active batch leaves it with that batch, whose ledger then waits for the new
 * signature. */
#include "store/batch.h"
#include "store/crl_entry.h"
#include "store/event.h"
#include "store/exception.h"
#include "store/mass.h"
#include "store/record.h"

static const char *const effect_texts[REVOCATION_EFFECT_N] = {
        [REVOCATION_NEW] = "will be revoked",
        [REVOCATION_FROM_HOLD] = "on hold, will be revoked",
        [REVOCATION_UPGRADE] = "revoked, will be made stronger",
        [REVOCATION_NOTHING] = "already so",
        [REVOCATION_UNKNOWN] = "not issued by this CA as far as we know",
        [REVOCATION_REFUSED] = "revoked already for another reason",
};

const char *revocation_effect_text(enum revocation_effect effect)
{
        return effect < REVOCATION_EFFECT_N ? effect_texts[effect] : "unknown";
}

/* ---- what it would do ---- */

static bool is_earlier(uint32_t time, uint32_t than)
{
        return time != 0 && (than == 0 || time < than);
}

static enum revocation_effect effect_on_revoked(const struct exception *old, const struct revocation *r)
{
        bool is_stronger =
                is_earlier(r->revoked_at, old->revoked_at) || is_earlier(r->invalidity_date, old->invalidity_date);

        if (r->reason == (enum reason)old->reason)
                return is_stronger ? REVOCATION_UPGRADE : REVOCATION_NOTHING;
        return r->reason == REASON_KEY_COMPROMISE ? REVOCATION_UPGRADE : REVOCATION_REFUSED;
}

/* `old` as it counts; status 0 = no row that counts. */
static enum revocation_effect effect_on(const struct exception *old, const struct revocation *r)
{
        if (old->status == EXCEPTION_REVOKED)
                return effect_on_revoked(old, r);
        if (old->status == EXCEPTION_HELD)
                return r->reason == REASON_CERTIFICATE_HOLD ? REVOCATION_NOTHING : REVOCATION_FROM_HOLD;
        return REVOCATION_NEW;
}

/* ERR_NOT_FOUND becomes status 0. */
static enum err get_old(struct txn *txn, uint32_t ca_key, struct bytes serial, struct exception *ret_old)
{
        enum err e = exception_get_visible(txn, ca_key, serial, ret_old);

        if (e != ERR_NOT_FOUND)
                return e;
        *ret_old = (struct exception){0};
        return OK;
}

/* Without a record it was not issued: REVOCATION_UNKNOWN. */
static enum err judge(struct txn *txn, const struct revocation *r, enum revocation_effect *ret_effect,
        struct exception *ret_old, struct record *ret_record)
{
        enum err e;

        if (!reason_allowed(r->reason))
                return ERR_INVALID;
        e = get_old(txn, r->ca_key, r->serial, ret_old);
        if (e != OK)
                return e;
        e = record_get(txn, r->ca_key, r->serial, ret_record);
        if (e == ERR_NOT_FOUND) {
                *ret_effect = REVOCATION_UNKNOWN;
                return OK;
        }
        if (e == OK)
                *ret_effect = effect_on(ret_old, r);
        return e;
}

enum err revocation_check(struct txn *txn, const struct revocation *r, enum revocation_effect *ret_effect)
{
        struct exception old;
        struct record record;

        return judge(txn, r, ret_effect, &old, &record);
}

bool revocation_changes(enum revocation_effect effect)
{
        return effect == REVOCATION_NEW || effect == REVOCATION_FROM_HOLD || effect == REVOCATION_UPGRADE;
}

/* ---- doing it ---- */

void item_mark_signed(struct txn *txn, uint32_t batch, uint32_t ca_key, struct bytes serial, bool is_signed)
{
        uint8_t from = is_signed ? ITEM_STAGED : ITEM_SIGNED;
        struct item item;
        enum err e = item_get(txn, batch, ca_key, serial, &item);

        if (e != OK) {
                txn_fail(txn, e == ERR_NOT_FOUND ? ERR_CORRUPT : e);
                return;
        }
        if (item.progress != from)
                return;
        item.progress = is_signed ? ITEM_SIGNED : ITEM_STAGED;
        item_put(txn, batch, ca_key, serial, &item);
        batch_add(txn, batch, 0, 0, is_signed ? 1 : -1);
}

/* The row staged by a batch that is not active is about to be overwritten: its activation will apply the batch's reason by
 * the same rules. */
static enum err defer_item(struct txn *txn, uint32_t batch, uint32_t ca_key, struct bytes serial)
{
        struct key index = key_item_deferred(batch, ca_key, serial);
        struct item item;
        enum err e = item_get(txn, batch, ca_key, serial, &item);

        if (e != OK)
                return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
        item.progress = ITEM_DEFERRED;
        item_put(txn, batch, ca_key, serial, &item);
        txn_put(txn, TABLE_ITEM, key_bytes(&index), BYTES_NONE);
        batch_add(txn, batch, 0, 1, 0);
        return OK;
}

/* The row goes from one active batch to another, whose ledger keeps it from now on. */
static enum err hand_over_item(struct txn *txn, uint32_t batch, uint32_t ca_key, struct bytes serial)
{
        struct item item;
        enum err e = item_get(txn, batch, ca_key, serial, &item);
        bool was_counted;

        if (e != OK)
                return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
        was_counted = item.progress != ITEM_STAGED;
        item.progress = ITEM_ELSEWHERE;
        item_put(txn, batch, ca_key, serial, &item);
        batch_add(txn, batch, 0, 0, was_counted ? 0 : 1);
        return OK;
}

/* Whoever owns the row that is about to change. `old` is it as it counts, or status 0. *ret_owner: whose the new row is. */
static enum err tell_owner(
        struct txn *txn, const struct revocation *r, const struct exception *old, uint32_t batch, uint32_t *ret_owner)
{
        struct exception stored;
        enum err e = exception_get(txn, r->ca_key, r->serial, &stored);

        *ret_owner = batch;
        if (e == ERR_NOT_FOUND || (e == OK && stored.batch == 0))
                return OK;
        if (e != OK)
                return e;
        if (old->status == 0)
                return defer_item(txn, stored.batch, r->ca_key, r->serial);
        if (batch != 0)
                return hand_over_item(txn, stored.batch, r->ca_key, r->serial);
        *ret_owner = stored.batch;
        item_mark_signed(txn, stored.batch, r->ca_key, r->serial, false);
        return OK;
}

static uint32_t earlier(uint32_t a, uint32_t b)
{
        return is_earlier(a, b) ? a : b;
}

static bool was_revoked(const struct exception *old)
{
        return old->status == EXCEPTION_REVOKED || old->status == EXCEPTION_HELD;
}

/* Dates of what was revoked or held before only move back. */
static struct exception strengthened(const struct exception *old, const struct revocation *r, uint32_t owner, uint32_t now)
{
        uint32_t date = r->revoked_at ? r->revoked_at : now;
        struct exception new = {
                .status = r->reason == REASON_CERTIFICATE_HOLD ? EXCEPTION_HELD : EXCEPTION_REVOKED,
                .reason = (uint8_t)r->reason,
                .revoked_at = date,
                .invalidity_date = r->invalidity_date,
                .batch = owner,
                .generation = old->generation + 1,
                .changed_at = now > old->changed_at ? now : old->changed_at,
        };

        if (was_revoked(old)) {
                new.revoked_at = earlier(old->revoked_at, date);
                new.invalidity_date = earlier(old->invalidity_date, r->invalidity_date);
        }
        return new;
}

static void put_both(struct txn *txn, const struct revocation *r, const struct exception *new, const struct record *record,
        size_t reserve)
{
        struct crl_entry_row row = {
                .reason = new->reason,
                .revoked_at = new->revoked_at,
                .invalidity_date = new->invalidity_date,
                .batch = new->batch,
                .not_after = record->not_after,
        };

        exception_put(txn, r->ca_key, r->serial, new, reserve);
        crl_entry_row_put(txn, r->ca_key, record->shard, r->serial, &row);
}

struct change {
        struct exception old, new;
        uint16_t shard;
};

static enum err write_change(struct txn *txn, const struct revocation *r, uint32_t batch, int64_t now_s, size_t reserve,
        enum revocation_effect *ret_effect, struct change *ret_change)
{
        struct record record;
        uint32_t owner;
        enum err e = judge(txn, r, ret_effect, &ret_change->old, &record);

        if (e != OK || !revocation_changes(*ret_effect))
                return e;
        e = tell_owner(txn, r, &ret_change->old, batch, &owner);
        if (e != OK)
                return e;
        ret_change->new = strengthened(&ret_change->old, r, owner, (uint32_t)now_s);
        ret_change->shard = record.shard;
        put_both(txn, r, &ret_change->new, &record, reserve);
        return OK;
}

enum err revocation_write(struct txn *txn, const struct revocation *r, uint32_t batch, int64_t now_s, size_t reserve,
        enum revocation_effect *ret_effect)
{
        struct change change;

        return write_change(txn, r, batch, now_s, reserve, ret_effect, &change);
}

static uint8_t event_code(const struct exception *x)
{
        return x->status == 0 ? 0 : (uint8_t)(x->reason << 2 | x->status);
}

static void put_event(struct txn *txn, enum event_kind kind, uint32_t ca_key, struct bytes serial, int64_t now_s,
        struct bytes actor, const struct change *change)
{
        struct event event = {
                .time_s = now_s,
                .kind = (uint8_t)kind,
                .ca_key = ca_key,
                .serial = serial,
                .batch = change->new.batch,
                .before = event_code(&change->old),
                .after = event_code(&change->new),
                .shard = change->shard,
                .actor = actor,
        };

        event_put(txn, &event);
}

enum err revocation_apply(struct txn *txn, const struct revocation *r, int64_t now_s, struct bytes actor, size_t reserve,
        enum revocation_effect *ret_effect)
{
        enum revocation_effect effect;
        struct change change;
        enum event_kind kind;
        enum err e = write_change(txn, r, 0, now_s, reserve, &effect, &change);

        if (e != OK)
                return e;
        kind = effect == REVOCATION_UPGRADE          ? EVENT_UPGRADED
               : change.new.status == EXCEPTION_HELD ? EVENT_HELD
                                                     : EVENT_REVOKED;
        if (revocation_changes(effect))
                put_event(txn, kind, r->ca_key, r->serial, now_s, actor, &change);
        *ret_effect = effect;
        return OK;
}

static struct exception released(const struct exception *old, uint32_t now)
{
        struct exception new = *old;

        new.status = EXCEPTION_RELEASED;
        new.generation++;
        new.changed_at = now > old->changed_at ? now : old->changed_at;
        new.window = 0;
        new.signature = BYTES_NONE;
        return new;
}

enum err revocation_release(
        struct txn *txn, uint32_t ca_key, struct bytes serial, int64_t now_s, struct bytes actor, size_t reserve)
{
        struct change change;
        struct record record;
        enum err e = exception_get_visible(txn, ca_key, serial, &change.old);

        if (e == OK)
                e = change.old.status == EXCEPTION_HELD ? record_get(txn, ca_key, serial, &record) : ERR_NOT_FOUND;
        if (e != OK)
                return e;
        change.new = released(&change.old, (uint32_t)now_s);
        change.shard = record.shard;
        if (change.new.batch != 0)
                item_mark_signed(txn, change.new.batch, ca_key, serial, false);
        exception_put(txn, ca_key, serial, &change.new, reserve);
        crl_entry_row_delete(txn, ca_key, record.shard, serial);
        put_event(txn, EVENT_RELEASED, ca_key, serial, now_s, actor, &change);
        return OK;
}
