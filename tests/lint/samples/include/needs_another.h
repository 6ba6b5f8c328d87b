/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wrong on purpose: uint8_t comes from a header that is not included here. */
#ifndef NEEDS_ANOTHER_H
#define NEEDS_ANOTHER_H
const uint8_t *needs_another(void);
#endif
