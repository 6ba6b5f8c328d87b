/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "der/der.h"
#include "base/buf.h"
#include "ocsp/response.h" /* WRONG(floors): der (floor 2) includes ocsp/response.h */
#include <gnutls/gnutls.h> /* WRONG(floors): der may not use gnutls/gnutls.h */
#include "wrong.h"	   /* WRONG(floors): wrong.h is on no floor */

/* strcpy() in a comment, and "strcpy(" in a literal, harm nobody. */
static const char *const harmless = "strcpy(a, b); getenv(c)";

int der_wrong(char *a, const char *b)
{
	strcpy(a, b);		   /* WRONG(banned): strcpy() is banned */
	snprintf(a, 3, "%s", b);
	printf("%s", harmless);	   /* WRONG(effects): printf(): der talks to nobody */
	a[0] = getenv("HOME")[0];  /* WRONG(effects): getenv(): der talks to nobody */
	return (int)time(NULL);	   /* WRONG(effects): time(): der reads no clock */
}

int der_mixed(int n)
{
	auto_free char *a = malloc(3);

	if (n > 1)
		goto out; /* WRONG(mixture): der_mixed has goto beside cleanup attributes */
#ifdef SOMETHING /* WRONG(mixture): der_mixed has a preprocessor condition inside */
	a[0] = 1;
#endif
out:
	return a[0];
}

int der_goto_alone(int n)
{
	if (n)
		goto out;
	n = 1;
out:
	return n;
}
