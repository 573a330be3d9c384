/* ocsp_question: what an OCSP request asks (by GET or POST, RFC 6960 appendix A), of whom, and how that stands in the turn's snapshot.
 *
 * In two steps, so that the rows of many questions can be looked up together in between (status_seek_together of their places). */
#pragma once

#include "pki/ocsp_request.h"
#include "responder/answer/request.h"
#include "responder/answer/service.h"
#include "store/status.h"

struct ocsp_question {
        unsigned http_status;              /* 200, or what refuses it: the rest means nothing then */
        enum ocsp_response_status outcome; /* SUCCESSFUL: all is as it should be so far */
        struct ocsp_request request;       /* n_cert_ids is 0 unless it could be read */
        const struct ca_entry *ca;         /* of all CertIDs */
        bool is_extended; /* one of them was never issued, and that is told as revoked (req 2.5) */
        bool is_sought;   /* `place`, of the first serial, may be looked up */
        struct status_place place;
        struct status statuses[OCSP_CERT_IDS_MAX]; /* once it is looked up */
};

/* `rest` is the path behind the route's prefix; `memory` holds as many octets, and one more. The question must not move any more. */
void ocsp_question_read(
        struct turn *turn, const struct request *request, struct bytes rest, uint8_t *memory, struct ocsp_question *ret_question);
/* In the same turn. Returns the id of the window that the first stored signature is of; 0: there is none. */
uint32_t ocsp_question_look_up(struct turn *turn, struct ocsp_question *question);
