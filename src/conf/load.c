/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libyaml builds a document of any depth and any number of anchors, in time that grows with the square of both. So the file
 * is gone through as events first, which stop where a bound is passed, and built only then.
 */
#include "conf/load.h"
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_SHOWN 160

struct source {
	const char *name;
	const unsigned char *bytes;
	size_t len;
	struct clinch_error *err;
};

int load_refuse(struct clinch_error *err, const char *name, yaml_mark_t mark, const char *format, ...)
{
	size_t len = strlen(name);
	char sentence[288];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return error_set(err, CLINCH_E_FORMAT, "%s%s:%zu:%zu: %s", len > NAME_SHOWN ? "..." : "",
			 len > NAME_SHOWN ? name + len - NAME_SHOWN : name, mark.line + 1, mark.column + 1, sentence);
}

/* The place of a byte: what libyaml's reader complains of has an offset only. */
static yaml_mark_t mark_of(const struct source *source, size_t offset)
{
	yaml_mark_t mark = { .index = offset };

	for (size_t i = 0; i < offset && i < source->len; i++) {
		if (source->bytes[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if ((source->bytes[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static int refuse_parser(const struct source *source, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "this is not YAML";

	if (parser->error == YAML_MEMORY_ERROR)
		return error_set(source->err, CLINCH_E_MEMORY, "%s: no memory to read it", source->name);
	if (parser->error == YAML_READER_ERROR)
		return load_refuse(source->err, source->name, mark_of(source, parser->problem_offset), "%s", problem);
	if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		return load_refuse(source->err, source->name, parser->problem_mark, "%s, %s that begins in line %zu",
				   problem, parser->context, parser->context_mark.line + 1);
	return load_refuse(source->err, source->name, parser->problem_mark, "%s", problem);
}

/* YAML forbids tabs as indentation; libyaml's words for it help nobody, and in some places it takes them. */
static int refuse_tabs(const struct source *source)
{
	bool is_indentation = true;

	for (size_t i = 0; i < source->len; i++) {
		if (is_indentation && source->bytes[i] == '\t')
			return load_refuse(source->err, source->name, mark_of(source, i),
					   "there is a tab: YAML is indented by spaces");
		if (source->bytes[i] == '\n')
			is_indentation = true;
		else if (source->bytes[i] != ' ')
			is_indentation = false;
	}
	return 0;
}

struct shape {
	unsigned depth, anchors, documents;
};

static int refuse_event(const struct source *source, const yaml_event_t *event, const char *sentence)
{
	return load_refuse(source->err, source->name, event->start_mark, "%s", sentence);
}

static int count_anchor(const struct source *source, const yaml_event_t *event, const unsigned char *anchor,
			struct shape *shape)
{
	if (anchor && ++shape->anchors > CONF_ANCHORS_MAX)
		return refuse_event(source, event, "there are more than 100 anchors");
	return 0;
}

static int go_down(const struct source *source, const yaml_event_t *event, const unsigned char *anchor,
		   const unsigned char *tag, struct shape *shape)
{
	if (tag)
		return refuse_event(source, event, "there is a tag (\"!...\"): none is needed here");
	if (++shape->depth > CONF_DEPTH_MAX)
		return refuse_event(source, event, "this is more than 16 levels deep");
	return count_anchor(source, event, anchor, shape);
}

static int judge_event(const struct source *source, const yaml_event_t *event, struct shape *shape)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return ++shape->documents > 1
			       ? refuse_event(source, event, "a second document begins: one is all there may be")
			       : 0;
	case YAML_MAPPING_START_EVENT:
		return go_down(source, event, event->data.mapping_start.anchor, event->data.mapping_start.tag, shape);
	case YAML_SEQUENCE_START_EVENT:
		return go_down(source, event, event->data.sequence_start.anchor, event->data.sequence_start.tag, shape);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		shape->depth--;
		return 0;
	case YAML_SCALAR_EVENT:
		if (event->data.scalar.tag)
			return refuse_event(source, event, "there is a tag (\"!...\"): none is needed here");
		return count_anchor(source, event, event->data.scalar.anchor, shape);
	default:
		return 0;
	}
}

static bool begin(yaml_parser_t *parser, const struct source *source)
{
	if (!yaml_parser_initialize(parser))
		return false;
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, source->bytes, source->len);
	return true;
}

static int judge_shape(const struct source *source, yaml_parser_t *parser)
{
	struct shape shape = { 0 };
	bool ended = false;
	int rc = 0;

	while (!ended && rc == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return refuse_parser(source, parser);
		rc = judge_event(source, &event, &shape);
		ended = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	return rc;
}

static int build(yaml_document_t *out, const struct source *source, yaml_parser_t *parser)
{
	const yaml_node_t *root;

	if (!yaml_parser_load(parser, out))
		return refuse_parser(source, parser);
	root = yaml_document_get_root_node(out);
	if (root && root->type == YAML_MAPPING_NODE)
		return 0;
	int rc =
		root ? load_refuse(source->err, source->name, root->start_mark, "the file is a %s, not \"key: value\" lines",
				   root->type == YAML_SEQUENCE_NODE ? "list" : "single value")
		     : load_refuse(source->err, source->name, (yaml_mark_t){ 0 }, "nothing is configured here");
	yaml_document_delete(out);
	return rc;
}

int load_document(yaml_document_t *out, const char *name, const void *bytes, size_t len, struct clinch_error *err)
{
	const struct source source = { name, bytes, len, err };
	yaml_parser_t parser;
	int rc;

	if (len > CONF_LEN_MAX)
		return error_set(err, CLINCH_E_TOO_LARGE, "%s: more than the limit of 16 MiB", name);
	rc = refuse_tabs(&source);
	if (rc)
		return rc;
	if (!begin(&parser, &source))
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory to read it", name);
	rc = judge_shape(&source, &parser);
	yaml_parser_delete(&parser);
	if (rc)
		return rc;
	if (!begin(&parser, &source))
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory to read it", name);
	rc = build(out, &source, &parser);
	yaml_parser_delete(&parser);
	return rc;
}
