/* control_list: one list from one client. */
#include "signer/engine/control_list.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define REJECTS_A_PACKET 200

struct list *list_new(struct client *c, json_t *question, int fd, enum rowfile_kind kind)
{
        const char *name = json_field(question, "issuer");
        struct issuer *is = issuers_find(c->engine->issuers, name);
        struct list *list = NULL;

        if (!is)
                client_fail(
                        c, ERR_NOT_FOUND, "`tocsin issuer list` shows the issuers", "there is no issuer \"%.64s\"", name);
        else if (is->ca_key == 0)
                client_fail(c, ERR_DENIED, "`tocsin check` says more", "%s is not served: %s", name, is->refused);
        else
                list = calloc(1, sizeof(*list));
        if (!list) {
                close(fd);
                return NULL;
        }
        *list = (struct list){.engine = c->engine,
                .client = client_ref(c),
                .issuer = is,
                .kind = kind,
                .fd = fd,
                .now_s = engine_clock_now_s(&c->engine->clock),
                .began_ms = clock_mono_ms()};
        return list;
}

void list_free(struct list *list)
{
        rowfile_done(&list->rows);
        if (list->map)
                munmap(list->map, list->map_len);
        if (list->fd >= 0)
                close(list->fd);
        json_decref(list->rejects);
        open_window_unref(list->window);
        client_unref(list->client);
        free(list->incident);
        free(list);
}

/* Nobody can change or shorten it any more. */
static bool is_sealed(int fd)
{
        int seals = fcntl(fd, F_GET_SEALS);

        return seals >= 0 && (seals & F_SEAL_WRITE) && (seals & F_SEAL_SHRINK);
}

static enum err map_rows(struct list *list)
{
        struct stat st;
        void *map;

        if (fstat(list->fd, &st) != 0 || st.st_size <= 0)
                return ERR_INVALID;
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, list->fd, 0);
        if (map == MAP_FAILED)
                return ERR_NOMEM;
        list->map = map;
        list->map_len = (size_t)st.st_size;
        return rowfile_open(&list->rows, bytes_make(map, list->map_len));
}

#define HEADER_LEN 13

enum err list_load(struct list *list)
{
        enum err e = is_sealed(list->fd) ? map_rows(list) : rowfile_load(&list->rows, list->fd, LIST_COPY_MAX);

        if (e == OK && list->rows.kind != list->kind)
                e = ERR_INVALID;
        if (e != OK)
                return e;
        /* The header stands right before the rows, in the map as in the copy. */
        return hash_digest(
                HASH_SHA256, bytes_make(list->rows.rows.data - HEADER_LEN, list->rows.rows.len + HEADER_LEN), list->digest);
}

void list_reject(struct list *list, const struct rowfile_row *row, const char *format, ...)
{
        char why[256];
        va_list args;

        if (list->n_rejects++ >= LIST_REJECTS_MAX)
                return;
        if (!list->rejects)
                list->rejects = json_array();
        va_start(args, format);
        vsnprintf(why, sizeof(why), format, args);
        va_end(args);
        json_array_append_new(list->rejects, json_pack("{s:i,s:o,s:s}", "line", (int)row->line, "serial",
                                                     json_serial(row->serial, row->serial_len), "why", why));
}

void list_send_rejects(struct list *list)
{
        while (list->rejects && json_array_size(list->rejects) > 0) {
                json_t *some = json_array();

                for (unsigned i = 0; some && i < REJECTS_A_PACKET && json_array_size(list->rejects) > 0; i++) {
                        json_array_append(some, json_array_get(list->rejects, 0));
                        json_array_remove(list->rejects, 0);
                }
                client_send(list->client, json_pack("{s:o}", "rejects", some), false);
                if (!some)
                        break;
        }
        json_decref(list->rejects);
        list->rejects = NULL;
}

void list_submit(struct list *list, struct runner *runner, enum task_priority priority,
        enum err (*work)(struct task *, struct txn *), void (*done)(struct task *))
{
        list->task = (struct task){.priority = priority, .work = work, .done = done};
        runner_submit(runner, &list->task);
}
