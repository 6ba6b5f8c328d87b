/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls/attach.h"
#include <clinch/error.h>
#include <stddef.h>

void *attach_get(gnutls_session_t session, enum attachment number)
{
	gnutls_ext_priv_data_t data;

	return gnutls_ext_get_data(session, number, &data) < 0 ? NULL : data;
}

static int send_nothing(gnutls_session_t session, gnutls_buffer_t buffer)
{
	(void)session;
	(void)buffer;
	return 0;
}

static int receive_nothing(gnutls_session_t session, const unsigned char *data, size_t len)
{
	(void)session;
	(void)data;
	(void)len;
	return 0;
}

int attach_put(gnutls_session_t session, enum attachment number, const char *name, void *data, void (*drop)(void *data))
{
	int rc = gnutls_session_ext_register(session, name, number, GNUTLS_EXT_TLS, receive_nothing, send_nothing, drop,
					     NULL, NULL, GNUTLS_EXT_FLAG_TLS | GNUTLS_EXT_FLAG_DTLS);

	if (rc < 0)
		return rc == GNUTLS_E_MEMORY_ERROR ? CLINCH_E_MEMORY : CLINCH_E_GNUTLS;
	gnutls_ext_set_data(session, number, data);
	return 0;
}
