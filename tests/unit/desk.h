/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificates and keys as files in a directory of their own, for what reads them by path. */
#ifndef UNIT_DESK_H
#define UNIT_DESK_H

#include "../support/scratch.h"
#include "party.h"
#include "unit.h"
#include <dirent.h>
#include <string.h>
#include <unistd.h>

static char desk[SCRATCH_SIZE];

static inline void desk_open(const char *name)
{
	assert_non_null(mkdtemp(scratch_template(desk, name)));
}

/* The path of a file on it; of the last 32 asked for. */
static inline const char *desk_path(const char *name)
{
	static char paths[32][SCRATCH_SIZE + 256];
	static unsigned turn;
	char *path = paths[turn++ % 32];

	snprintf(path, sizeof(paths[0]), "%s/%s", desk, name);
	return path;
}

static inline void desk_write(const char *name, const void *bytes, size_t len)
{
	FILE *file = fopen(desk_path(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* NAME.pem and NAME.key. */
static inline void desk_write_party(const char *name, const struct party *party)
{
	char file[64];
	gnutls_datum_t key = { NULL, 0 };

	snprintf(file, sizeof(file), "%s.pem", name);
	desk_write(file, party->der.data, party->der.size);
	assert_int_equal(gnutls_x509_privkey_export2_pkcs8(party->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &key),
			 0);
	snprintf(file, sizeof(file), "%s.key", name);
	desk_write(file, key.data, key.size);
	gnutls_free(key.data);
}

/* With all that is on it; directories are not. */
static inline void desk_close(void)
{
	DIR *dir = opendir(desk);

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			unlink(desk_path(entry->d_name));
	closedir(dir);
	assert_int_equal(rmdir(desk), 0);
}

#endif
