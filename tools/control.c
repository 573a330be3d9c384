/* control: the client's half. One question out, interim packets to the callbacks, one final packet back. */
#include "tools/control.h"

#include <errno.h>
#include <poll.h>

#include "base/cleanup.h"
#include "base/msg.h"

static enum err wait_for(int socket, short events, int timeout_ms)
{
        struct pollfd p = {.fd = socket, .events = events};
        int n;

        do
                n = poll(&p, 1, timeout_ms > 0 ? timeout_ms : -1);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_from_errno(errno);
        return n == 0 ? ERR_TIMEOUT : OK;
}

static enum err send_question(int socket, const struct control_ask *ask)
{
        _cleanup_free_
        char *text = json_dumps(ask->question, JSON_COMPACT);
        enum err e;

        if (!text)
                return ERR_NOMEM;
        if (strlen(text) > CONTROL_PACKET_MAX)
                return ERR_RANGE;
        while ((e = msg_send(socket, bytes_str(text), ask->fd)) == ERR_AGAIN) {
                e = wait_for(socket, POLLOUT, ask->timeout_ms);
                if (e != OK)
                        return e;
        }
        return e;
}

static enum err receive_packet(int socket, const struct control_ask *ask, char *memory, json_t **ret_object)
{
        json_t *object;
        size_t len;
        enum err e;

        while ((e = msg_receive(socket, memory, CONTROL_PACKET_MAX, &len, NULL)) == ERR_AGAIN) {
                e = wait_for(socket, POLLIN, ask->timeout_ms);
                if (e != OK)
                        return e;
        }
        if (e != OK)
                return e;
        object = json_loadb(memory, len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(object)) {
                json_decref(object);
                return ERR_INVALID;
        }
        *ret_object = object;
        return OK;
}

static void tell_progress(const struct control_ask *ask, const json_t *p)
{
        const char *phase = json_string_value(json_object_get(p, "phase"));
        json_int_t done = json_integer_value(json_object_get(p, "done"));
        json_int_t total = json_integer_value(json_object_get(p, "total"));

        if (ask->on_progress && phase && done >= 0 && total >= 0)
                ask->on_progress(ask->user, phase, (uint64_t)done, (uint64_t)total);
}

static void tell_rejects(const struct control_ask *ask, const json_t *rejects)
{
        size_t i;
        json_t *r;

        json_array_foreach(rejects, i, r)
        {
                const char *serial = json_string_value(json_object_get(r, "serial"));
                const char *why = json_string_value(json_object_get(r, "why"));

                if (ask->on_reject)
                        ask->on_reject(ask->user, (uint32_t)json_integer_value(json_object_get(r, "line")),
                                serial ? serial : "", why ? why : "refused by the engine");
        }
}

enum err control_ask_on(int socket, const struct control_ask *ask, json_t **ret_final)
{
        _cleanup_free_
        char *memory = malloc(CONTROL_PACKET_MAX);
        enum err e = memory ? send_question(socket, ask) : ERR_NOMEM;

        while (e == OK) {
                _cleanup_json_ json_t *object = NULL;

                e = receive_packet(socket, ask, memory, &object);
                if (e != OK)
                        return e;
                if (json_is_boolean(json_object_get(object, "ok"))) {
                        *ret_final = steal(&object);
                        return OK;
                }
                tell_progress(ask, json_object_get(object, "progress"));
                tell_rejects(ask, json_object_get(object, "rejects"));
        }
        return e;
}

enum err control_ask(const char *socket_path, const struct control_ask *ask, json_t **ret_final)
{
        _cleanup_close_
        int socket = -1;
        enum err e = msg_connect(socket_path, &socket);

        return e == OK ? control_ask_on(socket, ask, ret_final) : e;
}
