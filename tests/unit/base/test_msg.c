/* test_msg: sign messages and their sockets: whole packets or nothing, and no descriptor is ever left behind. */
#include "tests/unit/base/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/msg.h"

static struct msg_sign_ask make_extras(void)
{
        struct msg_sign_ask ask = {
                .id = 0x0102030405060708, .lane = MSG_LANE_EXTRAS, .cert_id_hash = 2, .n_cert_ids = 2, .nonce_len = 3, .preferred = 5};

        ask.cert_ids[0] = (struct msg_cert_id){.ca_key = 9, .serial_len = 1, .serial = {1}};
        ask.cert_ids[1] = (struct msg_cert_id){.ca_key = 10, .serial_len = 20, .serial = {2, 3}};
        memcpy(ask.nonce, "abc", 3);
        return ask;
}

static void a_question_comes_back_as_it_was_put(void **state)
{
        struct msg_sign_ask ask = make_extras(), back;
        uint8_t memory[MSG_SIGN_ASK_MAX];
        struct builder b = builder_fixed(memory, sizeof(memory));

        (void)state;
        msg_sign_ask_put(&b, &ask);
        assert_false(builder_failed(&b));
        assert_int_equal(msg_sign_ask_take(builder_bytes(&b), &back), OK);
        assert_memory_equal(&ask, &back, sizeof(ask));
}

static void the_longest_question_fits_its_packet(void **state)
{
        struct msg_sign_ask ask = {.lane = MSG_LANE_EXTRAS, .n_cert_ids = MSG_CERT_IDS_MAX, .nonce_len = MSG_NONCE_MAX},
                            back;
        uint8_t memory[MSG_SIGN_ASK_MAX];
        struct builder b = builder_fixed(memory, sizeof(memory));

        (void)state;
        for (unsigned i = 0; i < MSG_CERT_IDS_MAX; i++)
                ask.cert_ids[i].serial_len = MSG_SERIAL_MAX;
        msg_sign_ask_put(&b, &ask);
        assert_false(builder_failed(&b));
        assert_int_equal(msg_sign_ask_take(builder_bytes(&b), &back), OK);
}

static void a_question_is_refused_wherever_it_is_cut_or_when_it_trails(void **state)
{
        struct msg_sign_ask ask = make_extras(), back;
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        msg_sign_ask_put(&b, &ask);
        for (size_t cut = 0; cut < b.len; cut++) {
                uint8_t *exact = malloc(cut + 1);

                memcpy(exact, b.data, cut);
                assert_int_equal(msg_sign_ask_take(bytes_make(exact, cut), &back), ERR_INVALID);
                free(exact);
        }
        builder_put_u8(&b, 0);
        assert_int_equal(msg_sign_ask_take(builder_bytes(&b), &back), ERR_INVALID);
}

/* Bytes of make_extras: 0 kind, 1 version, 2 id, 10 lane, 11 hash, 12 nonce_len, 13 n, 14 preferred, 15 ca_key, 19 serial_len. */
static void every_field_of_a_question_is_checked(void **state)
{
        static const struct {
                size_t at;
                uint8_t value;
                enum err err;
        } spoiled[] = {
                {0, 0, ERR_INVALID},
                {0, 2, ERR_INVALID},
                {1, 0, ERR_UNSUPPORTED},
                {1, 2, ERR_UNSUPPORTED},
                {10, 2, ERR_INVALID},
                {10, MSG_LANE_TRUTH, ERR_INVALID},
                {12, 2, ERR_INVALID},
                {12, 4, ERR_INVALID},
                {12, 129, ERR_INVALID},
                {13, 0, ERR_INVALID},
                {13, 1, ERR_INVALID},
                {13, 3, ERR_INVALID},
                {13, 17, ERR_INVALID},
                {19, 0, ERR_INVALID},
                {19, 21, ERR_INVALID},
        };
        struct msg_sign_ask ask = make_extras(), back;
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        msg_sign_ask_put(&b, &ask);
        for (size_t i = 0; i < sizeof(spoiled) / sizeof(*spoiled); i++) {
                uint8_t good = b.data[spoiled[i].at];

                b.data[spoiled[i].at] = spoiled[i].value;
                assert_int_equal(msg_sign_ask_take(builder_bytes(&b), &back), spoiled[i].err);
                b.data[spoiled[i].at] = good;
        }
        assert_int_equal(msg_sign_ask_take(builder_bytes(&b), &back), OK);
}

/* Whole but for what is told: they would be written behind the array, or asked for a serial of no octet. */
static void put_question_of(struct builder *b, unsigned n, uint8_t serial_len)
{
        builder_reset(b);
        builder_put_u8(b, 1);
        builder_put_u8(b, MSG_VERSION);
        builder_put_u64(b, 7);
        builder_put_u8(b, MSG_LANE_EXTRAS);
        builder_put_u8(b, 0);
        builder_put_u8(b, 0);
        builder_put_u8(b, (uint8_t)n);
        builder_put_u8(b, 0);
        for (unsigned i = 0; i < n; i++) {
                builder_put_u32(b, 1);
                builder_put_u8(b, serial_len);
                builder_put(b, bytes_make("x", serial_len));
        }
}

