/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For a whole group: the maker's leaf, issued by its CA. */
#ifndef UNIT_SUBJECT_H
#define UNIT_SUBJECT_H

#include "unit.h"
#include "x509/subject.h"

static clinch_subject_t *subject;

static inline clinch_subject_t *subject_of(struct blob cert, struct blob issuer)
{
	clinch_subject_t *made = NULL;
	gnutls_x509_crt_t a = import_cert(cert), b = import_cert(issuer);
	assert_int_equal(clinch_subject_new(&made, a, b, NULL), 0);
	gnutls_x509_crt_deinit(a);
	gnutls_x509_crt_deinit(b);
	return made;
}

static int make_subject(void **state)
{
	(void)state;
	subject = subject_of(world_leaf(), world_ca());
	return 0;
}

static int drop_subject(void **state)
{
	(void)state;
	clinch_subject_unref(subject);
	maker_done();
	return 0;
}

#endif
