/* The control client, against a fake engine at the other end of a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/msg.h"
#include "tools/control.h"

/* fake_engine: a test double of the engine's end: a thread that takes one question and plays back packets. */
struct fake_engine {
        int socket;
        const char *const *packets; /* NULL-terminated; then the socket is closed */
        char question[256];
        char file[64]; /* what stood in the descriptor that came along */
        pthread_t thread;
};

static void *play(void *user)
{
        struct fake_engine *f = user;
        struct pollfd p = {.fd = f->socket, .events = POLLIN};
        int fd = -1;
        size_t len;

        while (msg_receive(f->socket, f->question, sizeof(f->question) - 1, &len, &fd) == ERR_AGAIN)
                poll(&p, 1, -1);
        f->question[len] = '\0';
        if (fd >= 0) {
                ssize_t n = pread(fd, f->file, sizeof(f->file) - 1, 0);

                f->file[n > 0 ? n : 0] = '\0';
                close(fd);
        }
        for (const char *const *packet = f->packets; *packet; packet++)
                if (msg_send(f->socket, bytes_str(*packet), -1) != OK)
                        break;
        close(f->socket);
        return NULL;
}

static void fake_engine_start(struct fake_engine *f, int socket, const char *const *packets)
{
        *f = (struct fake_engine){.socket = socket, .packets = packets};
        assert_int_equal(pthread_create(&f->thread, NULL, play, f), 0);
}

static void fake_engine_join(struct fake_engine *f)
{
        pthread_join(f->thread, NULL);
}

struct heard {
        unsigned n_progress, n_rejects;
        char phase[32];
        uint64_t done, total;
        uint32_t line;
        char serial[64], why[64];
};

static void on_progress(void *user, const char *phase, uint64_t done, uint64_t total)
{
        struct heard *h = user;

        h->n_progress++;
        snprintf(h->phase, sizeof(h->phase), "%s", phase);
        h->done = done;
        h->total = total;
}

static void on_reject(void *user, uint32_t line, const char *serial, const char *why)
{
        struct heard *h = user;

        h->n_rejects++;
        h->line = line;
        snprintf(h->serial, sizeof(h->serial), "%s", serial);
        snprintf(h->why, sizeof(h->why), "%s", why);
}

static enum err ask(const char *const *packets, struct heard *h, int fd, json_t **ret_final, struct fake_engine *f)
{
        json_t *question = json_pack("{s:s}", "command", "revoke");
        struct control_ask a = {.question = question,
                .fd = fd,
                .on_progress = on_progress,
                .on_reject = on_reject,
                .user = h,
                .timeout_ms = 5000};
        int pair[2];
        enum err e;

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        fake_engine_start(f, pair[1], packets);
        e = control_ask_on(pair[0], &a, ret_final);
        fake_engine_join(f);
        close(pair[0]);
        json_decref(question);
        return e;
}

static void interim_packets_are_told_and_the_final_one_returned(void **state)
{
        static const char *const packets[] = {"{\"progress\":{\"phase\":\"checking\",\"done\":1,\"total\":9}}",
                "{\"rejects\":[{\"line\":1,\"serial\":\"01\",\"why\":\"x\"},{\"line\":17,\"serial\":\"0A1B\",\"why\":"
                "\"unknown\"}]}",
                "{\"progress\":{\"phase\":\"staging\",\"done\":2,\"total\":9}}", "{\"ok\":true,\"rows\":9}", NULL};
        struct fake_engine f;
        struct heard h = {0};
        json_t *final = NULL;

        (void)state;
        assert_int_equal(ask(packets, &h, -1, &final, &f), OK);
        assert_string_equal(f.question, "{\"command\":\"revoke\"}");
        assert_int_equal(h.n_progress, 2);
        assert_string_equal(h.phase, "staging");
        assert_int_equal(h.done, 2);
        assert_int_equal(h.total, 9);
        assert_int_equal(h.n_rejects, 2);
        assert_int_equal(h.line, 17);
        assert_string_equal(h.serial, "0A1B");
        assert_string_equal(h.why, "unknown");
        assert_int_equal(json_integer_value(json_object_get(final, "rows")), 9);
        json_decref(final);
}

static void a_refusal_is_an_answer_too(void **state)
{
        static const char *const packets[] = {"{\"ok\":false,\"code\":\"busy\",\"error\":\"words\"}", NULL};
        struct fake_engine f;
        struct heard h = {0};
        json_t *final = NULL;

        (void)state;
        assert_int_equal(ask(packets, &h, -1, &final, &f), OK);
        assert_true(json_is_false(json_object_get(final, "ok")));
        json_decref(final);
}

static void the_descriptor_goes_along(void **state)
{
        static const char *const packets[] = {"{\"ok\":true}", NULL};
        int fd = memfd_create("t", MFD_CLOEXEC);
        struct fake_engine f;
        struct heard h = {0};
        json_t *final = NULL;

        (void)state;
        assert_int_equal(write(fd, "rows", 4), 4);
        assert_int_equal(ask(packets, &h, fd, &final, &f), OK);
        assert_string_equal(f.file, "rows");
        json_decref(final);
        close(fd);
}

static void an_engine_that_goes_away_is_told(void **state)
{
        static const char *const packets[] = {"{\"progress\":{\"phase\":\"staging\",\"done\":2,\"total\":9}}", NULL};
        struct fake_engine f;
        struct heard h = {0};
        json_t *final = NULL;

        (void)state;
        assert_int_equal(ask(packets, &h, -1, &final, &f), ERR_CLOSED);
        assert_null(final);
        assert_int_equal(h.n_progress, 1);
}

static void what_is_no_json_object_is_refused(void **state)
{
        static const char *const bad[][2] = {{"nonsense", NULL}, {"[1]", NULL}, {"{\"ok\":true,\"ok\":false}", NULL}};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                struct fake_engine f;
                struct heard h = {0};
                json_t *final = NULL;

                assert_int_equal(ask(bad[i], &h, -1, &final, &f), ERR_INVALID);
        }
}

static void silence_ends_with_a_timeout(void **state)
{
        json_t *question = json_pack("{s:s}", "command", "status"), *final = NULL;
        struct control_ask a = {.question = question, .fd = -1, .timeout_ms = 1};
        int pair[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(control_ask_on(pair[0], &a, &final), ERR_TIMEOUT);
        close(pair[0]);
        close(pair[1]);
        json_decref(question);
}

static void without_an_engine_the_reason_is_told_apart(void **state)
{
        json_t *question = json_pack("{s:s}", "command", "status"), *final = NULL;
        struct control_ask a = {.question = question, .fd = -1, .timeout_ms = 1};

        (void)state;
        assert_int_equal(control_ask("/nowhere/control.sock", &a, &final), ERR_NOT_FOUND);
        json_decref(question);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(interim_packets_are_told_and_the_final_one_returned),
                cmocka_unit_test(a_refusal_is_an_answer_too),
                cmocka_unit_test(the_descriptor_goes_along),
                cmocka_unit_test(an_engine_that_goes_away_is_told),
                cmocka_unit_test(what_is_no_json_object_is_refused),
                cmocka_unit_test(silence_ends_with_a_timeout),
                cmocka_unit_test(without_an_engine_the_reason_is_told_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
