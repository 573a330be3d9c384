/* answer_ari: GET {responder.ari_path}/{b64url(AKI)}.{b64url(serial)}: ACME renewal information (RFC 9773, req 7).
 *
 * A certificate that is revoked, or listed by an incident whose batch is staged but not active yet, had better be renewed at once:
 * its window lies in the past (req 7.4). One we do not know, or whose end we do not know, has no window: 404. */
#include "pki/ari.h"
#include "pki/certinfo.h"
#include "responder/answer/route.h"
#include "responder/answer/tags.h"
#include "store/batch.h"
#include "store/exception.h"
#include "store/status.h"

/* An incident must reach clients sooner than they come back by themselves. */
#define MAX_AGE_S 300

static enum verdict say(struct answer *ret_answer, unsigned status)
{
        answer_set_status(ret_answer, status);
        return VERDICT_ANSWERED;
}

/* Cross-named CAs share a key and so an identifier: the one that has issued the serial is meant. */
static enum err find_status(struct turn *t, const struct ari_id *id, const struct ca_entry **ret_ca, struct status *ret_status)
{
        const struct ca_entry *ca = NULL;
        enum err e = ERR_NOT_FOUND;

        while (e == ERR_NOT_FOUND && (ca = ca_table_next_ski(t->service->cas, ari_aki(id), ca)))
                e = ca->conf ? status_get(t->txn, ca->key.id, serial_bytes(&id->serial), ret_status) : ERR_NOT_FOUND;
        *ret_ca = ca;
        return e;
}

/* When the incident was declared that is going to revoke it; 0 = none. */
static int64_t find_incident(struct turn *t, const struct ca_entry *ca, struct bytes serial)
{
        struct exception exception;
        struct batch batch;

        if (exception_get(t->txn, ca->key.id, serial, &exception) != OK || exception.batch == 0 ||
                batch_get(t->txn, exception.batch, &batch) != OK || batch.state != BATCH_STAGED || batch.incident.len == 0)
                return 0;
        return batch.created_at;
}

static int64_t find_not_before(struct turn *t, const struct ca_entry *ca, struct bytes serial)
{
        struct key key = key_serial(ca->key.id, serial);
        struct certinfo info;
        struct bytes row;

        return txn_get(t->txn, TABLE_CERTINFO, key_bytes(&key), &row) == OK && certinfo_read(row, &info) == OK ? info.not_before : 0;
}

static enum err find_window(
        struct turn *t, const struct ca_entry *ca, struct bytes serial, const struct status *status, struct ari_window *ret_window)
{
        int64_t incident_s = find_incident(t, ca, serial);

        if (status->ocsp.cert_status == OCSP_REVOKED)
                *ret_window = ari_plan_at_once(status->ocsp.revoked_at_s);
        else if (incident_s > 0)
                *ret_window = ari_plan_at_once(incident_s);
        else if (status->not_after == 0)
                return ERR_NOT_FOUND;
        else
                *ret_window = ari_plan(find_not_before(t, ca, serial), status->not_after);
        return OK;
}

static void set_json(struct turn *t, const struct ca_entry *ca, const struct ari_window *window, struct answer *ret_answer)
{
        struct service *s = t->service;
        struct builder b = builder_fixed(s->text_memory, sizeof s->text_memory);

        ari_put_json(&b, window, bytes_str(ca->conf->ari_explanation_url));
        if (builder_failed(&b)) { /* the explanation is optional */
                builder_reset(&b);
                ari_put_json(&b, window, BYTES_NONE);
        }
        *ret_answer = (struct answer){
                .status = 200,
                .content = CONTENT_JSON,
                .cacheable = true,
                .max_age_s = MAX_AGE_S,
                .bytes = builder_bytes(&b),
                .body_len = b.len,
                .retry_after_s = (unsigned)s->conf->ari_retry_after_s, /* req 7.3 */
        };
}

enum verdict answer_ari(struct turn *t, const struct request *r, struct bytes rest, struct sign_slot *sign, struct answer *ret_answer)
{
        const struct ca_entry *ca;
        struct ari_window window;
        struct status status;
        struct ari_id id;
        enum err e;

        (void)sign;
        if (rest.len < 2 || r->query.len > 0)
                return say(ret_answer, 404);
        if (ari_read_id(bytes_make(&rest.data[1], rest.len - 1), &id) != OK)
                return say(ret_answer, 400);
        e = find_status(t, &id, &ca, &status);
        if (e == OK)
                e = find_window(t, ca, serial_bytes(&id.serial), &status, &window);
        if (e != OK)
                return say(ret_answer, e == ERR_NOT_FOUND ? 404 : 500);
        set_json(t, ca, &window, ret_answer);
        ret_answer->about.ca = ca;
        tags_begin(t->service, ca, ret_answer);
        tags_add_serial(t->service, ca, serial_bytes(&id.serial), &status, ret_answer);
        return VERDICT_ANSWERED;
}
