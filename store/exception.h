/* exception: whatever is not plainly good. A row whose batch is not active does not count yet. */
#pragma once

#include "pki/reason.h"
#include "store/txn.h"

enum exception_status {
        EXCEPTION_REVOKED = 1,
        EXCEPTION_HELD = 2,     /* certificateHold: answers revoked(6), private profile */
        EXCEPTION_RELEASED = 3, /* a hold lifted: good again, with a changed_at and a generation */
};

struct exception {
        uint8_t status;           /* enum exception_status */
        uint8_t reason;           /* enum reason */
        uint32_t revoked_at;      /* 0 = the batch's activated_at */
        uint32_t invalidity_date; /* 0 = none */
        uint32_t batch;           /* 0 = none: counts at once */
        uint32_t generation;      /* grows by 1 with each change of this serial's status; first 1 */
        uint32_t changed_at;      /* 0 = the batch's activated_at */
        uint32_t window;          /* 0 = not signed */
        struct bytes signature;
};

MUST_CHECK enum err exception_get(struct txn *txn, uint32_t ca_key, struct bytes serial, struct exception *ret_exception);
/* As it counts: ERR_NOT_FOUND where its batch is not active; the batch's activated_at filled in. */
MUST_CHECK enum err exception_get_visible(
        struct txn *txn, uint32_t ca_key, struct bytes serial, struct exception *ret_exception);
MUST_CHECK enum err exception_read(struct bytes value, struct exception *ret_exception);
MUST_CHECK enum err exception_read_visible(struct txn *txn, struct bytes value, struct exception *ret_exception);
/* Like record_put; `exception->signature` must not lie in the row that is rewritten. */
void exception_put(struct txn *txn, uint32_t ca_key, struct bytes serial, const struct exception *exception, size_t reserve);
void exception_delete(struct txn *txn, uint32_t ca_key, struct bytes serial);
/* The octets a row has for a signature: put with this `reserve`, it is rewritten in place. */
size_t exception_room(struct bytes value);
