/* Fuzz: field blocks (RFC 7541), against nghttp2's inflater. The input is what goes over a connection: records of a kind
 * (u8), a length (u16) and as many octets, below the 64 kB that nghttp2 takes of one string. Behind a block that is refused
 * a new connection begins, at the same worker. Three kinds:
 *
 *  - BLOCK, a client's. Our decoder and nghttp2's accept it or refuse it both, behind the same fields; and the dynamic
 * tables they are left with are the same, entry by entry. (What is never to be indexed, RFC 7541 6.2.3, is nothing to us: we
 * pass no field on.)
 *  - SETTING, a client's SETTINGS_HEADER_TABLE_SIZE. (We announce none: to us there is nothing but RFC 7541 4.2's default.)
 *  - ANSWER, of which we write the head. nghttp2 reads out of it what http1_head.c says in HTTP/1, whatever was set, and keeps no
 * table.
 */
#include <ctype.h>
#include <nghttp2/nghttp2.h>

#include "responder/http/http1_head.h"
#include "responder/http/hpack.h"
#include "responder/http/hpack_static.h"
#include "responder/http/http2_session.h"
#include "tests/fuzz/fuzz.h"

static struct hpack_shared shared;
static struct service service;
static struct http2_pool pool = {.config.service = &service};

struct connection {
        struct hpack ours;
        nghttp2_hd_inflater *theirs;
        struct http2 session;
        nghttp2_hd_inflater *client; /* reads our heads */
};

static void begin(struct connection *ret_connection)
{
        *ret_connection = (struct connection){.session.pool = &pool};
        hpack_init(&ret_connection->ours);
        HOLDS(nghttp2_hd_inflate_new(&ret_connection->theirs) == 0 && nghttp2_hd_inflate_new(&ret_connection->client) == 0);
}

static void end(struct connection *c)
{
        nghttp2_hd_inflate_del(c->client);
        nghttp2_hd_inflate_del(c->theirs);
        hpack_done(&c->ours);
}

/* ---- a block, read by either ---- */

struct fields {
        struct builder text; /* name and value of each, with their lengths */
        unsigned n;
};

static void put_field(struct fields *fields, struct bytes name, struct bytes value)
{
        builder_put_block32(&fields->text, name);
        builder_put_block32(&fields->text, value);
        HOLDS(!builder_failed(&fields->text));
        fields->n++;
}

static enum err ours_read(struct hpack *h, struct bytes block, struct fields *ret_fields)
{
        struct hpack_field f;
        enum err e;

        hpack_begin(h);
        while ((e = hpack_read(h, &shared, &block, &f)) == OK) {
                HOLDS(f.field == http2_field_find(f.name));
                HOLDS(f.is_sound == http2_field_is_sound(f.field, f.value));
                put_field(ret_fields, f.name, f.value);
        }
        HOLDS(e == ERR_NOT_FOUND || e == ERR_INVALID);
        return e == ERR_NOT_FOUND ? OK : e;
}

static enum err theirs_read(nghttp2_hd_inflater *inflater, struct bytes block, struct fields *ret_fields)
{
        int flags = 0;

        while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
                struct bytes taken;
                nghttp2_nv nv;
                ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block.data, block.len, 1);

                if (n < 0)
                        return ERR_INVALID;
                HOLDS(bytes_take(&block, (size_t)n, &taken) == OK);
                if (flags & NGHTTP2_HD_INFLATE_EMIT)
                        put_field(ret_fields, bytes_make(nv.name, nv.namelen), bytes_make(nv.value, nv.valuelen));
        }
        HOLDS(nghttp2_hd_inflate_end_headers(inflater) == 0);
        return OK;
}

/* ---- what we refuse and nghttp2 does not ---- */

/* RFC 7541 5.1: "Integer encodings that exceed implementation limits -- in value or octet length -- MUST be treated as
 * decoding errors". Ours is four octets behind the first; nghttp2 takes a fifth. */
#define INT_OCTETS 4

struct walk {
        struct bytes in;
        unsigned n; /* fields that are whole */
        bool is_too_long;
};

/* False: there is no end to it, or it is too long. */
static bool walk_int(struct walk *w, unsigned prefix, uint64_t *ret_value)
{
        uint8_t most = (uint8_t)((1u << prefix) - 1), octet = 0x80;

        if (bytes_take_u8(&w->in, &octet) != OK)
                return false;
        *ret_value = octet & most;
        if (*ret_value < most)
                return true;
        for (unsigned i = 0; i < INT_OCTETS; i++) {
                if (bytes_take_u8(&w->in, &octet) != OK)
                        return false;
                *ret_value += (uint64_t)(octet & 127) << (7 * i);
                if (!(octet & 128))
                        return true;
        }
        w->is_too_long = true;
        return false;
}

static bool walk_string(struct walk *w)
{
        struct bytes text;
        uint64_t len;

        return walk_int(w, 7, &len) && bytes_take(&w->in, len, &text) == OK;
}