static void a_question_for_too_many_or_for_no_serial_is_refused_though_it_is_whole(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct msg_sign_ask back;

        (void)state;
        put_question_of(&b, MSG_CERT_IDS_MAX, 1);
        assert_int_equal(msg_sign_ask_take(builder_bytes(&b), &back), OK);
        put_question_of(&b, MSG_CERT_IDS_MAX + 1, 1);
        assert_int_equal(msg_sign_ask_take(builder_bytes(&b), &back), ERR_INVALID);
        put_question_of(&b, 1, 0);
        assert_int_equal(msg_sign_ask_take(builder_bytes(&b), &back), ERR_INVALID);
}

static void the_truth_lane_takes_one_certificate_no_nonce_and_no_preference(void **state)
{
        struct msg_sign_ask several = make_extras(), nonce = make_extras(), plain = make_extras(), preferred;
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        several.lane = nonce.lane = plain.lane = MSG_LANE_TRUTH;
        nonce.n_cert_ids = plain.n_cert_ids = 1;
        several.preferred = nonce.preferred = plain.preferred = 0;
        several.nonce_len = plain.nonce_len = 0;
        preferred = plain;
        preferred.preferred = 1;
        msg_sign_ask_put(&b, &several);
        assert_true(builder_failed(&b));
        builder_reset(&b);
        msg_sign_ask_put(&b, &nonce);
        assert_true(builder_failed(&b));
        builder_reset(&b);
        msg_sign_ask_put(&b, &preferred);
        assert_true(builder_failed(&b));
        builder_reset(&b);
        msg_sign_ask_put(&b, &plain);
        assert_false(builder_failed(&b));
}

static struct msg_sign_answer make_answer(void)
{
        return (struct msg_sign_answer){.id = 5,
                .outcome = MSG_SIGNED,
                .n_cert_ids = 2,
                .generations = {7, 8},
                .this_update_s = 1000,
                .next_update_s = 2000,
                .response = BYTES_LIT("der")};
}

static void an_answer_comes_back_as_it_was_put(void **state)
{
        struct msg_sign_answer answer = make_answer(), back;
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        msg_sign_answer_put(&b, &answer);
        assert_int_equal(msg_sign_answer_take(builder_bytes(&b), &back), OK);
        assert_true(back.id == 5 && back.outcome == MSG_SIGNED && back.n_cert_ids == 2);
        assert_true(back.generations[0] == 7 && back.generations[1] == 8 && back.this_update_s == 1000 &&
                    back.next_update_s == 2000);
        assert_true(bytes_equal(back.response, BYTES_LIT("der")));
        for (size_t cut = 0; cut < b.len; cut++)
                assert_int_equal(msg_sign_answer_take(bytes_make(b.data, cut), &back), ERR_INVALID);
        builder_put_u8(&b, 0);
        assert_int_equal(msg_sign_answer_take(builder_bytes(&b), &back), ERR_INVALID);
}

static void a_question_is_no_answer(void **state)
{
        struct msg_sign_ask ask = make_extras();
        struct msg_sign_answer back;
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        msg_sign_ask_put(&b, &ask);
        assert_int_equal(msg_sign_answer_take(builder_bytes(&b), &back), ERR_INVALID);
}

/* Bytes of make_answer: 10 outcome, 11 n, 12 generations, 20 this_update, 28 next_update, 36 length. */
static void every_field_of_an_answer_is_checked(void **state)
{
        static const struct {
                size_t at;
                uint8_t value;
        } spoiled[] = {{0, 1}, {10, 3}, {10, MSG_TRY_LATER}, {11, 0}, {11, 1}, {11, 17}, {20, 0x80}, {26, 0xff}, {28, 0x80},
                {39, 0}, {39, 4}};
        struct msg_sign_answer answer = make_answer(), back;
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        msg_sign_answer_put(&b, &answer);
        for (size_t i = 0; i < sizeof(spoiled) / sizeof(*spoiled); i++) {
                uint8_t good = b.data[spoiled[i].at];

                b.data[spoiled[i].at] = spoiled[i].value;
                assert_int_equal(msg_sign_answer_take(builder_bytes(&b), &back), ERR_INVALID);
                b.data[spoiled[i].at] = good;
        }
}

