/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/keeper.h"
#include "base/buf.h"
#include "base/error.h"
#include "serve/event.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONF_MAX (16 * 1024 * 1024)
#define FIRST_WAIT_MS 1000
#define LONGEST_WAIT_MS 60000
#define END_MS 3000

/* ---- its configuration ---- */

/* A double-quoted scalar of YAML. */
static bool put_scalar(struct buf *out, const char *text)
{
	bool good = buf_add(out, "\"", 1);

	for (; good && *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			good = buf_printf(out, "\\%c", byte);
		else if (byte < ' ' || byte == 0x7f)
			good = buf_printf(out, "\\x%02x", byte);
		else
			good = buf_add(out, text, 1);
	}
	return good && buf_add(out, "\"", 1);
}

/* The keeper takes patterns: what is special in them stands for itself here. */
static bool put_path(struct buf *out, const char *path)
{
	auto_buf escaped = { .max = out->max };

	for (; *path; path++)
		if ((strchr("*?[\\", *path) && !buf_add(&escaped, "\\", 1)) || !buf_add(&escaped, path, 1))
			return false;
	return buf_add(&escaped, "", 1) && put_scalar(out, (const char *)escaped.data);
}

static bool put_certificate(struct buf *out, const struct serve_certificate *certificate)
{
	bool good = buf_printf(out, "    - path: ") && put_path(out, certificate->chain) && buf_add(out, "\n", 1);

	if (good && certificate->responder)
		good = buf_printf(out, "      responder: ") && put_scalar(out, certificate->responder) &&
		       buf_add(out, "\n", 1);
	return good;
}

bool keeper_child_write(struct buf *out, const struct serve_conf *conf)
{
	bool good = buf_printf(out, "store: ") && put_scalar(out, conf->store) && buf_add(out, "\n", 1);

	if (conf->keeper_settings)
		good = good && buf_printf(out, "%s", conf->keeper_settings);
	good = good && buf_printf(out, "keep:\n  socket: none\n");
	if (conf->issuers)
		good = good && buf_printf(out, "  issuers: ") && put_scalar(out, conf->issuers) && buf_add(out, "\n", 1);
	good = good && buf_printf(out, "  certificates:\n");
	for (size_t i = 0; good && i < conf->n_certificates; i++)
		good = put_certificate(out, &conf->certificate[i]);
	return good;
}

/* Keys are not in it, nor are the names of their files. */
int keeper_child_update(struct keeper_child *child, const struct serve_conf *conf, struct clinch_error *err)
{
	auto_buf text = { .max = CONF_MAX };

	if (child->conf_fd < 0)
		return 0;
	if (!keeper_child_write(&text, conf))
		return error_set(err, CLINCH_E_TOO_LARGE, "the list of certificates is too long for clinch-keep");
	if (pwrite(child->conf_fd, text.data, text.len, 0) != (ssize_t)text.len ||
	    ftruncate(child->conf_fd, (off_t)text.len) < 0)
		return error_errno(err, "the configuration of clinch-keep cannot be written");
	if (child->pid)
		kill(child->pid, SIGHUP);
	return 0;
}

/* ---- the process ---- */

