#include "responder/listener_rows.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "responder/listener.h"

static bool is_in(const struct conf_list *list, const char *address)
{
        for (unsigned i = 0; i < list->n; i++)
                if (strcmp(list->items[i], address) == 0)
                        return true;
        return false;
}

bool listener_is_tls(const struct conf *conf, const char *address)
{
        return is_in(&conf->tls_listen, address);
}

void listener_rows_done(struct listener_rows *rows)
{
        for (unsigned i = 0; i < rows->n; i++) {
                close(rows->items[i].fd);
                free(rows->items[i].address);
        }
        rows->n = 0;
}

static unsigned count_rows(const struct listener_rows *rows, const char *address)
{
        unsigned n = 0;

        for (unsigned i = 0; i < rows->n; i++)
                n += strcmp(rows->items[i].address, address) == 0;
        return n;
}

enum err listener_rows_add(struct listener_rows *rows, const char *address, unsigned row, int fd)
{
        _cleanup_close_ int owned = fd;
        _cleanup_free_ char *copy = strdup(address);

        if (!copy)
                return ERR_NOMEM;
        if (rows->n == LISTENERS_MAX)
                return ERR_RANGE;
        rows->items[rows->n++] = (struct listener){.address = steal(&copy), .row = row, .fd = steal_fd(&owned)};
        return OK;
}

static enum err open_address(struct listener_rows *rows, const char *address, unsigned n_workers)
{
        unsigned n = count_rows(rows, address);

        if (n == 0)
                log_info("listening address=%s", address);
        for (; n < n_workers; n++) {
                int fd = -1;
                enum err e = listener_bind(address, &fd);

                if (e == OK)
                        e = listener_rows_add(rows, address, n, fd);
                if (e != OK) {
                        log_error("cannot listen address=%s why=\"%s\"", address, err_text(e));
                        return e;
                }
        }
        return OK;
}

enum err listener_rows_open(struct listener_rows *rows, const struct conf *conf, unsigned n_workers)
{
        enum err e = OK;

        for (unsigned i = 0; e == OK && i < conf->listen.n; i++)
                e = open_address(rows, conf->listen.items[i], n_workers);
        for (unsigned i = 0; e == OK && i < conf->tls_listen.n; i++)
                e = open_address(rows, conf->tls_listen.items[i], n_workers);
        return e;
}

void listener_rows_close_unconfigured(struct listener_rows *rows, const struct conf *conf)
{
        unsigned kept = 0;

        for (unsigned i = 0; i < rows->n; i++) {
                struct listener *l = &rows->items[i];

                if (is_in(&conf->listen, l->address) || is_in(&conf->tls_listen, l->address)) {
                        rows->items[kept++] = *l;
                        continue;
                }
                close(l->fd);
                free(l->address);
        }
        rows->n = kept;
}
