/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef OCSP_NAMES_H
#define OCSP_NAMES_H

#include <clinch/ocsp.h>

/* The status that a reason leads to: one column of reasons.def. */
enum clinch_status reason_status(int reason);
/* Does it say that the response's signature was verified, whatever was found then? */
bool reason_is_of_signed(int reason);

#endif
