/* tocsin-load: asks an OCSP responder (or a static file server) many questions, checks the answers, prints what it saw as JSON.
 *
 *   tocsin-load --url http://HOST[:PORT]/PATH --issuer CERT --list SERIALS [--get | --post] ...
 *   tocsin-load --url http://HOST[:PORT]/PATH --static ...
 *
 * Exit code: 0 every answer right, 1 some were not, 2 usage, 3 the run could not be made.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench/load/drive.h"

#define HOST_MAX 64
#define PATH_MAX_LEN 512

struct options {
        struct question_source source;
        struct drive_config drive;
        char host[HOST_MAX];
        char path[PATH_MAX_LEN];
        int cpu;
        bool constant; /* OCSP requests, but any constant answer is right: the floor */
};

/* "http://1.2.3.4:80/path": an address, for the generator resolves no names. */
static bool set_url(struct options *o, const char *text)
{
        char address[HOST_MAX] = "";
        unsigned port = 80;

        snprintf(o->path, sizeof(o->path), "/");
        if (sscanf(text, "http://%63[^/]%511s", o->host, o->path) < 1)
                return false;
        if (sscanf(o->host, "%63[0-9.]:%u", address, &port) < 1 || port > 65535)
                return false;
        o->source.host = o->drive.authority = o->host;
        o->source.path = o->path;
        o->drive.address.sin_family = AF_INET;
        o->drive.address.sin_port = htons((uint16_t)port);
        return inet_pton(AF_INET, address, &o->drive.address.sin_addr) == 1;
}

static bool set_issuer(struct options *o, const char *text)
{
        o->source.issuer = text;
        return true;
}

static bool set_list(struct options *o, const char *text)
{
        o->source.list = text;
        return true;
}

static bool set_get(struct options *o, const char *text)
{
        (void)text;
        o->source.kind = QUESTION_GET;
        return true;
}

static bool set_post(struct options *o, const char *text)
{
        (void)text;
        o->source.kind = QUESTION_POST;
        return true;
}

static bool set_static(struct options *o, const char *text)
{
        (void)text;
        o->source.kind = QUESTION_STATIC;
        o->drive.rule.is_ocsp = false;
        return true;
}

static bool set_constant(struct options *o, const char *text)
{
        (void)text;
        o->drive.rule.is_ocsp = false;
        return true;
}

static bool set_h2(struct options *o, const char *text)
{
        (void)text;
        o->drive.protocol = &protocol_http2;
        return true;
}

static bool set_hash(struct options *o, const char *text)
{
        for (int h = 0; h < HASH_N; h++) {
                if (strcmp(hash_alg_name((enum hash_alg)h), text) == 0) {
                        o->source.hash = (enum hash_alg)h;
                        return true;
                }
        }
        return false;
}

static bool read_number(const char *text, double min, double max, double *ret)
{
        char *end;
        double value = strtod(text, &end);

        if (end == text || *end || value < min || value > max)
                return false;
        *ret = value;
        return true;
}

static bool read_count(const char *text, uint64_t max, uint64_t *ret)
{
        double value;

        if (!read_number(text, 1, (double)max, &value))
                return false;
        *ret = (uint64_t)value;
        return true;
}

static bool set_connections(struct options *o, const char *text)
{
        uint64_t n = 0;
        bool ok = read_count(text, 60000, &n);

        o->drive.n_conns = (unsigned)n;
        return ok;
}

static bool set_depth(struct options *o, const char *text)
{
        uint64_t n = 0;
        bool ok = read_count(text, DEPTH_MAX, &n);

        o->drive.depth = (unsigned)n;
        return ok;
}

static bool set_sample(struct options *o, const char *text)
{
        uint64_t n = 0;
        bool ok = read_count(text, 1u << 30, &n);

        o->drive.sample_every = (unsigned)n;
        return ok;
}

static bool set_questions(struct options *o, const char *text)
{
        uint64_t n = 0;
        bool ok = read_count(text, 100000000, &n);

        o->source.max = (size_t)n;
        return ok;
}

static bool set_hot_set(struct options *o, const char *text)
{
        uint64_t n = 0;
        bool ok = read_count(text, 100000000, &n);

        o->drive.hot_set = (size_t)n;
        return ok;
}

