/* engine: starts, reloads and ends; what the rooms tell each other goes through here. */
#include "signer/engine/engine.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/batch_dropper.h"
#include "signer/engine/crl_recover.h"
#include "signer/supervisor.h"
#include "store/event.h"
#include "store/meta.h"

/* ---- what one room tells the others ---- */

void engine_quit(struct engine *e, const char *why)
{
        if (e->stopping)
                return;
        e->stopping = true;
        log_info("the engine stops why=\"%s\"", why);
        event_base_loopexit(e->base, NULL);
}

void engine_feed_vault(struct engine *e)
{
        ondemand_pump(e);
        bulk_feed(e);
}

void engine_vault_is_up(struct engine *e)
{
        issuers_forget_missing_keys(e->issuers); /* a fresh vault has looked into the token anew */
        engine_feed_vault(e);
        schedule_now(e);
        crl_builder_pump(e);
        refresh_step(e);
}

void engine_truth_changed(struct engine *e, struct issuer *is)
{
        bulk_find_batches(e);
        schedule_truth_changed(e, is);
        engine_feed_vault(e);
}

void engine_population_changed(struct engine *e, struct issuer *is)
{
        (void)is;
        refresh_kick(e);
}

void engine_sign_soon(struct engine *e, struct issuer *is, struct bytes serial)
{
        bulk_want(e, is, serial);
        bulk_feed(e);
}

/* ---- the store ---- */

static enum err open_store(struct engine *e)
{
        struct env_config config = {
                .path = e->conf->store_path, .map_size = e->conf->store_map_size, .reserve = e->conf->store_reserve};
        unsigned version = 0;
        enum err err = env_open_writer(&config, &e->env, &version);

        if (err == ERR_BUSY)
                log_error("another engine has the store: stop it first path=%s", e->conf->store_path);
        else if (err == ERR_VERSION)
                log_error("the store has schema %u, this engine knows %u: use the version of Tocsin that wrote it, or a "
                          "newer one path=%s",
                        version, SCHEMA_VERSION, e->conf->store_path);
        else if (err != OK)
                log_error("the store cannot be opened: `tocsin init` makes a new one, `tocsin check` looks at an old one "
                          "path=%s error=\"%s\"",
                        e->conf->store_path, err_text(err));
        return err;
}

static enum err read_meta(struct engine *e)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        int64_t mark_s;
        enum err err = txn_begin_read(e->env, &txn);

        if (err == OK)
                err = meta_get_epoch(txn, &e->epoch);
        if (err == OK)
                err = meta_get_time(txn, 0, &mark_s);
        if (err == OK)
                engine_clock_init(&e->clock, mark_s);
        return err;
}

static void put_engine_event(struct engine *e, struct txn *txn, const char *detail)
{
        event_put(txn, &(struct event){.time_s = engine_clock_now_s(&e->clock),
                               .kind = EVENT_ENGINE,
                               .actor = BYTES_LIT("engine"),
                               .detail = bytes_str(detail)});
}

/* While the writer's thread is not there, at the start and at the end, the main thread may write. */
static enum err write_alone(struct engine *e, struct issuers *issuers, const char *event)
{
        struct txn *txn;
        enum err err = txn_begin_write(e->env, &txn);

        if (err != OK)
                return err;
        if (issuers)
                err = issuers_sync(txn, issuers, engine_clock_now_s(&e->clock));
        put_engine_event(e, txn, event);
        if (err != OK) {
                txn_abort(txn);
                return err;
        }
        return txn_commit(txn);
}

/* ---- start ---- */

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
        (void)fd, (void)what;
        runner_reap(arg);
}

static enum err add_event(struct engine *e, struct event *event)
{
        if (!event || event_add(event, NULL) != 0)
                return ERR_NOMEM;
        e->events[e->n_events++] = event;
        return OK;
}

