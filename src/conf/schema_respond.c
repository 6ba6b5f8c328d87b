/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The section of the responder. */
#include "conf/rows.h"

#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)
#define MIB (KIB * KIB)

static const struct conf_key signer_keys[] = {
	{ "cert", CONF_TEXT, .required = true, AT(signer_conf, cert), .check = check_path, .example = "/etc/pki/ocsp.pem",
	  .help = "the CA's own certificate, or that of a delegate" },
	{ "key", CONF_TEXT, .required = true, AT(signer_conf, key), .check = check_key, .example = "/etc/pki/ocsp.key",
	  .help = "its key, PEM or a pkcs11: URL" },
	{ "password_file", CONF_TEXT, AT(signer_conf, password_file), .check = check_path,
	  .example = "/run/credentials/ocsp-password", .help = "the password of an encrypted key: the file's first line" },
	{ "pss", CONF_BOOL, AT(signer_conf, pss), .preset = "false", .help = "RSASSA-PSS with an ordinary RSA key too" },
	{ 0 },
};
static const struct conf_table signer_table = { "signers", signer_keys, .size = sizeof(struct signer_conf) };

static const struct conf_word means_good[] = { { "good", true }, { NULL, 0 } };
static const struct conf_word never_issued[] = {
	{ "unauthorized", NEVER_ISSUED_UNAUTHORIZED },
	{ "unknown", NEVER_ISSUED_UNKNOWN },
	{ NULL, 0 },
};
static const struct conf_word nonces[] = { { "sign", NONCE_SIGN }, { "ignore", NONCE_IGNORE }, { NULL, 0 } };
static const struct conf_word responder_ids[] = { { "key", false }, { "name", true }, { NULL, 0 } };
static const struct conf_word prepares[] = {
	{ "none", PREPARE_NONE },
	{ "sha1", PREPARE_SHA1 },
	{ "sha256", PREPARE_SHA256 },
	{ "both", PREPARE_BOTH },
	{ NULL, 0 },
};
static const struct conf_key authority_keys[] = {
	{ "ca", CONF_TEXT, .required = true, AT(respond_authority, conf.ca), .check = check_path,
	  .example = "/etc/pki/ca.pem", .help = "the CA's certificate" },
	{ "signers", CONF_ENTRIES, .required = true, LIST(respond_authority, conf.signers, conf.n_signers), .min = 1,
	  .max = AUTHORITY_SIGNERS_MAX, .table = &signer_table, .help = "who signs: the first that is valid" },
	{ "index", CONF_TEXT, AT(respond_authority, conf.source.index), .check = check_path, .example = "/etc/pki/index.txt",
	  .help = "what was issued and revoked: OpenSSL's index.txt" },
	{ "crl", CONF_TEXTS, LIST(respond_authority, conf.source.crl, conf.source.n_crl), .check = check_path, .min = 1,
	  .max = 256, .example = "[ /etc/pki/ca.crl ]", .help = "instead of index, what was revoked; PEM or DER" },
	{ "issued", CONF_TEXT, AT(respond_authority, conf.source.issued), .check = check_path,
	  .example = "/etc/pki/serials.txt", .help = "beside crl, what was issued: a serial a line, hexadecimal" },
	{ "crl_means", CHOICE(respond_authority, conf.source.crl_means_good), .words = means_good, .example = "good",
	  .help = "good: every serial that no CRL names is, issued or not" },
	{ "accept_unrevoked", CONF_TEXTS, LIST(respond_authority, accepted, n_accepted), .check = check_serial, .min = 1,
	  .max = 10000, .example = "[ 01A4 ]", .help = "revoked serials, hexadecimal, that may be valid again" },
	{ "never_issued", CHOICE(respond_authority, conf.never_issued), .words = never_issued, .preset = "unauthorized",
	  .help = "about a serial that was not issued: unauthorized, or unknown, signed" },
	{ "validity", CONF_SECONDS, AT(respond_authority, conf.validity_s), .min = 1, .max = 365 * DAY_S, .preset = "4d",
	  .help = "from thisUpdate to nextUpdate" },
	{ "refresh", CONF_SECONDS, AT(respond_authority, refresh_s), .min = 1, .max = 365 * DAY_S, .example = "2d",
	  .help = "an answer of this age is signed anew; without it at half of its life" },
	{ "archive_cutoff", CONF_SECONDS, AT(respond_authority, conf.archive_cutoff_s), .min = 1,
	  .max = 36500 * (int64_t)DAY_S, .example = "3650d",
	  .help = "expired certificates are answered for so long, with archiveCutoff" },
	{ "nonce", CHOICE(respond_authority, conf.nonce), .words = nonces, .preset = "sign",
	  .help = "sign each one, or ignore it and answer without" },
	{ "responder_id", CHOICE(respond_authority, conf.by_name), .words = responder_ids, .preset = "key",
	  .help = "how the responder is named in an answer: by key or by name" },
	{ "prepare", CHOICE(respond_authority, prepare), .words = prepares, .preset = "none",
	  .help = "sign every answer ahead, by the CertID's hash: none, sha1, sha256 or both" },
	{ 0 },
};

