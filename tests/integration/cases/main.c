/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cases offline|1.2|1.3|command [WORD]: every case of the table that way, in every world it is made in; TAP. */
#include "ways.h"
#include <stdio.h>
#include <string.h>

static const char *why_not(const struct test_case *one, const char *way)
{
	if (strcmp(way, "command") == 0)
		return one->not_command;
	if (strcmp(way, "offline") == 0)
		return NULL;
	return strcmp(way, "1.3") == 0 && one->not_tls13 ? one->not_tls13 : one->not_tls;
}

static bool go(const struct test_case *one, const struct world *world, const char *way, struct buf *why)
{
	if (strcmp(way, "offline") == 0)
		return go_offline(one, world, why);
	if (strcmp(way, "command") == 0)
		return go_command(one, world, why);
	return go_tls(one, world, way, why);
}

static void go_one(const struct test_case *one, const struct world *world, const char *way)
{
	auto_buf why = { .max = 64 * 1024 };
	char shown[16];

	snprintf(shown, sizeof(shown), "%s%s", *way == '1' ? "tls" : "", way);
	if (why_not(one, way))
		tap_not(shown, world_kind(world), one->name, why_not(one, way));
	else
		tap_line(go(one, world, way, &why), shown, world_kind(world), one->name, &why);
}

int main(int argc, char **argv)
{
	static const char *const ways[] = { "offline", "1.2", "1.3", "command" };
	struct table table;
	unsigned known = 0;

	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		known += argc > 1 && strcmp(argv[1], ways[i]) == 0;
	if (!known)
		broken("which way?", "cases offline|1.2|1.3|command [WORD]");
	table_read(&table);
	for (unsigned k = 0; world_kind_at(k); k++)
		for (unsigned i = 0; i < table.n; i++)
			if (case_is_made_in(&table.cases[i], world_kind_at(k)) &&
			    (argc < 3 || strstr(table.cases[i].name, argv[2])))
				go_one(&table.cases[i], world_get(world_kind_at(k)), argv[1]);
	int status = tap_end();
	tls_done();
	command_done();
	worlds_done();
	table_done(&table);
	return status;
}
