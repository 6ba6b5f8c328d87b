/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PKCS#11 module in front of SoftHSM (CLINCH_SOFTHSM, a path) that is made to hang, or to fail, while it runs: by files in
 * the directory CLINCH_HANGING. As long as sign-hangs is there C_Sign() does not return, as long as open-hangs is there
 * C_OpenSession() does not, and with sign-fails C_Sign() fails. Each call that hangs makes a file "hung" first.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static CK_FUNCTION_LIST list;
static CK_FUNCTION_LIST_PTR real;

static void path_of(char out[512], const char *name)
{
	const char *dir = getenv("CLINCH_HANGING");

	snprintf(out, 512, "%s/%s", dir ? dir : "/nonexistent", name);
}

static bool is_there(const char *name)
{
	char path[512];

	path_of(path, name);
	return access(path, F_OK) == 0;
}

static void hang_while(const char *name)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	char hung[512];

	if (!is_there(name))
		return;
	path_of(hung, "hung");
	close(open(hung, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	while (is_there(name))
		nanosleep(&pause, NULL);
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG len, CK_BYTE_PTR signature, CK_ULONG_PTR size)
{
	hang_while("sign-hangs");
	return is_there("sign-fails") ? CKR_DEVICE_REMOVED : real->C_Sign(session, data, len, signature, size);
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
			  CK_SESSION_HANDLE_PTR session)
{
	hang_while("open-hangs");
	return real->C_OpenSession(slot, flags, application, notify, session);
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
	const char *path = getenv("CLINCH_SOFTHSM");
	void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	CK_C_GetFunctionList get = NULL;

	if (library)
		*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (!get || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	list = *real;
	list.C_Sign = sign;
	list.C_OpenSession = open_session;
	*out = &list;
	return CKR_OK;
}
