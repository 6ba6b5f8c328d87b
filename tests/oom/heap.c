/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "heap.h"
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <gmp.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own, under the names it exports for this. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static bool armed, paused;
static enum heap_failure failure;
static unsigned long requests, fail_at;
static atomic_long live;

/* Interposed: the rest of the process has to find them. */
#define VISIBLE __attribute__((visibility("default")))

/*
 * Code that does not survive a refusal is spared: all of libtasn1, whose asn1_create_element() copies a tree node by node
 * without a look at what it got (its lib/structure.c), and two functions of GnuTLS 3.7.9: gnutls_x509_dn_init() writes
 * through NULL (lib/x509/x509_dn.c), gnutls_ocsp_resp_get_certs() goes on with what a failed gnutls_realloc_fast() has freed
 * (lib/x509/ocsp.c).
 */
static const char *const spared[] = { "gnutls_x509_dn_init", "gnutls_ocsp_resp_get_certs" };
static const char *spared_from, *spared_to;

static int find_spared(struct dl_phdr_info *info, size_t size, void *nothing)
{
	(void)size;
	(void)nothing;
	if (!strstr(info->dlpi_name, "/libtasn1.so"))
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_X))
			continue;
		spared_from = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
		spared_to = spared_from + info->dlpi_phdr[i].p_memsz;
	}
	return 1;
}

/* The name of the exported function of another object that `address` is in; "" where there is none. */
static const char *function_at(const void *address)
{
	Dl_info info, mine;

	if (!dladdr(address, &info) || !dladdr(&armed, &mine) || info.dli_fbase == mine.dli_fbase || !info.dli_sname)
		return "";
	return info.dli_sname;
}

static bool is_mine(const void *address)
{
	Dl_info info, mine;

	return dladdr(address, &info) && dladdr(&armed, &mine) && info.dli_fbase == mine.dli_fbase;
}

/* From the caller outwards, up to this executable, which is clinch and its test: has it got there by gnutls_handshake()? */
static enum heap_failure classify(const void *caller)
{
	void *frame[64];
	int n = backtrace(frame, 64), i = 0;

	if (is_mine(caller))
		return HEAP_FAILED_CLINCH;
	while (i < n && is_mine(frame[i]))
		i++;
	for (; i < n && !is_mine(frame[i]); i++) {
		const char *function = function_at(frame[i]);
		for (unsigned j = 0; j < sizeof(spared) / sizeof(spared[0]); j++)
			if (strcmp(function, spared[j]) == 0)
				return HEAP_SPARED;
		if (strcmp(function, "gnutls_handshake") == 0)
			return HEAP_FAILED_GNUTLS;
	}
	return HEAP_FAILED_CLINCH;
}

/* `caller`: the return address of the allocator's function. */
static bool refuse(const void *caller)
{
	if (!armed || paused || ((const char *)caller >= spared_from && (const char *)caller < spared_to))
		return false;
	requests++;
	if (requests != fail_at)
		return false;
	paused = true; /* unwinding may ask for memory */
	failure = classify(caller);
	paused = false;
	if (failure == HEAP_SPARED)
		return false;
	errno = ENOMEM;
	return true;
}

static void *counted(void *memory)
{
	if (memory)
		atomic_fetch_add(&live, 1);
	return memory;
}

VISIBLE void *malloc(size_t size)
{
	return refuse(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(size));
}

VISIBLE void *calloc(size_t count, size_t size)
{
	return refuse(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(count, size));
}

VISIBLE void *realloc(void *memory, size_t size)
{
	if (refuse(__builtin_return_address(0)))
		return NULL;
	if (!memory)
		return counted(__libc_realloc(NULL, size));
	void *moved = __libc_realloc(memory, size);
	if (!moved && size == 0)
		atomic_fetch_sub(&live, 1);
	return moved;
}

VISIBLE void free(void *memory)
{
	if (memory)
		atomic_fetch_sub(&live, 1);
	__libc_free(memory);
}

VISIBLE void *memalign(size_t alignment, size_t size)
{
	return refuse(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(alignment, size));
}

VISIBLE void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

VISIBLE int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *memory = memalign(alignment, size);

	if (!memory)
		return ENOMEM;
	*out = memory;
	return 0;
}

static void *gmp_malloc(size_t size)
{
	return counted(__libc_malloc(size));
}

static void *gmp_realloc(void *memory, size_t old_size, size_t size)
{
	(void)old_size;
	return __libc_realloc(memory, size);
}

static void gmp_free(void *memory, size_t size)
{
	(void)size;
	free(memory);
}

void heap_spare_what_cannot_fail(void)
{
	dl_iterate_phdr(find_spared, NULL);
	classify(NULL); /* the first unwinding loads a library */
	mp_set_memory_functions(gmp_malloc, gmp_realloc, gmp_free);
}

void heap_arm(unsigned long nth)
{
	requests = 0;
	fail_at = nth;
	failure = HEAP_NOT_FAILED;
	paused = false;
	armed = true;
}

void heap_pause(bool pause)
{
	paused = pause;
}

enum heap_failure heap_disarm(void)
{
	armed = false;
	return failure;
}

unsigned long heap_requests(void)
{
	return requests;
}

long heap_live(void)
{
	return atomic_load(&live);
}
