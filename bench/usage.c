/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-bench-usage COMMAND [ARGUMENT...]: runs it with its standard output thrown away and prints
 *	<exit status> <CPU time, user and system, in us> <peak memory in KiB>
 * A small program of its own, because the peak that wait4() reports of a child begins with the parent's size at fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(char **argv)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(127);
	execvp(argv[0], argv);
	fprintf(stderr, "bench: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static long long microseconds(struct timeval at)
{
	return at.tv_sec * 1000000LL + at.tv_usec;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: clinch-bench-usage COMMAND [ARGUMENT...]\n");
		return 2;
	}
	pid = fork();
	if (pid < 0) {
		perror("bench: fork");
		return 1;
	}
	if (pid == 0)
		become(argv + 1);
	if (wait4(pid, &status, 0, &usage) != pid) {
		perror("bench: wait4");
		return 1;
	}
	printf("%d %lld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	       microseconds(usage.ru_utime) + microseconds(usage.ru_stime), usage.ru_maxrss);
	return 0;
}
