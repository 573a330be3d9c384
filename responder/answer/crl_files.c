#include "responder/answer/crl_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

#define N_SLOTS 64

struct crl_files {
        const char *folder;
        int folder_fd; /* -1: not opened yet */
        int64_t n_uses;
        struct crl_file *slots[N_SLOTS];
};

struct crl_files *crl_files_new(const char *folder)
{
        struct crl_files *files = calloc(1, sizeof *files);

        if (files) {
                files->folder = folder;
                files->folder_fd = -1;
        }
        return files;
}

void crl_files_clear(struct crl_files *files)
{
        for (size_t i = 0; i < N_SLOTS; i++) {
                crl_file_release(files->slots[i]);
                files->slots[i] = NULL;
        }
        cleanup_close(&files->folder_fd);
        files->folder_fd = -1;
}

void crl_files_free(struct crl_files *files)
{
        if (!files)
                return;
        crl_files_clear(files);
        free(files);
}

struct crl_file *crl_file_hold(struct crl_file *file)
{
        file->n_users++;
        return file;
}

void crl_file_release(struct crl_file *file)
{
        if (!file || --file->n_users > 0)
                return;
        close(file->fd);
        free(file);
}

static bool is_for(const struct crl_file *file, uint32_t ca_key, uint16_t shard, bool is_delta)
{
        return file && file->ca_key == ca_key && file->shard == shard && file->is_delta == is_delta;
}

static bool is_same(const struct crl_file *file, const struct crl_row *row)
{
        return file->number == row->number && file->size == row->size && memcmp(file->digest, row->digest, 32) == 0;
}

/* The slot that holds that CRL, else an empty one, else the least recently used. */
static size_t find_slot(const struct crl_files *files, uint32_t ca_key, uint16_t shard, bool is_delta)
{
        size_t best = 0;

        for (size_t i = 0; i < N_SLOTS; i++)
                if (is_for(files->slots[i], ca_key, shard, is_delta))
                        return i;
        for (size_t i = 0; i < N_SLOTS; i++) {
                if (!files->slots[i])
                        return i;
                if (files->slots[i]->used_at < files->slots[best]->used_at)
                        best = i;
        }
        return best;
}

static enum err copy_name(struct bytes name, char *ret_text, size_t cap)
{
        if (name.len == 0 || name.len >= cap || memchr(name.data, 0, name.len))
                return ERR_CORRUPT;
        memcpy(ret_text, name.data, name.len);
        ret_text[name.len] = 0;
        return OK;
}

/* The store names the file, `issuer/number.crl`; whatever it says, nothing outside the folder and nothing behind a link is opened. */
static int open_beneath(int folder_fd, const char *name)
{
        struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

        return (int)syscall(SYS_openat2, folder_fd, name, &how, sizeof how);
}

static enum err open_below(struct crl_files *files, struct bytes name, uint64_t size, int *ret_fd)
{
        _cleanup_close_ int fd = -1;
        char text[256];
        struct stat st;
        enum err e = copy_name(name, text, sizeof text);

        if (e != OK)
                return e;
        if (files->folder_fd < 0)
                files->folder_fd = open(files->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (files->folder_fd < 0)
                return err_from_errno(errno);
        fd = open_beneath(files->folder_fd, text);
        if (fd < 0 || fstat(fd, &st) != 0)
                return err_from_errno(errno);
        if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
                return ERR_CORRUPT;
        *ret_fd = steal_fd(&fd);
        return OK;
}

static enum err file_new(struct crl_files *files, uint32_t ca_key, uint16_t shard, const struct crl_row *row, struct crl_file **ret_file)
{
        _cleanup_close_ int fd = -1;
        struct crl_file *file;
        enum err e = open_below(files, row->file, row->size, &fd);

        if (e != OK)
                return e;
        file = calloc(1, sizeof *file);
        if (!file)
                return ERR_NOMEM;
        *file = (struct crl_file){.fd = steal_fd(&fd), .size = row->size, .n_users = 1, .ca_key = ca_key, .shard = shard,
                .is_delta = row->is_delta, .number = row->number, .previous_s = -1};
        memcpy(file->digest, row->digest, sizeof file->digest);
        *ret_file = file;
        return OK;
}

enum err crl_files_get(struct crl_files *files, uint32_t ca_key, uint16_t shard, const struct crl_row *row, struct crl_file **ret_file)
{
        size_t slot = find_slot(files, ca_key, shard, row->is_delta);
        struct crl_file *file = files->slots[slot];

        if (!is_for(file, ca_key, shard, row->is_delta) || !is_same(file, row)) {
                enum err e = file_new(files, ca_key, shard, row, &file);

                if (e != OK)
                        return e;
                crl_file_release(files->slots[slot]);
                files->slots[slot] = file;
        }
        file->used_at = ++files->n_uses;
        *ret_file = file;
        return OK;
}
