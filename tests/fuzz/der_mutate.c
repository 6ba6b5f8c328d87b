/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include <stdbool.h>
#include <string.h>

#define MAX_ELEMENTS 512
#define MAX_DEPTH 24
#define SCRATCH (256 * 1024)

struct element {
	size_t start, content, end; /* offsets */
	int parent;                 /* -1: none */
};

struct tree {
	struct element element[MAX_ELEMENTS];
	int n;
};

static bool read_header(const uint8_t *data, size_t at, size_t end, struct element *out)
{
	if (end - at < 2)
		return false;
	size_t len = data[at + 1], header = 2;
	if (len >= 0x80) {
		size_t width = len & 0x7f;
		if (width == 0 || width > 3 || end - at < 2 + width)
			return false;
		len = 0;
		for (size_t i = 0; i < width; i++)
			len = len << 8 | data[at + 2 + i];
		header += width;
	}
	if (len > end - at - header)
		return false;
	out->start = at;
	out->content = at + header;
	out->end = at + header + len;
	return true;
}

/* An OCTET STRING that holds DER is opened too: that is where extensions keep theirs. */
static void read_tree(struct tree *tree, const uint8_t *data, size_t at, size_t end, int parent, unsigned depth)
{
	struct element element = { .parent = parent };

	while (at < end && tree->n < MAX_ELEMENTS && read_header(data, at, end, &element)) {
		int self = tree->n++;
		tree->element[self] = element;
		if (depth < MAX_DEPTH && (data[at] & 0x20 || data[at] == 0x04))
			read_tree(tree, data, element.content, element.end, self, depth + 1);
		at = element.end;
	}
}

static size_t write_header(uint8_t *out, uint8_t tag, size_t len)
{
	out[0] = tag;
	if (len < 0x80) {
		out[1] = (uint8_t)len;
		return 2;
	}
	unsigned width = len < 0x100 ? 1 : len < 0x10000 ? 2 : 3;
	out[1] = (uint8_t)(0x80 | width);
	for (unsigned i = 0; i < width; i++)
		out[2 + i] = (uint8_t)(len >> 8 * (width - 1 - i));
	return 2 + width;
}

static size_t append(uint8_t *out, size_t at, const uint8_t *bytes, size_t len)
{
	if (len > 0)
		memcpy(out + at, bytes, len);
	return at + len;
}

/* [start, end) of `data` becomes `instead`, and the headers around it are written again, from the inside out. */
static size_t replace(const struct tree *tree, int parent, uint8_t *data, size_t size, size_t start, size_t end,
		      const uint8_t *instead, size_t instead_len)
{
	static uint8_t inner[SCRATCH], outer[SCRATCH];
	size_t len = append(inner, 0, instead, instead_len);

	for (; parent >= 0; parent = tree->element[parent].parent) {
		const struct element *around = &tree->element[parent];
		size_t body = start - around->content + len + around->end - end;
		size_t n = write_header(outer, data[around->start], body);
		n = append(outer, n, data + around->content, start - around->content);
		n = append(outer, n, inner, len);
		n = append(outer, n, data + end, around->end - end);
		memcpy(inner, outer, n);
		len = n;
		start = around->start;
		end = around->end;
	}
	size_t n = append(outer, 0, data, start);
	n = append(outer, n, inner, len);
	n = append(outer, n, data + end, size - end);
	memcpy(data, outer, n);
	return n;
}

static size_t altered(const uint8_t *data, const struct element *one, uint8_t *out, size_t room)
{
	size_t len = one->end - one->content;

	memcpy(out, data + one->content, len);
	len = LLVMFuzzerMutate(out, len, room);
	memmove(out + 8, out, len);
	size_t header = write_header(out, data[one->start], len);
	memmove(out + header, out + 8, len);
	return header + len;
}

size_t der_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static struct tree tree;
	static uint8_t made[SCRATCH];
	size_t len = 0;

	tree.n = 0;
	if (max_size > SCRATCH / 4 || size > max_size)
		return 0;
	read_tree(&tree, data, 0, size, -1, 0);
	if (tree.n == 0)
		return 0;
	const struct element *one = &tree.element[seed % (unsigned)tree.n];
	const struct element *other = &tree.element[seed / 7919 % (unsigned)tree.n];
	size_t one_len = one->end - one->start, other_len = other->end - other->start;
	switch (seed >> 16 & 3) {
	case 0: /* gone */
		break;
	case 1: /* twice */
		len = append(made, 0, data + one->start, one_len);
		len = append(made, len, data + one->start, one_len);
		break;
	case 2: /* another one in its place */
		len = append(made, 0, data + other->start, other_len);
		break;
	default:
		len = altered(data, one, made, one->end - one->content + 32);
	}
	if (size - one_len + len + 64 > max_size)
		return 0;
	return replace(&tree, one->parent, data, size, one->start, one->end, made, len);
}

size_t der_mutate_behind(size_t skip, uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t mutated = 0;

	if (seed % 4 != 0 && size > skip)
		mutated = der_mutate(data + skip, size - skip, max_size - skip, seed / 4);
	return mutated > 0 ? mutated + skip : LLVMFuzzerMutate(data, size, max_size);
}
