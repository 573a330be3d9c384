/* intake: files, directories and standard input. Regular files are mapped, so that a list of ten million lines is not
 * copied. */
#include "tools/intake.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "tools/lines.h"
#include "tools/reader.h"

#define DEPTH_MAX 16
#define PATH_LEN 4096

void intake_done(struct intake *in)
{
        ca_done(&in->ca);
        rows_done(&in->rows);
        rejects_done(&in->rejects);
        sources_done(&in->sources);
        builder_done(&in->unused);
}

void intake_reject(struct intake *in, uint64_t line, struct bytes serial_text, const char *format, ...)
{
        char why[256], serial[64];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(why, sizeof(why), format, arguments);
        va_end(arguments);
        snprintf(serial, sizeof(serial), "%.*s", (int)(serial_text.len < 60 ? serial_text.len : 60),
                serial_text.data ? (const char *)serial_text.data : "");
        rejects_add(&in->rejects, sources_number(&in->sources, line), serial, "%s", why);
}

void intake_unused(struct intake *in, struct bytes column)
{
        struct bytes seen = builder_bytes(&in->unused);

        if (column.len == 0 || seen.len > 256 || (seen.len && memmem(seen.data, seen.len, column.data, column.len)))
                return;
        builder_put_str(&in->unused, seen.len ? ", " : "");
        builder_put(&in->unused, column);
}

void intake_progress(struct intake *in, uint64_t done, uint64_t total)
{
        progress_set(&in->progress, "reading (bytes)", done, total);
}

void intake_lines(struct intake *in, struct bytes content, void (*read_line)(struct intake *in, struct bytes line, uint64_t number))
{
        struct lines lines;
        struct bytes line;

        lines_init(&lines, content);
        while (lines_next(&lines, &line)) {
                if (lines_is_time(&lines))
                        intake_progress(in, lines.total - lines.rest.len, lines.total);
                if (!lines_is_blank(line))
                        read_line(in, line, lines.number);
        }
}

static enum err refuse(char *ret_why, enum err e, const char *name, const char *why)
{
        snprintf(ret_why, INTAKE_WHY_MAX, "%.200s: %.300s", name, why);
        return e;
}

static enum err read_content(
        struct intake *in, const struct reader *reader, const char *name, struct bytes content, char *ret_why)
{
        char why[INTAKE_WHY_MAX] = "";
        enum err e = sources_add(&in->sources, name);

        if (e == OK)
                e = reader->read(in, content, why);
        if (e == OK)
                e = in->rows.err;
        return e == OK ? OK : refuse(ret_why, e, name, why[0] ? why : err_text(e));
}

static bool is_utf16(struct bytes content)
{
        return content.len >= 2 && ((content.data[0] == 0xff && content.data[1] == 0xfe) ||
                                           (content.data[0] == 0xfe && content.data[1] == 0xff));
}

enum err intake_content(struct intake *in, const char *name, struct bytes content, char *ret_why)
{
        const struct reader *reader = in->reader ? in->reader : reader_recognize(content);

        if (is_utf16(content))
                return refuse(ret_why, ERR_INVALID, name, "it is UTF-16; save it as UTF-8");
        if (!reader)
                return refuse(ret_why, ERR_INVALID, name, "its format is not recognized; name it with --format");
        if (in->kind == ROWFILE_REVOKE && !reader->revokes)
                return refuse(ret_why, ERR_INVALID, name,
                        "it is no revocation list: serials on lines, CSV, NDJSON, or certificates (an index.txt or a CRL is "
                        "imported)");
        return read_content(in, reader, name, content, ret_why);
}

struct mapping {
        struct bytes bytes;
        void *memory; /* of mmap, or NULL */
        struct builder copy;
};

static void mapping_done(struct mapping *m)
{
        if (m->memory)
                munmap(m->memory, m->bytes.len);
        builder_done(&m->copy);
}