static bool source_finish(struct source_files *files, struct conf_wrong *wrong)
{
	files->kind = files->index ? SOURCE_INDEX : SOURCE_CRL;
	if (files->index && (files->n_crl || files->issued || files->crl_means_good))
		return conf_wrong_at(
			wrong,
			files->n_crl    ? "crl"
			: files->issued ? "issued"
					: "crl_means",
			"index tells what was issued and what was revoked: no crl, issued or crl_means beside it");
	if (!files->index && !files->n_crl)
		return conf_wrong_at(wrong, NULL, "authorities wants index or crl, which tell what was revoked");
	if (!files->index && !files->issued && !files->crl_means_good)
		return conf_wrong_at(wrong, "crl",
				     "a CRL does not tell what was issued: give the list of it with issued, or say "
				     "crl_means: good, and every serial that it does not name is good");
	return true;
}

static bool authority_finish(void *base, uint64_t given, struct conf_wrong *wrong)
{
	struct respond_authority *authority = base;

	(void)given;
	if (authority->refresh_s >= authority->conf.validity_s)
		return conf_wrong_at(wrong, "refresh", "refresh is not shorter than validity");
	return source_finish(&authority->conf.source, wrong);
}
static const struct conf_table authority_table = { "authorities", authority_keys, .size = sizeof(struct respond_authority),
						   .finish = authority_finish };

static const struct conf_key cache_keys[] = {
	{ "memory", CONF_SIZE, AT(conf, respond.cache_bytes), .min = RESPOND_MEMORY_MIN, .max = RESPOND_MEMORY_MAX,
	  .preset = "512MiB", .help = "of all answers that are kept" },
	{ "max_age", CONF_DURATION, AT(conf, respond.max_age_ms), .min = S, .max = 30 * D, .preset = "1h",
	  .help = "what an HTTP cache may hold an answer: a revocation is seen behind it so much later" },
	{ 0 },
};
static const struct conf_table cache_table = { "cache", cache_keys };

static const struct conf_key limit_keys[] = {
	{ "connections", CONF_COUNT, AT(conf, respond.connections), .min = 1, .max = 1000000, .preset = "20000",
	  .help = "open at a time" },
	{ "certificates", CONF_COUNT, AT(conf, respond.ids), .min = 1, .max = RESPOND_IDS_MAX, .preset = "32",
	  .help = "that one request may ask about" },
	{ "request", CONF_DURATION, AT(conf, respond.request_ms), .min = 100, .max = 10 * M, .preset = "10s",
	  .help = "for a whole request, to the last byte of its answer" },
	{ "idle", CONF_DURATION, AT(conf, respond.idle_ms), .min = 100, .max = H, .preset = "60s",
	  .help = "from an answer to the next request" },
	{ "drain", CONF_DURATION, AT(conf, respond.drain_ms), .min = 1, .max = D, .preset = "10s",
	  .help = "for requests to end after SIGTERM" },
	{ 0 },
};
static const struct conf_table limit_table = { "limits", limit_keys };

static const struct conf_key respond_keys[] = {
	{ "listen", CONF_TEXTS, .required = true, LIST(conf, respond.listen, respond.n_listen), .check = check_listen,
	  .min = 1, .max = 64, .example = "[ \"0.0.0.0:8080\", \"[::]:8080\" ]", .help = "addresses and ports" },
	{ "authorities", CONF_ENTRIES, LIST(conf, respond.authority, respond.n_authorities), .min = 1, .max = 1000,
	  .table = &authority_table, .help = "the CAs that are answered for" },
	{ "relay", CONF_BOOL, AT(conf, respond_relay), .preset = "false",
	  .help = "answer from the store too, about what keep.certificates names" },
	{ "cache", CONF_SECTION, .table = &cache_table, .help = "what is kept, here and by others" },
	{ "threads", CONF_COUNT, AT(conf, respond.threads), .max = 1024, .preset = "0",
	  .help = "that answer, for each address; 0: one a core" },
	{ "metrics_listen", CONF_TEXT, AT(conf, respond.metrics), .check = check_metrics_listen, .example = "127.0.0.1:9471",
	  .help = "where the responder has /metrics, /status.json, /livez and /readyz" },
	{ "limits", CONF_SECTION, .table = &limit_table, .help = "what a client may take" },
	{ 0 },
};

const struct conf_table conf_respond = { "respond", respond_keys };
