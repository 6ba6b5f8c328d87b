/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h" /* WRONG(floors): a public header includes base/buf.h */
#include <clinch/error.h>
#include <stdint.h>
#include <sys/types.h> /* WRONG(floors): a public header includes sys/types.h */
