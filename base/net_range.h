/* net_range: a range of IP addresses: "192.0.2.1", "192.0.2.0/24", "2001:db8::/32". */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct net_range {
        int family; /* AF_INET or AF_INET6 */
        uint8_t address[16];
        unsigned prefix; /* bits, 0..32 or 0..128; an address alone has all of them */
};

/* ERR_INVALID. Bits behind the prefix are taken as they are and never looked at. */
MUST_CHECK enum err net_range_parse(const char *text, struct net_range *ret_range);
/* An IPv4 address mapped into IPv6 counts as what it is. */
bool net_range_has(const struct net_range *range, const struct sockaddr *address);
/* The address in network order: returns 4 octets or 16 (an IPv4 one mapped into IPv6: 4); 0: of neither family. */
unsigned net_address_octets(const struct sockaddr *address, uint8_t ret_octets[16]);
