/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A CA with a leaf and a delegate, all with one kind of key (party.h), and signers of theirs. */
#ifndef UNIT_HOUSE_H
#define UNIT_HOUSE_H

#include "ocsp/signer.h"
#include "party.h"
#include "unit.h"
#include "x509/subject.h"

struct house {
	struct party ca, leaf, delegate;
	struct issuer *issuer;
	clinch_subject_t *subject;
};

static inline void open_house(struct house *house, enum party_kind kind)
{
	party_make(&house->ca, kind, PARTY_CA, NULL);
	party_make(&house->leaf, PARTY_P256, PARTY_LEAF, &house->ca);
	party_make(&house->delegate, kind, PARTY_DELEGATE, &house->ca);
	assert_int_equal(issuer_new(&house->issuer, &house->ca.der, NULL), 0);
	assert_int_equal(subject_new(&house->subject, &house->leaf.der, house->issuer, true, NULL), 0);
}

static inline void close_house(struct house *house)
{
	clinch_subject_unref(house->subject);
	issuer_unref(house->issuer);
	party_drop(&house->delegate);
	party_drop(&house->leaf);
	party_drop(&house->ca);
}

static inline struct ocsp_signer *signer_of(const struct house *house, const struct party *party, unsigned options)
{
	struct ocsp_signer *signer = NULL;
	struct clinch_error err = { 0 };

	if (ocsp_signer_new(&signer, &party->der, house->issuer, party_key(party), options, &err) < 0)
		fail_msg("%s", err.text);
	return signer;
}

/* ---- for a whole group: one with P-256 ---- */

static struct house home;
static struct ocsp_signer *by_ca, *by_delegate;

static int move_in(void **state)
{
	(void)state;
	open_house(&home, PARTY_P256);
	by_ca = signer_of(&home, &home.ca, 0);
	by_delegate = signer_of(&home, &home.delegate, 0);
	return 0;
}

static int move_out(void **state)
{
	(void)state;
	ocsp_signer_unref(by_ca);
	ocsp_signer_unref(by_delegate);
	close_house(&home);
	maker_done();
	return 0;
}

#endif
