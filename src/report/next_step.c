/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What to do about it, and which exit status it is: one row a reason. */
#include "report/exit.h"
#include "report/report.h"

#define TELL_RESPONDER                                                                                                      \
	"ask the responder again (clinch fetch); if the same comes back, tell the CA, and staple what is still held"
#define TELL_DELEGATE "tell the CA that its responder's certificate cannot be believed; staple what is still held"
#define FIX_CLOCK "compare this machine's clock with the true time (timedatectl); if it is right, tell the CA"
#define FETCH_NEW "fetch a new response (clinch fetch) and load it into the server; see why its own refresh did not"
#define FIX_CHAIN                                                                                                           \
	"install a certificate from a trusted CA with its intermediates, or name the right roots (clinch check --ca)"

/* What its group says does for a row that is not here. */
static const char *const next_steps[CLINCH_REASON_COUNT] = {
	[CLINCH_REASON_UNJUDGED] = "run it again; nothing has been looked at yet",

	[CLINCH_REASON_RESPONSE_EMPTY] =
		"look at what wrote the empty file or staple, and fetch a new response (clinch fetch)",
	[CLINCH_REASON_RESPONSE_TOO_LARGE] = "ask the CA why its response is so large; a browser would not take it either",
	[CLINCH_REASON_RESPONSE_MALFORMED] =
		"look at it with clinch show: a proxy's error page or a truncated file is the usual cause",
	[CLINCH_REASON_RESPONDER_MALFORMED_REQUEST] =
		"make the server keep its old staple, never the error; ask with clinch fetch, which "
		"sends the plainest request there is",
	[CLINCH_REASON_RESPONDER_INTERNAL_ERROR] =
		"make the server keep its old staple, never the error; the responder is in trouble, try "
		"again later",
	[CLINCH_REASON_RESPONDER_TRY_LATER] =
		"make the server keep its old staple, never the error; the responder is busy, try again later",
	[CLINCH_REASON_RESPONDER_SIG_REQUIRED] =
		"this responder answers signed requests only: ask the CA for one that serves the public",
	[CLINCH_REASON_RESPONDER_UNAUTHORIZED] =
		"the responder does not serve this certificate: is it very new, expired, or from another CA "
		"than the URL asked?",

	[CLINCH_REASON_SIGNER_UNKNOWN] =
		"is it the response of another CA? if a signer of your own is meant, name it: clinch verify --trust-signer CERT.pem",
	[CLINCH_REASON_DELEGATE_ISSUER] =
		"the certificate's own issuer must issue the delegate: tell the CA; after a change of the CA's key, "
		"use the issuer that signed this certificate",
	[CLINCH_REASON_DELEGATE_NOT_YET] = FIX_CLOCK,
	[CLINCH_REASON_DELEGATE_EXPIRED] = FETCH_NEW,
	[CLINCH_REASON_DELEGATE_SIGNATURE] =
		"somebody made this up, or the issuer given is a namesake: compare the issuer's key with the CA's",
	[CLINCH_REASON_ISSUER_WEAK_KEY] = "replace the certificate by one of a CA with a stronger key (RSA 2048, P-256)",
	[CLINCH_REASON_SIGNER_EXPIRED] = FETCH_NEW,

	[CLINCH_REASON_SIGNATURE_UNKNOWN] = "ask the CA for a response signed with RSA, ECDSA, Ed25519 or Ed448 and SHA-2",
	[CLINCH_REASON_SIGNATURE_WEAK] =
		"ask the CA for a SHA-2 signature; until then clinch verify --allow-sha1 believes SHA-1 (never MD5)",
	[CLINCH_REASON_SIGNATURE_BAD] =
		"do not use it: the bytes were changed, or it is forged; fetch a new one (clinch fetch)",

	[CLINCH_REASON_PRODUCED_IN_FUTURE] = FIX_CLOCK,
	[CLINCH_REASON_PRODUCED_OUTSIDE] =
		"replace an expired certificate; for a new one, fetch a response that was made since (clinch fetch)",
	[CLINCH_REASON_NONCE_MISMATCH] =
		"do not use it: it answers somebody else's question, or was replayed; ask again, or without a nonce "
		"(clinch fetch)",

	[CLINCH_REASON_NO_ENTRY] =
		"was the certificate renewed? fetch the response for this one (clinch fetch), with its own issuer",
	[CLINCH_REASON_THIS_UPDATE_IN_FUTURE] = FIX_CLOCK,
	[CLINCH_REASON_EXPIRED] = FETCH_NEW,
	[CLINCH_REASON_UNDATED_TOO_OLD] = FETCH_NEW,
	[CLINCH_REASON_OLDER_THAN_MAX_AGE] = FETCH_NEW,

	[CLINCH_REASON_REVOKED] =
		"replace the certificate, with a new key if the reason is keyCompromise, and find out who had it revoked",
	[CLINCH_REASON_UNKNOWN] =
		"is it issued by this CA? a new certificate may take the responder some minutes; else ask the CA",

	[CLINCH_REASON_MISSING_MUST_STAPLE] =
		"turn stapling on in the server, or have the certificate issued again without must-staple",
	[CLINCH_REASON_MISSING_REQUIRED] =
		"turn stapling on in the server; under TLS 1.2 only the leaf's staple can be sent",

	[CLINCH_REASON_ISSUER_UNKNOWN] = "install the whole chain, so that each certificate's issuer can be found",

	[CLINCH_REASON_NO_CERTIFICATE] = "give the server a certificate; is it the right port?",
	[CLINCH_REASON_PATH_UNTRUSTED] = FIX_CHAIN,
	[CLINCH_REASON_PATH_NAME] = "use a name that is in the certificate, or have it issued for this one",
	[CLINCH_REASON_PATH_EXPIRED] = "renew the certificate, and its intermediates with it",
	[CLINCH_REASON_PATH_NOT_YET] = FIX_CLOCK,
	[CLINCH_REASON_PATH_SIGNATURE] = FIX_CHAIN,
	[CLINCH_REASON_PATH_WEAK] = "have the certificate issued again with a stronger key and a SHA-2 signature",
	[CLINCH_REASON_PATH_CONSTRAINT] =
		"the CA may not issue this: install the chain that belongs to the certificate, or tell the CA",
	[CLINCH_REASON_PATH_MUST_STAPLE] = "have the certificate issued again with the TLS feature that its CA carries",
	[CLINCH_REASON_PATH_PURPOSE] =
		"use a certificate for TLS servers (extendedKeyUsage serverAuth); for clients, clientAuth",
	[CLINCH_REASON_PATH_DISTRUSTED] =
		"replace the certificate: this trust store distrusts it by name, or one that was sent with it",
	[CLINCH_REASON_PATH_CRL] = "replace the certificate if the CRL revokes it; load a current CRL if it is out of date",
	[CLINCH_REASON_PATH_OTHER] = FIX_CHAIN,
	[CLINCH_REASON_ISSUER_UNPREPARED] = "look at the chain with clinch show; the CA has issued something unusual",

	[CLINCH_REASON_INTERNAL] = "try again with more memory; if it stays, report it as a defect",
};

/* The tables' groups, in their order: bytes, signer, signature and what is signed. */
static const char *of_group(int reason)
{
	if (reason < CLINCH_REASON_SIGNER_UNKNOWN)
		return TELL_RESPONDER;
	if (reason < CLINCH_REASON_SIGNATURE_UNKNOWN)
		return TELL_DELEGATE;
	return reason < CLINCH_REASON_REVOKED ? TELL_RESPONDER : NULL;
}

const char *report_next_step(int reason)
{
	if (reason < 0 || reason >= CLINCH_REASON_COUNT)
		return NULL;
	return next_steps[reason] ? next_steps[reason] : of_group(reason);
}

int report_exit(bool accepted, int reason, enum clinch_status status)
{
	if (accepted)
		return EXIT_ACCEPTED;
	if (reason == CLINCH_REASON_INTERNAL || reason == CLINCH_REASON_UNJUDGED)
		return EXIT_NOT_FOUND_OUT;
	switch (status) {
	case CLINCH_REVOKED:
		return EXIT_REVOKED;
	case CLINCH_UNKNOWN:
		return EXIT_UNKNOWN;
	case CLINCH_MISSING:
		return EXIT_MISSING;
	default:
		return EXIT_NOT_BELIEVED;
	}
}