/* One representation (RFC 7541 6). */
static bool walk_one(struct walk *w)
{
        uint8_t first = w->in.data[0];
        bool is_indexed = first & 0x80, is_size = (first & 0xe0) == 0x20;
        unsigned prefix = is_indexed ? 7 : is_size ? 5 : first & 0x40 ? 6 : 4;
        uint64_t value;

        if (!walk_int(w, prefix, &value))
                return false;
        if (!is_indexed && !is_size && ((value == 0 && !walk_string(w)) || !walk_string(w)))
                return false;
        w->n += !is_size;
        return true;
}

/* Was it such an integer, behind `n` fields, that made us refuse? */
static bool has_reason(struct bytes block, unsigned n)
{
        struct walk w = {.in = block};

        while (w.in.len > 0 && walk_one(&w))
                ;
        return w.is_too_long && w.n == n;
}

/* ---- BLOCK ---- */

static struct bytes table_field(nghttp2_hd_inflater *inflater, size_t index, struct bytes *ret_value)
{
        const nghttp2_nv *nv = nghttp2_hd_inflate_get_table_entry(inflater, index);

        HOLDS(nv);
        *ret_value = bytes_make(nv->value, nv->valuelen);
        return bytes_make(nv->name, nv->namelen);
}

/* RFC 7541 6.1; below 127 + 128. */
static struct bytes put_index(uint8_t *ret_block, size_t index)
{
        ret_block[0] = (uint8_t)(0x80 | (index < 127 ? index : 127));
        if (index >= 127)
                ret_block[1] = (uint8_t)(index - 127);
        return bytes_make(ret_block, index < 127 ? 1 : 2);
}

static void compare_tables(struct connection *c)
{
        size_t n = nghttp2_hd_inflate_get_num_table_entries(c->theirs);
        struct bytes block, name, value;
        struct hpack_field f;
        uint8_t memory[2];

        HOLDS(c->ours.n + HPACK_N_STATIC == n);
        HOLDS(c->ours.size == nghttp2_hd_inflate_get_dynamic_table_size(c->theirs));
        HOLDS(c->ours.max == nghttp2_hd_inflate_get_max_dynamic_table_size(c->theirs));
        HOLDS(c->ours.size <= c->ours.max && c->ours.end <= c->ours.cap && c->ours.cap <= HPACK_TABLE_SIZE);
        for (size_t index = HPACK_N_STATIC + 1; index <= n; index++) {
                name = table_field(c->theirs, index, &value);
                block = put_index(memory, index);
                HOLDS(hpack_read(&c->ours, &shared, &block, &f) == OK);
                HOLDS(bytes_equal(f.name, name) && bytes_equal(f.value, value));
        }
        block = put_index(memory, n + 1);
        HOLDS(hpack_read(&c->ours, &shared, &block, &f) == ERR_INVALID);
}

static void on_block(struct connection *c, struct bytes block)
{
        struct fields ours = {0}, theirs = {0};
        enum err our_err = ours_read(&c->ours, block, &ours), their_err = theirs_read(c->theirs, block, &theirs);

        if (our_err != OK && has_reason(block, ours.n)) {
                HOLDS(theirs.n >= ours.n);
        } else {
                HOLDS(our_err == their_err);
                HOLDS(ours.n == theirs.n);
                HOLDS(bytes_equal(builder_bytes(&ours.text), builder_bytes(&theirs.text)));
        }
        builder_done(&ours.text);
        builder_done(&theirs.text);
        if (our_err == OK) {
                compare_tables(c);
        } else {
                end(c);
                begin(c);
        }
}

/* ---- SETTING ---- */

static uint64_t next(struct bytes *in, size_t n)
{
        uint64_t value = 0;

        return bytes_take_uint(in, n, &value) == OK ? value : 0;
}

static void on_setting(struct connection *c, struct bytes content)
{
        HOLDS(nghttp2_hd_inflate_change_table_size(c->client, next(&content, 4)) == 0);
}

/* ---- ANSWER ---- */

static const unsigned STATUSES[] = {
        200, 206, 304, 400, 404, 405, 408, 413, 414, 415, 416, 417, 429, 431, 500, 501, 503, 505, 100};
#define N_STATUSES (sizeof STATUSES / sizeof STATUSES[0])

#define TAGS_MAX 4096

enum { IS_CACHEABLE = 1, HAS_ALLOW = 2, HAS_TAGS = 4, HAS_ETAG = 8 };

static struct answer take_answer(struct bytes in)
{
        static uint8_t tags[TAGS_MAX];
        struct answer a = {
                .status = STATUSES[next(&in, 1) % N_STATUSES], .content = (enum content_type)(next(&in, 1) % CONTENT_N)};
        unsigned flags = (unsigned)next(&in, 1);

