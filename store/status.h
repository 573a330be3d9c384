/* status: the truth about one serial, decided in one place for the responder and the engine alike: exception, then record.
 */
#pragma once

#include "pki/ocsp_response.h"
#include "store/txn.h"
#include "store/window.h"

struct status {
        struct ocsp_status ocsp;   /* good or revoked, ready for the response */
        bool held;                 /* revoked with certificateHold */
        uint32_t generation;       /* 0 = plainly good; a signature is for one generation */
        int64_t changed_at_s;      /* 0 = never changed */
        int64_t invalidity_date_s; /* 0 = none */
        uint32_t batch;
        uint32_t not_after; /* 0 = unknown */
        uint16_t shard;
        uint32_t window; /* 0 = unsigned */
        struct bytes signature;
        bool in_exception; /* which table the signature lives in */
};

/* ERR_NOT_FOUND: not issued by this CA as far as we know: unauthorized, never good (req 2.2, 2.3). */
MUST_CHECK enum err status_get(struct txn *txn, uint32_t ca_key, struct bytes serial, struct status *ret_status);

/* The same for many at once, in one turn. In a store larger than the caches each row is several misses; those of all serials wait for
 * the memory together. (A place is filled by status_seek and must not move.) */
struct status_place {
        struct key key;
        struct txn_seek record, exception;
};
void status_seek(struct txn *txn, uint32_t ca_key, struct bytes serial, struct status_place *ret_place);
void status_seek_together(struct status_place *places[], unsigned n);
MUST_CHECK enum err status_get_at(struct txn *txn, struct status_place *place, struct status *ret_status);

/* May this stored signature be served now? Signed; inside [thisUpdate, nextUpdate); the window not older than the status's
 * last change; for good, of the store's present epoch; of the CA key asked for. The caller has checked that the window's
 * signer is enabled. */
bool status_is_usable(
        const struct status *status, const struct window *window, uint32_t ca_key, uint32_t epoch, int64_t now_s);

/* Writes a signature back. ERR_STALE: the generation moved on, a newer window is there, or this one
 * is being forgotten or gone (window_purge.h): dropped. ERR_NOT_FOUND. */
MUST_CHECK enum err status_sign(struct txn *txn, uint32_t ca_key, struct bytes serial, uint32_t generation,
        const struct window *window, struct bytes raw_signature);

/* Until when a `good` for this serial may be valid in somebody's cache: the latest nextUpdate promised, by stored signatures
 * and by any that a crash may have lost (window.h). Of one that is revoked: by those from before. 0: none. */
MUST_CHECK enum err status_get_good_until(
        struct txn *txn, uint32_t ca_key, struct bytes serial, const struct status *status, int64_t *ret_good_until_s);
