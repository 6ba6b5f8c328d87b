/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/starttls.h"
#include "base/error.h"
#include "probe/starttls_ldap.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum starttls_step refuse(struct starttls *dialogue, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum starttls_step refuse(struct starttls *dialogue, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(dialogue->refusal, sizeof(dialogue->refusal), format, args);
	va_end(args);
	return STARTTLS_REFUSED;
}

/* What the peer said goes into the sentence, made fit for it and cut. */
static enum starttls_step refuse_line(struct starttls *dialogue, const char *what)
{
	char said[120];

	error_printable(said, sizeof(said), dialogue->line, dialogue->line_len);
	return refuse(dialogue, "%s: \"%s\"", what, said);
}

static enum starttls_step say(struct starttls *dialogue, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum starttls_step say(struct starttls *dialogue, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf((char *)dialogue->send, sizeof(dialogue->send), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(dialogue->send))
		return refuse(dialogue, "cannot be asked for TLS: the name is too long");
	dialogue->send_len = (size_t)len;
	return STARTTLS_SEND;
}

static enum starttls_step say_bytes(struct starttls *dialogue, const void *bytes, size_t len)
{
	memcpy(dialogue->send, bytes, len);
	dialogue->send_len = len;
	return STARTTLS_SEND;
}

static bool line_begins(const struct starttls *dialogue, size_t at, const char *word)
{
	size_t len = strlen(word);

	return dialogue->line_len >= at + len && !strncasecmp((const char *)dialogue->line + at, word, len);
}

/* Is the line's text from `at` on this word, alone or followed by a space? */
static bool line_has_word(const struct starttls *dialogue, size_t at, const char *word)
{
	size_t end = at + strlen(word);

	return line_begins(dialogue, at, word) && (dialogue->line_len == end || dialogue->line[end] == ' ');
}

/* ---- SMTP: greeting, EHLO, STARTTLS; each reply may have several lines (RFC 5321 4.2.1) ---- */

enum { SMTP_GREETING, SMTP_EHLO, SMTP_STARTTLS };

static bool smtp_line_is_reply(const struct starttls *dialogue)
{
	const uint8_t *line = dialogue->line;

	return dialogue->line_len >= 3 && line[0] >= '2' && line[0] <= '5' && line[1] >= '0' && line[1] <= '9' &&
	       line[2] >= '0' && line[2] <= '9' && (dialogue->line_len == 3 || line[3] == ' ' || line[3] == '-');
}

static enum starttls_step smtp_reply(struct starttls *dialogue)
{
	const char *wanted = dialogue->state == SMTP_EHLO ? "250" : "220";

	if (memcmp(dialogue->code, wanted, 3) != 0)
		return refuse_line(dialogue,
				   dialogue->state == SMTP_STARTTLS ? "refuses STARTTLS" : "refuses the SMTP session");
	dialogue->code[0] = 0;
	switch (dialogue->state++) {
	case SMTP_GREETING:
		return STARTTLS_SEND;
	case SMTP_EHLO:
		return dialogue->offered ? say(dialogue, "STARTTLS\r\n") : refuse(dialogue, "does not offer STARTTLS");
	default:
		return STARTTLS_READY;
	}
}

static enum starttls_step smtp_line(struct starttls *dialogue)
{
	if (!smtp_line_is_reply(dialogue))
		return refuse_line(dialogue, "does not speak SMTP; it says");
	if (dialogue->code[0] && memcmp(dialogue->code, dialogue->line, 3) != 0)
		return refuse_line(dialogue, "changes the code within one SMTP reply");
	memcpy(dialogue->code, dialogue->line, 3);
	if (dialogue->state == SMTP_EHLO && line_has_word(dialogue, 4, "STARTTLS"))
		dialogue->offered = true;
	return dialogue->line_len > 3 && dialogue->line[3] == '-' ? STARTTLS_MORE : smtp_reply(dialogue);
}

/* ---- IMAP: greeting, then a tagged command among whose answers there may be untagged ones (RFC 9051 7) ---- */

static enum starttls_step imap_greeting(struct starttls *dialogue)
{
	dialogue->state++;
	if (line_has_word(dialogue, 0, "* OK"))
		return say(dialogue, "c1 STARTTLS\r\n");
	/* Already authenticated: TLS can no longer be started, so somebody who wants none sends this (CVE-2020-14093). */
	if (line_has_word(dialogue, 0, "* PREAUTH"))
		return refuse_line(dialogue, "greets with PREAUTH, after which IMAP has no STARTTLS");
	if (line_has_word(dialogue, 0, "* BYE"))
		return refuse_line(dialogue, "refuses the IMAP session");
	return refuse_line(dialogue, "does not speak IMAP; it says");
}

static enum starttls_step imap_line(struct starttls *dialogue)
{
	if (!dialogue->state)
		return imap_greeting(dialogue);
	if (line_has_word(dialogue, 0, "* BYE"))
		return refuse_line(dialogue, "refuses the IMAP session");
	if (line_begins(dialogue, 0, "* "))
		return STARTTLS_MORE;
	if (line_has_word(dialogue, 0, "c1 OK"))
		return STARTTLS_READY;
	if (line_has_word(dialogue, 0, "c1 NO") || line_has_word(dialogue, 0, "c1 BAD"))
		return refuse_line(dialogue, "refuses STARTTLS");
	return refuse_line(dialogue, "does not speak IMAP; it says");
}

/* ---- POP3 (RFC 1939 3, RFC 2595 4) ---- */

static enum starttls_step pop3_line(struct starttls *dialogue)
{
	if (line_has_word(dialogue, 0, "-ERR"))
		return refuse_line(dialogue, dialogue->state ? "refuses STLS" : "refuses the POP3 session");
	if (!line_has_word(dialogue, 0, "+OK"))
		return refuse_line(dialogue, "does not speak POP3; it says");
	return dialogue->state++ ? STARTTLS_READY : say(dialogue, "STLS\r\n");
}

/* ---- HTTP CONNECT: a status line, fields, an empty line (RFC 9112) ---- */

static bool is_http_status(const struct starttls *dialogue)
{
	const uint8_t *line = dialogue->line;

	return dialogue->line_len >= 12 && (!memcmp(line, "HTTP/1.0 ", 9) || !memcmp(line, "HTTP/1.1 ", 9)) &&
	       line[9] >= '1' && line[9] <= '5' && line[10] >= '0' && line[10] <= '9' && line[11] >= '0' &&
	       line[11] <= '9' && (dialogue->line_len == 12 || line[12] == ' ');
}

static enum starttls_step http_line(struct starttls *dialogue)
{
	if (dialogue->state++)
		return dialogue->line_len ? STARTTLS_MORE : STARTTLS_READY;
	if (!is_http_status(dialogue))
		return refuse_line(dialogue, "does not answer CONNECT as an HTTP proxy; it says");
	if (!memcmp(dialogue->line + 9, "407", 3))
		return refuse_line(dialogue, "wants a user and a password, which are not supported");
	return dialogue->line[9] == '2' ? STARTTLS_MORE : refuse_line(dialogue, "refuses the CONNECT");
}

/* ---- what has no lines ---- */

static enum starttls_step ldap_byte(struct starttls *dialogue)
{
	char said[160];

	switch (ldap_starttls_reply(dialogue->line, dialogue->line_len, said, sizeof(said))) {
	case LDAP_MORE:
		return STARTTLS_MORE;
	case LDAP_SUCCESS:
		return STARTTLS_READY;
	case LDAP_REFUSAL:
		return refuse(dialogue, "refuses STARTTLS: %s", said);
	case LDAP_NONSENSE:
		break;
	}
	return refuse(dialogue, "does not answer STARTTLS as LDAP");
}

/* "S" or "N", or an ErrorMessage from a server that is too old or too busy (PostgreSQL's manual, 55.2.10). */
static enum starttls_step postgres_byte(struct starttls *dialogue)
{
	switch (dialogue->line[0]) {
	case 'S':
		return STARTTLS_READY;
	case 'N':
		return refuse(dialogue, "does not do TLS: PostgreSQL's setting \"ssl\" is off");
	case 'E':
		return refuse(dialogue, "answers SSLRequest with an error");
	default:
		return refuse(dialogue, "does not answer SSLRequest as PostgreSQL");
	}
}

/* ---- all of them ---- */

static const struct protocol {
	const char *name;
	uint16_t port;
	enum starttls_step (*line)(struct starttls *); /* at each whole line, which is in line[] without its CRLF */
	enum starttls_step (*byte)(struct starttls *); /* or at each byte; line[] has all of them */
	bool speaks_unasked;                           /* the server may speak when it is not its turn */
	bool leaves_rest;                              /* what follows READY is not this dialogue's */
} protocols[STARTTLS_PROTOCOLS] = {
	[STARTTLS_NONE] = { "TLS", 443, NULL, NULL, false, false },
	[STARTTLS_SMTP] = { "SMTP", 25, smtp_line, NULL, false, false },
	[STARTTLS_IMAP] = { "IMAP", 143, imap_line, NULL, true, false },
	[STARTTLS_POP3] = { "POP3", 110, pop3_line, NULL, false, false },
	[STARTTLS_LDAP] = { "LDAP", 389, NULL, ldap_byte, false, false },
	[STARTTLS_POSTGRES] = { "PostgreSQL", 5432, NULL, postgres_byte, false, false },
	[STARTTLS_HTTP_CONNECT] = { "HTTP CONNECT", 8080, http_line, NULL, false, true },
};

const char *starttls_name(enum starttls_protocol protocol)
{
	return protocols[protocol].name;
}

uint16_t starttls_port(enum starttls_protocol protocol)
{
	return protocols[protocol].port;
}

/* It is written into a line of a protocol: no byte of it may end that line. */
static bool is_sayable(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > STARTTLS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return true;
}

enum starttls_step starttls_begin(struct starttls *dialogue, enum starttls_protocol protocol, const char *name)
{
	*dialogue = (struct starttls){ .protocol = protocol };
	switch (protocol) {
	case STARTTLS_SMTP: /* kept in send[] until the greeting is over */
		return is_sayable(name) && say(dialogue, "EHLO %s\r\n", name) == STARTTLS_SEND
			       ? STARTTLS_MORE
			       : refuse(dialogue, "cannot be greeted: the name for EHLO cannot be written into a line");
	case STARTTLS_HTTP_CONNECT:
		return is_sayable(name)
			       ? say(dialogue, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", name, name)
			       : refuse(dialogue, "cannot be asked for a target whose name does not fit into a line");
	case STARTTLS_LDAP:
		return say_bytes(dialogue, ldap_starttls_request, sizeof(ldap_starttls_request));
	case STARTTLS_POSTGRES:
		return say_bytes(dialogue, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
	default:
		return protocol == STARTTLS_NONE ? STARTTLS_READY : STARTTLS_MORE;
	}
}

/* A line ends with CRLF and has no other CR, LF or NUL in it: a byte that two readers understand differently is how one of
 * them is deceived. */
static enum starttls_step line_byte(struct starttls *dialogue, uint8_t byte)
{
	bool after_cr = dialogue->line_len && dialogue->line[dialogue->line_len - 1] == '\r';

	if (byte == '\n' && after_cr) {
		enum starttls_step step;

		dialogue->line_len--;
		step = protocols[dialogue->protocol].line(dialogue);
		dialogue->line_len = 0;
		return step;
	}
	if (!byte || byte == '\n' || after_cr)
		return refuse_line(dialogue, "sends a line with a stray NUL, CR or LF");
	dialogue->line[dialogue->line_len++] = byte;
	return STARTTLS_MORE;
}

static enum starttls_step feed_byte(struct starttls *dialogue, uint8_t byte)
{
	if (dialogue->total++ >= STARTTLS_TOTAL_MAX)
		return refuse(dialogue, "sent %d bytes and did not come to an end", STARTTLS_TOTAL_MAX);
	if (dialogue->line_len >= STARTTLS_LINE_MAX)
		return refuse(dialogue, "sends more than %d bytes as one line or message", STARTTLS_LINE_MAX);
	if (protocols[dialogue->protocol].line)
		return line_byte(dialogue, byte);
	dialogue->line[dialogue->line_len++] = byte;
	return protocols[dialogue->protocol].byte(dialogue);
}

static bool rest_is_refused(const struct starttls *dialogue, enum starttls_step step)
{
	const struct protocol *protocol = &protocols[dialogue->protocol];

	return (step == STARTTLS_READY && !protocol->leaves_rest) || (step == STARTTLS_SEND && !protocol->speaks_unasked);
}

enum starttls_step starttls_feed(struct starttls *dialogue, const uint8_t *bytes, size_t len, size_t *used)
{
	enum starttls_step step = STARTTLS_MORE;

	for (*used = 0; *used < len && step == STARTTLS_MORE; ++*used)
		step = feed_byte(dialogue, bytes[*used]);
	if (*used < len && rest_is_refused(dialogue, step))
		return refuse(dialogue, step == STARTTLS_READY
						? "sends plaintext behind its permission for TLS, as an injection does"
						: "speaks before it was asked");
	return step;
}
