/* file_limit: the limit is the master's, and inherited. */
#include "responder/file_limit.h"

#include <sys/resource.h>

#include "base/log.h"

/* Beside connections: listeners, logs, the store, the engine's line, CRLs (also replaced ones that are still being sent). */
#define SPARE_FILES 1024

/* How many may be open now: as many as wanted, if that can be had. */
static rlim_t raise_limit(rlim_t want)
{
        struct rlimit limit, more = {want, want};

        if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want || setrlimit(RLIMIT_NOFILE, &more) == 0)
                return want;
        more = (struct rlimit){limit.rlim_max < want ? limit.rlim_max : want, limit.rlim_max};
        return setrlimit(RLIMIT_NOFILE, &more) == 0 ? more.rlim_cur : limit.rlim_cur;
}

/* A worker whose connections took every descriptor could open no CRL and no line to the engine; and one that counts with more connections than
 * it can have would never end an idle one to make room. */
void file_limit_fit(struct conf *conf)
{
        rlim_t want = (rlim_t)conf->max_connections + SPARE_FILES, have = raise_limit(want);

        if (have >= want)
                return;
        conf->max_connections = (unsigned)(have > 2 * SPARE_FILES ? have - SPARE_FILES : have / 2);
        log_warning("fewer connections than configured: raise the limit of open files (ulimit -n) limit=%llu wanted=%llu max_connections=%u",
                (unsigned long long)have, (unsigned long long)want, conf->max_connections);
}
