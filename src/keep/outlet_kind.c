/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/outlet.h"

const char *outlet_kind_name(enum outlet_kind kind)
{
	static const char *const names[] = { "der", "pem", "haproxy", "run" };

	return names[kind];
}
