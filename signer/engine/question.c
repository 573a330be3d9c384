/* question: lists by lane, and a table of those of the truth lane. */
#include "signer/engine/question.h"

#include <stdlib.h>

#include "signer/engine/engine.h"

enum msg_lane question_lane(const struct question *q)
{
        return q->extras ? MSG_LANE_EXTRAS : MSG_LANE_TRUTH;
}

/* ---- finding an identical question ---- */

static unsigned bucket_of(uint32_t ca_key, struct bytes serial)
{
        uint32_t h = 2166136261u ^ ca_key; /* FNV-1a */

        for (size_t i = 0; i < serial.len; i++)
                h = (h ^ serial.data[i]) * 16777619u;
        return (h ^ h >> 16) % QUESTION_BUCKETS;
}

static struct question **bucket(struct engine *e, const struct question *q)
{
        return &e->ondemand.buckets[bucket_of(q->issuer->ca_key, serial_bytes(&q->serial))];
}

struct question *question_find(struct engine *e, uint32_t ca_key, struct bytes serial, uint32_t generation)
{
        for (struct question *q = e->ondemand.buckets[bucket_of(ca_key, serial)]; q; q = q->next_in_bucket)
                if (q->issuer->ca_key == ca_key && bytes_equal(serial_bytes(&q->serial), serial) &&
                        (!q->is_asked || q->generation == generation))
                        return q;
        return NULL;
}

/* ---- its end ---- */

static void unlink_question(struct engine *e, struct question *q)
{
        if (!q->is_asked)
                TAILQ_REMOVE(&e->ondemand.waiting[question_lane(q)], q, link);
        if (q->extras)
                return;
        for (struct question **at = bucket(e, q); *at; at = &(*at)->next_in_bucket)
                if (*at == q) {
                        *at = q->next_in_bucket;
                        return;
                }
}

void question_free(struct engine *e, struct question *q)
{
        unlink_question(e, q);
        e->ondemand.n_open--;
        while (q->askers) {
                struct asker *a = q->askers;

                q->askers = a->next;
                worker_unref(a->worker);
                free(a);
        }
        open_window_unref(q->window);
        extras_free(q->extras);
        free(q);
}

void question_answer(struct engine *e, struct question *q, const struct msg_sign_answer *answer)
{
        struct msg_sign_answer each = *answer;

        for (struct asker *a = q->askers; a; a = a->next) {
                each.id = a->id;
                worker_answer(a->worker, &each);
        }
        question_free(e, q);
}

void question_refuse(struct engine *e, struct question *q, enum msg_outcome outcome)
{
        e->ondemand.stats[question_lane(q)].refused++;
        question_answer(e, q, &(struct msg_sign_answer){.outcome = (uint8_t)outcome});
}

/* ---- making one, and asking it again ---- */

bool question_add_asker(struct question *q, struct worker *w, uint64_t id)
{
        struct asker *a = calloc(1, sizeof(*a));

        if (!a)
                return false;
        *a = (struct asker){.next = q->askers, .worker = worker_ref(w), .id = id};
        q->askers = a;
        return true;
}

struct question *question_new(struct engine *e, struct issuer *is, const struct msg_sign_ask *ask, bool is_truth)
{
        struct question *q = calloc(1, sizeof(*q));

        if (!q)
                return NULL;
        if (!is_truth && extras_new(ask, &q->extras) != OK) {
                free(q);
                return NULL;
        }
        q->issuer = is;
        q->serial.len = ask->cert_ids[0].serial_len;
        memcpy(q->serial.data, ask->cert_ids[0].serial, q->serial.len);
        TAILQ_INSERT_TAIL(&e->ondemand.waiting[question_lane(q)], q, link);
        e->ondemand.n_open++;
        if (is_truth) {
                q->next_in_bucket = *bucket(e, q);
                *bucket(e, q) = q;
        }
        return q;
}

void question_ask_again(struct engine *e, struct question *q)
{
        q->is_asked = false;
        open_window_unref(q->window);
        q->window = NULL;
        TAILQ_INSERT_HEAD(&e->ondemand.waiting[question_lane(q)], q, link);
}
