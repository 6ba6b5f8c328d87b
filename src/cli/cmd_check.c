/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch check`: what does a server staple, and is it to be believed? */
#include "base/cleanup.h"
#include "cli/check_options.h"
#include "cli/commands.h"
#include <limits.h>
#include <stdio.h>

#define REPORT_MAX (4 * 1024 * 1024) /* bytes of one target's */

struct run {
	const struct cli_command *self;
	const struct check_settings *settings;
	struct report_style style;
	struct buf text; /* of one target; its memory is used again */
	int status;      /* the worst so far */
	enum nagios state;
};

static void say_step(void *user, const char *line)
{
	cli_say(user, "%s", line);
}

/* Of several targets the worst counts: 3 4 6 5 1, then 0. */
static int worse(int a, int b)
{
	static const int rank[] = { [EXIT_ACCEPTED] = 0,     [EXIT_NOT_FOUND_OUT] = 1, [EXIT_USAGE] = 1,  [EXIT_REVOKED] = 5,
				    [EXIT_NOT_BELIEVED] = 4, [EXIT_MISSING] = 2,       [EXIT_UNKNOWN] = 3 };

	return rank[a] >= rank[b] ? a : b;
}

static void view_of(struct check *out, struct check_answer answers[PROBE_MEMBERS_MAX], const struct probe_result *result)
{
	*out = (struct check){
		.target = result->shown,
		.address = result->address[0] ? result->address : NULL,
		.name = result->name,
		.trouble = result->trouble ? trouble_name(result->trouble) : NULL,
		.trouble_text = result->err.text,
		.session = result->session,
		.report = result->report,
		.accepted = result->accepted,
		.reason = result->reason,
		.blamed = result->blamed,
		.by_answer = result->by_answer,
		.answer = answers,
	};
	for (unsigned i = 0; i < PROBE_MEMBERS_MAX; i++) {
		const struct probe_answer *answer = &result->answer[i];

		answers[i] = (struct check_answer){ .asked = answer->asked,
						    .unnamed = answer->unnamed,
						    .der = { answer->der.data, (unsigned)answer->der.len },
						    .verdict = answer->verdict,
						    .detail = answer->detail };
	}
}

static bool render(struct run *run, const struct check *check)
{
	switch (run->settings->format) {
	case CHECK_JSON:
		return check_json(&run->text, check);
	case CHECK_NAGIOS:
		run->state = nagios_worse(run->state, check_nagios(&run->text, check, &run->settings->limits));
		return run->text.len > 0;
	default:
		return check_text(&run->text, &run->style, check, run->settings->verbose);
	}
}

/* Each target's report is out before the next one is asked. */
static void show(struct run *run, const struct probe_result *result)
{
	struct check_answer answers[PROBE_MEMBERS_MAX];
	struct check check;

	view_of(&check, answers, result);
	buf_reset(&run->text);
	run->status = worse(run->status, check_exit(&check));
	if (!render(run, &check)) {
		cli_say(run->self, "%s: no memory for the report", result->shown);
		run->status = worse(run->status, EXIT_NOT_FOUND_OUT);
		run->state = nagios_worse(run->state, NAGIOS_UNKNOWN);
	}
	if (run->settings->quiet)
		return;
	fwrite(run->text.data, 1, run->text.len, stdout);
	fflush(stdout);
}

static void check_all(struct run *run, struct probe *probe)
{
	const struct check_settings *settings = run->settings;
	struct probe_result result;

	for (size_t i = 0; i < settings->n_targets && !ferror(stdout); i++) {
		probe_run(probe, &settings->targets[i].target, settings->targets[i].text, &result);
		show(run, &result);
		probe_result_done(&result);
	}
}

static int final_status(const struct run *run)
{
	return run->settings->format == CHECK_NAGIOS ? (int)run->state : run->status;
}

static int run_settings(struct check_settings *settings, const struct cli_command *self)
{
	struct run run = {
		.self = self, .settings = settings, .style = report_style_of(stdout), .text = { .max = REPORT_MAX }
	};
	char keep_path[PATH_MAX];
	struct clinch_error err;
	struct probe probe;
	int status;

	if (settings->verbose) {
		settings->probe.say = say_step;
		settings->probe.say_user = (void *)(uintptr_t)self;
	}
	if (settings->ask_responder && cli_keep_path(keep_path, sizeof(keep_path)))
		settings->probe.keep_path = keep_path;
	if (probe_init(&probe, &settings->probe, &err)) {
		cli_say(self, "%s", err.text);
		return settings->format == CHECK_NAGIOS ? (int)NAGIOS_UNKNOWN : EXIT_NOT_FOUND_OUT;
	}
	check_all(&run, &probe);
	buf_done(&run.text);
	status = final_status(&run);
	probe_done(&probe);
	return status;
}

static int check_run(int argc, char **argv, const struct cli_command *self)
{
	struct check_settings settings;
	int status = check_settings_parse(&settings, argc, argv, self);

	if (status < 0)
		status = run_settings(&settings, self);
	check_settings_done(&settings);
	return status;
}

const struct cli_command cmd_check = {
	.name = "check",
	.summary = "connect to a server and judge what it staples",
	.operands = "HOST[:PORT]...",
	.options = check_options,
	.run = check_run,
	.examples = "  clinch check www.example.org\n"
		    "  clinch check --require leaf --starttls smtp mail.example.org\n"
		    "  clinch check --json --ca roots.pem [2001:db8::1]:8443 | jq .verdict\n"
		    "  clinch check --format nagios --warn-below 2d --critical-below 12h www.example.org\n",
};
