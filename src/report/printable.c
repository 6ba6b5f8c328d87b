/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "ocsp/describe.h"
#include "report/report.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define HEX_SHOWN 64

/* The length of the well-formed UTF-8 character at `at` and its value (RFC 3629 4); 0: there is none. */
static size_t utf8_take(const uint8_t *at, size_t len, uint32_t *value)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

	if (n == 1) {
		*value = at[0];
		return 1;
	}
	if (at[0] < 0xc2 || at[0] > 0xf4 || n > len)
		return 0;
	*value = at[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*value = *value << 6 | (at[i] & 0x3f);
	}
	if (*value < least[n] || *value > 0x10ffff || (*value >= 0xd800 && *value <= 0xdfff))
		return 0;
	return n;
}

/* Controls, line and paragraph separators, and what turns the direction of writing: a name could pretend to be another. */
static bool is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	if (c >= 0x200b && c <= 0x200f)
		return false;
	return !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f) && c != 0x061c && c != 0xfeff &&
	       (c & 0xfffe) != 0xfffe;
}

bool report_printable(struct buf *out, const void *text, size_t len)
{
	const uint8_t *at = text;
	bool fits = true;
	uint32_t value;

	while (len && fits) {
		size_t n = utf8_take(at, len, &value);

		if (n && is_printable(value))
			fits = buf_add(out, at, n);
		else
			fits = buf_add(out, REPLACEMENT, sizeof(REPLACEMENT) - 1);
		at += n ? n : 1;
		len -= n ? n : 1;
	}
	return fits;
}

bool report_hex(struct buf *out, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t shown = len > HEX_SHOWN ? HEX_SHOWN : len;
	bool fits = true;

	for (size_t i = 0; i < shown && fits; i++)
		fits = buf_printf(out, "%02x", at[i]);
	if (len > shown)
		fits = fits && buf_printf(out, "... (%zu bytes)", len);
	return fits;
}

bool report_name(struct buf *out, struct der name)
{
	auto_datum text = { 0 };

	if (!name.at || !ocsp_name_text(&text, name) || !text.size)
		return buf_printf(out, "(no name)");
	return report_printable(out, text.data, text.size);
}
