/* folders: the folders that the signer's processes and the responder meet in, made with owner and mode before anyone drops
 * privileges. */
#pragma once

#include "base/conf.h"

/* As root: owners and groups too. Otherwise only modes. Logs what failed, and what to do. */
MUST_CHECK enum err folders_prepare(const struct conf *conf);
