/* http1: reads one HTTP/1.1 or 1.0 request (RFC 9112). Pure: octets in, a request, "more", or a status code out.
 *
 * Strict, since every liberty is somebody's request smuggling: CRLF only, one Host, one framing, no folding, no white space
 * where the grammar has none. What it refuses cannot be resynchronised: the connection closes after the answer.
 *
 * The whole request is read anew from its first octet whenever there may be something new to say, so nothing but three
 * numbers lives between calls, and an unanswered request can be read again later. Fed octet by octet or at once, the
 * outcome is the same (a test holds it).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "responder/answer/request.h"

#define HTTP1_MAX_FIELDS 64
/* What chunk sizes, extensions and trailers may add to a body: 413 beyond. */
#define HTTP1_CHUNK_SLACK 4096

/* Zeroed before each request's first octet. */
struct http1_state {
        uint32_t seen;  /* so many octets were there at the last call */
        uint32_t need;  /* with fewer than these there is nothing new; 0 = a line feed is awaited */
        uint32_t limit; /* awaiting a line feed: with more than these there is an error to report */
        bool continued; /* 100 was asked for once */
};

enum http1_outcome {
        HTTP1_REQUEST,  /* whole: *ret_used octets of the input are its own */
        HTTP1_MORE,     /* more octets are needed */
        HTTP1_CONTINUE, /* like MORE, but the client waits for "100 Continue" first (RFC 9110 10.1.1) */
        HTTP1_REFUSED,  /* *ret_status says why */
};

/* `body_memory` holds limits->max_body octets: a chunked body is put together there (so it lives until the next call). */
enum http1_outcome http1_read(const struct request_limits *limits, struct http1_state *state, struct bytes in,
        uint8_t *body_memory, struct request *ret_request, size_t *ret_used, unsigned *ret_status);

/* For HTTP/2, too. Path and query of a target that begins with '/' (RFC 9112 3.2.1). False: it does not, or holds what no target may. */
bool http1_read_origin_form(struct bytes target, struct request *ret_request);

/* Most octets a request can take that http1_read does not refuse. */
static inline size_t http1_max_len(const struct request_limits *limits)
{
        return limits->max_head + limits->max_body + HTTP1_CHUNK_SLACK;
}
