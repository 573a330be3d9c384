/* batch_dropper: takes back the rows of batches that will never be activated, in slices, whoever left them behind. */
#pragma once

#include "signer/engine/engine.h"

void batch_drop_later(struct engine *engine, uint32_t batch, uint32_t ca_key);
/* At the start: what a crash left staged has no client any more. */
MUST_CHECK enum err batch_drop_abandoned(struct engine *engine);
