/* http_status: the statuses that we send (RFC 9110 15). */
#pragma once

#include "base/bytes.h"

/* "Not Found"; "Unknown" for a status we never send. */
const char *http_status_reason(unsigned status);
/* "HTTP/1.1 404 Not Found"; that of 500 for a status we never send. */
struct bytes http_status_line(unsigned status);
