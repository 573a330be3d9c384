#include "responder/http/http1.h"

#include <strings.h>

/* Octets of a request line beside its target: the longest method we know, two spaces, the version, CRLF. */
#define LINE_EXTRA 32
#define CHUNK_LINE_MAX 256

struct parser {
        const struct request_limits *limits;
        struct bytes in;
        size_t at;     /* everything before it is read */
        size_t need;   /* set with HTTP1_MORE */
        size_t limit;  /* set with HTTP1_MORE */
        unsigned status;
        unsigned n_fields;
        bool has_host, has_length, has_encoding, is_chunked, close, keep, expect, old_version;
        uint64_t length;
        uint8_t *body_memory;
        struct request request;
};

/* A step: OK, ERR_AGAIN (more octets are needed), ERR_INVALID (p->status says why). */
MUST_CHECK static enum err refuse(struct parser *p, unsigned status)
{
        p->status = status;
        return ERR_INVALID;
}

enum { C_TOKEN = 1, C_TARGET = 2, C_VALUE = 4, C_HOST = 8, C_DIGIT = 16, C_HEX = 32 };

/* RFC 9110 5.6.2 tchar; 0x21..0x7e but '#' for targets; RFC 9110 5.5 field-content; RFC 3986 3.2 host and port. */
static const uint8_t CLASS[256] = {
        ['\t'] = C_VALUE,
        [' '] = C_VALUE,
        ['!'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        ['"'] = C_TARGET | C_VALUE,
        ['#'] = C_TOKEN | C_VALUE,
        ['$' ... '\''] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        ['('] = C_TARGET | C_VALUE | C_HOST,
        [')'] = C_TARGET | C_VALUE | C_HOST,
        ['*'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        ['+'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        [','] = C_TARGET | C_VALUE,
        ['-'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        ['.'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        ['/'] = C_TARGET | C_VALUE,
        ['0' ... '9'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST | C_DIGIT | C_HEX,
        [':'] = C_TARGET | C_VALUE | C_HOST,
        [';'] = C_TARGET | C_VALUE | C_HOST,
        ['<'] = C_TARGET | C_VALUE,
        ['='] = C_TARGET | C_VALUE | C_HOST,
        ['>' ... '@'] = C_TARGET | C_VALUE,
        ['A' ... 'F'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST | C_HEX,
        ['G' ... 'Z'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        ['['] = C_TARGET | C_VALUE | C_HOST,
        ['\\'] = C_TARGET | C_VALUE,
        [']'] = C_TARGET | C_VALUE | C_HOST,
        ['^'] = C_TOKEN | C_TARGET | C_VALUE,
        ['_'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        ['`'] = C_TOKEN | C_TARGET | C_VALUE,
        ['a' ... 'f'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST | C_HEX,
        ['g' ... 'z'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        ['{'] = C_TARGET | C_VALUE,
        ['|'] = C_TOKEN | C_TARGET | C_VALUE,
        ['}'] = C_TARGET | C_VALUE,
        ['~'] = C_TOKEN | C_TARGET | C_VALUE | C_HOST,
        [0x80 ... 0xff] = C_VALUE,
};

static struct bytes slice(struct bytes b, size_t from, size_t to)
{
        return bytes_make(&b.data[from], to - from);
}

/* How many octets at the front are of the class. */
static size_t span(struct bytes b, uint8_t class)
{
        size_t n = 0;

        while (n < b.len && CLASS[b.data[n]] & class)
                n++;
        return n;
}

static bool all_are(struct bytes b, uint8_t class)
{
        return span(b, class) == b.len;
}

/* Targets and values are long, and what may not stand in them is little: they are looked at in runs of sixteen. */
typedef uint8_t run __attribute__((vector_size(16)));

static inline run load(const uint8_t *data)
{
        run r;

        memcpy(&r, data, sizeof r);
        return r;
}

static inline bool is_zero(run r)
{
        uint64_t halves[2];

        memcpy(halves, &r, sizeof r);
        return (halves[0] | halves[1]) == 0;
}

static inline run not_of_target(run r)
{
        return (run)(r <= ' ') | (run)(r == '#') | (run)(r > '~');
}

static inline run not_of_value(run r)
{
        return ((run)(r < ' ') & (run)(r != '\t')) | (run)(r == 0x7f);
}

/* At least one run of them; the last is looked at from its end, so that nothing is left over. */
static inline bool all_pass(struct bytes b, run (*find_bad)(run))
{
        run bad = find_bad(load(&b.data[b.len - sizeof bad]));

        for (size_t at = 0; at + sizeof bad < b.len; at += sizeof bad)
                bad |= find_bad(load(&b.data[at]));
        return is_zero(bad);
}

static bool all_are_target(struct bytes b)
{
        return b.len < sizeof(run) ? all_are(b, C_TARGET) : all_pass(b, not_of_target);
}

static bool all_are_value(struct bytes b)
{
        return b.len < sizeof(run) ? all_are(b, C_VALUE) : all_pass(b, not_of_value);
}

static bool equals_nocase(struct bytes b, struct bytes word)
{
        return b.len == word.len && strncasecmp((const char *)b.data, (const char *)word.data, b.len) == 0;
}

/* The line at p->at without its CRLF. It must end by offset `end`, or the request is refused with `status`. RFC 9112 2.2: a
 * bare LF is no line end here; a bare CR is in no class of octets, so that whoever reads the line refuses it. */
static enum err take_line(struct parser *p, size_t end, unsigned status, struct bytes *ret_line)
{
        struct bytes rest = slice(p->in, p->at, p->in.len);
        const uint8_t *feed = rest.len > 0 ? memchr(rest.data, '\n', rest.len) : NULL;
        size_t len = feed ? (size_t)(feed - rest.data) : rest.len;

        if (p->at + len + (feed ? 1 : 0) > end)
                return refuse(p, status);
        if (!feed) {
                p->limit = end;
                return ERR_AGAIN;
        }
        if (len == 0 || rest.data[len - 1] != '\r')
                return refuse(p, 400);
        p->at += len + 1;
        *ret_line = slice(rest, 0, len - 1);
        return OK;
}

/* ---- request line (RFC 9112 3) ---- */

static enum err read_version(struct parser *p, struct bytes version)
{
        if (version.len != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.' ||
                !(CLASS[version.data[5]] & C_DIGIT) || !(CLASS[version.data[7]] & C_DIGIT))
                return refuse(p, 400);
        if (version.data[5] != '1' || version.data[7] > '1')
                return refuse(p, 505);
        p->old_version = version.data[7] == '0';
        return OK;
}

static void set_path(struct request *r, struct bytes path)
{
        const uint8_t *query = memchr(path.data, '?', path.len);
        size_t len = query ? (size_t)(query - path.data) : path.len;

        r->path = slice(path, 0, len);
        r->query = slice(path, len, path.len);
}

bool http1_read_origin_form(struct bytes target, struct request *ret_request)
{
        if (target.len == 0 || target.data[0] != '/' || !all_are_target(target))
                return false;
        set_path(ret_request, target);
        return true;
}

/* RFC 9112 3.2.2: absolute-form; its authority is not looked at, since we serve one set of names only. */
static enum err read_absolute(struct parser *p, struct bytes target)
{
        static const struct bytes schemes[] = {BYTES_LIT("http://"), BYTES_LIT("https://")};

        for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
                struct bytes rest;
                size_t host_len;

                if (target.len < schemes[i].len || !equals_nocase(slice(target, 0, schemes[i].len), schemes[i]))
                        continue;
                rest = slice(target, schemes[i].len, target.len);
                host_len = span(rest, C_HOST);
                if (host_len == 0)
                        return refuse(p, 400);
                if (host_len == rest.len) {
                        p->request.path = BYTES_LIT("/");
                        return OK;
                }
                if (rest.data[host_len] != '/')
                        return refuse(p, 400);
                set_path(&p->request, slice(rest, host_len, rest.len));
                return OK;
        }
        return refuse(p, 400);
}

static enum err read_target(struct parser *p, struct bytes method, struct bytes target)
{
        if (target.len > p->limits->max_uri)
                return refuse(p, 414);
        if (target.len == 0 || !all_are_target(target))
                return refuse(p, 400);
        if (target.data[0] == '/') {
                set_path(&p->request, target);
                return OK;
        }
        /* asterisk-form and authority-form: of methods that no route takes (RFC 9112 3.2.3, 3.2.4) */
        if (bytes_equal(method, BYTES_LIT("CONNECT")) ||
                (bytes_equal(method, BYTES_LIT("OPTIONS")) && bytes_equal(target, BYTES_LIT("*")))) {
                p->request.path = target;
                return OK;
        }
        return read_absolute(p, target);
}

/* method SP request-target SP HTTP-version: single spaces, nothing else. */
static enum err read_request_line(struct parser *p)
{
        struct bytes line, method, rest;
        const uint8_t *space;
        size_t end = p->at + p->limits->max_uri + LINE_EXTRA;
        enum err e = take_line(p, end, 414, &line);

        if (e == OK && line.len == 0) /* RFC 9112 2.2: one empty line before a request is ignored */
                e = take_line(p, end + 2, 414, &line);
        if (e != OK)
                return e;
        method = slice(line, 0, span(line, C_TOKEN));
        if (method.len == 0 || method.len == line.len || line.data[method.len] != ' ')
                return refuse(p, 400);
        rest = slice(line, method.len + 1, line.len);
        space = rest.len > 0 ? memchr(rest.data, ' ', rest.len) : NULL;
        if (!space)
                return refuse(p, 400);
        e = read_version(p, slice(rest, (size_t)(space - rest.data) + 1, rest.len));
        if (e != OK)
                return e;
        p->request.method = request_find_method(method);
        return read_target(p, method, slice(rest, 0, (size_t)(space - rest.data)));
}

/* ---- fields (RFC 9112 5) ---- */

static enum err on_host(struct parser *p, struct bytes value)
{
        if (p->has_host || !all_are(value, C_HOST)) /* RFC 9112 3.2: more than one, or an invalid one */
                return refuse(p, 400);
        p->has_host = true;
        return OK;
}

/* RFC 9112 6.3: one number. Repeated or listed, even if equal, it is refused. */
static enum err on_content_length(struct parser *p, struct bytes value)
{
        uint64_t length = 0;

        if (p->has_length || value.len == 0 || !all_are(value, C_DIGIT))
                return refuse(p, 400);
        for (size_t i = 0; i < value.len; i++) {
                length = length * 10 + (value.data[i] - '0');
                if (length > p->limits->max_body)
                        length = p->limits->max_body + 1; /* stays: no overflow */
        }
        p->has_length = true;
        p->length = length;
        return OK;
}

static enum err on_transfer_encoding(struct parser *p, struct bytes value)
{
        if (p->has_encoding)
                return refuse(p, 400);
        p->has_encoding = true;
        p->is_chunked = equals_nocase(value, BYTES_LIT("chunked"));
        if (!p->is_chunked) /* RFC 9112 6.1: a coding we do not have */
                return refuse(p, 501);
        return OK;
}

static struct bytes trim(struct bytes b)
{
        while (b.len > 0 && (b.data[0] == ' ' || b.data[0] == '\t'))
                b = slice(b, 1, b.len);
        while (b.len > 0 && (b.data[b.len - 1] == ' ' || b.data[b.len - 1] == '\t'))
                b.len--;
        return b;
}

/* RFC 9110 7.6.1: a list of options; those that are not ours are none of our business. */
static enum err on_connection(struct parser *p, struct bytes value)
{
        while (value.len > 0) {
                const uint8_t *comma = memchr(value.data, ',', value.len);
                size_t len = comma ? (size_t)(comma - value.data) : value.len;
                struct bytes option = trim(slice(value, 0, len));

                p->close |= equals_nocase(option, BYTES_LIT("close"));
                p->keep |= equals_nocase(option, BYTES_LIT("keep-alive"));
                value = slice(value, len + (comma ? 1 : 0), value.len);
        }
        return OK;
}

static enum err on_expect(struct parser *p, struct bytes value)
{
        if (!equals_nocase(value, BYTES_LIT("100-continue"))) /* RFC 9110 10.1.1 */
                return refuse(p, 417);
        p->expect = true;
        return OK;
}

/* Repeated, these are ignored altogether: without its condition a request gets the whole answer. */
static enum err keep_single(struct bytes *field, struct bytes value)
{
        *field = field->data ? bytes_make(field->data, 0) : value;
        return OK;
}

static enum err on_content_type(struct parser *p, struct bytes value)
{
        if (p->request.content_type.data) /* which one would count? */
                return refuse(p, 400);
        p->request.content_type = value;
        return OK;
}

static enum err on_if_none_match(struct parser *p, struct bytes value)
{
        return keep_single(&p->request.if_none_match, value);
}

static enum err on_if_modified_since(struct parser *p, struct bytes value)
{
        return keep_single(&p->request.if_modified_since, value);
}

static enum err on_range(struct parser *p, struct bytes value)
{
        return keep_single(&p->request.range, value);
}

static enum err on_if_range(struct parser *p, struct bytes value)
{
        return keep_single(&p->request.if_range, value);
}

static const struct field_row {
        struct bytes name;
        enum err (*on)(struct parser *p, struct bytes value);
} FIELDS[] = {
        {BYTES_LIT("Host"), on_host},
        {BYTES_LIT("Connection"), on_connection},
        {BYTES_LIT("Content-Length"), on_content_length},
        {BYTES_LIT("Transfer-Encoding"), on_transfer_encoding},
        {BYTES_LIT("Content-Type"), on_content_type},
        {BYTES_LIT("Expect"), on_expect},
        {BYTES_LIT("If-None-Match"), on_if_none_match},
        {BYTES_LIT("If-Modified-Since"), on_if_modified_since},
        {BYTES_LIT("Range"), on_range},
        {BYTES_LIT("If-Range"), on_if_range},
};

/* field-name ":" OWS field-value OWS. White space before the colon, folding and control octets are refused (RFC 9112 5.1, 5.2). */
static enum err split_field(struct parser *p, struct bytes line, struct bytes *ret_name, struct bytes *ret_value)
{
        size_t name_len = span(line, C_TOKEN);

        if (name_len == 0 || name_len == line.len || line.data[name_len] != ':')
                return refuse(p, 400);
        if (!all_are_value(slice(line, name_len + 1, line.len)))
                return refuse(p, 400);
        if (++p->n_fields > HTTP1_MAX_FIELDS)
                return refuse(p, 431);
        *ret_name = slice(line, 0, name_len);
        *ret_value = trim(slice(line, name_len + 1, line.len));
        return OK;
}

static enum err read_field(struct parser *p, struct bytes line)
{
        struct bytes name, value;
        enum err e = split_field(p, line, &name, &value);

        if (e != OK)
                return e;
        for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++)
                if (equals_nocase(name, FIELDS[i].name))
                        return FIELDS[i].on(p, value);
        return OK;
}

static enum err read_fields(struct parser *p)
{
        struct bytes line;
        enum err e = take_line(p, p->limits->max_head, 431, &line);

        while (e == OK && line.len > 0) {
                e = read_field(p, line);
                if (e == OK)
                        e = take_line(p, p->limits->max_head, 431, &line);
        }
        return e;
}

/* What the fields must be together. */
static enum err check_head(struct parser *p)
{
        if (!p->has_host && !p->old_version) /* RFC 9112 3.2 */
                return refuse(p, 400);
        if (p->has_encoding && (p->has_length || p->old_version)) /* RFC 9112 6.1, 6.3 */
                return refuse(p, 400);
        if (p->has_length && p->length > p->limits->max_body) /* req 1.17 */
                return refuse(p, 413);
        p->request.old_version = p->old_version;
        p->request.keep_alive = !p->close && (!p->old_version || p->keep);
        return OK;
}

/* ---- body (RFC 9112 6, 7) ---- */

static enum err take_octets(struct parser *p, size_t n, struct bytes *ret_octets)
{
        if (p->in.len - p->at < n) {
                p->need = p->at + n;
                return ERR_AGAIN;
        }
        *ret_octets = slice(p->in, p->at, p->at + n);
        p->at += n;
        return OK;
}

/* chunk-size [ ";" chunk-ext ]: extensions are skipped (RFC 9112 7.1.1), white space before them is not. */
static enum err read_chunk_size(struct parser *p, size_t *ret_size)
{
        struct bytes line;
        size_t n_digits, size = 0;
        enum err e = take_line(p, p->at + CHUNK_LINE_MAX, 400, &line);

        if (e != OK)
                return e;
        n_digits = span(line, C_HEX);
        if (n_digits == 0 || n_digits > 8)
                return refuse(p, 400);
        if (n_digits < line.len && (line.data[n_digits] != ';' || !all_are(slice(line, n_digits, line.len), C_VALUE)))
                return refuse(p, 400);
        for (size_t i = 0; i < n_digits; i++)
                size = size << 4 | (size_t)bytes_hex_value(line.data[i]);
        *ret_size = size;
        return OK;
}

/* Trailer fields must look like fields; they mean nothing here (RFC 9112 7.1.2). */
static enum err read_trailers(struct parser *p, size_t end)
{
        struct bytes line, name, value;
        enum err e = take_line(p, end, 431, &line);

        while (e == OK && line.len > 0) {
                e = split_field(p, line, &name, &value);
                if (e == OK)
                        e = take_line(p, end, 431, &line);
        }
        return e;
}

static enum err read_chunk(struct parser *p, size_t size)
{
        struct bytes data;
        enum err e = take_octets(p, size + 2, &data);

        if (e != OK)
                return e;
        if (data.data[size] != '\r' || data.data[size + 1] != '\n')
                return refuse(p, 400);
        memcpy(&p->body_memory[p->request.body.len], data.data, size);
        p->request.body.len += size;
        return OK;
}

static enum err read_chunked(struct parser *p)
{
        size_t end = p->at + p->limits->max_body + HTTP1_CHUNK_SLACK;

        p->request.body = bytes_make(p->body_memory, 0);
        for (;;) {
                size_t size = 0;
                enum err e = read_chunk_size(p, &size);

                if (e != OK)
                        return e;
                if (size == 0)
                        return read_trailers(p, end);
                if (size > p->limits->max_body - p->request.body.len || p->at + size + 2 > end)
                        return refuse(p, 413);
                e = read_chunk(p, size);
                if (e != OK)
                        return e;
        }
}

static enum err read_body(struct parser *p)
{
        if (p->is_chunked)
                return read_chunked(p);
        return take_octets(p, p->length, &p->request.body);
}

/* Nothing new can be said: too few octets, or still no line feed. */
static bool is_waiting(const struct http1_state *s, struct bytes in)
{
        if (s->need > 0)
                return in.len < s->need;
        if (s->seen == 0 || in.len > s->limit)
                return false;
        return in.len == s->seen || !memchr(&in.data[s->seen], '\n', in.len - s->seen);
}

static enum http1_outcome wait_for_more(struct parser *p, struct http1_state *state, bool in_body)
{
        state->seen = (uint32_t)p->in.len;
        state->need = (uint32_t)p->need;
        state->limit = (uint32_t)p->limit;
        if (!in_body || !p->expect || p->old_version || state->continued)
                return HTTP1_MORE;
        state->continued = true;
        return HTTP1_CONTINUE;
}

enum http1_outcome http1_read(const struct request_limits *limits, struct http1_state *state, struct bytes in,
        uint8_t *body_memory, struct request *ret_request, size_t *ret_used, unsigned *ret_status)
{
        struct parser p = {.limits = limits, .in = in, .body_memory = body_memory};
        bool in_body = false;
        enum err e;

        if (in.len == 0)
                return HTTP1_MORE;
        if (is_waiting(state, in)) {
                state->seen = (uint32_t)in.len;
                return HTTP1_MORE;
        }
        e = read_request_line(&p);
        if (e == OK)
                e = read_fields(&p);
        if (e == OK)
                e = check_head(&p);
        if (e == OK) {
                in_body = true;
                e = read_body(&p);
        }
        if (e == ERR_AGAIN)
                return wait_for_more(&p, state, in_body);
        if (e != OK) {
                *ret_status = p.status;
                return HTTP1_REFUSED;
        }
        *ret_request = p.request;
        *ret_used = p.at;
        return HTTP1_REQUEST;
}