static bool set_requests(struct options *o, const char *text)
{
        return read_count(text, UINT64_MAX >> 12, &o->drive.max_requests);
}

static bool set_seed(struct options *o, const char *text)
{
        bool ok = read_count(text, UINT64_MAX >> 12, &o->source.seed);

        o->drive.seed = o->source.seed;
        return ok;
}

static bool set_duration(struct options *o, const char *text)
{
        return read_number(text, 0.01, 86400, &o->drive.seconds);
}

static bool set_rate(struct options *o, const char *text)
{
        return read_number(text, 1, 1e8, &o->drive.rate);
}

static bool set_hot(struct options *o, const char *text)
{
        return read_number(text, 0, 1, &o->drive.hot_share);
}

static bool set_pin(struct options *o, const char *text)
{
        double cpu;

        if (!read_number(text, 0, CPU_SETSIZE - 1, &cpu))
                return false;
        o->cpu = (int)cpu;
        return true;
}

static const struct {
        const char *name;
        const char *argument; /* NULL: none */
        bool (*set)(struct options *o, const char *text);
        const char *help;
} option_table[] = {
        {"url", "URL", set_url, "http://ADDRESS[:PORT]/PATH of the responder or file"},
        {"issuer", "CERT", set_issuer, "issuer's certificate, PEM or DER"},
        {"list", "FILE", set_list, "serials, one a line: HEX [good|revoked]"},
        {"get", NULL, set_get, "ask by GET (default)"},
        {"post", NULL, set_post, "ask by POST"},
        {"hash", "ALG", set_hash, "CertID hash: sha1 (default), sha256, sha384, sha512"},
        {"static", NULL, set_static, "GET the URL itself: a static file, whose body must stay the same"},
        {"constant", NULL, set_constant, "any constant body is right: for the floor"},
        {"connections", "N", set_connections, "connections kept open (64)"},
        {"pipeline", "K", set_depth, "requests out on each connection (1)"},
        {"h2", NULL, set_h2, "cleartext HTTP/2 with prior knowledge"},
        {"streams", "N", set_depth, "the same as --pipeline: with --h2 they are streams"},
        {"duration", "S", set_duration, "seconds to ask for (5)"},
        {"requests", "N", set_requests, "stop after so many requests instead"},
        {"rate", "R", set_rate, "open loop: R requests per second, latency from the time they were due"},
        {"questions", "N", set_questions, "distinct questions kept in memory, a random sample of the list (200000)"},
        {"hot", "SHARE", set_hot, "share of requests (0..1) asked of the hot set"},
        {"hot-set", "N", set_hot_set, "size of the hot set (16)"},
        {"sample", "N", set_sample, "read one answer of N whole and compare its serial (64)"},
        {"seed", "N", set_seed, "for the order of questions"},
        {"pin", "CPU", set_pin, "run on this CPU alone"},
};
#define N_OPTIONS (sizeof(option_table) / sizeof(option_table[0]))

static int usage(void)
{
        fprintf(stderr, "usage: tocsin-load --url URL (--issuer CERT --list FILE | --static) [options]\n");
        for (size_t i = 0; i < N_OPTIONS; i++)
                fprintf(stderr, "  --%s %s\n        %s\n", option_table[i].name, option_table[i].argument ? option_table[i].argument : "",
                        option_table[i].help);
        return 2;
}

static bool options_complete(struct options *o)
{
        if (o->drive.max_requests == 0 && o->drive.seconds == 0)
                o->drive.seconds = 5;
        if (!o->source.host)
                return false;
        return o->source.kind == QUESTION_STATIC || (o->source.issuer && o->source.list);
}

static bool options_read(struct options *o, int argc, char **argv)
{
        struct option names[N_OPTIONS + 1] = {0};
        int at = 0, c;

        for (size_t i = 0; i < N_OPTIONS; i++)
                names[i] = (struct option){option_table[i].name, option_table[i].argument ? required_argument : no_argument, NULL, 1};
        while ((c = getopt_long(argc, argv, "", names, &at)) != -1) {
                if (c != 1)
                        return false;
                if (!option_table[at].set(o, optarg)) {
                        fprintf(stderr, "tocsin-load: --%s does not take %s\n", option_table[at].name, optarg);
                        return false;
                }
        }
        return optind == argc && options_complete(o);
}

