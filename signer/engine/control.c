/* control: clients come, ask, are answered, and go. */
#include "signer/engine/control.h"

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/msg.h"
#include "signer/engine/engine.h"

/* A client that does not read while this much waits for it is dropped. */
#define OUT_MAX (8u << 20)
#define CLIENTS_MAX 64

struct client *client_ref(struct client *c)
{
        c->n_refs++;
        return c;
}

void client_unref(struct client *c)
{
        if (--c->n_refs > 0)
                return;
        outbox_done(&c->out);
        free(c);
}

static void unlink_client(struct control *control, struct client *c)
{
        for (struct client **at = &control->clients; *at; at = &(*at)->next)
                if (*at == c) {
                        *at = c->next;
                        return;
                }
}

/* The socket goes now; the struct when the last operation lets go of it. */
static void client_close(struct client *c)
{
        if (c->gone)
                return;
        c->gone = true;
        event_free(c->readable);
        event_free(c->writable);
        close(c->fd);
        outbox_done(&c->out);
        unlink_client(&c->engine->control, c);
        client_unref(c);
}

/* What came of sending: the rest goes when the socket takes more. */
static void note_sent(struct client *c, enum err e)
{
        if (e == ERR_AGAIN)
                event_add(c->writable, NULL);
        else if (e != OK)
                client_close(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
        struct client *c = arg;

        (void)fd, (void)what;
        note_sent(c, outbox_flush(&c->out, c->fd));
}

void client_send(struct client *c, json_t *object, bool may_drop)
{
        _cleanup_free_
        char *text = NULL;

        if (c->gone || (may_drop && !outbox_is_empty(&c->out))) {
                json_decref(object);
                return;
        }
        text = json_dumps(object, JSON_COMPACT);
        json_decref(object);
        if (!text || strlen(text) > CONTROL_PACKET_MAX || c->out.len + strlen(text) > OUT_MAX)
                client_close(c);
        else
                note_sent(c, outbox_send(&c->out, c->fd, bytes_str(text)));
}

void client_progress(struct client *c, const char *phase, uint64_t done, uint64_t total)
{
        client_send(c,
                json_pack("{s:{s:s,s:I,s:I}}", "progress", "phase", phase, "done", (json_int_t)done, "total",
                        (json_int_t)total),
                true);
}

static bool fits(json_t *object)
{
        return json_dumpb(object, NULL, 0, JSON_COMPACT) <= CONTROL_PACKET_MAX - 64;
}

/* An answer that is too long for a packet loses the end of its longest list and says so. */
static void shorten(json_t *object)
{
        while (!fits(object)) {
                json_t *longest = NULL, *value;
                const char *key;

                json_object_foreach(object, key,
                        value) if (json_is_array(value) && json_array_size(value) > json_array_size(longest)) longest =
                        value;
                if (!longest)
                        return;
                for (size_t n = json_array_size(longest) / 4 + 1; n > 0; n--)
                        json_array_remove(longest, json_array_size(longest) - 1);
                json_object_set_new(object, "truncated", json_true());
        }
}

void client_finish(struct client *c, json_t *object)
{
        if (!object) {
                client_fail(c, ERR_NOMEM, NULL, "the answer could not be put together");
                return;
        }
        json_object_set_new(object, "ok", json_true());
        shorten(object);
        c->busy = false;
        client_send(c, object, false);
}

void client_fail(struct client *c, enum err code, const char *hint, const char *format, ...)
{
        char text[1024];
        va_list args;
        json_t *object;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        object = json_pack("{s:b,s:o,s:s}", "ok", 0, "error", json_text(text, strlen(text)), "code", control_code(code));
        if (object && hint)
                json_object_set_new(object, "hint", json_string(hint));
        c->busy = false;
        if (object)
                client_send(c, object, false);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        static char text[CONTROL_PACKET_MAX];
        struct client *c = arg;
        size_t len;
        int passed;
        enum err e = msg_receive(fd, text, sizeof(text), &len, &passed);

        (void)what;
        if (e == ERR_AGAIN)
                return;
        if (e != OK) {
                client_close(c);
                return;
        }
        client_ref(c);
        if (c->busy) {
                if (passed >= 0)
                        close(passed);
                log_warning("control client asked while its last question was open: dropped actor=\"%s\"", c->actor);
                client_close(c);
        } else {
                c->busy = true;
                control_dispatch(c, text, len, passed);
        }
        client_unref(c);
}

/* Who it is, as the kernel says. */
static void name_actor(struct client *c)
{
        struct ucred peer = {.uid = (uid_t)-1};
        socklen_t len = sizeof(peer);
        struct passwd *user;

        if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
                snprintf(c->actor, sizeof(c->actor), "unknown");
                return;
        }
        user = getpwuid(peer.uid);
        snprintf(c->actor, sizeof(c->actor), user ? "uid:%u (%.64s)" : "uid:%u", (unsigned)peer.uid,
                user ? user->pw_name : "");
}

static unsigned count_clients(const struct control *control)
{
        unsigned n = 0;

        for (const struct client *c = control->clients; c; c = c->next)
                n++;
        return n;
}

static void add_client(struct engine *e, int fd)
{
        struct client *c = count_clients(&e->control) < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;

        if (!c) {
                close(fd);
                return;
        }
        c->engine = e;
        c->fd = fd;
        c->n_refs = 1;
        name_actor(c);
        c->readable = event_new(e->base, fd, EV_READ | EV_PERSIST, on_readable, c);
        c->writable = event_new(e->base, fd, EV_WRITE, on_writable, c);
        c->next = e->control.clients;
        e->control.clients = c;
        if (!c->readable || !c->writable || event_add(c->readable, NULL) != 0)
                client_close(c);
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        (void)what;
        if (fd >= 0)
                add_client(arg, fd);
}

/* The group gets the file before the mode lets it in. */
static enum err let_group_in(const char *path, const char *group)
{
        struct group *g;

        if (group[0] == '\0')
                return OK;
        g = getgrnam(group);
        if (!g) {
                log_error("no such group: control.group=%s", group);
                return ERR_NOT_FOUND;
        }
        if (chown(path, (uid_t)-1, g->gr_gid) != 0 || chmod(path, 0660) != 0) {
                log_error("the control socket cannot be given to its group: is the engine's user a member? group=%s", group);
                return err_from_errno(errno);
        }
        return OK;
}

enum err control_start(struct engine *e)
{
        struct control *control = &e->control;
        const char *path = e->conf->control_socket;
        enum err err;

        control->fd = -1;
        err = msg_listen(path, 0600, &control->fd);
        if (err == OK)
                err = let_group_in(path, e->conf->control_group);
        if (err != OK) {
                log_error("the control socket cannot be opened path=%s error=\"%s\"", path, err_text(err));
                return err;
        }
        control->path = strdup(path);
        control->listener = event_new(e->base, control->fd, EV_READ | EV_PERSIST, on_connection, e);
        return control->path && control->listener && event_add(control->listener, NULL) == 0 ? OK : ERR_NOMEM;
}

void control_stop(struct engine *e)
{
        struct control *control = &e->control;

        if (!control->listener)
                return;
        event_free(control->listener);
        control->listener = NULL;
        close(control->fd);
        unlink(control->path);
        free(control->path);
        while (control->clients)
                client_close(control->clients);
}
