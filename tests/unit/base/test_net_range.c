/* test_net_range: what a range holds, and what is none. */
#include "tests/unit/base/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/net_range.h"

static bool has(const char *range, const char *address)
{
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
        struct net_range r;

        assert_int_equal(net_range_parse(range, &r), OK);
        if (strchr(address, ':')) {
                assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
                return net_range_has(&r, (struct sockaddr *)&v6);
        }
        assert_int_equal(inet_pton(AF_INET, address, &v4.sin_addr), 1);
        return net_range_has(&r, (struct sockaddr *)&v4);
}

static void a_range_holds_what_shares_its_prefix(void **state)
{
        (void)state;
        assert_true(has("192.0.2.1", "192.0.2.1"));
        assert_false(has("192.0.2.1", "192.0.2.2"));
        assert_true(has("192.0.2.0/24", "192.0.2.255"));
        assert_false(has("192.0.2.0/24", "192.0.3.0"));
        assert_true(has("10.0.0.0/9", "10.127.255.255"));
        assert_false(has("10.0.0.0/9", "10.128.0.0"));
        assert_true(has("0.0.0.0/0", "203.0.113.9"));
        assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
        assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
        assert_true(has("::1", "::1"));
        assert_false(has("::/0", "127.0.0.1"));
        assert_false(has("127.0.0.0/8", "::1"));
        assert_true(has("127.0.0.0/8", "::ffff:127.0.0.1"));
}

static void what_is_no_range_is_refused(void **state)
{
        static const char *const wrong[] = {"", "/", "1.2.3", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/ 8", "1.2.3.4/8x", "::/129",
                "::1/", "localhost", "1.2.3.4/8/8", "1.2.3.4/1000",
                "1111111111111111111111111111111111111111111111111111111111111111111111111111"};
        struct net_range r;

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
                assert_int_equal(net_range_parse(wrong[i], &r), ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_range_holds_what_shares_its_prefix),
                cmocka_unit_test(what_is_no_range_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
