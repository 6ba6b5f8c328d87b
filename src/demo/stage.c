/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "demo/stage.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define START_S 20
#define COMMAND_S 30
#define LOG_S 40
#define STOP_S 5
#define LOOK_MS 20
#define TEXT_MAX (4 * 1024 * 1024)
#define TAIL 1500 /* of a log, in a message */

static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t asked_to_end;

static void on_end(int number)
{
	asked_to_end = number;
}

static void catch_ends(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigaction(ends[i], &action, NULL);
}

int stage_signal(void)
{
	return asked_to_end;
}

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the directory ---- */

int stage_open(struct stage *stage, unsigned whole_s, struct clinch_error *err)
{
	const char *under = getenv("TMPDIR");
	ssize_t len = readlink("/proc/self/exe", stage->clinch, sizeof(stage->clinch) - 1);

	if (len < 0)
		return error_errno(err, "/proc/self/exe");
	stage->clinch[len] = 0;
	snprintf(stage->dir, sizeof(stage->dir), "%.3000s/clinch-demo.XXXXXX", under && *under ? under : "/tmp");
	if (!mkdtemp(stage->dir))
		return error_errno(err, "%s: cannot be made", stage->dir);
	catch_ends(on_end);
	stage->style = report_style_of(stdout);
	stage->ends_ms = mono_ms() + (int64_t)whole_s * 1000;
	return chdir(stage->dir) < 0 ? error_errno(err, "%s", stage->dir) : 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)where;
	return kind == FTW_DP ? rmdir(path) : unlink(path);
}

