/* Fuzz: HTTP/1.1 connections' octets, through http1, pipeline and handlers, over a store with every kind of row (pipeline_house).
 *
 * Input: an octet (low nibble: how many plan octets follow; the others: flags), the plan, then what clients send: one stream, or two with the
 * first one's length before them. The plan says where streams are cut into packets, what the engine answers to parked requests, and which
 * read turns go stale. Each stream is said in one go, then on two connections in packets, all of them served together.
 *
 * Whatever comes: each whole request gets one well-formed answer, in order, until the connection ends; no answer says of a serial what the
 * store does not; and neither cutting nor the neighbours change anything. */
#include <ctype.h>
#include <strings.h>

#include "base/cleanup.h"
#include "responder/answer/ocsp_get.h"
#include "responder/http/exchange.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pipeline_house.h"

enum { FLAG_DRAIN = 0x10, FLAG_STALE = 0x20, FLAG_ALONE = 0x40, FLAG_TWO = 0x80 };

#define MAX_STREAM 6000
#define MAX_ASKED 512
#define N_STREAMS 2
#define N_LINES (2 * N_STREAMS)
#define DATE "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"

struct plan {
        uint8_t flags;
        struct bytes octets; /* used over and over */
        struct bytes streams[N_STREAMS];
        unsigned n_streams;
};

static struct service *service;

static uint8_t plan_at(const struct plan *plan, size_t n)
{
        return plan->octets.len > 0 ? plan->octets.data[n % plan->octets.len] : (uint8_t)(7 * n);
}

/* ---- stale turns ---- */

static unsigned n_stale;  /* so many of the next turns count for nothing */
static size_t n_served;   /* looks at connections, of this input */

enum err __real_txn_turn_end(struct txn *txn);
enum err __wrap_txn_turn_end(struct txn *txn);
enum err __wrap_txn_turn_end(struct txn *txn)
{
        enum err e = __real_txn_turn_end(txn);

        n_stale -= n_stale > 0;
        return n_stale > 0 ? ERR_STALE : e;
}

/* A turn takes no time, or a slow machine would decide what is answered. */
int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void)
{
        return 1000000;
}

/* ---- what is asked, by reading it all at once ---- */

struct asked {
        bool is_head, closes, is_refused;
        bool has_date, has_tag;
        size_t der_at, der_len; /* of the OCSP request, in `kept`; none: 0 octets */
        size_t tag_at, tag_len; /* of If-None-Match */
};

struct asking {
        struct asked list[MAX_ASKED];
        unsigned n;
        struct builder kept;
};

static void asking_done(struct asking *a)
{
        builder_done(&a->kept);
}

static bool begins(struct bytes b, struct bytes with)
{
        return b.len >= with.len && memcmp(b.data, with.data, with.len) == 0;
}

static bool is_ocsp(struct bytes path)
{
        static const struct bytes others[] = {BYTES_LIT("/crl/"), BYTES_LIT("/ca/"), BYTES_LIT("/healthz"), BYTES_LIT("/ari/")};

        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
                if (begins(path, others[i]))
                        return false;
        return path.len > 0 && path.data[0] == '/' && !bytes_equal(path, BYTES_LIT("/ari"));
}

static void keep_der(struct asking *a, struct asked *one, const struct request *r)
{
        struct ocsp_get_memo memo = {0};
        uint8_t der[MAX_STREAM];
        size_t len = 0;

        one->der_at = a->kept.len;
        if (!is_ocsp(r->path))
                return;
        if (r->method == METHOD_POST)
                builder_put(&a->kept, r->body);
        else if (ocsp_get_decode(&memo, bytes_make(&r->path.data[1], r->path.len - 1), der, &len) == OK)
                builder_put(&a->kept, bytes_make(der, len));
        one->der_len = a->kept.len - one->der_at;
}

/* True: go on behind it. */
static bool read_one(const struct plan *plan, struct bytes *rest, struct asking *a)
{
        struct asked *one = &a->list[a->n];
        struct http1_state state = {0};
        struct request r;
        size_t len = 0;
        unsigned status;
        enum http1_outcome outcome = http1_read(&service->limits, &state, *rest, service->body_memory, &r, &len, &status);

        if (outcome == HTTP1_MORE || outcome == HTTP1_CONTINUE)
                return false;
        *one = (struct asked){.is_refused = outcome == HTTP1_REFUSED, .closes = true};
        a->n++;
        if (one->is_refused)
                return false;
        one->is_head = r.method == METHOD_HEAD;
        one->closes = !r.keep_alive || plan->flags & FLAG_DRAIN;
        one->has_tag = r.if_none_match.data;
        one->has_date = r.if_modified_since.len > 0;
        one->tag_at = a->kept.len;
        one->tag_len = r.if_none_match.len;
        builder_put(&a->kept, r.if_none_match);
        keep_der(a, one, &r);
        HOLDS(len > 0 && len <= rest->len);
        *rest = bytes_make(&rest->data[len], rest->len - len);
        return !one->closes;
}

