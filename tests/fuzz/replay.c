/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a target over the files of directories, without libFuzzer: replay DIR..., in TAP. An input that fails ends the
 * process. */
#include "fuzz.h"
#include <dirent.h>
#include <string.h>

static uint8_t bytes[1 << 20];

/* Of its exact size, so that one byte too many is seen by ASan and valgrind. */
static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return -1;
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	uint8_t *exact = malloc(size ? size : 1);
	if (!exact)
		return -1;
	memcpy(exact, bytes, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned n = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		if (!dir)
			break;
		for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
			char path[4096];
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (entry->d_name[0] != '.' && replay(path) == 0)
				n++;
		}
		closedir(dir);
	}
	/* A corpus that is not there must not look like one that passes. */
	printf("1..1\n%s 1 - replays %u inputs\n", n > 0 ? "ok" : "not ok", n);
	return n > 0 ? 0 : 1;
}
