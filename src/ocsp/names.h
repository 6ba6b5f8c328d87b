/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef OCSP_NAMES_H
#define OCSP_NAMES_H

#include <clinch/ocsp.h>

/* The status that a reason leads to: one column of reasons.def. */
enum clinch_status reason_status(int reason);

#endif
