/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a request gets, without signing anything: pure, of bytes, state and time. RFC 6960 4.1 and 4.2, RFC 9919 (its
 * profile), RFC 9654 (the nonce).
 */
#ifndef RESPOND_DECIDE_H
#define RESPOND_DECIDE_H

#include "ocsp/request.h"
#include "ocsp/signer.h"
#include "respond/snapshot.h"

enum decide_act {
	DECIDE_REFUSE, /* `refusal`, unsigned */
	DECIDE_ANSWER, /* `single`, signed by `ca` */
	DECIDE_RELAY,  /* `relayed`, as it is */
};

struct decision {
	enum decide_act act;
	enum ocsp_refusal refusal;
	clinch_response_t *relayed;   /* a reference, the caller's */
	const struct snapshot_ca *ca; /* into the state */
	/* The answer may be kept and served again: one CertID in the form that clients send (SHA-1 or SHA-256, NULL
	 * parameters), no nonce to be signed. */
	bool is_plain;
	bool has_nonce; /* to be signed */
	enum subject_hash hash;
	struct der serial; /* of the first CertID; into the request */
	struct der nonce;
	unsigned n;
	struct ocsp_single single[RESPOND_IDS_MAX]; /* n of them; cert_id into the request */
};

void decide(struct decision *out, const struct snapshot *state, struct der request, int64_t now);

/* What is said of a serial at `now`; false: the refusal to give instead. single->cert_id is left alone. */
bool decide_single(struct ocsp_single *single, const struct snapshot_ca *ca, struct der serial, int64_t now,
		   enum ocsp_refusal *refusal);

#endif