void stage_close(struct stage *stage)
{
	catch_ends(SIG_IGN); /* cleaning up is not interrupted */
	for (int part = 0; part < STAGE_PARTS; part++)
		stage_stop(stage, (enum stage_part)part);
	if (chdir("/") == 0 && stage->dir[0])
		nftw(stage->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- waiting ---- */

static int trouble(struct clinch_error *err, const struct stage *stage, const char *what)
{
	if (asked_to_end)
		return error_set(err, CLINCH_E_FILE, "interrupted");
	if (mono_ms() >= stage->ends_ms)
		return error_set(err, CLINCH_E_FILE, "the demo takes too long; it waited for %s", what);
	return error_set(err, CLINCH_E_FILE, "waited in vain for %s", what);
}

int stage_wait(struct stage *stage, bool (*is_true)(void *user), void *user, unsigned seconds, const char *what,
	       struct clinch_error *err)
{
	int64_t until = mono_ms() + (int64_t)seconds * 1000;

	while (!is_true(user)) {
		if (asked_to_end || mono_ms() >= until || mono_ms() >= stage->ends_ms)
			return trouble(err, stage, what);
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

/* ---- processes ---- */

const char *stage_log(enum stage_part part)
{
	static const char *const names[] = { [STAGE_RESPONDER] = "responder.log",
					     [STAGE_SERVER] = "server.log",
					     [STAGE_CARELESS] = "careless.log",
					     [STAGE_BACKEND] = "backend.log" };

	return names[part];
}

static void add_words(const struct stage *stage, const char *const *words, char *argv[STAGE_WORDS + 1])
{
	size_t n = 0;

	argv[n++] = (char *)stage->clinch;
	for (; *words && n < STAGE_WORDS; words++)
		argv[n++] = (char *)*words;
	argv[n] = NULL;
}

/* Broken as a shell would have it, where the screen ends. */
static void show_command(const struct stage *stage, const char *const *words, const char *end)
{
	auto_buf line = { .max = TEXT_MAX };
	size_t column = sizeof("$ clinch") - 1, most = (size_t)stage->style.width - sizeof(" & \\") + 1;

	for (; *words; words++) {
		size_t len = strlen(*words) + 1;

		if (column + len > most) {
			buf_printf(&line, " \\\n   ");
			column = 3;
		}
		buf_printf(&line, " %s", *words);
		column += len;
	}
	stage_say(stage, REPORT_DOUBTFUL, "$ clinch%.*s%s", (int)line.len, (const char *)line.data, end);
}

/* In the new process: it ends with the demo, whatever ends that. */
static void settle_in(int out, int log)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	catch_ends(SIG_DFL);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	if (log >= 0)
		dup2(log, STDERR_FILENO);
}

static int open_log(enum stage_part part)
{
	return open(stage_log(part), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static pid_t spawn(const struct stage *stage, const char *const *words, int out, int log)
{
	char *argv[STAGE_WORDS + 1];
	pid_t pid;

	add_words(stage, words, argv);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		settle_in(out, log);
		execv(stage->clinch, argv);
		_exit(127);
	}
	return pid;
}

int stage_fork(struct stage *stage, enum stage_part part, void (*work)(void *user), void *user, struct clinch_error *err)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		settle_in(-1, -1);
		work(user);
		_exit(0);
	}
	if (pid < 0)
		return error_errno(err, "no process");
	stage->pid[part] = pid;
	return 0;
}

struct starting {
	struct stage *stage;
	enum stage_part part;
	const char *ready;
	char *address;
	bool ended;
};

static bool has_started(void *user)
{
	struct starting *starting = user;
	auto_buf text = { .max = STAGE_ADDRESS - 1 };
	struct clinch_error err;

	if (waitpid(starting->stage->pid[starting->part], NULL, WNOHANG) != 0) {
		starting->stage->pid[starting->part] = 0;
		return starting->ended = true;
	}
	if (access(starting->ready, R_OK) < 0 || file_read(&text, starting->ready, &err) < 0 || !text.len)
		return false;
	snprintf(starting->address, STAGE_ADDRESS, "%.*s", (int)strcspn((const char *)text.data, "\n"), (char *)text.data);
	return true;
}

static int say_log(struct clinch_error *err, enum stage_part part)
{
	auto_buf text = { .max = TEXT_MAX };
	size_t from;

	file_read(&text, stage_log(part), NULL);
	from = text.len > TAIL ? text.len - TAIL : 0;
	fwrite(text.data + from, 1, text.len - from, stderr);
	return error_set(err, CLINCH_E_FILE, "clinch %s did not start; its log is above",
			 part == STAGE_RESPONDER ? "respond" : "serve");
}

int stage_start(struct stage *stage, enum stage_part part, const char *const *words, const char *ready,
		char address[STAGE_ADDRESS], struct clinch_error *err)
{
	struct starting starting = { stage, part, ready, address, false };
	auto_fd log = open_log(part);

	unlink(ready);
	show_command(stage, words, " &");
	stage->pid[part] = spawn(stage, words, log, log);
	if (stage->pid[part] < 0) {
		stage->pid[part] = 0;
		return error_errno(err, "no process");
	}
	int code = stage_wait(stage, has_started, &starting, START_S, "a program to be ready", err);
	return code == 0 && starting.ended ? say_log(err, part) : code;
}

void stage_stop(struct stage *stage, enum stage_part part)
{
	pid_t pid = stage->pid[part];

	stage->pid[part] = 0;
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	for (int64_t until = mono_ms() + STOP_S * 1000; mono_ms() < until; poll(NULL, 0, LOOK_MS))
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- a command to its end ---- */

struct running {
	pid_t pid;
	int pipe, status;
	struct buf *out;
};

static bool has_ended(void *user)
{
	struct running *running = user;
	uint8_t bytes[4096];
	ssize_t n = 0;

	while (running->out && (n = read(running->pipe, bytes, sizeof(bytes))) > 0)
		buf_add(running->out, bytes, (size_t)n);
	if (running->pid && waitpid(running->pid, &running->status, WNOHANG) == running->pid)
		running->pid = 0;
	return !running->pid && (!running->out || n == 0);
}

int stage_run(struct stage *stage, const char *const *words, struct buf *out, int *status, struct clinch_error *err)
{
	int ends_of[2] = { -1, -1 };

	if (!out)
		show_command(stage, words, "");
	else if (pipe2(ends_of, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, "no pipe");
	auto_fd from = ends_of[0];
	auto_fd to = ends_of[1];
	struct running running = { spawn(stage, words, to, -1), from, 0, out };
	if (running.pid < 0)
		return error_errno(err, "no process");
	if (to >= 0)
		close(to);
	to = -1;
	int code = stage_wait(stage, has_ended, &running, COMMAND_S, words[0], err);
	if (running.pid) {
		kill(running.pid, SIGKILL);
		waitpid(running.pid, &running.status, 0);
	}
	*status = WIFEXITED(running.status) ? WEXITSTATUS(running.status) : 128;
	return code;
}

/* ---- logs ---- */

size_t stage_log_size(enum stage_part part)
{
	struct stat status;

	return stat(stage_log(part), &status) == 0 ? (size_t)status.st_size : 0;
}

struct looking {
	enum stage_part part;
	size_t since;
	regex_t pattern;
	struct buf *line;
};

static bool is_logged(void *user)
{
	struct looking *looking = user;
	auto_buf text = { .max = TEXT_MAX };
	regmatch_t match;

	if (file_read(&text, stage_log(looking->part), NULL) < 0 || !buf_add(&text, "", 1) || text.len <= looking->since)
		return false;
	const char *from = (const char *)text.data + looking->since;
	if (regexec(&looking->pattern, from, 1, &match, 0) != 0)
		return false;
	buf_reset(looking->line);
	return buf_add(looking->line, from + match.rm_so, (size_t)(match.rm_eo - match.rm_so)) &&
	       buf_add(looking->line, "", 1);
}

int stage_wait_log(struct stage *stage, enum stage_part part, size_t since, const char *pattern, struct buf *line,
		   struct clinch_error *err)
{
	struct looking looking = { .part = part, .since = since, .line = line };

	if (regcomp(&looking.pattern, pattern, REG_EXTENDED | REG_NEWLINE) != 0)
		return error_set(err, CLINCH_E_ARGUMENT, "%s: no regular expression", pattern);
	int code = stage_wait(stage, is_logged, &looking, LOG_S, pattern, err);
	regfree(&looking.pattern);
	return code;
}

/* ---- talk ---- */

void stage_title(const struct stage *stage, const char *title)
{
	auto_buf line = { .max = 4096 };
	int rest = (stage->style.width < 100 ? stage->style.width : 100) - (int)strlen(title) - 4;

	buf_printf(&line, "== %s ", title);
	for (; rest > 0; rest--)
		buf_add(&line, "=", 1);
	printf("\n");
	stage_say(stage, REPORT_FINE, "%.*s", (int)line.len, (const char *)line.data);
}

void stage_say(const struct stage *stage, enum report_tone tone, const char *format, ...)
{
	auto_buf shown = { .max = TEXT_MAX };
	char text[8192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	report_tone(&shown, &stage->style, tone, text);
	printf("%.*s\n", (int)shown.len, (const char *)shown.data);
	fflush(stdout);
}