static void read_asked(const struct plan *plan, struct bytes rest, struct asking *a)
{
        while (rest.len > 0 && a->n < MAX_ASKED && read_one(plan, &rest, a))
                ;
}

/* ---- connections, as conn_http1 has them ---- */

struct line {
        const struct plan *plan;
        struct bytes stream;
        size_t phase; /* where in the plan its packets begin; 0: all comes at once */
        size_t n_arrived, n_used, n_packets, n_parked;
        struct http1_state state;
        struct sign_slot sign;
        struct msg_sign_ask ask;
        enum exchange_end end; /* of the last look at it */
        bool is_closed;
        struct builder said;
};

static void line_done(struct line *l)
{
        builder_done(&l->said);
}

static bool is_over(const struct line *l)
{
        return l->is_closed || (l->end == EXCHANGE_MORE && l->n_arrived == l->stream.len);
}

/* The next packet, if there is one. */
static void arrive(struct line *l)
{
        size_t left = l->stream.len - l->n_arrived, step = 1 + plan_at(l->plan, l->phase + l->n_packets++) / 4u;

        l->n_arrived += l->phase > 0 && step < left ? step : left;
}

static void take_file(struct line *l, const struct exchange *x)
{
        uint8_t *room = builder_extend(&l->said, x->file_len);

        HOLDS(x->file && x->file_len > 0 && room);
        HOLDS(pread(x->file->fd, room, x->file_len, (off_t)x->file_offset) == (ssize_t)x->file_len);
        l->is_closed |= x->is_last;
}

/* More comes meanwhile. */
static void ask_engine(struct line *l)
{
        HOLDS(l->sign.n_asked >= 1 && l->sign.n_asked <= 4);
        l->sign.answer = house_sign(&l->ask, (enum mood)(plan_at(l->plan, l->n_parked++) % MOOD_N));
        l->sign.refused = l->sign.answer == NULL;
        arrive(l);
}

static void take_exchange(struct line *l, struct exchange *x)
{
        HOLDS(x->used <= x->in.len && !builder_failed(&service->out) && x->out_at + x->out_len <= service->out.len);
        HOLDS((x->file != NULL) == (x->end == EXCHANGE_FILE));
        HOLDS(x->used == 0 || x->end == EXCHANGE_PARKED || (x->sign.n_asked == 0 && !x->sign.refused));
        builder_put(&l->said, bytes_make(&service->out.data[x->out_at], x->out_len));
        l->n_used += x->used;
        l->state = x->state;
        l->sign = x->sign;
        l->sign.answer = NULL;
        l->end = x->end;
        l->is_closed |= x->end == EXCHANGE_CLOSE;
        if (x->end == EXCHANGE_FILE)
                take_file(l, x);
        crl_file_release(x->file);
}

/* The input lies in memory of its own each time: nothing may be kept of where it was. */
static struct exchange make_exchange(struct line *l)
{
        size_t len = l->n_arrived - l->n_used;
        uint8_t *in = malloc(len);

        HOLDS(in);
        memcpy(in, &l->stream.data[l->n_used], len);
        return (struct exchange){.in = bytes_make(in, len), .state = l->state, .is_last = l->plan->flags & FLAG_DRAIN, .sign = l->sign,
                .client = -1, .ask = &l->ask};
}

static void serve(struct line *lines[], unsigned n, const struct plan *plan)
{
        struct exchange xs[N_LINES];

        for (unsigned i = 0; i < n; i++)
                xs[i] = make_exchange(lines[i]);
        n_stale = plan->flags & FLAG_STALE ? plan_at(plan, n_served++) % 4u : 0;
        exchange_run(service, xs, n);
        for (unsigned i = 0; i < n; i++) {
                take_exchange(lines[i], &xs[i]);
                free((void *)xs[i].in.data);
        }
}

/* The engine's double has memory for one answer: whoever was parked goes on alone. */
static void resume(struct line *l)
{
        while (l->end == EXCHANGE_PARKED) {
                ask_engine(l);
                serve(&l, 1, l->plan);
        }
}

