/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Until the outlets, the socket and the metrics are there: what asks for them is refused, not ignored. Goes with them. */
#include "base/error.h"
#include "keep/metrics.h"
#include "keep/socket.h"

#define WEAK __attribute__((weak))

WEAK int outlets_new(struct outlets **out, uv_loop_t *loop, struct keeper *keeper, const struct outlet_conf *conf, size_t n,
		     outlet_notice *notice, void *user, struct clinch_error *err)
{
	(void)out, (void)loop, (void)keeper, (void)conf, (void)notice, (void)user;
	return n ? error_set(err, CLINCH_E_ARGUMENT, "keep.outputs: this build has none") : 0;
}

WEAK int outlets_reload(struct outlets *outlets, const struct outlet_conf *conf, size_t n, struct clinch_error *err)
{
	(void)outlets, (void)conf;
	return n ? error_set(err, CLINCH_E_ARGUMENT, "keep.outputs: this build has none") : 0;
}

WEAK bool outlets_are_idle(const struct outlets *outlets)
{
	return !outlets;
}

WEAK void outlets_flush(struct outlets *outlets)
{
	(void)outlets;
}

WEAK bool outlets_failed(const struct outlets *outlets)
{
	return outlets;
}

WEAK void outlets_stop(struct outlets *outlets)
{
	(void)outlets;
}

WEAK void outlets_free(struct outlets *outlets)
{
	(void)outlets;
}

WEAK int metrics_new(struct metrics **out, uv_loop_t *loop, struct keeper *keeper, const struct outlets *outlets,
		     const char *listen, enum metrics_each each, struct clinch_error *err)
{
	(void)out, (void)loop, (void)keeper, (void)outlets, (void)each;
	return error_set(err, CLINCH_E_ARGUMENT, "metrics.listen: %s: this build has no metrics", listen);
}

WEAK const char *metrics_bound(const struct metrics *metrics)
{
	(void)metrics;
	return "";
}

WEAK void metrics_free(struct metrics *metrics)
{
	(void)metrics;
}

WEAK int keep_socket_new(struct keep_socket **out, uv_loop_t *loop, struct keeper *keeper, const struct outlets *outlets,
			 const char *path, struct clinch_error *err)
{
	(void)out, (void)loop, (void)keeper, (void)outlets, (void)path, (void)err;
	return 0;
}

WEAK void keep_socket_free(struct keep_socket *socket)
{
	(void)socket;
}
