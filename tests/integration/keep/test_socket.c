/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper's socket while there is no memory: calloc() fails when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/scratch.h"
#include "keep/inside.h"
#include "keep/socket.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS 100
#define CLIENTS 3

static bool no_memory;

void *__wrap_calloc(size_t n, size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

static char dir[SCRATCH_SIZE];
static struct sockaddr_un address = { .sun_family = AF_UNIX };

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(scratch_template(dir, "socket")))
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/s", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int connected(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* What can be read within some turns of the loop; -1: nothing, and the connection stands. */
static ssize_t read_within(uv_loop_t *loop, int fd, char *out, size_t size)
{
	ssize_t n = -1;

	for (int i = 0; i < TURNS && n < 0; i++) {
		uv_run(loop, UV_RUN_NOWAIT);
		n = read(fd, out, size);
	}
	return n;
}

static void clients_without_memory_are_turned_away_and_later_ones_are_answered(void **state)
{
	struct keeper keeper = { .rows = rows_empty() };
	struct keep_socket *socket = NULL;
	int client[CLIENTS], later;
	char answer[256] = "";
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(keep_socket_new(&socket, &loop, &keeper, NULL, address.sun_path, NULL), 0);
	no_memory = true;
	for (int i = 0; i < CLIENTS; i++)
		client[i] = connected();
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(read_within(&loop, client[i], answer, sizeof(answer)), 0);
		close(client[i]);
	}
	no_memory = false;
	later = connected();
	assert_int_equal(write(later, "x\n", 2), 2);
	assert_true(read_within(&loop, later, answer, sizeof(answer) - 1) > 0);
	assert_non_null(strstr(answer, "clinch-error-1"));
	close(later);
	keep_socket_free(socket);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(clients_without_memory_are_turned_away_and_later_ones_are_answered, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
