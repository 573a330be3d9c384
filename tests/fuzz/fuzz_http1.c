/* Fuzz: the HTTP/1.1 request. Whatever is accepted lies within the input and its limits; and octet by octet the outcome is the one
 * that all octets at once have. */
#include "responder/http/http1.h"
#include "tests/fuzz/fuzz.h"

static const struct request_limits LIMITS = {.max_uri = 200, .max_head = 600, .max_body = 100};

struct result {
        enum http1_outcome outcome;
        size_t used;
        unsigned status;
        struct request request;
        uint8_t body[100];
};

static void check_request(const struct request *r, struct bytes in, const struct result *result)
{
        struct bytes chunked = BYTES_OF(result->body);

        HOLDS(result->used > 0 && result->used <= in.len && result->used <= http1_max_len(&LIMITS));
        HOLDS(r->method <= METHOD_UNKNOWN);
        HOLDS(r->path.len > 0 && r->path.len + r->query.len <= LIMITS.max_uri);
        HOLDS(r->body.len <= LIMITS.max_body);
        HOLDS(lies_within(r->body, in) || lies_within(r->body, chunked));
        HOLDS(bytes_equal(r->path, BYTES_LIT("/")) || lies_within(r->path, in));
        HOLDS(lies_within(r->query, in) && lies_within(r->content_type, in) && lies_within(r->if_none_match, in));
        HOLDS(lies_within(r->if_modified_since, in) && lies_within(r->range, in) && lies_within(r->if_range, in));
}

static void read_up_to(struct bytes in, size_t step, struct result *ret)
{
        struct http1_state state = {0};
        size_t n = step < in.len ? step : in.len;

        ret->outcome = HTTP1_MORE;
        ret->used = 0;
        ret->status = 0;
        for (;;) {
                struct bytes part = bytes_make(in.data, n);

                ret->outcome = http1_read(&LIMITS, &state, part, ret->body, &ret->request, &ret->used, &ret->status);
                if (ret->outcome == HTTP1_CONTINUE)
                        ret->outcome = HTTP1_MORE;
                if (ret->outcome == HTTP1_REQUEST)
                        check_request(&ret->request, part, ret);
                if (ret->outcome != HTTP1_MORE || n == in.len)
                        return;
                n = n + step < in.len ? n + step : in.len;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct result whole, parts;
        struct bytes in = bytes_make(data, size);

        read_up_to(in, size ? size : 1, &whole);
        if (whole.outcome == HTTP1_MORE)
                HOLDS(in.len <= http1_max_len(&LIMITS)); /* so that nobody fills our memory */
        for (size_t step = 1; step <= 7; step += 3) {
                read_up_to(in, step, &parts);
                HOLDS(parts.outcome == whole.outcome && parts.used == whole.used && parts.status == whole.status);
                if (whole.outcome == HTTP1_REQUEST)
                        HOLDS(bytes_equal(parts.request.path, whole.request.path) && parts.request.body.len == whole.request.body.len);
        }
        return 0;
}
