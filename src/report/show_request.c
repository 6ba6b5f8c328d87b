/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ocsp/judgement.h"
#include "ocsp/request.h"
#include "report/show.h"
#include "report/sniff.h"

static json_t *entry_json(const struct ocsp_request_entry *entry)
{
	struct json_maker maker = json_maker_new();

	show_put_cert_id(&maker, &entry->id);
	show_put_extensions(&maker, entry->extensions);
	return json_maker_finish(&maker);
}

json_t *show_request(gnutls_datum_t der)
{
	struct json_maker maker = show_begin("request", der.size);
	struct ocsp_request request;
	struct ocsp_request_entry entry;
	uint64_t findings = 0;
	json_t *entries = json_array();
	bool understood = ocsp_request_parse(&request, der_of(der.data, der.size));

	json_put_bool(&maker, "understood", understood);
	while (understood && ocsp_request_next(&request.requests, &entry)) {
		findings |= findings_of_cert_id(&entry.id);
		if (!json_add(entries, entry_json(&entry)))
			maker.failed = true;
	}
	json_put(&maker, "entries", entries);
	if (!understood)
		return json_maker_finish(&maker);
	json_put_hex(&maker, "nonce", request.nonce);
	json_put_bool(&maker, "has_requestor", request.has_requestor);
	json_put_bool(&maker, "is_signed", request.is_signed);
	show_put_extensions(&maker, request.extensions);
	json_put(&maker, "findings", report_findings_json(findings));
	return json_maker_finish(&maker);
}
