/* crl_recover: at the start, numbers of CRLs that were being made when the engine ended are marked failed: they are never given to another
 * CRL. */
#pragma once

#include "base/err.h"
#include "signer/engine/task.h"

struct engine;

struct crl_recover {
        struct task task;
        struct engine *engine;
};

/* Before anything is ordered; the writer does it first. */
MUST_CHECK enum err crl_recover(struct engine *engine);
