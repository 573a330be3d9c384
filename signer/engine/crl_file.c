/* crl_file: pieces through one small buffer, and back through a map. */
#include "signer/engine/crl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BUFFER_OCTETS 65536

static enum err write_all(int fd, struct bytes b)
{
        while (b.len > 0) {
                ssize_t n = write(fd, b.data, b.len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_from_errno(errno);
                b.data += n;
                b.len -= (size_t)n;
        }
        return OK;
}

static enum err flush(int fd, struct builder *b, size_t above)
{
        enum err e;

        if (builder_failed(b))
                return ERR_NOMEM;
        if (b->len <= above)
                return OK;
        e = write_all(fd, builder_bytes(b));
        builder_reset(b);
        return e;
}

static enum err measure(struct crl_walk *walk, size_t *ret_len, uint32_t *ret_n)
{
        struct crl_entry entry;
        size_t len = 0;
        uint32_t n = 0;
        enum err e;

        while ((e = crl_walk_next(walk, &entry)) == OK) {
                len += crl_entry_len(&entry);
                n++;
        }
        if (e != ERR_NOT_FOUND)
                return e;
        *ret_len = len;
        *ret_n = n;
        return OK;
}

static enum err put_entries(int fd, struct builder *b, struct crl_walk *walk)
{
        struct crl_entry entry;
        enum err e;

        while ((e = crl_walk_next(walk, &entry)) == OK) {
                crl_put_entry(b, &entry);
                e = flush(fd, b, BUFFER_OCTETS);
                if (e != OK)
                        return e;
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

enum err crl_file_write_tbs(const char *folder, const struct crl_params *params, struct crl_walk *walk, int *ret_fd,
        uint64_t *ret_len, uint32_t *ret_n_entries)
{
        _cleanup_(builder_done) struct builder b = {0};
        _cleanup_close_
        int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        size_t entries_len;
        uint32_t n;
        off_t end;
        enum err e;

        if (fd < 0)
                return err_from_errno(errno);
        e = measure(walk, &entries_len, &n);
        if (e != OK)
                return e;
        crl_walk_rewind(walk);
        crl_put_tbs_head(&b, params, entries_len);
        e = put_entries(fd, &b, walk);
        if (e != OK)
                return e;
        crl_put_tbs_tail(&b, params);
        e = flush(fd, &b, 0);
        if (e != OK)
                return e;
        end = lseek(fd, 0, SEEK_CUR);
        if (end < 0 || lseek(fd, 0, SEEK_SET) != 0)
                return ERR_IO;
        *ret_fd = steal_fd(&fd);
        *ret_len = (uint64_t)end;
        *ret_n_entries = n;
        return OK;
}

static enum err copy_tbs(int to, int from, uint64_t len)
{
        uint8_t buffer[BUFFER_OCTETS];
        uint64_t at = 0;

        while (at < len) {
                size_t wanted = len - at < sizeof(buffer) ? (size_t)(len - at) : sizeof(buffer);
                ssize_t n = pread(from, buffer, wanted, (off_t)at);
                enum err e;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return ERR_IO;
                e = write_all(to, bytes_make(buffer, (size_t)n));
                if (e != OK)
                        return e;
                at += (uint64_t)n;
        }
        return OK;
}

/* What was written is read back: its signature must verify with the CA's key before anyone sees it. */
static enum err verify(int fd, size_t size, size_t tbs_at, size_t tbs_len, enum sig_alg alg, struct bytes raw,
        struct bytes spki, uint8_t *ret_sha256)
{
        uint8_t digest[HASH_LEN_MAX];
        uint8_t *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        enum err e;

        if (map == MAP_FAILED)
                return err_from_errno(errno);
        e = sig_verify(alg, spki, bytes_make(map + tbs_at, tbs_len), raw);
        if (e == OK)
                e = hash_digest(HASH_SHA256, bytes_make(map, size), digest);
        munmap(map, size);
        if (e == OK)
                memcpy(ret_sha256, digest, 32);
        return e;
}

static enum err sync_folder(const char *folder)
{
        _cleanup_close_
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd >= 0 && fsync(fd) == 0 ? OK : err_from_errno(errno);
}

static enum err write_whole(
        int fd, int tbs_fd, uint64_t tbs_len, enum sig_alg alg, struct bytes raw, size_t *ret_tbs_at, uint64_t *ret_size)
{
        _cleanup_(builder_done) struct builder b = {0};
        size_t head;
        enum err e;

        crl_put_head(&b, (size_t)tbs_len, alg, raw);
        head = b.len;
        e = flush(fd, &b, 0);
        if (e == OK)
                e = copy_tbs(fd, tbs_fd, tbs_len);
        if (e != OK)
                return e;
        crl_put_tail(&b, alg, raw);
        *ret_size = head + tbs_len + b.len;
        *ret_tbs_at = head;
        return flush(fd, &b, 0);
}

enum err crl_file_publish(const char *folder, const char *name, int tbs_fd, uint64_t tbs_len, enum sig_alg alg,
        struct bytes raw, struct bytes spki, uint64_t *ret_size, uint8_t ret_sha256[32])
{
        char temporary[4096], path[4096];
        _cleanup_close_
        int fd = -1;
        uint8_t digest[32];
        uint64_t size;
        size_t tbs_at;
        enum err e;

        snprintf(temporary, sizeof(temporary), "%s/.%s.new", folder, name);
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_from_errno(errno);
        e = write_whole(fd, tbs_fd, tbs_len, alg, raw, &tbs_at, &size);
        if (e == OK)
                e = verify(fd, (size_t)size, tbs_at, (size_t)tbs_len, alg, raw, spki, digest);
        if (e == OK && (fsync(fd) != 0 || rename(temporary, path) != 0))
                e = err_from_errno(errno);
        if (e == OK)
                e = sync_folder(folder);
        if (e != OK) {
                unlink(temporary);
                return e;
        }
        *ret_size = size;
        memcpy(ret_sha256, digest, 32);
        return OK;
}
