/* import: one row after another, in order of serial. What is known is only ever added to: a fact that was absent is filled
 * in, a revocation is applied by the rules of batch.h, and nothing is taken away. A new good serial costs one search and one
 * put. */
#include "store/import.h"

#include "base/cleanup.h"
#include "pki/certinfo.h"
#include "pki/sig_alg.h"
#include "store/batch.h"
#include "store/crl_entry.h"
#include "store/exception.h"
#include "store/record.h"
#include "store/row.h"

/* What all of one row's work is about. */
struct row_import {
        struct txn *txn;
        uint32_t ca_key;
        struct bytes serial;
        const struct rowfile_row *row;
        size_t reserve;
};

/* ---- certinfo ---- */

static void put_certinfo(const struct row_import *in, struct bytes certinfo)
{
        struct key key = key_serial(in->ca_key, in->serial);

        if (certinfo.len > 0)
                txn_put(in->txn, TABLE_CERTINFO, key_bytes(&key), certinfo);
}

static void take_if_empty(struct bytes *known, struct bytes new, bool *changed)
{
        if (known->len > 0 || new.len == 0)
                return;
        *known = new;
        *changed = true;
}

static bool merge(struct certinfo *known, const struct certinfo *new)
{
        bool changed = known->not_before == 0 && new->not_before != 0;

        if (changed)
                known->not_before = new->not_before;
        take_if_empty(&known->cert_sha256, new->cert_sha256, &changed);
        take_if_empty(&known->precert_sha256, new->precert_sha256, &changed);
        take_if_empty(&known->subject, new->subject, &changed);
        take_if_empty(&known->subscriber, new->subscriber, &changed);
        take_if_empty(&known->cdp, new->cdp, &changed);
        return changed;
}

/* A precertificate and its final certificate share a serial by design (RFC 6962 3.1): each has its own digest, and they do
 * not conflict. */
static bool is_conflict(const struct certinfo *known, const struct certinfo *new)
{
        return known->cert_sha256.len > 0 && new->cert_sha256.len > 0 && !bytes_equal(known->cert_sha256, new->cert_sha256);
}

static enum err rewrite_certinfo(const struct row_import *in, const struct certinfo *merged)
{
        _cleanup_(builder_done) struct builder b = {0};

        certinfo_put(&b, merged);
        if (builder_failed(&b))
                return ERR_NOMEM;
        put_certinfo(in, builder_bytes(&b));
        return OK;
}

/* ERR_EXISTS: a conflict. */
static enum err merge_certinfo(const struct row_import *in, bool *ret_changed)
{
        struct key key = key_serial(in->ca_key, in->serial);
        struct certinfo known, new;
        struct bytes value;
        enum err e;

        if (in->row->certinfo.len == 0)
                return OK;
        if (certinfo_read(in->row->certinfo, &new) != OK)
                return ERR_INVALID;
        e = txn_get(in->txn, TABLE_CERTINFO, key_bytes(&key), &value);
        if (e == ERR_NOT_FOUND) {
                put_certinfo(in, in->row->certinfo);
                *ret_changed = true;
                return OK;
        }
        if (e == OK)
                e = row_error(certinfo_read(value, &known));
        if (e == OK && is_conflict(&known, &new))
                e = ERR_EXISTS;
        if (e != OK || !merge(&known, &new))
                return e;
        *ret_changed = true;
        return rewrite_certinfo(in, &known);
}

/* ---- record ---- */

static enum err make_record(const struct row_import *in)
{
        struct record record = {.not_after = in->row->not_after, .shard = in->row->shard};
        struct certinfo info;

        if (in->row->certinfo.len > 0 && certinfo_read(in->row->certinfo, &info) != OK)
                return ERR_INVALID;
        record_put(in->txn, in->ca_key, in->serial, &record, in->reserve);
        put_certinfo(in, in->row->certinfo);
        return OK;
}

/* An entry of a CRL must not move to another CRL: the shard of a serial that was ever revoked stays. */
static enum err may_move(const struct row_import *in, bool *ret_may)
{
        struct exception there;
        enum err e = exception_get(in->txn, in->ca_key, in->serial, &there);

        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        *ret_may = e == ERR_NOT_FOUND;
        return OK;
}

/* The row is read again: what was written meanwhile may have moved it. */
static enum err rewrite_record(const struct row_import *in, uint32_t not_after, uint16_t shard)
{
        struct key key = key_serial(in->ca_key, in->serial);
        uint8_t signature[SIG_RAW_MAX];
        struct record record;
        struct bytes value;
        enum err e = txn_get(in->txn, TABLE_RECORD, key_bytes(&key), &value);

