/* rows: sorting and merging.
 *
 * Sorting moves small keys (eight octets of serial and an index) and looks at whole serials only where those are equal; the
 * order is bytes_compare's, which the rowfile demands.
 */
#include "tools/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "pki/certinfo.h"
#include "pki/serial.h"

#define INFO_UNIT 4
#define MEMORY_MAX ((size_t)256 << 20)
#define FILE_BUFFER ((size_t)1 << 20)
#define PLACE_MAX 512

struct key {
        uint64_t prefix;
        uint32_t index;
};

void rows_done(struct rows *r)
{
        free(r->items);
        builder_done(&r->infos);
        *r = (struct rows){0};
}

static enum err grow(struct rows *r)
{
        size_t cap = r->cap ? r->cap + r->cap / 2 : 1024;
        struct row *items;

        if (r->n < r->cap)
                return OK;
        if (r->n >= UINT32_MAX)
                return ERR_RANGE;
        items = realloc(r->items, cap * sizeof(*items));
        if (!items)
                return ERR_NOMEM;
        r->items = items;
        r->cap = cap;
        return OK;
}

/* Returns its place; the bytes are padded so that places count in units. */
static uint32_t put_info(struct rows *r, struct bytes info)
{
        size_t at = r->infos.len / INFO_UNIT;

        if (info.len == 0)
                return 0;
        builder_put(&r->infos, info);
        while (r->infos.len % INFO_UNIT && !builder_failed(&r->infos))
                builder_put_u8(&r->infos, 0);
        if (builder_failed(&r->infos) || at > UINT32_MAX)
                r->err = ERR_NOMEM;
        return (uint32_t)at;
}

static struct bytes info_of(const struct rows *r, const struct row *row)
{
        if (row->info_len == 0)
                return BYTES_NONE;
        return bytes_make(r->infos.data + (size_t)row->info * INFO_UNIT, row->info_len);
}

void rows_add(struct rows *r, const struct rowfile_row *in, unsigned known)
{
        struct row *row;

        if (r->err == OK)
                r->err = grow(r);
        if (r->err != OK)
                return;
        row = &r->items[r->n++];
        *row = (struct row){
                .serial_len = in->serial_len,
                .flags = in->flags,
                .reason = in->reason,
                .known = (uint8_t)known,
                .shard = in->shard,
                .info_len = (uint16_t)in->certinfo.len,
                .line = in->line,
                .not_after = in->not_after,
                .revoked_at = in->revoked_at,
                .invalidity_date = in->invalidity_date,
                .info = put_info(r, in->certinfo),
        };
        memcpy(row->serial, in->serial, in->serial_len);
}

static int compare_serials(const struct row *a, const struct row *b)
{
        return bytes_compare(bytes_make(a->serial, a->serial_len), bytes_make(b->serial, b->serial_len));
}

static int compare_keys(const void *a, const void *b, void *items)
{
        const struct key *x = a, *y = b;
        const struct row *rows = items;
        int c;

        if (x->prefix != y->prefix)
                return x->prefix < y->prefix ? -1 : 1;
        c = compare_serials(&rows[x->index], &rows[y->index]);
        if (c != 0)
                return c;
        return x->index < y->index ? -1 : x->index > y->index;
}

static uint64_t prefix_of(const struct row *row)
{
        uint64_t prefix = 0;

        for (unsigned i = 0; i < 8; i++)
                prefix = prefix << 8 | row->serial[i];
        return prefix;
}

static bool is_sorted(const struct rows *r)
{
        for (size_t i = 1; i < r->n; i++)
                if (compare_serials(&r->items[i - 1], &r->items[i]) >= 0)
                        return false;
        return true;
}

static struct key *make_keys(const struct rows *r)
{
        struct key *keys = malloc(r->n * sizeof(*keys));

        for (size_t i = 0; keys && i < r->n; i++)
                keys[i] = (struct key){prefix_of(&r->items[i]), (uint32_t)i};
        return keys;
}

/* Puts the rows where the keys say, along the cycles of the permutation: no second copy of the list. */
static void permute(struct row *rows, struct key *keys, size_t n)
{
        for (size_t start = 0; start < n; start++) {
                struct row first = rows[start];
                size_t at = start;

                if (keys[start].index == start)
                        continue;
                while (keys[at].index != start) {
                        size_t from = keys[at].index;

                        rows[at] = rows[from];
                        keys[at].index = (uint32_t)at;
                        at = from;
                }
                rows[at] = first;
                keys[at].index = (uint32_t)at;
        }
}

/* ---- merging ---- */

/* A fact that both may know: true when they agree or one does not know it; `a` then knows it. */
static bool merge_number(uint32_t *a, uint32_t b)
{
        if (*a == 0)
                *a = b;
        return b == 0 || *a == b;
}

static bool merge_bytes(struct bytes *a, struct bytes b)
{
        if (a->len == 0)
                *a = b;
        return b.len == 0 || bytes_equal(*a, b);
}

