/* vault_process: see vault_process.h. */
#include "vault_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/msg.h"
#include "signer/supervisor.h"

#define PATIENCE_MS 30000

static void run_vault(const struct fixture *f, int urgent, int bulk)
{
        int high_urgent = fcntl(urgent, F_DUPFD, 100), high_bulk = fcntl(bulk, F_DUPFD, 100);

        dup2(high_urgent, SUPERVISOR_URGENT_FD);
        dup2(high_bulk, SUPERVISOR_BULK_FD);
        close(high_urgent);
        close(high_bulk);
        execl(getenv("TOCSIN_VAULT"), "tocsin-vault", "--config", f->config, "--serve", (char *)NULL);
        _exit(127);
}

struct vault_process *vault_start(const struct fixture *f)
{
        struct vault_process *v = calloc(1, sizeof(*v));
        int urgent[2], bulk[2];

        assert_non_null(v);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, urgent), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bulk), 0);
        v->pid = fork();
        if (v->pid == 0)
                run_vault(f, urgent[1], bulk[1]);
        close(urgent[1]);
        close(bulk[1]);
        v->urgent = urgent[0];
        v->bulk = bulk[0];
        return v;
}

struct vault_process *vault_start_ready(const struct fixture *f)
{
        struct vault_process *v = vault_start(f);
        const struct vault_answer *a = vault_take(v, v->urgent);

        assert_int_equal(a->kind, VAULT_HEALTH);
        assert_int_equal(a->id, 0);
        if (a->outcome != VAULT_OK)
                fail_msg("%.*s", (int)a->text.len, (const char *)a->text.data);
        return v;
}

void vault_send_bytes(int lane, struct bytes packet)
{
        assert_int_equal(msg_send(lane, packet, -1), OK);
}

void vault_send(struct vault_process *v, int lane, const struct vault_question *q, int fd)
{
        static uint8_t memory[VAULT_PACKET_MAX];
        struct builder b = builder_fixed(memory, sizeof(memory));

        (void)v;
        vault_question_put(&b, q);
        assert_false(builder_failed(&b));
        assert_int_equal(msg_send(lane, builder_bytes(&b), fd), OK);
        if (fd >= 0)
                close(fd);
}

const struct vault_answer *vault_take(struct vault_process *v, int lane)
{
        struct pollfd p = {.fd = lane, .events = POLLIN};
        size_t len;

        if (poll(&p, 1, PATIENCE_MS) != 1)
                fail_msg("the vault is silent");
        assert_int_equal(msg_receive(lane, v->packet, sizeof(v->packet), &len, NULL), OK);
        assert_int_equal(vault_answer_take(bytes_make(v->packet, len), &v->answer), OK);
        return &v->answer;
}

const struct vault_answer *vault_ask(struct vault_process *v, const struct vault_question *q, int fd)
{
        vault_send(v, v->urgent, q, fd);
        return vault_take(v, v->urgent);
}

int vault_wait(struct vault_process *v)
{
        int fd = (int)syscall(SYS_pidfd_open, v->pid, 0), status;
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (poll(&p, 1, PATIENCE_MS) != 1)
                fail_msg("the vault does not end");
        close(fd);
        assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
        v->pid = 0;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void vault_stop(struct vault_process *v)
{
        close(v->urgent);
        close(v->bulk);
        if (v->pid != 0)
                assert_int_equal(vault_wait(v), 0);
        free(v);
}

struct vault_question question_ocsp(const struct fixture *f, int key, const struct builder *tbs, unsigned n)
{
        struct vault_question q = {.kind = VAULT_SIGN_OCSP, .id = 42, .sig_alg = fixture_alg(f, key), .n = n};

        memcpy(q.signer, f->policy.keys[key].spki_sha256, sizeof(q.signer));
        for (unsigned i = 0; i < n; i++)
                q.tbs[i] = builder_bytes(tbs);
        return q;
}

struct vault_question question_crl(const struct fixture *f, int key, size_t len)
{
        struct vault_question q = {.kind = VAULT_SIGN_CRL, .id = 43, .sig_alg = fixture_alg(f, key), .crl_len = len};

        memcpy(q.signer, f->policy.keys[key].spki_sha256, sizeof(q.signer));
        return q;
}

int make_memfd(struct bytes content)
{
        int fd = memfd_create("tbs", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, content.data, content.len), (ssize_t)content.len);
        return fd;
}
