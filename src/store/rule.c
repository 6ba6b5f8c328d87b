/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"

static bool counts(const struct clinch_verdict *held)
{
	if (!held)
		return false;
	return held->status == CLINCH_REVOKED || (held->status == CLINCH_GOOD && held->fresh);
}

static bool is_newer(const struct clinch_verdict *a, const struct clinch_verdict *b)
{
	if (a->this_update != b->this_update)
		return a->this_update > b->this_update;
	return a->next_update > b->next_update;
}

enum store_answer store_rule(const struct clinch_verdict *offered, const struct clinch_verdict *held)
{
	if (!counts(held) || is_newer(offered, held))
		return STORE_TOOK;
	if (offered->status == CLINCH_REVOKED && held->status == CLINCH_GOOD && offered->this_update >= held->this_update)
		return STORE_TOOK;
	bool same_dates = offered->this_update == held->this_update && offered->next_update == held->next_update;
	return same_dates && offered->status == held->status ? STORE_SAME : STORE_OLDER;
}