/* Between fork and exec: functions that are safe after a signal only. */
static void become_keeper(const struct keeper_child *child, char *const argv[], pid_t parent, const sigset_t *mask)
{
	static char *const no_environment[] = { NULL };
	char *const *environment = child->start->keeper_environment;

	sigset_t until_it_listens = *mask;

	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
	sigaddset(&until_it_listens, SIGHUP); /* which would end it: it waits until the keeper lets it in */
	sigprocmask(SIG_SETMASK, &until_it_listens, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* the low port's is not for it */
	if (getppid() != parent)                                  /* it ended before that was said */
		_exit(1);
	/* Sockets, tokens: nothing of ours is for it. Where the call is not known, all of ours are close-on-exec anyway. */
	close_range(3, (unsigned)child->conf_fd - 1, CLOSE_RANGE_CLOEXEC);
	close_range((unsigned)child->conf_fd + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	fcntl(child->conf_fd, F_SETFD, 0);
	execve(child->start->keeper_path, argv, environment ? environment : no_environment);
	_exit(127);
}

static pid_t spawn(const struct keeper_child *child)
{
	char name[] = "clinch-keep", command[] = "keep", option[] = "-c", path[32], root[] = "--allow-root";
	/* Who we may be, it may be too. */
	char *const argv[] = { name, command, option, path, geteuid() == 0 ? root : NULL, NULL };
	sigset_t all, before;
	pid_t parent = getpid(), pid;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", child->conf_fd);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become_keeper(child, argv, parent, &before);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void on_restart(uv_timer_t *timer)
{
	struct keeper_child *child = timer->data;
	pid_t pid = spawn(child);

	child->started_ms = uv_now(timer->loop);
	if (pid > 0) {
		child->pid = pid;
		event_tell(child->hooks,
			   (struct serve_event){ .kind = SERVE_KEEPER_STARTED, .level = SERVE_INFO, .n = pid });
		return;
	}
	event_say(child->hooks, SERVE_KEEPER_ENDED, SERVE_ERROR, "clinch-keep cannot be started: %s", strerror(errno));
	uv_timer_start(timer, on_restart, LONGEST_WAIT_MS, 0);
}

int keeper_child_start(struct keeper_child *child, uv_loop_t *loop, const struct serve_conf *conf,
		       const struct serve_start *start, const struct serve_hooks *hooks, struct clinch_error *err)
{
	*child = (struct keeper_child){ .start = start, .hooks = hooks, .conf_fd = -1, .next_wait_ms = FIRST_WAIT_MS };
	uv_timer_init(loop, &child->restart);
	child->restart.data = child;
	if (conf->no_keeper || !start->keeper_path)
		return 0;
	if (access(start->keeper_path, X_OK) < 0)
		return error_errno(err, "%s cannot be started; is clinch-keep installed?", start->keeper_path);
	child->conf_fd = memfd_create("clinch-keep.yaml", MFD_CLOEXEC);
	if (child->conf_fd < 0)
		return error_errno(err, "the configuration of clinch-keep cannot be made");
	int code = keeper_child_update(child, conf, err);
	if (code == 0)
		on_restart(&child->restart);
	return code;
}

static void describe_end(char *out, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "clinch-keep was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 127)
		snprintf(out, size, "clinch-keep could not be executed");
	else
		snprintf(out, size, "clinch-keep ended with status %d", WEXITSTATUS(status));
}

void keeper_child_reap(struct keeper_child *child)
{
	uint64_t now = uv_now(child->restart.loop);
	char how[100];
	int status;

	if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
		return;
	child->pid = 0;
	if (child->stopping)
		return;
	if (now - child->started_ms >= LONGEST_WAIT_MS)
		child->next_wait_ms = FIRST_WAIT_MS;
	describe_end(how, sizeof(how), status);
	event_say(child->hooks, SERVE_KEEPER_ENDED, SERVE_ERROR,
		  "%s; it is started again in %llu s, and what is stapled stays until its time is over", how,
		  (unsigned long long)child->next_wait_ms / 1000);
	uv_timer_start(&child->restart, on_restart, child->next_wait_ms, 0);
	child->next_wait_ms = child->next_wait_ms * 2 > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : child->next_wait_ms * 2;
}

void keeper_child_stop(struct keeper_child *child)
{
	if (child->stopping)
		return;
	child->stopping = true;
	if (child->pid)
		kill(child->pid, SIGTERM);
	uv_close((uv_handle_t *)&child->restart, NULL);
}

void keeper_child_end(struct keeper_child *child)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000000 };

	for (int waited = 0; child->pid && waited < END_MS; waited += 10) {
		if (waitpid(child->pid, NULL, WNOHANG) != 0)
			child->pid = 0;
		else
			nanosleep(&pause, NULL);
	}
	if (child->pid) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		child->pid = 0;
	}
	if (child->conf_fd >= 0)
		close(child->conf_fd);
	child->conf_fd = -1;
}
