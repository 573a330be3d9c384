/* The text, a line each:
 *
 *   tocsin-handover VERSION PID      the process that may read it
 *   listen FD ROW ADDRESS
 *   admin FD ADDRESS
 *   serving PID
 *   draining COUNT
 */
#include "responder/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "responder/listener.h"

#define VERSION 1
#define LINE_MAX_LEN 256

static void cleanup_stream(FILE **file)
{
        if (*file)
                fclose(*file);
}

/* ---- leaving ---- */

static bool set_inherited(int fd, bool inherited)
{
        return fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC) == 0;
}

static bool set_all_inherited(const struct handover *h, bool inherited)
{
        bool ok = h->admin.fd < 0 || set_inherited(h->admin.fd, inherited);

        for (unsigned i = 0; i < h->rows.n; i++)
                ok &= set_inherited(h->rows.items[i].fd, inherited);
        return ok;
}

static void write_state(FILE *file, const struct handover *h)
{
        fprintf(file, "tocsin-handover %d %d\n", VERSION, (int)getpid());
        for (unsigned i = 0; i < h->rows.n; i++)
                fprintf(file, "listen %d %u %s\n", h->rows.items[i].fd, h->rows.items[i].row, h->rows.items[i].address);
        if (h->admin.fd >= 0)
                fprintf(file, "admin %d %s\n", h->admin.fd, h->admin.address);
        for (unsigned i = 0; i < h->n_serving; i++)
                fprintf(file, "serving %d\n", (int)h->serving[i]);
        fprintf(file, "draining %u\n", h->n_draining);
}

static enum err save(const struct handover *h, int *ret_fd)
{
        _cleanup_close_ int fd = memfd_create("tocsin-handover", MFD_CLOEXEC);
        _cleanup_(cleanup_stream) FILE *file = fd >= 0 ? fdopen(dup(fd), "w") : NULL;

        if (!file)
                return ERR_NOMEM;
        write_state(file, h);
        if (fflush(file) != 0 || ferror(file))
                return ERR_IO;
        *ret_fd = steal_fd(&fd);
        return OK;
}

enum err handover_exec(const struct handover *h, const char *program, const char *config)
{
        char *const arguments[] = {(char *)program, (char *)"--config", (char *)config, NULL};
        _cleanup_close_ int fd = -1;
        char text[16];
        int errnum;
        enum err e = save(h, &fd);

        if (e != OK)
                return e;
        snprintf(text, sizeof text, "%d", fd);
        if (!set_all_inherited(h, true) || !set_inherited(fd, true) || setenv(HANDOVER_VARIABLE, text, 1) != 0)
                errnum = errno;
        else {
                execv(program, arguments);
                errnum = errno;
        }
        unsetenv(HANDOVER_VARIABLE);
        (void)set_all_inherited(h, false);
        return err_from_errno(errnum);
}

/* ---- arriving ---- */

/* A stream socket that is ours to keep, or the text lies. */
static bool adopt(int fd)
{
        int type = 0;
        socklen_t len = sizeof type;

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM && set_inherited(fd, false);
}

static bool take_serving(struct handover *h, int pid)
{
        if (pid <= 0 || h->n_serving == HANDOVER_PIDS_MAX)
                return false;
        h->serving[h->n_serving++] = pid;
        return true;
}

static bool take_line(struct handover *h, const char *line)
{
        char address[LISTENER_TEXT_MAX + 16];
        unsigned row;
        int number;

        if (sscanf(line, "listen %d %u %79s", &number, &row, address) == 3)
                return adopt(number) && listener_rows_add(&h->rows, address, row, number) == OK;
        if (sscanf(line, "admin %d %79s", &number, address) == 2 && h->admin.fd < 0) {
                h->admin = (struct listener){.address = strdup(address), .fd = number};
                return adopt(number) && h->admin.address;
        }
        if (sscanf(line, "serving %d", &number) == 1)
                return take_serving(h, number);
        return sscanf(line, "draining %u", &h->n_draining) == 1;
}

static enum err take_state(FILE *file, struct handover *h)
{
        char line[LINE_MAX_LEN];
        int version, pid;

        if (!fgets(line, sizeof line, file) || sscanf(line, "tocsin-handover %d %d", &version, &pid) != 2 || version != VERSION ||
                pid != (int)getpid())
                return ERR_INVALID;
        while (fgets(line, sizeof line, file))
                if (!take_line(h, line))
                        return ERR_INVALID;
        return OK;
}

enum err handover_take(struct handover *ret_state)
{
        const char *text = getenv(HANDOVER_VARIABLE);
        _cleanup_(cleanup_stream) FILE *file = text ? fdopen(atoi(text), "r") : NULL;

        *ret_state = (struct handover){.admin.fd = -1};
        unsetenv(HANDOVER_VARIABLE);
        if (!text)
                return ERR_NOT_FOUND;
        if (!file)
                return ERR_INVALID;
        rewind(file);
        return take_state(file, ret_state);
}
