#include "responder/answer/http_status.h"

static const struct status_row {
        unsigned status;
        const char *reason;
        struct bytes line;
} STATUSES[] = {
#define STATUS(code, reason) {code, reason, BYTES_LIT("HTTP/1.1 " #code " " reason)}
        STATUS(200, "OK"),
        STATUS(206, "Partial Content"),
        STATUS(304, "Not Modified"),
        STATUS(400, "Bad Request"),
        STATUS(404, "Not Found"),
        STATUS(405, "Method Not Allowed"),
        STATUS(408, "Request Timeout"),
        STATUS(413, "Content Too Large"),
        STATUS(414, "URI Too Long"),
        STATUS(415, "Unsupported Media Type"),
        STATUS(416, "Range Not Satisfiable"),
        STATUS(417, "Expectation Failed"),
        STATUS(429, "Too Many Requests"),
        STATUS(431, "Request Header Fields Too Large"),
        STATUS(500, "Internal Server Error"),
        STATUS(501, "Not Implemented"),
        STATUS(503, "Service Unavailable"),
        STATUS(505, "HTTP Version Not Supported"),
#undef STATUS
};

static const struct status_row *find_status(unsigned status)
{
        const struct status_row *row = STATUSES;

        while (row->status != status && row->status != 505)
                row++;
        return row->status == status ? row : NULL;
}

const char *http_status_reason(unsigned status)
{
        const struct status_row *row = find_status(status);

        return row ? row->reason : "Unknown";
}

struct bytes http_status_line(unsigned status)
{
        const struct status_row *row = find_status(status);

        return row ? row->line : find_status(500)->line;
}
