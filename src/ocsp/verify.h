/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef OCSP_VERIFY_H
#define OCSP_VERIFY_H

#include <clinch/ocsp.h>

/* Was `response` believed about this very certificate? A response belongs to one by its fingerprint, never by a name. */
bool response_is_about(const clinch_response_t *response, const clinch_subject_t *subject);

#endif
