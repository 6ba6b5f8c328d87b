/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 1024

struct world {
	const char *kind;
	char *text; /* the file; names point into it */
	struct item {
		const char *sort, *name;
		gnutls_datum_t bytes;
	} item[ITEMS_MAX];
	unsigned n;
};

static const char *const kinds[] = { "ec", "rsa", "p384", "p521", "ed25519", "ed448", "pss", "pss-sha256" };
#define KINDS (sizeof(kinds) / sizeof(*kinds))
static struct world *worlds[KINDS];

void broken(const char *message, const char *what)
{
	printf("Bail out! %s: %s\n", message, what);
	exit(99);
}

static void decode(struct item *item, char *text)
{
	gnutls_datum_t base64 = { (unsigned char *)text, (unsigned)strlen(text) };

	if (strcmp(text, "-") != 0 && gnutls_base64_decode2(&base64, &item->bytes) < 0)
		broken("not base64", item->name);
}

static void add_line(struct world *world, char *line)
{
	char *rest = line;

	if (world->n == ITEMS_MAX)
		broken("too many items in the world", world->kind);
	struct item *item = &world->item[world->n++];
	item->sort = strsep(&rest, " ");
	item->name = strsep(&rest, " ");
	if (!rest)
		broken("a line of three words is expected in the world", world->kind);
	decode(item, rest);
}

static struct world *world_read(const char *kind)
{
	char path[4096];
	const char *source = getenv("CLINCH_SOURCE");
	struct world *world = calloc(1, sizeof(*world));
	gnutls_datum_t file;

	snprintf(path, sizeof(path), "%s/tests/data/cases/%s.data", source ? source : ".", kind);
	if (!world || gnutls_load_file(path, &file) < 0)
		broken("cannot read", path);
	world->kind = kind;
	world->text = strndup((char *)file.data, file.size);
	gnutls_free(file.data);
	for (char *rest = world->text, *line; (line = strsep(&rest, "\n")) != NULL;)
		if (*line)
			add_line(world, line);
	return world;
}

struct world *world_get(const char *kind)
{
	for (unsigned i = 0; i < KINDS; i++) {
		if (strcmp(kinds[i], kind) != 0)
			continue;
		if (!worlds[i])
			worlds[i] = world_read(kinds[i]);
		return worlds[i];
	}
	broken("no such world", kind);
}

void worlds_done(void)
{
	for (unsigned i = 0; i < KINDS; i++) {
		for (unsigned k = 0; worlds[i] && k < worlds[i]->n; k++)
			gnutls_free(worlds[i]->item[k].bytes.data);
		if (worlds[i])
			free(worlds[i]->text);
		free(worlds[i]);
		worlds[i] = NULL;
	}
}

const gnutls_datum_t *world_item(const struct world *world, const char *sort, const char *name)
{
	for (unsigned i = 0; i < world->n; i++)
		if (strcmp(world->item[i].name, name) == 0 && strcmp(world->item[i].sort, sort) == 0)
			return &world->item[i].bytes;
	broken("the data has no such item; run tests/data/gen/generate.py --write", name);
}

const char *world_kind(const struct world *world)
{
	return world->kind;
}

const char *world_kind_at(unsigned i)
{
	return i < KINDS ? kinds[i] : NULL;
}

gnutls_x509_crt_t world_certificate(const struct world *world, const char *name)
{
	gnutls_x509_crt_t cert;

	if (gnutls_x509_crt_init(&cert) < 0 ||
	    gnutls_x509_crt_import(cert, world_item(world, "certificate", name), GNUTLS_X509_FMT_DER) < 0)
		broken("GnuTLS does not import", name);
	return cert;
}