        a.cacheable = flags & IS_CACHEABLE;
        a.allow = flags & HAS_ALLOW ? "GET, HEAD" : NULL;
        a.etag_len = flags & HAS_ETAG ? (uint8_t)(next(&in, 1) % (ETAG_MAX + 1)) : 0;
        a.retry_after_s = (unsigned)next(&in, 4);
        a.body_len = next(&in, 8);
        a.max_age_s = (int64_t)next(&in, 4);
        a.last_modified_s = (int64_t)next(&in, 4);
        a.expires_s = (int64_t)next(&in, 4);
        a.offset = next(&in, 8);
        a.total_len = next(&in, 8);
        if (flags & HAS_TAGS) {
                memset(tags, 'x', sizeof tags);
                a.tags_name = BYTES_LIT("surrogate-key");
                a.tags = bytes_make(tags, next(&in, 2) % (TAGS_MAX + 1));
        }
        return a;
}

/* "name: value\r\n" each; the status line becomes the field it is in HTTP/2. */
static struct builder fields_of_http1(const struct answer *a, int64_t now_s)
{
        struct request request = {.keep_alive = true};
        struct builder head = {0}, fields = {0};
        char *line, *colon, *end_of_line;

        http1_head_put(&head, &service, &request, a, now_s);
        builder_put_u8(&head, 0);
        HOLDS(!builder_failed(&head));
        line = (char *)head.data;
        builder_printf(&fields, ":status: %.3s\r\n", line + sizeof "HTTP/1.1 " - 1);
        for (line = strstr(line, "\r\n") + 2; line[0] != '\r'; line = end_of_line) {
                HOLDS((colon = strchr(line, ':')) && (end_of_line = strstr(line, "\r\n")));
                for (char *at = line; at < colon; at++)
                        *at = (char)tolower(*at);
                end_of_line += 2;
                builder_put(&fields, bytes_make(line, (size_t)(end_of_line - line)));
        }
        HOLDS(!builder_failed(&fields));
        builder_done(&head);
        return fields;
}

/* The order of fields whose names differ says nothing (RFC 9110 5.3), except that :status is the first (RFC 9113 8.3). */
static void compare_heads(struct fields *http2, struct bytes http1)
{
        struct bytes in = builder_bytes(&http2->text), name, value;

        for (unsigned i = 0; i < http2->n; i++) {
                struct builder line = {0};
                const uint8_t *at;

                HOLDS(bytes_take_block32(&in, &name) == OK && bytes_take_block32(&in, &value) == OK);
                builder_printf(&line, "%.*s: %.*s\r\n", (int)name.len, (const char *)name.data, (int)value.len,
                        (const char *)value.data);
                at = memmem(http1.data, http1.len, line.data, line.len);
                HOLDS(at && (i == 0) == (at == http1.data) && (i == 0 || at[-1] == '\n'));
                builder_done(&line);
        }
        HOLDS(http2->text.len + http2->n * (sizeof ": \r\n" - 1 - 2 * sizeof(uint32_t)) == http1.len);
}

static void on_answer(struct connection *c, struct bytes content)
{
        int64_t now_s = (int64_t)next(&content, 4);
        struct answer a = take_answer(content);
        struct builder block = {0}, want = {0};
        struct fields got = {0};

        if (a.status == 100) {
                http2_head_put_continue(&c->session, &block);
                builder_put_str(&want, ":status: 100\r\n");
        } else {
                http2_head_put(&c->session, &block, &a, now_s);
                want = fields_of_http1(&a, now_s);
        }
        HOLDS(!builder_failed(&block) && block.len <= HEAD_MAX);
        HOLDS(theirs_read(c->client, builder_bytes(&block), &got) == OK);
        compare_heads(&got, builder_bytes(&want));
        HOLDS(nghttp2_hd_inflate_get_max_dynamic_table_size(c->client) == 0);
        HOLDS(nghttp2_hd_inflate_get_num_table_entries(c->client) == HPACK_N_STATIC);
        builder_done(&got.text);
        builder_done(&want);
        builder_done(&block);
}

/* ---- a connection ---- */

static void (*const KINDS[])(struct connection *c, struct bytes content) = {on_block, on_setting, on_answer};

static bool take_record(struct bytes *in, uint8_t *ret_kind, struct bytes *ret_content)
{
        uint16_t len;

        if (bytes_take_u8(in, ret_kind) != OK || bytes_take_u16(in, &len) != OK)
                return false;
        return bytes_take(in, len < in->len ? len : in->len, ret_content) == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct connection c;
        struct bytes in = bytes_make(data, size), content;
        uint8_t kind;

        if (shared.huffman.n[5] == 0)
                huffman_init(&shared.huffman);
        memset(shared.paths, 0, sizeof shared.paths);
        begin(&c);
        while (take_record(&in, &kind, &content))
                KINDS[kind % (sizeof KINDS / sizeof KINDS[0])](&c, content);
        end(&c);
        return 0;
}
