/* test_address_limits: what one address may cost a worker (req 1.18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/cleanup.h"
#include "responder/answer/address_limits.h"

#define SECOND_US 1000000

static char *trusted[] = {(char *)"10.1.0.0/16", (char *)"2001:db8:1::/48"};
static struct conf conf = {.max_connections = 100, .max_connections_per_address = 3, .trusted_addresses = {trusted, 2}};

static struct limits *make(void)
{
        struct limits *l;

        assert_int_equal(limits_new(&conf, &l), OK);
        assert_non_null(l);
        return l;
}

static uint64_t client(const struct limits *l, const char *text)
{
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

        if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
                return limits_client(l, (struct sockaddr *)&v4);
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        return limits_client(l, (struct sockaddr *)&v6);
}

static void an_address_is_an_ipv4_address_or_an_ipv6_64(void **state)
{
        struct limits *l = make();

        (void)state;
        assert_true(client(l, "192.0.2.1") != client(l, "192.0.2.2"));
        assert_true(client(l, "2001:db8::1") == client(l, "2001:db8::ffff:0:0:1"));
        assert_true(client(l, "2001:db8::1") != client(l, "2001:db8:0:1::1"));
        assert_true(client(l, "::ffff:192.0.2.1") == client(l, "192.0.2.1"));
        limits_free(l);
}

static void one_too_many_is_refused_until_another_ends(void **state)
{
        struct limits *l = make();
        uint64_t a = client(l, "192.0.2.1"), b = client(l, "192.0.2.2");

        (void)state;
        for (int i = 0; i < 3; i++)
                assert_true(limits_enter(l, a));
        assert_false(limits_enter(l, a));
        assert_true(limits_enter(l, b)); /* nobody else's business */
        limits_leave(l, a);
        assert_true(limits_enter(l, a));
        assert_false(limits_enter(l, a));
        limits_free(l);
}

static void trusted_addresses_have_no_limit(void **state)
{
        struct limits *l = make();

        (void)state;
        for (int i = 0; i < 1000; i++) {
                assert_true(limits_enter(l, client(l, "10.1.255.1")));
                assert_true(limits_enter(l, client(l, "2001:db8:1:2::3")));
        }
        assert_true(client(l, "10.2.0.1") != 0);
        limits_free(l);
}

/* Against a plain array, over comings and goings of 100 addresses: no place is lost, none is counted for another. */
static void the_table_counts_like_a_plain_one(void **state)
{
        struct limits *l = make();
        uint32_t seed = 1;
        unsigned counts[100] = {0}, n = 0;

        (void)state;
        for (int step = 0; step < 200000; step++) {
                unsigned who = (seed = seed * 1664525 + 1013904223) >> 8;
                char text[24];

                snprintf(text, sizeof text, "192.0.2.%u", who % 100);
                if (seed >> 31 && n < conf.max_connections) {
                        bool may = counts[who % 100] < 3;

                        assert_true(limits_enter(l, client(l, text)) == may);
                        counts[who % 100] += may;
                        n += may;
                } else if (counts[who % 100] > 0) {
                        limits_leave(l, client(l, text));
                        counts[who % 100]--;
                        n--;
                }
        }
        limits_free(l);
}

static void requests_are_metered_with_a_burst_of_two_seconds(void **state)
{
        struct limits *l;
        uint64_t a, b;

        (void)state;
        conf.max_requests_per_address = 10;
        l = make();
        a = client(l, "192.0.2.1");
        b = client(l, "192.0.2.2");
        for (int i = 0; i < 20; i++)
                assert_true(limits_take_request(l, a, SECOND_US));
        assert_false(limits_take_request(l, a, SECOND_US));
        assert_true(limits_take_request(l, b, SECOND_US));
        assert_true(limits_take_request(l, a, SECOND_US + SECOND_US / 10)); /* a tenth of a second: one more */
        assert_false(limits_take_request(l, a, SECOND_US + SECOND_US / 10));
        for (int i = 0; i < 20; i++)
                assert_true(limits_take_request(l, a, 60 * SECOND_US)); /* nothing is saved beyond the burst */
        assert_false(limits_take_request(l, a, 60 * SECOND_US));
        assert_true(limits_take_request(l, 0, SECOND_US));
        limits_free(l);
        conf.max_requests_per_address = 0;
}

/* More addresses than there are meters: those that ask on and on are still refused. */
static void a_crowd_does_not_hide_a_flood(void **state)
{
        struct limits *l;
        unsigned n_refused = 0;

        (void)state;
        conf.max_requests_per_address = 1;
        l = make();
        for (uint64_t i = 0; i < 200000; i++) {
                (void)limits_take_request(l, 1000 + i, SECOND_US);
                n_refused += !limits_take_request(l, 1, SECOND_US);
        }
        assert_int_equal(n_refused, 200000 - 2); /* but for its burst */
        limits_free(l);
        conf.max_requests_per_address = 0;
}

static void switched_off_it_is_nothing(void **state)
{
        struct conf off = {.max_connections = 100};
        struct limits *l;

        (void)state;
        assert_int_equal(limits_new(&off, &l), OK);
        assert_null(l);
        assert_true(limits_enter(NULL, 7));
        limits_leave(NULL, 7);
        assert_true(limits_take_request(NULL, 7, 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_address_is_an_ipv4_address_or_an_ipv6_64),
                cmocka_unit_test(one_too_many_is_refused_until_another_ends),
                cmocka_unit_test(trusted_addresses_have_no_limit),
                cmocka_unit_test(the_table_counts_like_a_plain_one),
                cmocka_unit_test(requests_are_metered_with_a_burst_of_two_seconds),
                cmocka_unit_test(a_crowd_does_not_hide_a_flood),
                cmocka_unit_test(switched_off_it_is_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
