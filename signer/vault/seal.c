/* seal: a deny-list, because what a vendor's PKCS#11 module does while it signs cannot be listed; what it must never do can.
 * Its connection to a network HSM was made when the token was opened, and lives on. */
#include "signer/vault/seal.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>

#include "base/cleanup.h"

struct seal_row {
        int syscall;
        uint32_t action;
};

#define REFUSED SCMP_ACT_ERRNO(EPERM)

static const struct seal_row rows[] = {
        {SCMP_SYS(execve), SCMP_ACT_KILL_PROCESS}, {SCMP_SYS(execveat), SCMP_ACT_KILL_PROCESS},
        {SCMP_SYS(ptrace), SCMP_ACT_KILL_PROCESS}, {SCMP_SYS(process_vm_readv), SCMP_ACT_KILL_PROCESS},
        {SCMP_SYS(process_vm_writev), SCMP_ACT_KILL_PROCESS}, {SCMP_SYS(fork), REFUSED}, {SCMP_SYS(vfork), REFUSED},
        {SCMP_SYS(clone3), SCMP_ACT_ERRNO(ENOSYS)}, /* its flags cannot be seen; glibc then uses clone */
        {SCMP_SYS(socket), REFUSED}, {SCMP_SYS(socketpair), REFUSED}, {SCMP_SYS(connect), REFUSED},
        {SCMP_SYS(bind), REFUSED}, {SCMP_SYS(listen), REFUSED}, {SCMP_SYS(accept), REFUSED}, {SCMP_SYS(accept4), REFUSED},
        {SCMP_SYS(mount), REFUSED}, {SCMP_SYS(unshare), REFUSED}, {SCMP_SYS(setns), REFUSED}, {SCMP_SYS(bpf), REFUSED},
        {SCMP_SYS(userfaultfd), REFUSED}, {SCMP_SYS(io_uring_setup), REFUSED}, /* it would do all of these behind our back */
};

static void release(scmp_filter_ctx *filter)
{
        seccomp_release(*filter);
}

enum err seal(void)
{
        _cleanup_(release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        int failed = filter ? 0 : -1;

        for (size_t i = 0; !failed && i < sizeof(rows) / sizeof(rows[0]); i++)
                failed = seccomp_rule_add(filter, rows[i].action, rows[i].syscall, 0);
        /* A process of its own is a clone without CLONE_THREAD. */
        if (!failed)
                failed = seccomp_rule_add(filter, REFUSED, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
        if (!failed)
                failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
        /* A binary tree instead of a list: a software token makes some twenty system calls a signature. */
        if (!failed)
                failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        if (!failed)
                failed = seccomp_load(filter);
        return failed ? ERR_DENIED : OK;
}
