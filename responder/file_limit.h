/* file_limit: as many descriptors as the configured connections need, or as many connections as there are descriptors for. */
#pragma once

#include "base/conf.h"

/* Raises the limit of open files for this process and those it starts; where it cannot be had, lowers conf->max_connections and says so. */
void file_limit_fit(struct conf *conf);
