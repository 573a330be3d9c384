/* check: `tocsin check` on a store whose engine is down. */
#pragma once

#include "base/conf.h"

/* Prints each contradiction it finds to standard output. The exit code: 0 clean, 1 problems, 2 it could not be looked at. */
int engine_check_store(const struct conf *conf);
