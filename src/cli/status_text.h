/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper's state for a person: `status` is the object of keep/status.h. False: no memory. */
#ifndef CLI_STATUS_TEXT_H
#define CLI_STATUS_TEXT_H

#include "report/report.h"

/* One line a certificate, those in trouble first; then outputs that fail. */
bool status_table(struct buf *out, const struct report_style *style, const json_t *status, int64_t now);
/* All of each certificate. */
bool status_details(struct buf *out, const struct report_style *style, const json_t *status, int64_t now);

#endif