/* One packet of each, or what its last look left over. */
static void serve_round(struct line lines[], unsigned n, const struct plan *plan)
{
        struct line *due[N_LINES];
        unsigned n_due = 0;

        for (unsigned i = 0; i < n; i++) {
                if (is_over(&lines[i]))
                        continue;
                if (lines[i].end == EXCHANGE_MORE)
                        arrive(&lines[i]);
                if (lines[i].n_used < lines[i].n_arrived)
                        due[n_due++] = &lines[i];
                else
                        lines[i].end = EXCHANGE_MORE;
        }
        if (n_due > 0)
                serve(due, n_due, plan);
        for (unsigned i = 0; i < n_due; i++)
                resume(due[i]);
}

static void converse(struct line lines[], unsigned n, const struct plan *plan)
{
        bool goes_on = true;

        while (goes_on) {
                serve_round(lines, n, plan);
                goes_on = false;
                for (unsigned i = 0; i < n; i++)
                        goes_on |= !is_over(&lines[i]);
        }
}

/* ---- what was said ---- */

struct reply {
        unsigned status;
        bool closes, is_ocsp, is_kept; /* the last: caches may keep it */
        size_t len;                    /* that Content-Length tells */
        unsigned n_lengths;
        struct bytes head, body, etag;
};

static void skip_continue(struct bytes *in)
{
        static const struct bytes text = BYTES_LIT("HTTP/1.1 100 Continue\r\n\r\n");

        while (begins(*in, text))
                *in = bytes_make(&in->data[text.len], in->len - text.len);
}

/* Up to the next CR LF, which is taken, too. */
static struct bytes take_row(struct bytes *in)
{
        const uint8_t *end = memmem(in->data, in->len, "\r\n", 2);
        struct bytes row;

        HOLDS(end);
        row = bytes_make(in->data, (size_t)(end - in->data));
        *in = bytes_make(end + 2, in->len - row.len - 2);
        for (size_t i = 0; i < row.len; i++)
                HOLDS(row.data[i] >= ' ' && row.data[i] < 0x7f);
        return row;
}

static bool is_named(struct bytes row, const char *name, struct bytes *ret_value)
{
        size_t len = strlen(name);

        if (row.len < len + 2 || strncasecmp((const char *)row.data, name, len) != 0 || row.data[len] != ':')
                return false;
        *ret_value = bytes_make(&row.data[len + 2], row.len - len - 2);
        return true;
}

static size_t read_number(struct bytes text)
{
        size_t n = 0;

        HOLDS(text.len > 0 && text.len < 10);
        for (size_t i = 0; i < text.len; i++) {
                HOLDS(isdigit(text.data[i]));
                n = n * 10 + (size_t)(text.data[i] - '0');
        }
        return n;
}

static void read_field(struct bytes row, struct reply *r)
{
        size_t name = 0;
        struct bytes value;

        while (name < row.len && (isalnum(row.data[name]) || row.data[name] == '-'))
                name++;
        HOLDS(name > 0 && name + 2 < row.len && row.data[name] == ':' && row.data[name + 1] == ' ');
        if (is_named(row, "Content-Length", &value)) {
                r->n_lengths++;
                r->len = read_number(value);
        } else if (is_named(row, "Connection", &value)) {
                r->closes = bytes_equal(value, BYTES_LIT("close"));
                HOLDS(r->closes || bytes_equal(value, BYTES_LIT("keep-alive")));
        } else if (is_named(row, "Content-Type", &value)) {
                r->is_ocsp = bytes_equal(value, BYTES_LIT("application/ocsp-response"));
        } else if (is_named(row, "Cache-Control", &value)) {
                r->is_kept = begins(value, BYTES_LIT("max-age="));
                HOLDS(r->is_kept || begins(value, BYTES_LIT("no-store")));
        } else if (is_named(row, "ETag", &value)) {
                r->etag = value;
        } else if (is_named(row, "Transfer-Encoding", &value)) {
                HOLDS(!"no answer is chunked");
        }
}

static struct reply take_reply(struct bytes *in, bool is_head)
{
        const uint8_t *begin = in->data;
        struct reply r = {0};
        struct bytes row = take_row(in);

        HOLDS(begins(row, BYTES_LIT("HTTP/1.1 ")) && row.len > 13 && row.data[12] == ' ');
        r.status = (unsigned)read_number(bytes_make(&row.data[9], 3));
        HOLDS(begins(*in, BYTES_LIT(DATE)));
        for (row = take_row(in); row.len > 0; row = take_row(in))
                read_field(row, &r);
        HOLDS(r.n_lengths == (r.status != 304));
        HOLDS(r.status < 400 || !r.is_kept); /* req 3.4 */
        r.head = bytes_make(begin, (size_t)(in->data - begin));
        r.body = bytes_make(in->data, is_head || r.status == 304 ? 0 : r.len);
        HOLDS(r.body.len <= in->len);
        *in = bytes_make(&in->data[r.body.len], in->len - r.body.len);
        return r;
}

