/* The list was made by watching real service (strace) with OCSP, CRLs, TLS, HTTP/2, parked requests, an engine that comes and goes, a reload
 * and a drain; what libc may call instead on another machine stands beside it. tests/e2e/test_sandbox.py holds it to that. */
#include "responder/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/jail.h"
#include "base/log.h"
#include "pki/hash_alg.h"

static const int ALLOWED[] = {
        /* connections */
        SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(read), SCMP_SYS(readv),
        SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendfile), SCMP_SYS(shutdown), SCMP_SYS(close), SCMP_SYS(getpeername),
        SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
        /* the line to the engine: its socket() is below */
        SCMP_SYS(connect),
        /* the loop */
        SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(ppoll),
        SCMP_SYS(timerfd_settime),
        /* files that are open, or opened below */
        SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(fcntl),
        /* openat2: its flags lie in memory that a filter cannot see; landlock sees to them */
        SCMP_SYS(openat2),
        /* memory: mmap and mprotect are below */
        SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
        /* time, chance, threads that run already, signals, the end */
        SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
        SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getpid), SCMP_SYS(gettid),
        SCMP_SYS(tgkill), SCMP_SYS(sysinfo), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
        /* ... or threads that were started a moment ago */
        SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Where masked bits of one argument must have a value. */
static const struct {
        int call;
        unsigned argument;
        uint64_t mask, value;
} CONDITIONS[] = {
        {SCMP_SYS(socket), 0, UINT32_MAX, AF_UNIX},
        {SCMP_SYS(open), 1, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY},
        {SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY},
        {SCMP_SYS(mmap), 2, PROT_EXEC, 0},
        {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
};

static int add_rules(scmp_filter_ctx filter)
{
        int result = 0;

        for (size_t i = 0; i < sizeof ALLOWED / sizeof ALLOWED[0] && result == 0; i++)
                result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
        for (size_t i = 0; i < sizeof CONDITIONS / sizeof CONDITIONS[0] && result == 0; i++) {
                struct scmp_arg_cmp condition = {.arg = CONDITIONS[i].argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = CONDITIONS[i].mask,
                        .datum_b = CONDITIONS[i].value};

                result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, CONDITIONS[i].call, 1, &condition);
        }
        return result;
}

/* The ones that are called most first; the order within a BPF program costs each request. */
static void set_priorities(scmp_filter_ctx filter)
{
        static const int hot[] = {SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(sendmsg)};

        for (size_t i = 0; i < sizeof hot / sizeof hot[0]; i++)
                (void)seccomp_syscall_priority(filter, hot[i], (uint8_t)(255 - i));
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 1);
}

/* RLIMIT_DATA: the heap and what else is private and can be written. The store's map and the files' pages are neither. */
static enum err limit_memory(const struct conf *conf)
{
        struct rlimit limit;

        if (conf->max_memory == 0)
                return OK;
        if (getrlimit(RLIMIT_DATA, &limit) != 0)
                return err_from_errno(errno);
        if (limit.rlim_max > conf->max_memory)
                limit.rlim_max = conf->max_memory;
        limit.rlim_cur = limit.rlim_max;
        return setrlimit(RLIMIT_DATA, &limit) == 0 ? OK : err_from_errno(errno);
}

static enum err filter_calls(void)
{
        scmp_filter_ctx filter;
        int result;

        filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        if (!filter)
                return ERR_NOMEM;
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
        if (result == 0)
                result = add_rules(filter);
        set_priorities(filter);
        if (result == 0)
                result = seccomp_load(filter);
        seccomp_release(filter);
        return result == 0 ? OK : err_from_errno(-result);
}

enum err sandbox_calls(const struct conf *conf)
{
        enum err e = JAIL_IS_SANITIZED ? OK : limit_memory(conf);

        return e != OK || JAIL_IS_SANITIZED || !conf->sandbox ? e : filter_calls();
}

/* OpenSSL reads its configuration with the first digest. */
static enum err wake_crypto(void)
{
        uint8_t digest[HASH_LEN_MAX];

        return hash_digest(HASH_SHA256, BYTES_NONE, digest);
}

enum err sandbox_files(const struct conf *conf)
{
        const char *folders[] = {conf->store_path, conf->crl_path, NULL};
        enum err e = wake_crypto();

        if (e != OK || !conf->sandbox || JAIL_IS_SANITIZED) /* LeakSanitizer traces the process when it ends; landlock forbids that */
                return e;
        e = jail_read_only(folders);
        if (e != ERR_UNSUPPORTED)
                return e;
        log_info("this kernel has no landlock: files are kept by their owners and modes alone");
        return OK;
}