        if (e == OK)
                e = record_read(value, &record);
        if (e == OK && record.signature.len > sizeof(signature))
                e = ERR_CORRUPT;
        if (e != OK)
                return e;
        if (record.signature.len > 0)
                memcpy(signature, record.signature.data, record.signature.len);
        record.signature.data = signature;
        record.not_after = not_after;
        record.shard = shard;
        record_put(in->txn, in->ca_key, in->serial, &record, record_room(value));
        return OK;
}

/* The crl_entry of a serial that was learned from a CRL learns its notAfter too. */
static enum err tell_crl_entry(const struct row_import *in, uint32_t not_after, uint16_t shard)
{
        struct key key = key_crl_entry(in->ca_key, shard, in->serial);
        struct crl_entry_row entry;
        struct bytes value;
        enum err e = txn_get(in->txn, TABLE_CRL_ENTRY, key_bytes(&key), &value);

        if (e == OK)
                e = crl_entry_row_read(value, &entry);
        if (e != OK)
                return e == ERR_NOT_FOUND ? OK : e;
        entry.not_after = not_after;
        crl_entry_row_put(in->txn, in->ca_key, shard, in->serial, &entry);
        return OK;
}

static enum err update_record(const struct row_import *in, const struct record *known, bool *ret_changed)
{
        uint32_t not_after = known->not_after ? known->not_after : in->row->not_after;
        uint16_t shard = known->shard;
        bool may = false;
        enum err e = OK;

        if (known->shard == 0 && in->row->shard != 0)
                e = may_move(in, &may);
        if (may)
                shard = in->row->shard;
        if (e != OK || (not_after == known->not_after && shard == known->shard))
                return e;
        *ret_changed = true;
        e = rewrite_record(in, not_after, shard);
        return e == OK ? tell_crl_entry(in, not_after, shard) : e;
}

/* ---- revocation ---- */

static enum err is_revoked(const struct row_import *in, bool *ret_is)
{
        struct exception x;
        enum err e = exception_get_visible(in->txn, in->ca_key, in->serial, &x);

        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        *ret_is = e == OK && x.status != EXCEPTION_RELEASED;
        return OK;
}

static enum err apply_revocation(const struct row_import *in, int64_t now_s, struct bytes actor, enum import_effect *effect)
{
        struct revocation r = {
                .ca_key = in->ca_key,
                .serial = in->serial,
                .reason = in->row->flags & ROWFILE_HELD ? REASON_CERTIFICATE_HOLD : (enum reason)in->row->reason,
                .revoked_at = in->row->revoked_at,
                .invalidity_date = in->row->invalidity_date,
        };
        enum revocation_effect done;
        enum err e = revocation_apply(in->txn, &r, now_s, actor, in->reserve, &done);

        if (e != OK)
                return e;
        if (done == REVOCATION_REFUSED)
                *effect = IMPORT_KEPT;
        else if (done != REVOCATION_NOTHING)
                *effect = IMPORT_REVOKED;
        return OK;
}

static enum err import_known(const struct row_import *in, const struct record *known, enum import_effect *effect)
{
        bool changed = false, revoked = false;
        /* certinfo first: where it conflicts, nothing changes. */
        enum err e = merge_certinfo(in, &changed);

        if (e == ERR_EXISTS) {
                *effect = IMPORT_CONFLICT;
                return OK;
        }
        if (e == OK)
                e = update_record(in, known, &changed);
        if (e == OK && !(in->row->flags & (ROWFILE_REVOKED | ROWFILE_HELD)))
                e = is_revoked(in, &revoked);
        *effect = revoked ? IMPORT_KEPT : changed ? IMPORT_UPDATED : IMPORT_KNOWN;
        return e;
}

enum err import_row(struct txn *txn, uint32_t ca_key, const struct rowfile_row *row, int64_t now_s, struct bytes actor,
        size_t reserve, enum import_effect *ret_effect)
{
        struct row_import in = {
                .txn = txn,
                .ca_key = ca_key,
                .serial = bytes_make(row->serial, row->serial_len),
                .row = row,
                .reserve = reserve,
        };
        struct key key = key_serial(ca_key, in.serial);
        enum import_effect effect = IMPORT_NEW;
        struct record known;
        struct bytes value;
        enum err e = txn_get(txn, TABLE_RECORD, key_bytes(&key), &value);

        if (e == ERR_NOT_FOUND) {
                e = make_record(&in);
        } else if (e == OK) {
                e = record_read(value, &known);
                if (e == OK)
                        e = import_known(&in, &known, &effect);
        }
        if (e == OK && effect != IMPORT_CONFLICT && row->flags & (ROWFILE_REVOKED | ROWFILE_HELD))
                e = apply_revocation(&in, now_s, actor, &effect);
        if (e == OK)
                *ret_effect = effect;
        return e;
}
