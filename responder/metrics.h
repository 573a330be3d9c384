/* metrics: all that the responder measures, as Prometheus reads it. A row of the table in metrics.c is a metric. */
#pragma once

#include "responder/board.h"

void metrics_put(struct builder *b, const struct board_view *view);
