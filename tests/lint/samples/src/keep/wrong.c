/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"
#include "cli/commands.h" /* WRONG(floors): keep (floor 5.1) includes cli/commands.h (floor 6) */
#include "fetch/job.h"
#include "probe/probe.h" /* WRONG(floors): keep (floor 5.1) includes probe/probe.h (floor 5.1) */
#include <curl/curl.h>

int keep_wrong(CURL *easy)
{
	printf("keep may speak\n");
	return curl_easy_perform(easy); /* WRONG(banned): curl_easy_perform() is banned */
}
