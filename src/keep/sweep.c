/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the store whose certificate no file names any more go after seven days of that, counted while the keeper runs and
 * on the clock that no setting of the time moves: a board without a clock of its own boots in 1970.
 */
#include "keep/inside.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVERY_S 3600
#define KEEP_S (7 * 86400)
#define UNCLAIMED_MAX 8192 /* counted at a time; the rest has its turn after them */
#define NAME_LEN (2 * FINGERPRINT_LEN + 4)

struct unclaimed {
	uint8_t fingerprint[FINGERPRINT_LEN];
	int64_t since_s;
	bool met;
};

struct sweep {
	int64_t next_s;
	struct unclaimed *at;
	size_t n, size;
};

static int64_t boot_s(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_name(const char *name, uint8_t fingerprint[FINGERPRINT_LEN])
{
	if (strlen(name) != NAME_LEN || strcmp(name + NAME_LEN - 4, ".der") != 0)
		return false;
	for (size_t i = 0; i < FINGERPRINT_LEN; i++) {
		int high = digit(name[2 * i]), low = digit(name[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		fingerprint[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static struct unclaimed *find_or_add(struct sweep *sweep, const uint8_t *fingerprint, int64_t now)
{
	for (size_t i = 0; i < sweep->n; i++)
		if (memcmp(sweep->at[i].fingerprint, fingerprint, FINGERPRINT_LEN) == 0)
			return &sweep->at[i];
	if (sweep->n == UNCLAIMED_MAX)
		return NULL;
	if (sweep->n == sweep->size) {
		size_t size = sweep->size ? 2 * sweep->size : 64;
		struct unclaimed *at = reallocarray(sweep->at, size, sizeof(*at));
		if (!at)
			return NULL;
		sweep->at = at;
		sweep->size = size;
	}
	sweep->at[sweep->n] = (struct unclaimed){ .since_s = now };
	memcpy(sweep->at[sweep->n].fingerprint, fingerprint, FINGERPRINT_LEN);
	return &sweep->at[sweep->n++];
}

/* The ones that were claimed again meanwhile, or went. */
static void forget_unmet(struct sweep *sweep)
{
	size_t n = 0;

	for (size_t i = 0; i < sweep->n; i++)
		if (sweep->at[i].met)
			sweep->at[n++] = sweep->at[i];
	sweep->n = n;
	for (size_t i = 0; i < n; i++)
		sweep->at[i].met = false;
}

bool sweep_is_temporary(const char *name)
{
	return strncmp(name, ".clinch-", 8) == 0 && strcmp(name + strlen(name) - 4, ".tmp") == 0;
}

static void look_at(struct keeper *keeper, int dir, const char *name, int64_t now)
{
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct unclaimed *unclaimed;

	if (sweep_is_temporary(name)) {
		unlinkat(dir, name, 0);
		return;
	}
	if (!read_name(name, fingerprint) || rows_find(&keeper->rows, fingerprint))
		return;
	unclaimed = find_or_add(keeper->sweep, fingerprint, now);
	if (!unclaimed)
		return;
	unclaimed->met = true;
	if (now - unclaimed->since_s < KEEP_S || unlinkat(dir, name, 0) < 0)
		return;
	tell_notice(keeper, KEEP_INFO, NULL, name, "removed from the store: no file names its certificate since 7 days");
	unclaimed->met = false;
}

void sweep_tick(struct keeper *keeper)
{
	int64_t now = boot_s();
	struct dirent *entry;
	DIR *dir;

	if (!keeper->scanned || keeper->scanning)
		return;
	if (!keeper->sweep)
		keeper->sweep = calloc(1, sizeof(*keeper->sweep));
	if (!keeper->sweep || now < keeper->sweep->next_s)
		return;
	keeper->sweep->next_s = now + EVERY_S;
	holding_sync(keeper); /* its temporary files are not left over */
	dir = opendir(keeper->conf->store);
	while (dir && (entry = readdir(dir)))
		look_at(keeper, dirfd(dir), entry->d_name, now);
	if (dir)
		closedir(dir);
	forget_unmet(keeper->sweep);
}

void sweep_done(struct keeper *keeper)
{
	if (keeper->sweep)
		free(keeper->sweep->at);
	free(keeper->sweep);
	keeper->sweep = NULL;
}