static void print_verdicts(const struct drive_result *r)
{
        const char *comma = "";

        printf("  \"failure_kinds\": {");
        for (int v = VERDICT_RIGHT + 1; v < VERDICT_N; v++) {
                if (r->verdicts[v] == 0)
                        continue;
                printf("%s\"%s\": %llu", comma, verdict_name((enum verdict)v), (unsigned long long)r->verdicts[v]);
                comma = ", ";
        }
        printf("},\n");
}

static void print_latency(const struct histogram *h)
{
        static const struct {
                const char *name;
                double quantile;
        } rows[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

        printf("  \"latency_us\": {");
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                printf("\"%s\": %.1f, ", rows[i].name, (double)histogram_quantile_ns(h, rows[i].quantile) / 1e3);
        printf("\"mean\": %.1f, \"max\": %.1f},\n", h->n ? (double)h->sum_ns / (double)h->n / 1e3 : 0, (double)h->max_ns / 1e3);
}

static void print_result(const struct options *o, const struct questions *q, const struct drive_result *r)
{
        printf("{\n  \"requests\": %llu,\n  \"right\": %llu,\n  \"failures\": %llu,\n", (unsigned long long)r->n_asked,
                (unsigned long long)r->n_right, (unsigned long long)(r->n_asked - r->n_right));
        print_verdicts(r);
        printf("  \"sampled\": %llu,\n  \"seconds\": %.4f,\n  \"rate\": %.1f,\n", (unsigned long long)r->n_sampled, r->seconds,
                r->seconds > 0 ? (double)r->n_right / r->seconds : 0);
        print_latency(&r->latency);
        printf("  \"mode\": \"%s\",\n  \"asked_rate\": %.1f,\n", o->drive.rate > 0 ? "open" : "closed", o->drive.rate);
        printf("  \"protocol\": \"%s\",\n  \"connections\": %u,\n  \"depth\": %u,\n", o->drive.protocol->name, o->drive.n_conns, o->drive.depth);
        printf("  \"questions\": %zu,\n  \"reconnects\": %llu,\n", q->n, (unsigned long long)r->n_reconnects);
        printf("  \"body_len\": {\"min\": %llu, \"max\": %llu}\n}\n", (unsigned long long)r->body_len_min, (unsigned long long)r->body_len_max);
}

static int pin_to(int cpu)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        return sched_setaffinity(0, sizeof(set), &set);
}

static int run(struct options *o)
{
        _cleanup_(questions_done) struct questions questions = {0};
        _cleanup_free_ struct drive_result *result = calloc(1, sizeof(*result)); /* holds a histogram */
        const char *why = "";
        enum err e;

        if (!result)
                return 3;
        e = questions_make(&o->source, &questions, &why);
        if (e != OK) {
                fprintf(stderr, "tocsin-load: %s: %s\n", why, err_text(e));
                return 3;
        }
        if (o->drive.hot_set > questions.n)
                o->drive.hot_set = questions.n;
        e = drive_run(&o->drive, &questions, result);
        if (e != OK) {
                fprintf(stderr, "tocsin-load: %s: %s\n", o->host, e == ERR_CLOSED ? "connections end without an answer" : err_text(e));
                return 3;
        }
        print_result(o, &questions, result);
        return result->n_right == result->n_asked ? 0 : 1;
}

int main(int argc, char **argv)
{
        struct options o = {
                .source = {.kind = QUESTION_GET, .hash = HASH_SHA1, .max = 200000, .seed = 1},
                .drive = {.protocol = &protocol_http1, .n_conns = 64, .depth = 1, .sample_every = 64, .hot_set = 16, .seed = 1},
                .cpu = -1,
        };

        o.drive.rule.is_ocsp = true;
        if (!options_read(&o, argc, argv))
                return usage();
        if (o.cpu >= 0 && pin_to(o.cpu) != 0) {
                perror("tocsin-load: pin");
                return 3;
        }
        return run(&o);
}