static void only_a_signed_answer_holds_a_response(void **state)
{
        struct msg_sign_answer empty = make_answer(), later = make_answer();
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        empty.response = BYTES_NONE;
        msg_sign_answer_put(&b, &empty);
        assert_true(builder_failed(&b));
        builder_reset(&b);
        later.outcome = MSG_TRY_LATER;
        msg_sign_answer_put(&b, &later);
        assert_true(builder_failed(&b));
        builder_reset(&b);
        later.response = BYTES_NONE;
        msg_sign_answer_put(&b, &later);
        assert_false(builder_failed(&b));
}

/* ---- sockets ---- */

static unsigned count_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

struct place {
        char folder[64];
        char path[80];
};

static int place_set_up(void **state)
{
        struct place *p = calloc(1, sizeof(*p));

        strcpy(p->folder, "/tmp/tocsin-msg-XXXXXX");
        if (!mkdtemp(p->folder))
                return -1;
        snprintf(p->path, sizeof(p->path), "%s/s", p->folder);
        *state = p;
        return 0;
}

static int place_tear_down(void **state)
{
        struct place *p = *state;

        unlink(p->path);
        rmdir(p->folder);
        free(p);
        return 0;
}

static void a_listener_can_be_reached_and_has_its_mode(void **state)
{
        const struct place *p = *state;
        _cleanup_close_
        int listener = -1, client = -1;
        struct stat st;

        assert_int_equal(msg_listen(p->path, 0620, &listener), OK);
        assert_int_equal(stat(p->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0620);
        assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(msg_connect(p->path, &client), OK);
        assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
}

static void a_live_listener_is_busy_and_a_dead_one_replaced(void **state)
{
        const struct place *p = *state;
        _cleanup_close_
        int second = -1, client = -1;
        int first = -1;

        assert_int_equal(msg_listen(p->path, 0600, &first), OK);
        assert_int_equal(msg_listen(p->path, 0600, &second), ERR_BUSY);
        assert_int_equal(second, -1);
        close(first);
        assert_int_equal(msg_connect(p->path, &client), ERR_CLOSED);
        assert_int_equal(msg_listen(p->path, 0600, &second), OK);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
        const struct place *p = *state;
        _cleanup_close_
        int fd = -1;
        FILE *file = fopen(p->path, "w");
        struct stat st;

        fclose(file);
        assert_int_equal(msg_listen(p->path, 0600, &fd), ERR_EXISTS);
        assert_int_equal(stat(p->path, &st), 0);
}

static void a_path_that_does_not_fit_is_out_of_range(void **state)
{
        char path[200] = {0};
        int fd;

        (void)state;
        memset(path, 'x', sizeof(path) - 1);
        assert_int_equal(msg_listen(path, 0600, &fd), ERR_RANGE);
        assert_int_equal(msg_connect(path, &fd), ERR_RANGE);
        assert_int_equal(msg_connect("/nowhere/s", &fd), ERR_NOT_FOUND);
}

static int pair_set_up(void **state)
{
        int *pair = malloc(2 * sizeof(int));

        *state = pair;
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

static int pair_tear_down(void **state)
{
        int *pair = *state;

        close(pair[0]);
        close(pair[1]);
        free(pair);
        return 0;
}

static void packets_keep_their_bounds(void **state)
{
        const int *pair = *state;
        uint8_t memory[16];
        size_t len = 0;

        assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, NULL), ERR_AGAIN);
        assert_int_equal(msg_send(pair[0], BYTES_LIT("one"), -1), OK);
        assert_int_equal(msg_send(pair[0], BYTES_LIT("three"), -1), OK);
        assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, NULL), OK);
        assert_int_equal(len, 3);
        assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, NULL), OK);
        assert_int_equal(len, 5);
        assert_memory_equal(memory, "three", 5);
        assert_int_equal(msg_send(pair[0], BYTES_NONE, -1), ERR_INVALID);
}

static void a_descriptor_arrives_close_on_exec(void **state)
{
        const int *pair = *state;
        int fd = -1;
        char memory[16];
        size_t len;

        assert_int_equal(msg_send(pair[0], BYTES_LIT("x"), pair[0]), OK);
        assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, &fd), OK);
        assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
        close(fd);
        assert_int_equal(msg_send(pair[0], BYTES_LIT("x"), -1), OK);
        assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, &fd), OK);
        assert_int_equal(fd, -1);
}

static void an_unwanted_descriptor_is_closed_and_its_packet_refused(void **state)
{
        const int *pair = *state;
        unsigned before = count_fds();
        char memory[16];
        size_t len = 42;
        int fd = 42;

        assert_int_equal(msg_send(pair[0], BYTES_LIT("x"), pair[0]), OK);
        assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, NULL), ERR_INVALID);
        assert_int_equal(msg_send(pair[0], BYTES_LIT("far too long for it"), pair[0]), OK);
        assert_int_equal(msg_receive(pair[1], memory, 4, &len, &fd), ERR_RANGE);
        assert_int_equal(count_fds(), before);
        assert_true(len == 42 && fd == 42);
}

