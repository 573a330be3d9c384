/* service: what all requests of one worker share, and the read turn they are answered in. One thread.
 *
 * A turn is one snapshot of the store. It begins after the requests' octets were read from the socket, so whatever was
 * committed before a request came is seen by it. What was rendered in a turn that ends ERR_STALE is thrown away. */
#pragma once

#include "base/conf.h"
#include "base/msg.h"
#include "pki/ocsp_request.h"
#include "responder/answer/access_log.h"
#include "responder/answer/ca_table.h"
#include "responder/answer/crl_files.h"
#include "responder/answer/dates.h"
#include "responder/answer/head_memo.h"
#include "responder/answer/ocsp_get.h"
#include "responder/answer/request.h"
#include "responder/answer/stats.h"
#include "store/env.h"
#include "store/txn.h"
#include "store/window.h"

/* Octets of answers that are rendered before they are written; what one more answer may take at most. */
#define SERVICE_OUT_SIZE (192 * 1024)
#define SERVICE_ANSWER_MAX (72 * 1024)
#define SERVICE_SHAPES 64
/* Requests that are looked at ahead together; the longest path of a GET among them. */
#define SERVICE_AHEAD 16
#define SERVICE_AHEAD_PATH 512

struct ocsp_question;

struct service {
        const struct conf *conf;
        struct env *env;
        struct ca_table *cas;
        struct window_cache *windows;
        struct crl_files *crls;
        struct dates dates;
        struct head_memo heads[PROTOCOL_N];
        struct access_log *access_log; /* NULL: off; the worker's */
        int client;                    /* the socket whose requests are answered; -1 = none */
        struct limits *address_limits; /* the worker's; NULL: none */
        uint64_t client_address;       /* limits_client of that socket */
        struct stats stats;
        uint64_t n_in_turn; /* requests answered in it */
        struct request_limits limits;
        struct builder out;       /* fixed; answers of one turn */
        uint8_t *out_memory;
        uint8_t *body_memory;     /* limits.max_body: a chunked body, put together */
        uint8_t *der_memory;      /* limits.max_uri: a GET's request, decoded */
        struct ocsp_question *ahead; /* SERVICE_AHEAD questions, of requests that were looked at ahead ... */
        uint8_t (*ahead_memory)[SERVICE_AHEAD_PATH]; /* ... and what they borrow from */
        struct ocsp_shape shapes[SERVICE_SHAPES]; /* of the requests seen last, by length and issuer */
        struct ocsp_get_memo get_memos[SERVICE_SHAPES]; /* of their paths */
        struct builder tags;      /* of the answer in hand, in tags_memory: holds those of OCSP_CERT_IDS_MAX serials */
        uint8_t tags_memory[4096];
        uint8_t text_memory[1024]; /* a short text made for one answer */
        struct msg_sign_ask ask;  /* what the request that was parked last wants signed */
        uint64_t commit;          /* that epoch and caches were last looked at for; 0 = never */
        uint32_t epoch;
        int64_t time_mark_s;      /* time never goes back below */
};

/* `conf` and `env` are kept by the caller. */
MUST_CHECK enum err service_init(struct service *ret_service, const struct conf *conf, struct env *env);
void service_done(struct service *service);

struct turn {
        struct service *service;
        struct txn *txn;
        int64_t now_s;
        int64_t begun_us; /* monotonic */
        size_t log_mark;  /* where the access log stood */
        uint32_t epoch;
};

MUST_CHECK enum err turn_begin(struct service *service, struct turn *ret_turn);
/* ERR_STALE: everything read in it must be forgotten, as the service's caches have been. */
MUST_CHECK enum err turn_end(struct turn *turn);
