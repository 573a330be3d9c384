/* drive: asks questions over many connections and judges the answers.
 *
 * Closed loop: every connection always has `depth` requests out; tells what the server can do at most.
 * Open loop (rate > 0): requests are due at random times (exponential gaps) drawn beforehand, whether or not the server keeps up, and their
 * latency counts from the time they were due: a server that stalls cannot make the generator stop asking (no coordinated omission).
 * Requests still due or out at the end count as failures.
 */
#pragma once

#include <netinet/in.h>

#include "bench/load/answer.h"
#include "bench/load/histogram.h"
#include "bench/load/question.h"

#define DEPTH_MAX 256
#define INPUT_CAP (256 * 1024)

/* One request that is out: which, and when it was due. */
struct asked {
        size_t question;
        uint64_t due_ns;
};

/* One connection. The driver owns all but `state`, which is the protocol's. */
struct conn {
        int fd;
        bool queued;   /* in the driver's queue of those that can ask */
        bool answered; /* something came back since it was opened */
        bool failed;   /* to be closed and opened anew */
        unsigned n_out; /* requests out, up to depth */
        struct builder out;
        size_t out_sent;
        uint8_t *in; /* INPUT_CAP */
        size_t in_len;
        void *state;
};

struct drive;

/* HTTP/1.1, or HTTP/2. Each returns nothing: a connection that cannot go on sets conn.failed. */
struct protocol {
        const char *name;
        /* The connection is new, or new again: what was out is forgotten. */
        void (*open)(struct drive *d, struct conn *c);
        /* Puts the request into c->out. */
        void (*ask)(struct drive *d, struct conn *c, const struct asked *asked);
        /* Takes what it can from c->in and calls drive_answered for each answer; returns the octets taken. */
        size_t (*take)(struct drive *d, struct conn *c, uint64_t now_ns);
        /* Counts what is out as failed with this verdict, and frees `state`. */
        void (*close)(struct drive *d, struct conn *c, enum verdict why);
};
extern const struct protocol protocol_http1, protocol_http2;

struct drive_config {
        struct sockaddr_in address;
        const char *authority; /* "127.0.0.1:8080" */
        const struct protocol *protocol;
        unsigned n_conns;
        unsigned depth;        /* requests out on one connection, pipelined or as streams: 1..DEPTH_MAX */
        double seconds;        /* 0: until max_requests */
        uint64_t max_requests; /* 0: until seconds are over */
        double rate;           /* requests per second, 0: closed loop */
        unsigned sample_every; /* one answer of so many is read whole */
        double hot_share;      /* 0..1: share of requests asked of the first hot_set questions */
        size_t hot_set;
        uint64_t seed;
        struct answer_rule rule;
};

struct drive_result {
        uint64_t n_asked, n_right, n_sampled, n_reconnects;
        uint64_t verdicts[VERDICT_N];
        uint64_t body_len_min, body_len_max;
        double seconds;
        struct histogram latency;
};

struct drive {
        const struct drive_config *config;
        const struct questions *questions;
        struct drive_result *result;
        int epoll;
        struct conn *conns;
        struct conn **queue; /* a ring of n_conns: those that can ask */
        unsigned queue_first, queue_len;
        uint64_t start_ns, end_ns, due_ns, last_answer_ns;
        uint64_t n_out;
        uint64_t n_refused; /* connections in a row that brought nothing back */
        enum err broken;    /* why the run cannot go on */
        size_t next_question;
        uint64_t random;
        struct builder first_body;
        struct answer_rule rule;
};

/* ERR_IO: no connection could be made, or epoll refused. */
MUST_CHECK enum err drive_run(const struct drive_config *config, const struct questions *questions, struct drive_result *ret);

/* For protocols: one request was answered / was not. */
void drive_answered(struct drive *d, struct conn *c, const struct asked *asked, const struct answer *answer, uint64_t now_ns);
void drive_failed(struct drive *d, struct conn *c, enum verdict why);