static enum err read_all(int fd, struct mapping *m)
{
        for (;;) {
                size_t len = m->copy.len;
                uint8_t *at = builder_extend(&m->copy, (size_t)1 << 20);
                ssize_t n;

                if (!at)
                        return ERR_NOMEM;
                do
                        n = read(fd, at, (size_t)1 << 20);
                while (n < 0 && errno == EINTR);
                if (n < 0)
                        return err_from_errno(errno);
                m->copy.len = len + (size_t)n;
                if (n == 0)
                        break;
        }
        m->bytes = builder_bytes(&m->copy);
        return OK;
}

/* A file that shrinks under us ends this command by a signal; nothing has been sent by then. */
static enum err map_file(int fd, size_t size, struct mapping *m)
{
        void *memory = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;

        if (memory == MAP_FAILED)
                return err_from_errno(errno);
        m->memory = memory;
        m->bytes = bytes_make(memory, size);
        return OK;
}

static enum err open_file(const char *path, struct mapping *m)
{
        _cleanup_close_
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) != 0)
                return err_from_errno(errno);
        return S_ISREG(st.st_mode) ? map_file(fd, (size_t)st.st_size, m) : read_all(fd, m);
}

static enum err read_file(struct intake *in, const char *path, bool in_directory, char *ret_why)
{
        _cleanup_(mapping_done) struct mapping m = {0};
        enum err e = open_file(path, &m);
        const struct reader *reader;

        if (e != OK)
                return refuse(ret_why, e, path, errno ? strerror(errno) : err_text(e));
        if (!in_directory)
                return intake_content(in, path, m.bytes, ret_why);
        reader = m.bytes.len ? reader_recognize(m.bytes) : NULL;
        if (!reader || !reader->in_directories) {
                in->n_skipped++;
                return OK;
        }
        return read_content(in, reader, path, m.bytes, ret_why);
}

static int no_dots(const struct dirent *entry)
{
        return entry->d_name[0] != '.';
}

static enum err read_directory(struct intake *in, const char *path, unsigned depth, char *ret_why);

/* One file that cannot be read is a reject, so that all of them are seen at once. */
static enum err read_entry(struct intake *in, const char *path, unsigned depth, char *ret_why)
{
        struct stat st;
        enum err e;

        if (stat(path, &st) != 0)
                return refuse(ret_why, err_from_errno(errno), path, strerror(errno));
        if (S_ISDIR(st.st_mode))
                return read_directory(in, path, depth + 1, ret_why);
        if (!S_ISREG(st.st_mode)) {
                in->n_skipped++;
                return OK;
        }
        e = read_file(in, path, true, ret_why);
        if (e == OK || e == ERR_NOMEM)
                return e;
        rejects_add(&in->rejects, 0, "", "%s", ret_why);
        return OK;
}

static enum err read_directory(struct intake *in, const char *path, unsigned depth, char *ret_why)
{
        struct dirent **entries = NULL;
        int n = scandir(path, &entries, no_dots, alphasort);
        enum err e = n < 0 ? refuse(ret_why, err_from_errno(errno), path, strerror(errno)) : OK;

        if (e == OK && depth > DEPTH_MAX)
                e = refuse(ret_why, ERR_RANGE, path, "too deep a tree of directories");
        for (int i = 0; i < n; i++) {
                char child[PATH_LEN];
                int len = snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);

                if (e == OK)
                        e = (size_t)len < sizeof(child) ? read_entry(in, child, depth, ret_why) : ERR_RANGE;
                intake_progress(in, (uint64_t)i, (uint64_t)n);
                free(entries[i]);
        }
        free(entries);
        return e;
}

static enum err read_stdin(struct intake *in, char *ret_why)
{
        _cleanup_(mapping_done) struct mapping m = {0};
        enum err e = read_all(STDIN_FILENO, &m);

        return e == OK ? intake_content(in, "-", m.bytes, ret_why) : refuse(ret_why, e, "standard input", err_text(e));
}

enum err intake_path(struct intake *in, const char *path, char *ret_why)
{
        struct stat st;

        if (strcmp(path, "-") == 0)
                return read_stdin(in, ret_why);
        if (stat(path, &st) != 0)
                return refuse(ret_why, err_from_errno(errno), path, strerror(errno));
        return S_ISDIR(st.st_mode) ? read_directory(in, path, 0, ret_why) : read_file(in, path, false, ret_why);
}
