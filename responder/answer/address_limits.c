#include "responder/answer/address_limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/net_range.h"

#define METER_SETS 8192
#define METER_WAYS 4
#define BURST_S 2
#define SECOND_US 1000000

struct count {
        uint64_t client; /* 0: free */
        uint32_t n;
};

/* Full at `paid_until` - now = BURST_S: each request moves it on by a second / rate (GCRA). */
struct meter {
        uint64_t client;
        int64_t paid_until_us;
};

struct limits {
        const struct conf *conf;
        struct net_range *trusted;
        unsigned n_trusted;
        uint64_t seed; /* so that nobody can choose addresses that collide */
        struct count *counts; /* open addressing; a power of two, at most half full */
        size_t mask;
        struct meter (*meters)[METER_WAYS];
};

static void limits_freep(struct limits **l)
{
        limits_free(*l);
}

void limits_free(struct limits *l)
{
        if (!l)
                return;
        free(l->trusted);
        free(l->counts);
        free(l->meters);
        free(l);
}

static enum err read_trusted(struct limits *l, const struct conf_list *list)
{
        l->trusted = calloc(list->n + 1, sizeof *l->trusted);
        for (; l->trusted && l->n_trusted < list->n; l->n_trusted++) {
                enum err e = net_range_parse(list->items[l->n_trusted], &l->trusted[l->n_trusted]);

                if (e != OK)
                        return e;
        }
        return l->trusted ? OK : ERR_NOMEM;
}

enum err limits_new(const struct conf *conf, struct limits **ret_limits)
{
        _cleanup_(limits_freep) struct limits *l = NULL;
        size_t n = 2;
        enum err e;

        *ret_limits = NULL;
        if (conf->max_connections_per_address == 0 && conf->max_requests_per_address == 0)
                return OK;
        l = calloc(1, sizeof *l);
        if (!l)
                return ERR_NOMEM;
        l->conf = conf;
        while (n < 2 * (size_t)conf->max_connections)
                n *= 2;
        l->mask = n - 1;
        l->counts = calloc(n, sizeof *l->counts);
        l->meters = calloc(METER_SETS, sizeof *l->meters);
        e = read_trusted(l, &conf->trusted_addresses);
        if (e != OK || !l->counts || !l->meters)
                return e != OK ? e : ERR_NOMEM;
        if (getrandom(&l->seed, sizeof l->seed, GRND_NONBLOCK) != sizeof l->seed)
                l->seed = (uint64_t)(uintptr_t)l;
        *ret_limits = steal(&l);
        return OK;
}

/* No real source has the prefix ffff::/16 (multicast). */
#define IPV4 (0xffffull << 48)

uint64_t limits_client(const struct limits *l, const struct sockaddr *address)
{
        uint8_t octets[16];
        unsigned n;
        uint64_t client = 0;

        if (!l)
                return 0;
        for (unsigned i = 0; i < l->n_trusted; i++)
                if (net_range_has(&l->trusted[i], address))
                        return 0;
        n = net_address_octets(address, octets);
        for (unsigned i = 0; i < n && i < 8; i++)
                client = client << 8 | octets[i];
        return n == 4 ? client | IPV4 : client;
}

/* splitmix64's finish. */
static uint64_t scatter(const struct limits *l, uint64_t client)
{
        uint64_t x = client ^ l->seed;

        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        return x ^ x >> 31;
}

/* The client's place, or the free one that would be. */
static size_t find(const struct limits *l, uint64_t client)
{
        size_t at = scatter(l, client) & l->mask;

        while (l->counts[at].client != 0 && l->counts[at].client != client)
                at = (at + 1) & l->mask;
        return at;
}

bool limits_enter(struct limits *l, uint64_t client)
{
        struct count *c;

        if (!l || client == 0)
                return true;
        c = &l->counts[find(l, client)];
        if (l->conf->max_connections_per_address > 0 && c->n >= l->conf->max_connections_per_address)
                return false;
        c->client = client;
        c->n++;
        return true;
}

/* Whoever stands behind moves up, or a search would end at the gap. */
static void close_gap(struct limits *l, size_t gap)
{
        for (size_t at = (gap + 1) & l->mask; l->counts[at].client != 0; at = (at + 1) & l->mask) {
                size_t home = scatter(l, l->counts[at].client) & l->mask;

                if (((at - home) & l->mask) < ((at - gap) & l->mask))
                        continue;
                l->counts[gap] = l->counts[at];
                gap = at;
        }
        l->counts[gap] = (struct count){0};
}

void limits_leave(struct limits *l, uint64_t client)
{
        size_t at;

        if (!l || client == 0)
                return;
        at = find(l, client);
        if (l->counts[at].client == client && --l->counts[at].n == 0)
                close_gap(l, at);
}

/* Its own, or the one of whoever asked least. */
static struct meter *find_meter(struct limits *l, uint64_t client)
{
        struct meter *set = l->meters[scatter(l, client) % METER_SETS], *least = &set[0];

        for (unsigned i = 0; i < METER_WAYS; i++) {
                if (set[i].client == client)
                        return &set[i];
                if (set[i].paid_until_us < least->paid_until_us)
                        least = &set[i];
        }
        *least = (struct meter){.client = client};
        return least;
}

bool limits_take_request(struct limits *l, uint64_t client, int64_t now_us)
{
        struct meter *m;
        int64_t paid_until_us;

        if (!l || client == 0 || l->conf->max_requests_per_address == 0)
                return true;
        m = find_meter(l, client);
        paid_until_us = (m->paid_until_us > now_us ? m->paid_until_us : now_us) + SECOND_US / l->conf->max_requests_per_address;
        if (paid_until_us - now_us > BURST_S * (int64_t)SECOND_US)
                return false;
        m->paid_until_us = paid_until_us;
        return true;
}
