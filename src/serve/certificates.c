/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The certificates of a state: looked at by a timer, and what changed is told once. The main thread's. */
#include "serve/event.h"
#include "serve/state.h"
#include "tls/stapler.h"
#include <string.h>

struct look {
	struct certificate *certificate;
	struct clinch_stapler_state now; /* of the stapler */
	const struct serve_hooks *hooks;
};

static enum cert_response response_of(const struct certificate *certificate)
{
	enum cert_response own = certificate->where->entry[certificate->index]->identity->response;

	return own == CERT_NO_RESPONDER && certificate->responder ? CERT_RESPONSE_TO_HAVE : own;
}

/* As the keeper decides what it asks for; a must-staple certificate is missed whatever there is to have. */
static bool has_staple_to_come(const struct certificate *certificate, const struct clinch_stapler_state *now)
{
	return now->must_staple || response_of(certificate) == CERT_RESPONSE_TO_HAVE;
}

static const char *why_no_staple(const struct certificate *certificate)
{
	switch (response_of(certificate)) {
	case CERT_SELF_ISSUED:
		return "it is self-signed: there is nothing to staple";
	case CERT_SHORT_LIVED:
		return "it lives less than 7 days: no staple is fetched for it";
	default:
		return "it names no OCSP responder: there is nothing to staple";
	}
}

static void tell(const struct look *look, enum serve_event_kind kind, enum serve_level level, const char *text)
{
	event_tell(look->hooks, (struct serve_event){ .kind = kind,
						      .level = level,
						      .certificate = look->certificate->chain,
						      .fingerprint = look->now.fingerprint,
						      .verdict = &look->now.verdict,
						      .text = text,
						      .n = -1 });
}

static void tell_identity(const struct look *look)
{
	struct certificate *certificate = look->certificate;

	if (certificate->seen &&
	    memcmp(certificate->fingerprint, look->now.fingerprint, sizeof(certificate->fingerprint)) != 0) {
		certificate->told_no_responder = certificate->told_revoked = false;
		tell(look, SERVE_RENEWED, SERVE_INFO, "another certificate came from its file");
	}
	certificate->seen = true;
	memcpy(certificate->fingerprint, look->now.fingerprint, sizeof(certificate->fingerprint));
	if (!has_staple_to_come(certificate, &look->now) && !certificate->told_no_responder) {
		certificate->told_no_responder = true;
		tell(look, SERVE_NO_RESPONDER, SERVE_INFO, why_no_staple(certificate));
	}
}

static void tell_staple(const struct look *look)
{
	struct certificate *certificate = look->certificate;
	bool stapled = look->now.is_stapled;
	int64_t this_update = look->now.verdict.this_update;

	if (stapled && !certificate->was_stapled)
		tell(look, SERVE_STAPLED, SERVE_INFO, "");
	else if (stapled && this_update != certificate->this_update)
		tell(look, SERVE_REFRESHED, SERVE_INFO, "");
	else if (!stapled && certificate->was_stapled)
		tell(look, SERVE_UNSTAPLED, SERVE_WARNING,
		     look->now.must_staple
			     ? "its staple has ended, and it is a must-staple certificate: clients will refuse it"
			     : "its staple has ended");
	certificate->was_stapled = stapled;
	if (stapled)
		certificate->this_update = this_update;
	if (look->now.verdict.status == CLINCH_REVOKED && !certificate->told_revoked) {
		certificate->told_revoked = true;
		tell(look, SERVE_REVOKED, SERVE_ERROR, "the responder says that it is revoked: replace the certificate");
	}
}

/* What waited is served from here on. Where adding it fails it is tried again with the next look. */
static void end_waiting(struct state *state, const struct look *look, int64_t now)
{
	struct certificate *certificate = look->certificate;
	const struct clinch_stapler_pair pair = { certificate->chain, certificate->key,
						  (unsigned)(certificate - state->certificate) };
	struct entry *entry = NULL;
	struct clinch_error err;

	if (has_staple_to_come(certificate, &look->now) && !look->now.is_stapled)
		return;
	if (stapler_inherit_entry(state->stapler, &pair, certificate->where->entry[certificate->index], true, now, &entry,
				  &err) < 0 ||
	    stapler_add_entries(state->stapler, &entry, 1, &err) < 0) {
		stapler_entry_free(entry);
		return;
	}
	certificate->waits = false;
	certificate->where = state->stapler;
	state_number(state);
}

/* An error that stays comes with each look, and is said once: by `said`, of this stapler. */
static void refresh(clinch_stapler_t *stapler, char said[STATE_ERROR_SIZE], int64_t now, const struct serve_hooks *hooks)
{
	struct clinch_error err = { .code = 0 };

	(void)clinch_stapler_refresh(stapler, now, &err); /* it is in err */
	if (err.code && strcmp(err.text, said) != 0)
		event_say(hooks, SERVE_REFRESH_FAILED, SERVE_WARNING, "%s; what was in use stays", err.text);
	memcpy(said, err.text, STATE_ERROR_SIZE);
}

static bool any_waits(const struct state *state)
{
	bool any = false;

	for (unsigned i = 0; i < state->n_certificates && !any; i++)
		any = state->certificate[i].waits;
	return any;
}

/* One that waits is looked at whatever is wrong with those that are served. */
void state_refresh(struct state *state, int64_t now, const struct serve_hooks *hooks)
{
	/* Ten thousand files that have been read this moment are not looked at again before it is ready. */
	if (state->looked) {
		refresh(state->stapler, state->error_of_served, now, hooks);
		if (any_waits(state))
			refresh(state->waiting, state->error_of_waiting, now, hooks);
	}
	state->looked = true;
	for (unsigned i = 0; i < state->n_certificates; i++) {
		struct look look = { .certificate = &state->certificate[i], .hooks = hooks };

		if (clinch_stapler_state(look.certificate->where, look.certificate->index, now, &look.now) < 0)
			continue;
		tell_identity(&look);
		tell_staple(&look);
		if (look.certificate->waits)
			end_waiting(state, &look, now);
	}
}

unsigned state_missing(const struct state *state, int64_t now)
{
	unsigned missing = 0;

	for (unsigned i = 0; i < state->n_certificates; i++) {
		const struct certificate *certificate = &state->certificate[i];
		struct clinch_stapler_state at;

		if (clinch_stapler_state(certificate->where, certificate->index, now, &at) == 0)
			missing += has_staple_to_come(certificate, &at) && !at.is_stapled;
	}
	return missing;
}
