#include "base/net_range.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 64

/* "24", at most `max`; no sign, no space. */
static bool parse_prefix(const char *text, unsigned max, unsigned *ret_prefix)
{
        size_t len = strspn(text, "0123456789");

        if (len < 1 || len > 3 || text[len] != '\0' || (unsigned)atoi(text) > max)
                return false;
        *ret_prefix = (unsigned)atoi(text);
        return true;
}

enum err net_range_parse(const char *text, struct net_range *ret_range)
{
        const char *slash = strchr(text, '/');
        size_t len = slash ? (size_t)(slash - text) : strlen(text);
        struct net_range range = {.family = memchr(text, ':', len) ? AF_INET6 : AF_INET};
        char address[TEXT_MAX];

        if (len >= sizeof(address))
                return ERR_INVALID;
        memcpy(address, text, len);
        address[len] = '\0';
        range.prefix = range.family == AF_INET ? 32 : 128;
        if (inet_pton(range.family, address, range.address) != 1 || (slash && !parse_prefix(slash + 1, range.prefix, &range.prefix)))
                return ERR_INVALID;
        *ret_range = range;
        return OK;
}

unsigned net_address_octets(const struct sockaddr *address, uint8_t ret_octets[16])
{
        const struct sockaddr_in *v4 = (const void *)address;
        const struct sockaddr_in6 *v6 = (const void *)address;

        if (address->sa_family == AF_INET) {
                memcpy(ret_octets, &v4->sin_addr, 4);
                return 4;
        }
        if (address->sa_family != AF_INET6)
                return 0;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
                memcpy(ret_octets, &v6->sin6_addr.s6_addr[12], 4);
                return 4;
        }
        memcpy(ret_octets, &v6->sin6_addr, 16);
        return 16;
}

bool net_range_has(const struct net_range *range, const struct sockaddr *address)
{
        uint8_t octets[16];
        unsigned whole = range->prefix / 8, rest = range->prefix % 8;

        if (net_address_octets(address, octets) != (range->family == AF_INET ? 4 : 16) || memcmp(octets, range->address, whole) != 0)
                return false;
        return rest == 0 || (octets[whole] ^ range->address[whole]) >> (8 - rest) == 0;
}
