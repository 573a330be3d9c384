#include "responder/metrics.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

struct subject {
        const struct board_view *view;
        const struct stats *sum;
};

struct row {
        struct metric metric;
        size_t offset; /* a plain one: of its uint64_t in struct stats */
        void (*put)(struct builder *b, const struct metric *m, const struct subject *s); /* the others */
};

static struct metric_label label(const char *name, const char *value)
{
        return (struct metric_label){name, bytes_str(value)};
}

/* ---- the ones with labels ---- */

static const char *const METHODS[] = {
        [METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD", [METHOD_POST] = "POST", [METHOD_OTHER] = "other", [METHOD_UNKNOWN] = "unknown"};
static const char *const PROTOCOLS[] = {[PROTOCOL_HTTP1] = "http1", [PROTOCOL_HTTP2] = "http2"};
static const char *const STATUSES[] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const OUTCOMES[] = {[OUTCOME_GOOD] = "good", [OUTCOME_REVOKED] = "revoked", [OUTCOME_UNAUTHORIZED] = "unauthorized",
        [OUTCOME_MALFORMED] = "malformed", [OUTCOME_TRY_LATER] = "try_later", [OUTCOME_INTERNAL_ERROR] = "internal_error"};
static const char *const HASHES[] = {
        [HASH_SHA1] = "sha1", [HASH_SHA256] = "sha256", [HASH_SHA384] = "sha384", [HASH_SHA512] = "sha512", [HASH_N] = "other"};

/* Label sets that never occurred are left out, but for the ordinary ones: a rate wants its zero. */
static void put_requests(struct builder *b, const struct metric *m, const struct subject *s)
{
        for (unsigned method = 0; method < ROWS(METHODS); method++)
                for (unsigned protocol = 0; protocol < PROTOCOL_N; protocol++)
                        for (unsigned status = 1; status < ROWS(STATUSES); status++) {
                                uint64_t n = s->sum->n_requests[method][protocol][status];
                                struct metric_label labels[] = {label("method", METHODS[method]), label("protocol", PROTOCOLS[protocol]),
                                        label("status", STATUSES[status])};

                                if (n > 0 || (status == 2 && method <= METHOD_POST))
                                        metric_put_sample(b, m, labels, ROWS(labels), n);
                        }
}

static struct bytes issuer_name(const struct stats *s, unsigned row)
{
        return row == STATS_ISSUERS - 1 ? BYTES_LIT("(others)") : bytes_str(s->names[row]);
}

static void put_outcomes(struct builder *b, const struct metric *m, const struct subject *s)
{
        for (unsigned row = 0; row < STATS_ISSUERS; row++)
                for (unsigned outcome = OUTCOME_GOOD; outcome < OUTCOME_N; outcome++) {
                        uint64_t n = s->sum->n_outcomes[row][outcome];
                        bool is_ordinary = s->sum->names[row][0] != '\0' && outcome <= OUTCOME_REVOKED;
                        struct metric_label labels[] = {{"issuer", issuer_name(s->sum, row)}, label("outcome", OUTCOMES[outcome])};

                        if (n > 0 || is_ordinary)
                                metric_put_sample(b, m, labels, ROWS(labels), n);
                }
}

static void put_hashes(struct builder *b, const struct metric *m, const struct subject *s)
{
        for (unsigned hash = 0; hash < ROWS(HASHES); hash++) {
                struct metric_label labels[] = {label("hash", HASHES[hash])};

                metric_put_sample(b, m, labels, ROWS(labels), s->sum->n_cert_id_hashes[hash]);
        }
}

/* ---- the ones that are worked out ---- */

static void put_turns(struct builder *b, const struct metric *m, const struct subject *s)
{
        metric_put_histogram(b, m, &s->sum->turn_us);
}

static void put_waits(struct builder *b, const struct metric *m, const struct subject *s)
{
        metric_put_histogram(b, m, &s->sum->wait_us);
}

static void put_longest_turn(struct builder *b, const struct metric *m, const struct subject *s)
{
        metric_put_us(b, m, NULL, 0, s->sum->now.longest_turn_us);
}

static void put_commit_age(struct builder *b, const struct metric *m, const struct subject *s)
{
        if (s->sum->now.commit != 0)
                metric_put_us(b, m, NULL, 0, 1000 * (s->view->now_ms - s->sum->now.commit_since_ms));
}

static void put_workers(struct builder *b, const struct metric *m, const struct subject *s)
{
        metric_put_sample(b, m, NULL, 0, s->view->n_workers);
}

static void put_silent(struct builder *b, const struct metric *m, const struct subject *s)
{
        metric_put_sample(b, m, NULL, 0, s->view->n_silent);
}

#define AT(field) .offset = offsetof(struct stats, field)
#define COUNTER METRIC_COUNTER
#define GAUGE METRIC_GAUGE

/* clang-format off */
static const struct row ROWS_OF_METRICS[] = {
        {{"tocsin_http_requests_total", COUNTER, "Requests answered, by method, protocol and class of the status."}, .put = put_requests},
        {{"tocsin_ocsp_answers_total", COUNTER, "OCSP questions answered, by issuer (empty: none of ours) and outcome."}, .put = put_outcomes},
        {{"tocsin_ocsp_cert_id_hashes_total", COUNTER, "OCSP questions by the digest of their first CertID."}, .put = put_hashes},
        {{"tocsin_ocsp_stored_total", COUNTER, "OCSP answers with a signature that was in the store."}, AT(n_ocsp_stored)},
        {{"tocsin_ocsp_live_total", COUNTER, "OCSP answers with a signature made on demand."}, AT(n_ocsp_live)},
        {{"tocsin_sign_asked_total", COUNTER, "Questions put to the engine for a signature on demand."}, AT(n_asked)},
        {{"tocsin_sign_coalesced_total", COUNTER, "Requests that joined such a question already under way."}, AT(n_coalesced)},
        {{"tocsin_sign_refused_total", COUNTER, "Requests that could not ask: no credit left, or the engine away."}, AT(n_refused)},
        {{"tocsin_sign_open", GAUGE, "Questions that the engine has not answered yet."}, AT(now.n_questions)},
        {{"tocsin_engine_lost_total", COUNTER, "Times that a worker's line to the engine broke or could not be made."}, AT(n_engine_lost)},
        {{"tocsin_request_turn_seconds", METRIC_HISTOGRAM, "Of each request: the time of the read turn it was answered in."}, .put = put_turns},
        {{"tocsin_sign_wait_seconds", METRIC_HISTOGRAM, "Of each request that asked for a signature: from its octets to its answer."}, .put = put_waits},
        {{"tocsin_connections_total", COUNTER, "Connections accepted."}, AT(n_connections)},
        {{"tocsin_connections_refused_total", COUNTER, "Connections closed at once, for their address has as many as it may."}, AT(n_refused_connections)},
        {{"tocsin_requests_refused_total", COUNTER, "Requests answered 429, for their address has sent as many as it may."}, AT(n_refused_requests)},
        {{"tocsin_connections_open", GAUGE, "Connections open now."}, AT(now.n_open)},
        {{"tocsin_timeouts_total", COUNTER, "Timeouts of connections and requests, idle ones included."}, AT(n_timeouts)},
        {{"tocsin_store_turn_longest_seconds", GAUGE, "Age of the oldest store transaction of the last quarter of a second."}, .put = put_longest_turn},
        {{"tocsin_store_stale_turns_total", COUNTER, "Read turns that took too long and were done again."}, AT(n_stale_turns)},
        {{"tocsin_store_commit", GAUGE, "Number of the newest commit in the store."}, AT(now.commit)},
        {{"tocsin_store_commit_age_seconds", GAUGE, "Since when the newest commit is the newest."}, .put = put_commit_age},
        {{"tocsin_workers", GAUGE, "Workers that run, draining ones included."}, .put = put_workers},
        {{"tocsin_workers_silent", GAUGE, "Of these: workers that do not move."}, .put = put_silent},
        {{"tocsin_access_log_lines_total", COUNTER, "Lines written to the access log."}, AT(n_logged)},
        {{"tocsin_access_log_lost_total", COUNTER, "Lines that the access log's file did not take in time."}, AT(n_log_lost)},
};
/* clang-format on */

static uint64_t value_at(const struct stats *s, size_t offset)
{
        return ((const uint64_t *)s)[offset / sizeof(uint64_t)];
}

void metrics_put(struct builder *b, const struct board_view *view)
{
        const struct subject subject = {view, &view->sum};

        for (size_t i = 0; i < ROWS(ROWS_OF_METRICS); i++) {
                const struct row *row = &ROWS_OF_METRICS[i];

                metric_put_head(b, &row->metric);
                if (row->put)
                        row->put(b, &row->metric, &subject);
                else
                        metric_put_sample(b, &row->metric, NULL, 0, value_at(&view->sum, row->offset));
        }
}
