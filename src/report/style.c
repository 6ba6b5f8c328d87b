/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/time.h"
#include "report/report.h"
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_CELLS 20

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

static bool locale_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

struct report_style report_style_of(FILE *stream)
{
	struct report_style style = { .width = 80 };
	const char *terminal = getenv("TERM");
	struct winsize size;

	if (!isatty(fileno(stream)))
		return style;
	style.colour = !is_set("NO_COLOR") && terminal && strcmp(terminal, "dumb");
	style.utf8 = locale_is_utf8();
	if (!ioctl(fileno(stream), TIOCGWINSZ, &size) && size.ws_col >= 40)
		style.width = size.ws_col;
	return style;
}

void report_tone(struct buf *out, const struct report_style *style, enum report_tone tone, const char *text)
{
	static const char *const codes[] = {
		[REPORT_PLAIN] = "0",  [REPORT_FINE] = "1;32", [REPORT_DOUBTFUL] = "1;33",
		[REPORT_BAD] = "1;31", [REPORT_FAINT] = "2",
	};

	if (style->colour && tone != REPORT_PLAIN)
		buf_printf(out, "\033[%sm%s\033[0m", codes[tone], text);
	else
		buf_printf(out, "%s", text);
}

enum report_tone report_tone_of(const struct clinch_verdict *verdict)
{
	switch (verdict->status) {
	case CLINCH_GOOD:
		return verdict->fresh ? REPORT_FINE : REPORT_DOUBTFUL;
	case CLINCH_MISSING:
		return verdict->reason == CLINCH_REASON_NO_STAPLE ? REPORT_PLAIN : REPORT_BAD;
	default:
		return REPORT_BAD;
	}
}

static void put_cells(struct buf *out, const struct report_style *style, int gone_percent)
{
	enum report_tone tone = gone_percent >= 90 ? REPORT_BAD : gone_percent >= 50 ? REPORT_DOUBTFUL : REPORT_FINE;
	char cells[BAR_CELLS * 3 + 1] = "";
	int full = gone_percent * BAR_CELLS / 100;

	for (int i = 0; i < BAR_CELLS; i++) {
		const char *cell = i < full ? (style->utf8 ? "█" : "#") : (style->utf8 ? "░" : "-");

		memcpy(cells + strlen(cells), cell, strlen(cell) + 1);
	}
	buf_printf(out, "[");
	report_tone(out, style, tone, cells);
	buf_printf(out, "]");
}

void report_life_bar(struct buf *out, const struct report_style *style, const struct clinch_verdict *verdict, int64_t now)
{
	int64_t life = verdict->fresh_until - verdict->this_update, gone = now - verdict->this_update;
	char span[TIME_SPAN_SIZE];
	int percent;

	if (!verdict->fresh_until || !verdict->this_update || life <= 0)
		return;
	percent = gone <= 0 ? 0 : gone >= life ? 100 : (int)((double)gone / (double)life * 100);
	put_cells(out, style, percent);
	if (gone < 0)
		buf_printf(out, " begins in %s", time_span(span, gone));
	else if (gone >= life)
		buf_printf(out, " over for %s", time_span(span, gone - life));
	else
		buf_printf(out, " %d %% gone, %s left", percent, time_span(span, life - gone));
}