/* What a hostile peer sends: `n` descriptors in one packet of `len` bytes. */
static void send_fds(int socket, unsigned n, size_t len)
{
        union {
                struct cmsghdr header;
                uint8_t memory[CMSG_SPACE(16 * sizeof(int))];
        } control = {0};
        char byte = 'x';
        struct iovec part = {.iov_base = &byte, .iov_len = len};
        struct msghdr m = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        int fds[16];

        for (unsigned i = 0; i < n; i++)
                fds[i] = socket;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
        assert_true(sendmsg(socket, &m, 0) >= 0);
}

static void many_descriptors_cannot_fill_the_table(void **state)
{
        static const unsigned counts[] = {2, 3, 4, 5, 16};
        const int *pair = *state;
        unsigned before = count_fds();
        char memory[16];
        size_t len;
        int fd = -1;

        for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
                send_fds(pair[0], counts[i], 1);
                assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, &fd), ERR_INVALID);
                assert_int_equal(count_fds(), before);
        }
        send_fds(pair[0], 1, 0); /* an empty packet that carries one */
        assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, &fd), ERR_CLOSED);
        assert_int_equal(count_fds(), before);
        assert_int_equal(fd, -1);
}

/* The kernel then says MSG_CTRUNC: a message without its descriptor is not the message that was sent. */
static void a_descriptor_that_found_no_room_is_missed(void **state)
{
        const int *pair = *state;
        struct rlimit limit, none;
        char memory[16];
        size_t len;
        int fd = -1;
        enum err e;

        assert_int_equal(msg_send(pair[0], BYTES_LIT("x"), pair[0]), OK);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        none = limit;
        none.rlim_cur = 0;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        e = msg_receive(pair[1], memory, sizeof(memory), &len, &fd);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(e, ERR_INVALID);
        assert_int_equal(fd, -1);
}

static void a_peer_that_is_gone_is_closed(void **state)
{
        int *pair = *state;
        char memory[16];
        size_t len;

        close(pair[0]);
        assert_int_equal(msg_receive(pair[1], memory, sizeof(memory), &len, NULL), ERR_CLOSED);
        assert_int_equal(msg_send(pair[1], BYTES_LIT("x"), -1), ERR_CLOSED);
        pair[0] = dup(pair[1]);
}

static void a_full_socket_would_block(void **state)
{
        const int *pair = *state;
        enum err e = OK;

        for (unsigned i = 0; e == OK && i < 100000; i++)
                e = msg_send(pair[0], BYTES_LIT("x"), -1);
        assert_int_equal(e, ERR_AGAIN);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_question_comes_back_as_it_was_put),
                cmocka_unit_test(the_longest_question_fits_its_packet),
                cmocka_unit_test(a_question_is_refused_wherever_it_is_cut_or_when_it_trails),
                cmocka_unit_test(every_field_of_a_question_is_checked),
                cmocka_unit_test(a_question_for_too_many_or_for_no_serial_is_refused_though_it_is_whole),
                cmocka_unit_test(the_truth_lane_takes_one_certificate_no_nonce_and_no_preference),
                cmocka_unit_test(an_answer_comes_back_as_it_was_put),
                cmocka_unit_test(a_question_is_no_answer),
                cmocka_unit_test(every_field_of_an_answer_is_checked),
                cmocka_unit_test(only_a_signed_answer_holds_a_response),
                cmocka_unit_test_setup_teardown(a_listener_can_be_reached_and_has_its_mode, place_set_up, place_tear_down),
                cmocka_unit_test_setup_teardown(
                        a_live_listener_is_busy_and_a_dead_one_replaced, place_set_up, place_tear_down),
                cmocka_unit_test_setup_teardown(a_file_that_is_no_socket_is_left_alone, place_set_up, place_tear_down),
                cmocka_unit_test(a_path_that_does_not_fit_is_out_of_range),
                cmocka_unit_test_setup_teardown(packets_keep_their_bounds, pair_set_up, pair_tear_down),
                cmocka_unit_test_setup_teardown(a_descriptor_arrives_close_on_exec, pair_set_up, pair_tear_down),
                cmocka_unit_test_setup_teardown(
                        an_unwanted_descriptor_is_closed_and_its_packet_refused, pair_set_up, pair_tear_down),
                cmocka_unit_test_setup_teardown(many_descriptors_cannot_fill_the_table, pair_set_up, pair_tear_down),
                cmocka_unit_test_setup_teardown(a_descriptor_that_found_no_room_is_missed, pair_set_up, pair_tear_down),
                cmocka_unit_test_setup_teardown(a_peer_that_is_gone_is_closed, pair_set_up, pair_tear_down),
                cmocka_unit_test_setup_teardown(a_full_socket_would_block, pair_set_up, pair_tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
