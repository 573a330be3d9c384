/* msg: every message that crosses a process boundary between the responder, the engine and the operator's tools,
 * declared once. All run over AF_UNIX SOCK_SEQPACKET, so one packet is one message.
 *
 *  - sign: worker -> engine (conf sign_socket). Fixed layout, built and read by msg_*_put / msg_*_take here.
 *  - control: tocsin -> engine (conf control_socket). JSON objects; batch files passed as descriptors (SCM_RIGHTS).
 *
 * A reader checks kind, version, lengths and ranges before anything else and refuses the whole packet otherwise: the
 * engine trusts no worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define MSG_VERSION 1
#define MSG_SERIAL_MAX 20
#define MSG_CERT_IDS_MAX 16
#define MSG_NONCE_MAX 128

/* ---- sign: worker -> engine ---- */

/* Truth: one CertID, primary hash, no nonce: written back to the store, first of all.
 * Extras: nonces, other hashes, several CertIDs, a preferred algorithm: capped, shed first. */
enum msg_lane { MSG_LANE_TRUTH, MSG_LANE_EXTRAS };

struct msg_cert_id {
        uint32_t ca_key;
        uint8_t serial_len; /* 1..20 */
        uint8_t serial[MSG_SERIAL_MAX];
};

struct msg_sign_ask {
        uint64_t id;          /* the worker's own, echoed; unique among its open questions */
        uint8_t lane;         /* enum msg_lane */
        uint8_t cert_id_hash; /* enum hash_alg of pki/hash_alg.h: how the CertIDs were asked; the answer echoes it */
        uint8_t n_cert_ids;   /* 1..16; 1 in the truth lane; all under CA keys that the first one's signer serves */
        uint8_t nonce_len;    /* 0 = none */
        uint8_t preferred;    /* extras only: 1 + enum sig_alg of pki/sig_alg.h, one that the signer's key can make; 0 = its own */
        struct msg_cert_id cert_ids[MSG_CERT_IDS_MAX];
        uint8_t nonce[MSG_NONCE_MAX];
};

enum msg_outcome {
        MSG_SIGNED,       /* response holds a whole OCSPResponse */
        MSG_TRY_LATER,    /* over budget, or the token is away */
        MSG_UNAUTHORIZED, /* no such record (it was there for the worker, so it is gone) */
};

/* The worker reads each row again before it uses this: where a generation differs, the truth moved on meanwhile. */
struct msg_sign_answer {
        uint64_t id;
        uint8_t outcome; /* enum msg_outcome */
        uint8_t n_cert_ids;
        uint32_t generations[MSG_CERT_IDS_MAX]; /* of the status that was signed, in the question's order */
        int64_t this_update_s, next_update_s; /* Unix seconds */
        struct bytes response; /* DER; borrows from the packet */
};

#define MSG_SIGN_ASK_MAX 1024
#define MSG_SIGN_ANSWER_MAX 65536

/* A whole packet each. Taking: ERR_INVALID: a length, a number or a kind out of range, or octets left over; ERR_UNSUPPORTED: another
 * MSG_VERSION. */
void msg_sign_ask_put(struct builder *b, const struct msg_sign_ask *ask);
MUST_CHECK enum err msg_sign_ask_take(struct bytes packet, struct msg_sign_ask *ret_ask);
void msg_sign_answer_put(struct builder *b, const struct msg_sign_answer *answer);
MUST_CHECK enum err msg_sign_answer_take(struct bytes packet, struct msg_sign_answer *ret_answer);

/* ---- sockets ---- */

/* A listening / connected SEQPACKET socket at `path` (non-blocking, close-on-exec). A dead socket file is replaced, a live
 * one is ERR_BUSY; what is no socket is ERR_EXISTS and stays. ERR_RANGE: the path is longer than 107 octets. ERR_NOT_FOUND, ERR_DENIED
 * and others as the system says (connecting to a dead one: ERR_CLOSED). `mode` is the file's mode. Two that start at the same instant are told
 * apart by the store's lock, not here. */
MUST_CHECK enum err msg_listen(const char *path, unsigned mode, int *ret_fd);
MUST_CHECK enum err msg_connect(const char *path, int *ret_fd);
/* One packet with at most one descriptor (fd -1: none). ERR_AGAIN when it would block, ERR_CLOSED when the peer is gone, ERR_INVALID
 * when it is empty. */
MUST_CHECK enum err msg_send(int socket, struct bytes packet, int fd);
/* One packet into memory; *ret_fd is -1 or a descriptor that the caller now owns (NULL: a descriptor is refused).
 * ERR_AGAIN, ERR_CLOSED; ERR_RANGE when the packet was longer than cap; ERR_INVALID: a descriptor that is not wanted. */
MUST_CHECK enum err msg_receive(int socket, void *memory, size_t cap, size_t *ret_len, int *ret_fd);