static enum err watch_runner(struct engine *e, struct runner *runner)
{
        return add_event(e, event_new(e->base, runner->finished_fd, EV_READ | EV_PERSIST, on_finished, runner));
}

static void on_stop(evutil_socket_t signal, short what, void *arg)
{
        (void)what;
        engine_quit(arg, signal == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void on_reload(evutil_socket_t signal, short what, void *arg)
{
        struct conf_problem problem;

        (void)signal, (void)what;
        log_reopen();
        if (engine_reload(arg, &problem) != OK)
                log_error("reload refused, the old configuration stays why=\"%s\"", problem.text);
}

static enum err start_runners(struct engine *e)
{
        enum err err = writer_start(&e->writer, e->env, &e->clock);

        e->reader = (struct runner){.name = "reader"};
        e->crl_runner = (struct runner){.name = "crl"};
        if (err == OK)
                err = runner_start(&e->reader);
        if (err == OK)
                err = runner_start(&e->crl_runner);
        if (err == OK)
                err = watch_runner(e, &e->writer.runner);
        if (err == OK)
                err = watch_runner(e, &e->reader);
        if (err == OK)
                err = watch_runner(e, &e->crl_runner);
        return err;
}

enum err engine_open(struct engine *e, const struct conf *conf, int channel)
{
        enum err err;

        *e = (struct engine){.conf = conf, .channel = channel};
        ondemand_init(e);
        crl_builder_init(e);
        e->vault.fds[0] = e->vault.fds[1] = -1;
        err = open_store(e);
        if (err == OK)
                err = read_meta(e);
        if (err == OK)
                err = issuers_load(conf, engine_clock_now_s(&e->clock), &e->issuers);
        if (err != OK)
                return err;
        e->started_at_s = engine_clock_now_s(&e->clock);
        e->space_short = env_reserve(e->env) == ERR_NOSPC;
        err = write_alone(e, e->issuers, "start");
        if (err != OK) {
                log_error("the configured issuers cannot be written to the store error=\"%s\"", err_text(err));
                return err;
        }
        e->base = event_base_new();
        return e->base ? OK : ERR_NOMEM;
}

enum err engine_start(struct engine *e)
{
        static enum err (*const steps[])(struct engine *) = {
                start_runners,
                writeback_start,
                bulk_start,
                refresh_start,
                crl_recover,
                batch_drop_abandoned,
                schedule_start,
                vault_client_start,
                workers_start,
                control_start,
        };
        enum err err = OK;

        for (size_t i = 0; err == OK && i < sizeof(steps) / sizeof(steps[0]); i++)
                err = steps[i](e);
        if (err == OK)
                window_purger_start(e);
        return err;
}

void engine_close(struct engine *e)
{
        if (e->base) {
                control_stop(e);
                workers_stop(e);
        }
        vault_client_stop(e);
        /* The commit under way is finished; what waits behind it was acknowledged to nobody. */
        runner_stop(&e->crl_runner);
        runner_stop(&e->reader);
        writer_stop(&e->writer);
        if (e->base && write_alone(e, NULL, "stop") != OK)
                log_warning("the stop could not be written to the audit log");
        ondemand_done(e);
        bulk_stop(e);
        refresh_stop(e);
        schedule_stop(e);
        window_purger_stop(e);
        crl_builder_done(e);
        writeback_stop(e);
        for (unsigned i = 0; i < e->n_events; i++)
                event_free(e->events[i]);
        live_windows_drop(e->issuers);
        issuers_free(e->issuers);
        if (e->base)
                event_base_free(e->base);
        env_close(e->env);
}

/* ---- reload ---- */

struct reload_op {
        struct task task;
        struct engine *engine;
        struct issuers *set;
        struct client *client;
};

static void reload_answer(struct client *c, enum err e, unsigned n)
{
        if (!c)
                return;
        if (e == OK)
                client_finish(c, json_pack("{s:i}", "issuers", (int)n));
        else
                client_fail(c, e, NULL, "the store did not take the new configuration: %s", err_text(e));
        client_unref(c);
}

static enum err reload_work(struct task *task, struct txn *txn)
{
        struct reload_op *op = task_owner(task, struct reload_op, task);

        put_engine_event(op->engine, txn, "reload");
        return issuers_sync(txn, op->set, engine_clock_now_s(&op->engine->clock));
}

static void reload_done(struct task *task)
{
        struct reload_op *op = task_owner(task, struct reload_op, task);
        struct engine *e = op->engine;

        if (task->result == OK) {
                op->set->older = e->issuers;
                e->issuers = op->set;
                e->conf = op->set->conf;
                if (schedule_reset(e) != OK)
                        log_error("the CRL schedule could not be read anew");
                vault_renew(e);
                ondemand_reloaded(e);
                refresh_reloaded(e);
                log_info("reloaded issuers=%u", op->set->n);
        } else {
                log_error("reload failed error=\"%s\"", err_text(task->result));
        }
        reload_answer(op->client, task->result, op->set->n);
        if (task->result != OK)
                issuers_free(op->set);
        free(op);
}

static enum err begin_reload(struct engine *e, struct client *client, struct conf_problem *ret_problem)
{
        struct reload_op *op = calloc(1, sizeof(*op));
        struct conf *conf = NULL;
        enum err err = ERR_NOMEM;

        snprintf(ret_problem->text, sizeof(ret_problem->text), "%s", err_text(ERR_NOMEM));
        if (op)
                err = conf_load(e->conf->file, &conf, ret_problem);
        if (err == OK)
                err = issuers_load(conf, engine_clock_now_s(&e->clock), &op->set);
        if (err != OK) {
                conf_free(conf);
                free(op);
                return err;
        }
        op->set->own_conf = conf;
        engine_clock_accept(&e->clock);
        *op = (struct reload_op){.task = {.priority = TASK_TRUTH, .work = reload_work, .done = reload_done},
                .engine = e,
                .set = op->set,
                .client = client ? client_ref(client) : NULL};
        writer_submit(&e->writer, &op->task);
        return OK;
}

enum err engine_reload(struct engine *e, struct conf_problem *ret_problem)
{
        return begin_reload(e, NULL, ret_problem);
}

void command_reload(struct client *c, json_t *question, int fd)
{
        struct conf_problem problem = {{0}};
        enum err e;

        (void)question, (void)fd;
        e = begin_reload(c->engine, c, &problem);
        if (e != OK)
                client_fail(c, e, "the old configuration stays; `tocsin check` tells more", "%s", problem.text);
}

/* ---- the process ---- */

static enum err watch_signals(struct engine *e)
{
        enum err err = add_event(e, evsignal_new(e->base, SIGTERM, on_stop, e));

        if (err == OK)
                err = add_event(e, evsignal_new(e->base, SIGINT, on_stop, e));
        if (err == OK)
                err = add_event(e, evsignal_new(e->base, SIGHUP, on_reload, e));
        return err;
}

int engine_run(struct conf *conf, int channel)
{
        static struct engine engine;
        struct engine *e = &engine;
        enum err err;

        log_init("engine", (enum log_level)conf->log_level);
        if (!log_open(conf->log_target))
                log_error("the log cannot be opened target=%s", conf->log_target);
        signal(SIGPIPE, SIG_IGN);
        err = engine_open(e, conf, channel);
        if (err == OK)
                err = watch_signals(e);
        if (err == OK)
                err = engine_start(e);
        if (err != OK) {
                log_error("the engine does not start error=\"%s\"", err_text(err));
                e->exit_code = EXIT_FAILURE;
        } else {
                log_info("the engine runs issuers=%u store=%s commit=%llu", e->issuers->n, conf->store_path,
                        (unsigned long long)env_newest_commit(e->env));
                event_base_dispatch(e->base);
        }
        engine_close(e);
        return e->exit_code;
}
