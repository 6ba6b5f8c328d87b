/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/snapshot.h"
#include "base/error.h"
#include <stdio.h>
#include <string.h>

#define MAX_AGE_S 3600

static void destroy(struct counted *counted)
{
	struct snapshot *state = (struct snapshot *)counted;

	authority_table_free(state->table);
	for (size_t i = 0; i < state->n; i++) {
		authority_unref(state->ca[i].authority);
		source_unref(state->ca[i].source);
	}
	relay_unref(state->relay);
	free(state);
}

static int fill_table(struct snapshot *state, struct clinch_error *err)
{
	struct authority **list = calloc(state->n + 1, sizeof(*list));

	if (!list)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the CAs");
	for (size_t i = 0; i < state->n; i++)
		list[i] = state->ca[i].authority;
	int code = authority_table_new(&state->table, list, state->n, err);
	free(list);
	return code;
}

int snapshot_new(struct snapshot **out, const struct respond_conf *conf, const struct snapshot_ca *ca, size_t n,
		 struct relay *relay, struct clinch_error *err)
{
	static _Atomic uint64_t generation = 1;
	struct snapshot *state = calloc(1, sizeof(*state) + n * sizeof(*ca));

	if (!state)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the CAs");
	counted_init(&state->counted, destroy);
	state->generation = atomic_fetch_add(&generation, 1);
	state->ids = conf->ids ? conf->ids : RESPOND_IDS;
	state->max_age_s = conf->max_age_ms ? conf->max_age_ms / 1000 : MAX_AGE_S;
	state->n = n;
	for (size_t i = 0; i < n; i++) {
		state->ca[i] = ca[i];
		authority_ref(ca[i].authority);
		source_ref(ca[i].source);
	}
	state->relay = relay ? relay_ref(relay) : NULL;
	int code = fill_table(state, err);
	if (code < 0) {
		snapshot_unref(state);
		return code;
	}
	*out = state;
	return 0;
}

struct snapshot *snapshot_ref(struct snapshot *state)
{
	counted_ref(&state->counted);
	return state;
}

void snapshot_unref(struct snapshot *state)
{
	if (state)
		counted_unref(&state->counted);
}

const char *snapshot_ca_name(char out[SNAPSHOT_NAME_SIZE], const struct snapshot *state, size_t ca)
{
	const char *name = state->ca[ca].authority->name;
	const uint8_t *bytes = state->ca[ca].authority->issuer->fingerprint;
	bool shared = false;

	for (size_t i = 0; i < state->n && !shared; i++)
		shared = i != ca && strcmp(state->ca[i].authority->name, name) == 0;
	int len = snprintf(out, SNAPSHOT_NAME_SIZE, "%s", name);
	if (shared)
		snprintf(out + len, SNAPSHOT_NAME_SIZE - (size_t)len, " (%02x%02x%02x%02x)", bytes[0], bytes[1], bytes[2],
			 bytes[3]);
	return out;
}

/* FNV-1a: of an operator's own settings, nobody chooses them to collide. */
static uint64_t mix(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum;
}

uint64_t snapshot_ca_id(const struct authority *authority, int64_t refresh_s)
{
	uint64_t sum = mix(UINT64_C(0xcbf29ce484222325), authority->issuer->fingerprint, FINGERPRINT_LEN);

	sum = mix(sum, &authority->validity_s, sizeof(authority->validity_s));
	sum = mix(sum, &authority->archive_cutoff_s, sizeof(authority->archive_cutoff_s));
	sum = mix(sum, &authority->by_name, sizeof(authority->by_name));
	return mix(sum, &refresh_s, sizeof(refresh_s));
}
