/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the configuration: from bytes to one YAML document of bounded shape, or a refusal with its place. */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include <clinch/error.h>
#include <stddef.h>
#include <yaml.h>

#define CONF_LEN_MAX (16 * 1048576) /* a hundred thousand certificates */
#define CONF_DEPTH_MAX 16           /* mappings and lists in each other */
#define CONF_ANCHORS_MAX 100        /* libyaml compares each with all before it */

/* CLINCH_E_FORMAT: "NAME:LINE:COLUMN: <sentence>", both counted from 1. A long name is cut at its front. */
int load_refuse(struct clinch_error *err, const char *name, yaml_mark_t mark, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * One document of UTF-8 without tags, whose root is a mapping; on success it is the caller's, to be given to
 * yaml_document_delete(). Aliases are resolved and may lead anywhere, in circles too: who walks it bounds the walk.
 */
int load_document(yaml_document_t *out, const char *name, const void *bytes, size_t len, struct clinch_error *err);

#endif
