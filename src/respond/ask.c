/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/ask.h"
#include "base/cleanup.h"
#include "respond/ahead.h"
#include <string.h>

static struct der moved(struct der view, struct der from, const uint8_t *to)
{
	if (!view.at)
		return view;
	return der_of(to + (view.at - from.at), der_len(view));
}

/* Of the first CertID what is kept is known; of another request the answer is kept for this one alone. */
static struct prepared *make_answer(struct ask *ask)
{
	const struct pool_job *job = &ask->job;

	if (ask->is_plain)
		return ahead_keep(ask->table, ask->ca, ask->hash, ask->serial, &job->answer, job->single, job->signer,
				  job->produced_at);
	struct prepared_key key = { ask->ca->id, ask->hash, ask->serial };
	return prepared_new(&key, &job->answer, job->single, (unsigned)job->n, job->signer,
			    prepared_refresh_at(job->single, ask->ca->refresh_s, job->produced_at, 0));
}

static void on_done(struct pool_job *job)
{
	struct ask *ask = (struct ask *)job;

	ask->refusal = job->code == CLINCH_E_MEMORY ? OCSP_INTERNAL_ERROR : OCSP_TRY_LATER;
	if (job->code == 0 && ask->has_nonce) {
		ask->once = job->answer;
	} else if (job->code == 0) {
		ask->answer = make_answer(ask);
		ask->refusal = OCSP_INTERNAL_ERROR;
		gnutls_free(job->answer.data);
	}
	job->answer = (gnutls_datum_t){ NULL, 0 };
	ask->done(ask);
}

struct ask *ask_new(const struct decision *decision, struct der request, struct snapshot *state,
		    struct prepared_table *table, int64_t now, int64_t deadline_ms)
{
	size_t singles = decision->n * sizeof(struct ocsp_single);
	struct ask *ask = calloc(1, sizeof(*ask) + singles + der_len(request));

	if (!ask)
		return NULL;
	struct ocsp_single *single = (struct ocsp_single *)(ask + 1);
	uint8_t *bytes = (uint8_t *)single + singles;
	memcpy(bytes, request.at, der_len(request));
	for (unsigned i = 0; i < decision->n; i++) {
		single[i] = decision->single[i];
		single[i].cert_id = moved(decision->single[i].cert_id, request, bytes);
	}
	ask->state = snapshot_ref(state);
	ask->ca = decision->ca;
	ask->table = table;
	ask->is_plain = decision->is_plain;
	ask->has_nonce = decision->has_nonce;
	ask->hash = decision->hash;
	ask->serial = moved(decision->serial, request, bytes);
	ask->refusal = OCSP_TRY_LATER;
	ask->job = (struct pool_job){ .authority = decision->ca->authority,
				      .single = single,
				      .n = decision->n,
				      .produced_at = now,
				      .deadline_ms = deadline_ms,
				      .done = on_done };
	if (decision->has_nonce)
		ask->job.nonce = moved(decision->nonce, request, bytes);
	return ask;
}

void ask_free(struct ask *ask)
{
	if (!ask)
		return;
	prepared_unref(ask->answer);
	gnutls_free(ask->once.data);
	snapshot_unref(ask->state);
	free(ask);
}

bool ask_submit(struct ask *ask, struct pool *pool)
{
	return pool_submit(pool, ask->is_plain ? POOL_KEPT : POOL_ONCE, &ask->job);
}
