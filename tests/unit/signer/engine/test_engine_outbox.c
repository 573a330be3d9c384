/* Packets that a socket does not take at once: none is lost, none overtakes another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/msg.h"
#include "signer/engine/outbox.h"

#define N_PACKETS 2000

static int ends[2];

static int setup(void **state)
{
        (void)state;
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
}

static int teardown(void **state)
{
        (void)state;
        close(ends[0]);
        if (ends[1] >= 0)
                close(ends[1]);
        return 0;
}

static struct bytes packet_of(unsigned i)
{
        static uint8_t packet[1000];

        packet[0] = (uint8_t)(i >> 8);
        packet[1] = (uint8_t)i;
        return BYTES_OF(packet);
}

/* How many came of at most `max`, each the next in order. */
static unsigned take(unsigned from, unsigned max)
{
        uint8_t packet[2000];
        unsigned n = 0;
        size_t len;

        for (; n < max && msg_receive(ends[1], packet, sizeof(packet), &len, NULL) == OK; n++) {
                assert_int_equal(len, 1000);
                assert_int_equal(packet[0] << 8 | packet[1], from + n);
        }
        return n;
}

/* The peer reads less than it is sent, then all of it. */
static void send_and_take(struct outbox *o, unsigned from)
{
        unsigned n = from;
        enum err e = OK;

        for (unsigned i = from; i < from + N_PACKETS; i++) {
                e = outbox_send(o, ends[0], packet_of(i));
                assert_true(e == OK || e == ERR_AGAIN);
                if (i % 10 == 0)
                        n += take(n, 3);
        }
        assert_int_equal(e, ERR_AGAIN); /* the socket is full */
        assert_true(o->len > 0 && o->len % 1000 == 0);
        while (!outbox_is_empty(o)) {
                n += take(n, N_PACKETS);
                e = outbox_flush(o, ends[0]);
                assert_true(e == OK || e == ERR_AGAIN);
        }
        n += take(n, N_PACKETS);
        assert_int_equal(n, from + N_PACKETS);
        assert_int_equal(o->len, 0);
}

static void what_the_socket_does_not_take_waits_and_comes_in_order(void **state)
{
        struct outbox o = {0};

        (void)state;
        send_and_take(&o, 0);
        send_and_take(&o, N_PACKETS); /* emptied once, it takes more */
        assert_int_equal(outbox_send(&o, ends[0], packet_of(2 * N_PACKETS)), OK);
        assert_int_equal(take(2 * N_PACKETS, 2), 1);
}

static void a_peer_that_is_gone_is_told(void **state)
{
        struct outbox o = {0};

        (void)state;
        while (outbox_send(&o, ends[0], packet_of(1)) == OK)
                ;
        close(ends[1]);
        ends[1] = -1;
        assert_int_equal(outbox_flush(&o, ends[0]), ERR_CLOSED);
        outbox_done(&o);
        assert_true(outbox_is_empty(&o));
        assert_int_equal(outbox_send(&o, ends[0], packet_of(1)), ERR_CLOSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_the_socket_does_not_take_waits_and_comes_in_order),
                TEST(a_peer_that_is_gone_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