/* req 3.5: a tag wins over a date. */
static void check_not_modified(const struct asking *a, const struct asked *one, const struct reply *r)
{
        struct bytes tag = bytes_make(&a->kept.data[one->tag_at], one->tag_len);

        HOLDS(one->has_tag || one->has_date);
        if (one->has_tag)
                HOLDS(memchr(tag.data, '*', tag.len) || (r->etag.len > 0 && memmem(tag.data, tag.len, r->etag.data, r->etag.len)));
        else if (one->der_len > 0)
                house_check_not_modified(bytes_make(&a->kept.data[one->der_at], one->der_len));
}

static void check_reply(const struct asking *a, const struct asked *one, const struct reply *r)
{
        HOLDS(r->closes == one->closes);
        HOLDS(!one->is_refused || r->status >= 400);
        if (r->status == 304)
                check_not_modified(a, one, r);
        if (r->status == 200 && r->is_ocsp && !one->is_head)
                house_check_response(r->body, bytes_make(&a->kept.data[one->der_at], one->der_len));
}

/* As many as requests, in their order, and nothing behind. */
static void check_said(const struct asking *a, const struct line *l)
{
        struct bytes in = builder_bytes(&l->said);

        for (unsigned i = 0; i < a->n; i++) {
                struct reply r;

                skip_continue(&in);
                r = take_reply(&in, a->list[i].is_head);
                check_reply(a, &a->list[i], &r);
        }
        skip_continue(&in);
        HOLDS(in.len == 0);
        HOLDS(l->is_closed == (a->n > 0 && a->list[a->n - 1].closes));
}

/* "100 Continue" depends on what was there when. */
static void check_same(const struct asking *a, const struct line *l, const struct line *m)
{
        struct bytes in = builder_bytes(&l->said), other = builder_bytes(&m->said);

        for (unsigned i = 0; i < a->n; i++) {
                struct reply r, s;

                skip_continue(&in);
                skip_continue(&other);
                r = take_reply(&in, a->list[i].is_head);
                s = take_reply(&other, a->list[i].is_head);
                HOLDS(bytes_equal(r.head, s.head) && bytes_equal(r.body, s.body));
        }
}

/* ---- all of it ---- */

static bool read_plan(struct bytes in, struct plan *plan)
{
        uint16_t len = 0;

        if (bytes_take_u8(&in, &plan->flags) != OK || bytes_take(&in, plan->flags & 15u, &plan->octets) != OK)
                return false;
        plan->n_streams = plan->flags & FLAG_TWO ? 2 : 1;
        if (plan->n_streams == 2 && (bytes_take_u16(&in, &len) != OK || bytes_take(&in, len, &plan->streams[1]) != OK))
                return false;
        plan->streams[0] = in;
        return plan->streams[0].len <= MAX_STREAM && plan->streams[1].len <= MAX_STREAM;
}

static void run(const struct plan *plan)
{
        struct asking asking[N_STREAMS] = {{.n = 0}};
        struct line whole[N_STREAMS] = {{.plan = NULL}}, cut[N_LINES] = {{.plan = NULL}};

        for (unsigned i = 0; i < plan->n_streams; i++) {
                read_asked(plan, plan->streams[i], &asking[i]);
                whole[i] = (struct line){.plan = plan, .stream = plan->streams[i]};
                converse(&whole[i], 1, plan);
                check_said(&asking[i], &whole[i]);
        }
        for (unsigned i = 0; i < 2 * plan->n_streams; i++)
                cut[i] = (struct line){.plan = plan, .stream = plan->streams[i / 2], .phase = 1 + i % 2};
        if (plan->flags & FLAG_ALONE)
                for (unsigned i = 0; i < 2 * plan->n_streams; i++)
                        converse(&cut[i], 1, plan);
        else
                converse(cut, 2 * plan->n_streams, plan);
        for (unsigned i = 0; i < 2 * plan->n_streams; i++) {
                check_said(&asking[i / 2], &cut[i]);
                check_same(&asking[i / 2], &whole[i / 2], &cut[i]);
                line_done(&cut[i]);
        }
        for (unsigned i = 0; i < plan->n_streams; i++) {
                asking_done(&asking[i]);
                line_done(&whole[i]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct plan plan = {0};
        size_t mark;

        service = house_open();
        mark = access_log_mark(service->access_log);
        n_served = 0;
        if (read_plan(bytes_make(data, size), &plan))
                run(&plan);
        access_log_rewind(service->access_log, mark);
        return 0;
}
