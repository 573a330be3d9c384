/* open_window: the times and the shared bytes of what is signed together. */
#include "signer/engine/open_window.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* BR 4.9.9, req 2.6: at most 10 days, both ends counted, so one second less. */
#define CABF_VALIDITY_MAX_S (10 * CLOCK_DAY_S - 1)

enum err window_times(const struct issuer *is, int64_t now_s, int64_t *ret_next_update_s)
{
        int64_t next = now_s + is->conf->ocsp_validity_s;

        if (is->conf->profile == CONF_PROFILE_CABF_TLS && next > now_s + CABF_VALIDITY_MAX_S)
                next = now_s + CABF_VALIDITY_MAX_S;
        /* Not past the notAfter of any certificate in `certs`, nor of the issuer (M6, req 2.8) */
        if (next > is->ocsp.not_after_s)
                next = is->ocsp.not_after_s;
        if (next > is->ca.not_after)
                next = is->ca.not_after;
        if (next <= now_s)
                return ERR_RANGE;
        *ret_next_update_s = next;
        return OK;
}

/* Puts the pieces one after the other, noting where each ends; slices are made once the memory no longer moves. */
static enum err make_template(struct open_window *w, const struct issuer *is)
{
        struct builder *b = &w->memory;
        struct window *row = &w->row;
        size_t responder, cert_id, times;

        if (is->conf->ocsp_responder_id == CONF_RESPONDER_BY_NAME)
                ocsp_template_put_responder_by_name(b, is->ocsp.subject, row->produced_at_s);
        else
                ocsp_template_put_responder_by_key(b, is->ocsp.key, row->produced_at_s);
        responder = b->len;
        ca_key_put_cert_id_head(b, &is->hashes, (enum hash_alg)is->conf->ocsp_cert_id);
        cert_id = b->len;
        ocsp_template_put_times(b, row->this_update_s, row->next_update_s);
        times = b->len;
        if (is->ocsp.certificate.len > 0)
                ocsp_template_put_certs(b, is->ocsp.certificate);
        if (builder_failed(b))
                return ERR_NOMEM;
        row->template = (struct ocsp_template){
                .sig_alg = is->ocsp.sig_alg,
                .responder = bytes_make(b->data, responder),
                .cert_id = bytes_make(b->data + responder, cert_id - responder),
                .times = bytes_make(b->data + cert_id, times - cert_id),
                .certs = bytes_make(b->data + times, b->len - times),
        };
        return OK;
}

static void set_range(struct open_window *w, struct bytes from, struct bytes to)
{
        if (from.len > SERIAL_MAX || to.len > SERIAL_MAX || from.len == 0)
                return;
        memcpy(w->range_memory, from.data, from.len);
        memcpy(w->range_memory + SERIAL_MAX, to.data, to.len);
        w->row.range_from = bytes_make(w->range_memory, from.len);
        w->row.range_to = bytes_make(w->range_memory + SERIAL_MAX, to.len);
}

enum err open_window_new(struct issuer *is, int64_t now_s, uint32_t epoch, struct bytes from, struct bytes to,
        struct open_window **ret_window)
{
        struct open_window *w;
        int64_t next;
        enum err e;

        if (!is->ocsp.configured || !issuer_is_served(is))
                return ERR_DENIED;
        e = window_times(is, now_s, &next);
        if (e != OK)
                return e;
        w = calloc(1, sizeof(*w));
        if (!w)
                return ERR_NOMEM;
        w->n_refs = 1;
        w->issuer = is;
        /* thisUpdate, producedAt and the HTTP Last-Modified are the same second */
        w->row = (struct window){.ca_key = is->ca_key,
                .signer = is->ocsp.id,
                .epoch = epoch,
                .this_update_s = now_s,
                .next_update_s = next,
                .produced_at_s = now_s};
        set_range(w, from, to);
        e = make_template(w, is);
        if (e != OK) {
                open_window_unref(w);
                return e;
        }
        *ret_window = w;
        return OK;
}

struct open_window *open_window_ref(struct open_window *w)
{
        w->n_refs++;
        return w;
}

void open_window_unref(struct open_window *w)
{
        if (!w || --w->n_refs > 0)
                return;
        builder_done(&w->memory);
        free(w);
}
