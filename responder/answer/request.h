/* request: one HTTP request as every protocol hands it to the pipeline. It borrows from the connection's input, which stays
 * in place until the request is answered. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

enum method {
        METHOD_GET,
        METHOD_HEAD,
        METHOD_POST,
        METHOD_OTHER,   /* known to HTTP, but no route takes it: 405 */
        METHOD_UNKNOWN, /* 501 */
};

enum protocol {
        PROTOCOL_HTTP1,
        PROTOCOL_HTTP2,
        PROTOCOL_N,
};

struct request_limits {
        size_t max_uri;  /* octets of the request target: 414 */
        size_t max_head; /* octets of request line and fields: 431 */
        size_t max_body; /* octets of content: 413 */
};

struct route;
struct ocsp_question;

struct request {
        enum method method;
        enum protocol protocol;
        bool keep_alive;   /* the connection may be used again after the answer */
        bool old_version;  /* HTTP/1.0: says so when the connection is kept */
        struct bytes path; /* of the target, undecoded, without its query */
        struct bytes query; /* from the '?' on, or empty */
        struct bytes content_type;
        struct bytes if_none_match;
        struct bytes if_modified_since;
        struct bytes range;
        struct bytes if_range;
        struct bytes body;

        /* what pipeline_look_ahead found out; NULL: nothing */
        const struct route *route;
        struct bytes rest; /* of the path, behind the route's prefix */
        struct ocsp_question *question;
};

/* RFC 9110 9: names are case-sensitive. */
enum method request_find_method(struct bytes name);
