/* open_window: a window while it is being signed with: its row, the memory its template borrows from, and how many things
 * still use it. Main thread; the writer only fills in the id while the task that puts it is under way.
 */
#pragma once

#include "signer/engine/issuer.h"
#include "store/window.h"

struct open_window {
        unsigned n_refs;
        struct issuer *issuer;
        struct window row; /* id 0: not committed yet, nothing may be signed under it */
        struct builder memory;
        uint8_t range_memory[2 * SERIAL_MAX];
};

/* thisUpdate and nextUpdate of answers signed from now on. ERR_RANGE: the signer or the CA has expired. */
MUST_CHECK enum err window_times(const struct issuer *issuer, int64_t now_s, int64_t *ret_next_update_s);
/* One reference, the caller's. from and to: the slice of serials it is made for, or both empty. */
MUST_CHECK enum err open_window_new(struct issuer *issuer, int64_t now_s, uint32_t epoch, struct bytes from, struct bytes to,
        struct open_window **ret_window);
/* Octets that the ResponseData of one serial takes at most. */
static inline size_t open_window_tbs_max(const struct open_window *w)
{
        const struct ocsp_template *t = &w->row.template;

        return t->responder.len + t->cert_id.len + t->times.len + t->extensions.len + 128;
}
struct open_window *open_window_ref(struct open_window *w);
void open_window_unref(struct open_window *w); /* NULL is fine */
