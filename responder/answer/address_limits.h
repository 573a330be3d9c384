/* address_limits: what one client address may cost a worker (req 1.18): connections at once, and requests a second.
 *
 *  - An address is an IPv4 address or an IPv6 /64. Those of conf responder.trusted_addresses (proxies, CDNs) have no limit.
 *  - Connections are counted exactly, in a table that holds as many addresses as there may be connections. A connection too many is
 *    closed when it is accepted.
 *  - Requests are metered: `rate` a second, in bursts of two seconds' worth; one too many gets 429. The meters are a table of fixed size;
 *    when a place is short the address that asked least goes, which errs on the client's side.
 *  - Both tables are made once. One thread. */
#pragma once

#include <sys/socket.h>

#include "base/conf.h"

struct limits;

/* OK and NULL: nothing is limited. ERR_NOMEM. */
MUST_CHECK enum err limits_new(const struct conf *conf, struct limits **ret_limits);
void limits_free(struct limits *limits);

/* Stands for the address everywhere below; 0 = without limits. NULL is fine everywhere. */
uint64_t limits_client(const struct limits *limits, const struct sockaddr *address);
/* One connection more, if it may have it. */
bool limits_enter(struct limits *limits, uint64_t client);
void limits_leave(struct limits *limits, uint64_t client);
/* One request more, if it may. `now_us` is monotonic. */
bool limits_take_request(struct limits *limits, uint64_t client, int64_t now_us);
