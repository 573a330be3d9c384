/* Tasks: priorities, and a transaction each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "engine_fixture.h"
#include "signer/engine/writer.h"
#include "store/job.h"

struct gate {
        sem_t begun, open;
};

struct probe {
        struct task task;
        struct gate *gate; /* says there that it has begun, and waits for it to open; NULL: does not */
        const char *name;
        enum err returns;
        bool is_done;
};

static char order[64];

static enum err probe_work(struct task *task, struct txn *txn)
{
        struct probe *p = task_owner(task, struct probe, task);

        if (p->gate) {
                sem_post(&p->gate->begun);
                sem_wait(&p->gate->open);
        }
        strcat(order, p->name);
        if (txn)
                job_put(txn, p->name, BYTES_LIT("x"));
        return p->returns;
}

static void probe_done(struct task *task)
{
        task_owner(task, struct probe, task)->is_done = true;
}

static struct probe probe(enum task_priority priority, const char *name)
{
        return (struct probe){.task = {.priority = priority, .work = probe_work, .done = probe_done}, .name = name};
}

static void reap_until(struct runner *r, const struct probe *p)
{
        struct pollfd fd = {.fd = r->finished_fd, .events = POLLIN};

        while (!p->is_done) {
                assert_int_equal(poll(&fd, 1, 10000), 1);
                runner_reap(r);
        }
}

/* Starts the runner, busy with this one until its gate is opened: what is submitted meanwhile waits. */
static void start_busy(struct runner *r, struct probe *p, struct gate *g)
{
        order[0] = '\0';
        sem_init(&g->begun, 0, 0);
        sem_init(&g->open, 0, 0);
        p->gate = g;
        assert_int_equal(runner_start(r), OK);
        runner_submit(r, &p->task);
        sem_wait(&g->begun);
}

static void a_revocation_goes_before_what_was_submitted_earlier(void **state)
{
        struct runner r = {.name = "test"};
        struct probe first = probe(TASK_HOUSEKEEPING, "f"), low = probe(TASK_HOUSEKEEPING, "h"),
                     signatures = probe(TASK_SIGNATURES, "s"), stage = probe(TASK_STAGE, "g"),
                     stage2 = probe(TASK_STAGE, "G"), truth = probe(TASK_TRUTH, "t");
        struct gate g;

        (void)state;
        start_busy(&r, &first, &g);
        runner_submit(&r, &low.task);
        runner_submit(&r, &signatures.task);
        runner_submit(&r, &stage.task);
        runner_submit(&r, &stage2.task);
        runner_submit(&r, &truth.task);
        assert_int_equal(runner_waiting(&r), 5);
        sem_post(&g.open);
        reap_until(&r, &low);
        assert_string_equal(order, "ftgGsh");
        runner_stop(&r);
}

static void what_is_submitted_again_lets_the_more_urgent_pass(void **state)
{
        struct runner r = {.name = "test"};
        struct probe chunk = probe(TASK_STAGE, "c"), truth = probe(TASK_TRUTH, "t");
        struct gate g;

        (void)state;
        start_busy(&r, &chunk, &g);
        runner_submit(&r, &truth.task);
        sem_post(&g.open);
        reap_until(&r, &chunk);
        chunk.is_done = false;
        chunk.gate = NULL;
        runner_submit(&r, &chunk.task);
        reap_until(&r, &chunk);
        reap_until(&r, &truth);
        assert_string_equal(order, "ctc");
        runner_stop(&r);
}

static bool has_job(struct env *env, const char *name)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct bytes value;

        assert_int_equal(txn_begin_read(env, &txn), OK);
        return job_get(txn, name, &value) == OK;
}

static void a_failed_task_changes_nothing_and_the_next_one_does(void **state)
{
        struct fixture_store s;
        struct engine_clock clock;
        struct writer w;
        struct probe bad = probe(TASK_TRUTH, "bad"), good = probe(TASK_STAGE, "good");

        (void)state;
        order[0] = '\0';
        fixture_store_open(&s);
        engine_clock_init(&clock, 0);
        assert_int_equal(writer_start(&w, s.env, &clock), OK);
        bad.returns = ERR_NOSPC;
        writer_submit(&w, &bad.task);
        writer_submit(&w, &good.task);
        reap_until(&w.runner, &good);
        assert_int_equal(bad.task.result, ERR_NOSPC);
        assert_int_equal(good.task.result, OK);
        assert_false(has_job(s.env, "bad"));
        assert_true(has_job(s.env, "good"));
        writer_stop(&w);
        fixture_store_close(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_revocation_goes_before_what_was_submitted_earlier),
                cmocka_unit_test(what_is_submitted_again_lets_the_more_urgent_pass),
                cmocka_unit_test(a_failed_task_changes_nothing_and_the_next_one_does),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
