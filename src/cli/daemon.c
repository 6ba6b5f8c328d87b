/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/daemon.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "conf/conf.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int daemon_take(const struct cli *cli, int id, struct daemon_settings *set)
{
	switch (id) {
	case CLI_OPERAND:
		return cli_usage(cli->command, "it takes no operand: \"%s\"", cli->value);
	case DAEMON_CONF:
		set->file = cli->value;
		return -1;
	case DAEMON_READY_FILE:
		set->ready_file = cli->value;
		return -1;
	case DAEMON_CHECK_CONFIG:
		set->check_config = true;
		return -1;
	case DAEMON_USER:
		set->user = cli->value;
		return -1;
	case DAEMON_ALLOW_ROOT:
		set->allow_root = true;
		return -1;
	case DAEMON_FORMAT:
		return cli_choice(cli, &set->json);
	default:
		set->verbose = true;
		return -1;
	}
}

int daemon_settle(struct daemon_settings *set, const char *given, const struct cli_command *self)
{
	if (set->file && given)
		return cli_usage(self, "--%s does not go with -c: it stands in the configuration", given);
	if (!set->file && !given)
		set->file = CONF_PATH;
	return -1;
}

bool daemon_reads_again(const struct daemon_settings *set)
{
	return set->file && strcmp(set->file, "-") != 0;
}

static int drop_to(const struct cli_command *self, const char *user)
{
	const struct passwd *who = getpwnam(user);

	if (!who)
		return cli_usage(self, "there is no user \"%s\" (user: in the configuration, or --user)", user);
	if (geteuid() == who->pw_uid)
		return EXIT_ACCEPTED;
	if (geteuid() != 0)
		return cli_usage(self, "started as another user than \"%s\", and not as root: it cannot become that one",
				 user);
	if (initgroups(user, who->pw_gid) < 0 || setgid(who->pw_gid) < 0 || setuid(who->pw_uid) < 0) {
		cli_say(self, "cannot become %s: %s", user, strerror(errno));
		return EXIT_NOT_FOUND_OUT;
	}
	if (who->pw_uid != 0 && setuid(0) == 0) {
		cli_say(self, "became %s, and could still become root again: refused", user);
		return EXIT_NOT_FOUND_OUT;
	}
	return EXIT_ACCEPTED;
}

int daemon_become(const struct cli_command *self, const struct daemon_settings *set, const char *user)
{
	const char *name = set->user ? set->user : user;

	if (name) {
		int status = drop_to(self, name);
		if (status != EXIT_ACCEPTED)
			return status;
	}
	if (geteuid() != 0 || set->allow_root)
		return EXIT_ACCEPTED;
	return cli_usage(self, "it does not run as root: name a user (user: in the configuration, or --user), or give "
			       "--allow-root");
}

void daemon_no_core(void)
{
	/* Where core_pattern is a pipe the kernel does not mind 0 (core(5)); 1, less than any core, it takes for none there
	 * too (fs/coredump.c). */
	const struct rlimit none = { 1, 1 };

	setrlimit(RLIMIT_CORE, &none); /* fails where both limits are 0 already */
}

/* The socket of NOTIFY_SOCKET: a path, or with "@" a name in the abstract space. */
static bool notify_address(struct sockaddr_un *address, socklen_t *len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t path_len = path ? strlen(path) : 0;

	if (path_len < 2 || path_len >= sizeof(address->sun_path) || (*path != '/' && *path != '@'))
		return false;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, path, path_len);
	if (*path == '@')
		address->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len + (*path == '/'));
	return true;
}

void daemon_notify(const char *format, ...)
{
	struct sockaddr_un address;
	socklen_t address_len;
	char text[512];
	va_list arguments;
	int len;

	if (!notify_address(&address, &address_len))
		return;
	va_start(arguments, format);
	len = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* whoever listens no more has nothing to be told */
	if (fd >= 0 && len > 0 && (size_t)len < sizeof(text) &&
	    sendto(fd, text, (size_t)len, MSG_NOSIGNAL, (struct sockaddr *)&address, address_len) < 0)
		return;
}

void daemon_notify_reloading(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	daemon_notify("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

static long long number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long long number;

	if (!text || !*text)
		return -1;
	errno = 0;
	number = strtoll(text, &end, 10);
	return *end || errno ? -1 : number;
}

uint32_t daemon_watchdog_ms(void)
{
	long long usec = number_of("WATCHDOG_USEC"), pid = number_of("WATCHDOG_PID");

	if (usec <= 0 || (pid > 0 && pid != getpid()))
		return 0;
	usec /= 2000;
	return usec < 1 ? 1 : usec > 3600000 ? 3600000 : (uint32_t)usec;
}

void daemon_alive(uint32_t watchdog_ms, unsigned seconds)
{
	uint32_t every = watchdog_ms / 1000;

	if (watchdog_ms && seconds % (every ? every : 1) == 0)
		daemon_notify("WATCHDOG=1");
}

bool daemon_ready_file(const struct cli_command *self, const char *path, const char *text)
{
	struct clinch_error err = { 0 };

	if (file_replace(path, text, strlen(text), 0644, &err) == 0)
		return true;
	cli_say(self, "%s (--ready-file)", err.text);
	return false;
}

void daemon_ready_addresses(const struct cli_command *self, const char *path, const char *const *bound, size_t n)
{
	auto_buf text = { .max = 64 * 1024 };
	bool good = true;

	if (!path)
		return;
	for (size_t i = 0; i < n; i++)
		good = good && buf_printf(&text, "%s\n", bound[i]);
	if (good && buf_add(&text, "", 1))
		daemon_ready_file(self, path, (const char *)text.data);
}
