/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/answer.h"
#include "base/cleanup.h"
#include "x509/subject.h"
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool answer_error(struct buf *out, const char *error, int reason, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_t *json = json_pack("{ss ss so ss}", "schema", "clinch-error-1", "error", error, "reason",
				 reason ? json_string(clinch_reason_name(reason)) : json_null(), "text", text);
	char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;
	bool fits = line && buf_add(out, line, strlen(line));

	free(line);
	json_decref(json);
	return fits;
}

static bool read_fingerprint(const char *digits, uint8_t out[FINGERPRINT_LEN])
{
	if (!digits || strlen(digits) != 2 * FINGERPRINT_LEN ||
	    strspn(digits, "0123456789abcdefABCDEF") != 2 * FINGERPRINT_LEN)
		return false;
	for (size_t i = 0; i < FINGERPRINT_LEN; i++) {
		unsigned byte;

		sscanf(digits + 2 * i, "%2x", &byte);
		out[i] = (uint8_t)byte;
	}
	return true;
}

static bool answer_put(struct buf *out, struct keeper *keeper, const json_t *question)
{
	static const char *const answers[] = { [STORE_TOOK] = "took", [STORE_SAME] = "same", [STORE_OLDER] = "older" };
	const char *digits = json_string_value(json_object_get(question, "fingerprint"));
	const char *base64 = json_string_value(json_object_get(question, "response"));
	const gnutls_datum_t encoded = { (unsigned char *)(uintptr_t)(base64 ? base64 : ""),
					 base64 ? (unsigned)strlen(base64) : 0 };
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct clinch_verdict verdict = { 0 };
	struct clinch_error err = { 0 };
	enum store_answer answer;
	auto_datum der = { 0 };
	int rc;

	if (!read_fingerprint(digits, fingerprint) || !encoded.size || gnutls_base64_decode2(&encoded, &der) < 0)
		return answer_error(out, "question", 0, "put wants \"fingerprint\" (64 digits) and \"response\" (base64)");
	rc = keeper_offer(keeper, fingerprint, &der, &answer, &verdict, &err);
	if (rc == CLINCH_E_MISSING)
		return answer_error(out, "missing", 0, "the keeper keeps no such certificate");
	if (rc == CLINCH_E_FORMAT)
		return answer_error(out, "not-believed", verdict.reason, "%s", err.text);
	if (rc < 0)
		return answer_error(out, "failed", 0, "%s", err.text);
	return buf_printf(out, "{\"schema\":\"clinch-put-1\",\"answer\":\"%s\",\"status\":\"%s\"}", answers[answer],
			  clinch_status_name(verdict.status));
}

/* The first piece of it. */
static bool answer_status(struct buf *out, struct status **status, const struct keeper *keeper,
			  const struct outlets *outlets, const json_t *question)
{
	const json_t *name = json_object_get(question, "name");

	if (name && !json_is_string(name))
		return answer_error(out, "question", 0, "\"name\" is a string");
	*status = status_new(keeper, outlets, json_string_value(name));
	return *status && status_more(*status, out);
}

bool answer_question(struct buf *out, struct status **status, struct keeper *keeper, const struct outlets *outlets,
		     const void *line, size_t len)
{
	json_error_t error;
	json_t *question = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	const char *ask = json_string_value(json_object_get(question, "ask"));
	bool fits;

	if (!question)
		fits = answer_error(out, "question", 0, "not JSON: %.150s", error.text);
	else if (ask && !strcmp(ask, "status"))
		fits = answer_status(out, status, keeper, outlets, question);
	else if (ask && !strcmp(ask, "put"))
		fits = answer_put(out, keeper, question);
	else
		fits = answer_error(out, "question", 0, "\"ask\" is \"status\" or \"put\"");
	json_decref(question);
	return fits && (*status || buf_add(out, "\n", 1));
}
