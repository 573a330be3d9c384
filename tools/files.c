/* files: see files.h. */
#include "tools/files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PATH_LEN 4096
#define FILE_LEN_MAX ((size_t)1 << 20)

static enum err write_all(int fd, struct bytes content)
{
        struct bytes done;

        while (content.len > 0) {
                ssize_t n = write(fd, content.data, content.len);

                if (n < 0 && errno != EINTR)
                        return err_from_errno(errno);
                if (n > 0 && bytes_take(&content, (size_t)n, &done) != OK)
                        return ERR_IO;
        }
        return OK;
}

enum err files_write(const char *path, struct bytes content, unsigned mode)
{
        _cleanup_close_
        int fd = -1;
        char temporary[PATH_LEN];
        enum err e;

        if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary))
                return ERR_RANGE;
        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
                return err_from_errno(errno);
        e = write_all(fd, content);
        if (e == OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0 || rename(temporary, path) != 0))
                e = err_from_errno(errno);
        if (e != OK)
                unlink(temporary);
        return e;
}

enum err files_read(const char *path, struct builder *ret_content)
{
        _cleanup_close_
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = 1;

        if (fd < 0)
                return err_from_errno(errno);
        while (n > 0 && ret_content->len <= FILE_LEN_MAX) {
                uint8_t piece[4096];

                n = read(fd, piece, sizeof(piece));
                if (n < 0 && errno != EINTR)
                        return err_from_errno(errno);
                if (n > 0)
                        builder_put(ret_content, bytes_make(piece, (size_t)n));
        }
        if (builder_failed(ret_content))
                return ERR_NOMEM;
        return ret_content->len > FILE_LEN_MAX ? ERR_RANGE : OK;
}

enum err files_make_folder(const char *path, unsigned mode)
{
        struct stat st;

        if (mkdir(path, mode) == 0)
                return OK;
        if (errno != EEXIST)
                return err_from_errno(errno);
        return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? OK : ERR_EXISTS;
}

void files_remove_folder(const char *path)
{
        DIR *folder = opendir(path);
        struct dirent *entry;

        while (folder && (entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        unlinkat(dirfd(folder), entry->d_name, 0);
        if (folder)
                closedir(folder);
        rmdir(path);
}

bool files_is_setting(const char *text)
{
        size_t len = strcspn(text, "=");

        if (len == 0 || text[len] != '=')
                return false;
        for (size_t i = 0; i < len; i++)
                if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '.')
                        return false;
        return true;
}

/* RFC 7468: 64 characters a line. */
void files_put_pem(struct builder *b, const char *label, struct bytes der)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        builder_printf(b, "-----BEGIN %s-----\n", label);
        for (size_t i = 0; i < der.len; i += 3) {
                size_t left = der.len - i;
                uint32_t v = (uint32_t)der.data[i] << 16 | (left > 1 ? (uint32_t)der.data[i + 1] << 8 : 0) |
                             (left > 2 ? der.data[i + 2] : 0u);

                builder_put_u8(b, (uint8_t)digits[v >> 18]);
                builder_put_u8(b, (uint8_t)digits[v >> 12 & 63]);
                builder_put_u8(b, left > 1 ? (uint8_t)digits[v >> 6 & 63] : '=');
                builder_put_u8(b, left > 2 ? (uint8_t)digits[v & 63] : '=');
                if (i % 48 == 45 || left <= 3)
                        builder_put_str(b, "\n");
        }
        builder_printf(b, "-----END %s-----\n", label);
}