static const char *merge_info(struct rows *r, struct row *a, const struct row *b)
{
        _cleanup_(builder_done) struct builder both = {0};
        struct certinfo x, y;

        if (b->info_len == 0 || bytes_equal(info_of(r, a), info_of(r, b)))
                return NULL;
        if (certinfo_read(info_of(r, a), &x) != OK || certinfo_read(info_of(r, b), &y) != OK)
                return "facts that cannot be read";
        if (!merge_bytes(&x.cert_sha256, y.cert_sha256) || !merge_bytes(&x.precert_sha256, y.precert_sha256))
                return "another certificate with the same serial";
        if (!merge_bytes(&x.subject, y.subject) || !merge_bytes(&x.subscriber, y.subscriber) || !merge_bytes(&x.cdp, y.cdp))
                return "another subject, subscriber or distribution point";
        if (x.not_before == 0)
                x.not_before = y.not_before;
        certinfo_put(&both, &x);
        if (builder_failed(&both) || both.len > CERTINFO_MAX)
                return "more facts than fit";
        a->info = put_info(r, builder_bytes(&both));
        a->info_len = (uint16_t)both.len;
        return NULL;
}

static const char *merge_status(struct row *a, const struct row *b)
{
        uint8_t status = ROWFILE_REVOKED | ROWFILE_HELD;

        if (!(b->known & ROW_STATUS))
                return NULL;
        if (!(a->known & ROW_STATUS)) {
                a->flags |= b->flags & status;
                a->reason = b->reason;
                a->revoked_at = b->revoked_at;
                a->invalidity_date = b->invalidity_date;
                a->known |= ROW_STATUS;
                return NULL;
        }
        if ((a->flags & status) != (b->flags & status))
                return "another status";
        if (a->reason != b->reason)
                return "another reason";
        if (a->revoked_at != b->revoked_at || a->invalidity_date != b->invalidity_date)
                return "another date of revocation or invalidity";
        return NULL;
}

/* Folds `b` into `a`. NULL, or what contradicts. */
static const char *merge(struct rows *r, struct row *a, const struct row *b)
{
        uint32_t shard = a->shard;
        const char *why = merge_status(a, b);

        if (why)
                return why;
        if (!merge_number(&a->not_after, b->not_after))
                return "another notAfter";
        if (!merge_number(&shard, b->shard))
                return "another CRL shard";
        a->shard = (uint16_t)shard;
        if (!(b->flags & ROWFILE_CRL_ONLY)) /* more is known than a CRL tells */
                a->flags &= (uint8_t)~ROWFILE_CRL_ONLY;
        return merge_info(r, a, b);
}

static void reject_pair(
        struct rejects *rejects, const struct sources *sources, const struct row *a, const struct row *b, const char *why)
{
        char serial[SERIAL_TEXT_LEN], place[PLACE_MAX];

        rejects_add(rejects, b->line, serial_to_text(bytes_make(b->serial, b->serial_len), serial), "%s than at %s", why,
                sources_place(sources, a->line, place, sizeof(place)));
}

/* Equal serials stand side by side, in the order of the input. */
static void merge_neighbours(struct rows *r, struct rejects *rejects, const struct sources *sources)
{
        size_t kept = 0;

        for (size_t i = 1; i < r->n; i++) {
                struct row *a = &r->items[kept];
                const char *why;

                if (compare_serials(a, &r->items[i]) != 0) {
                        r->items[++kept] = r->items[i];
                        continue;
                }
                why = merge(r, a, &r->items[i]);
                if (why)
                        reject_pair(rejects, sources, a, &r->items[i], why);
        }
        r->n = r->n ? kept + 1 : 0;
}

enum err rows_sort(struct rows *r, struct rejects *rejects, const struct sources *sources)
{
        _cleanup_free_
        struct key *keys = NULL;

        if (r->err != OK || is_sorted(r))
                return r->err;
        keys = make_keys(r);
        if (!keys)
                return ERR_NOMEM;
        qsort_r(keys, r->n, sizeof(*keys), compare_keys, r->items);
        permute(r->items, keys, r->n);
        merge_neighbours(r, rejects, sources);
        return r->err;
}

/* ---- writing ---- */

static int open_target(size_t size)
{
        const char *folder = getenv("TMPDIR");

        if (size <= MEMORY_MAX)
                return memfd_create("tocsin-rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return open(folder ? folder : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
}

static enum err write_rows(const struct rows *r, enum rowfile_kind kind, FILE *file)
{
        struct rowfile_writer w;

        rowfile_begin(&w, file, kind);
        for (size_t i = 0; i < r->n; i++) {
                const struct row *in = &r->items[i];
                struct rowfile_row row = {
                        .line = in->line,
                        .serial_len = in->serial_len,
                        .flags = in->flags,
                        .not_after = in->not_after,
                        .reason = in->reason,
                        .revoked_at = in->revoked_at,
                        .invalidity_date = in->invalidity_date,
                        .shard = in->shard,
                        .certinfo = info_of(r, in),
                };

                memcpy(row.serial, in->serial, in->serial_len);
                rowfile_put(&w, &row);
        }
        return rowfile_end(&w);
}

/* What the engine reads cannot change under it. A file on disk cannot be sealed; the engine copies it anyway. */
static void seal(int fd)
{
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
                errno = 0;
}

enum err rows_write(const struct rows *r, enum rowfile_kind kind, int *ret_fd)
{
        _cleanup_close_
        int fd = open_target(r->n * (sizeof(struct row) + 1) + r->infos.len);
        int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
        FILE *file = copy >= 0 ? fdopen(copy, "w") : NULL;
        enum err e;

        if (!file) {
                e = err_from_errno(errno);
                if (copy >= 0)
                        close(copy);
                return e;
        }
        setvbuf(file, NULL, _IOFBF, FILE_BUFFER);
        e = write_rows(r, kind, file);
        if (fclose(file) != 0 && e == OK)
                e = err_from_errno(errno);
        if (e != OK)
                return e;
        seal(fd);
        *ret_fd = steal_fd(&fd);
        return OK;
}
