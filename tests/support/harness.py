# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every Python test stands on: cases in TAP, processes with deadlines, and nothing left behind.

    from harness import case, main, clinch, expect_equal

    @case
    def refuses_an_empty_file():
        expect_equal(clinch("show", "/dev/null").rc, 4, "exit status")

    main()

A case passes by returning and fails by raising. `skip(why)` ends it as skipped. A word on the command line runs only the cases
whose name holds it. On a failure the logs of the processes the case started are printed as TAP diagnostics.
"""
import atexit
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.environ.get("CLINCH_BUILD", "build")
SOURCE = os.environ.get("CLINCH_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LOG_LINES = 60  # of each process's log in a failure's diagnostics
# A deadline that a test gives is for a machine that has nothing else to do; none is shorter than this. What is right does not wait.
PATIENCE_S = float(os.environ.get("CLINCH_PATIENCE_S", "40"))

_cases = []
_running = []  # started and not stopped, in order
_lasting = []  # likewise, and not of one case: keep_running()
_logs = []  # (title, path) of what the current case started
_runs = []  # the last few commands it ran, as Results
_tempdirs = []
_ports = []  # sockets, each of which has a port's name


class Failed(AssertionError):
    """An expectation that was not met; its text is the whole message."""


class Skipped(Exception):
    """The case cannot be run here; its text says why."""


def skip(why):
    raise Skipped(why)


# --- cases ------------------------------------------------------------------------------------------------------------------


def case(fn):
    """Registers fn; its name is the sentence that the TAP line says."""
    return add_case(fn.__name__, fn)


def add_case(name, fn):
    """As @case, for cases made from a table: the caller gives the sentence."""
    if any(name == other for other, _ in _cases):
        raise ValueError(f"two cases are called {name}")
    _cases.append((name, fn))
    return fn


def main():
    """Runs the cases, prints TAP, exits 0 only when at least one ran and none failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # meson's time-out: atexit must still stop what we started
    words = sys.argv[1:]
    chosen = [c for c in _cases if not words or any(w in c[0] for w in words)]
    failed = sum(not _run(number, *c) for number, c in enumerate(chosen, 1))
    print(f"1..{len(chosen)}", flush=True)
    if not chosen:
        _diagnose("no case to run" + (f" matches {' '.join(words)}" if words else ""))
    sys.exit(1 if failed or not chosen else 0)


def _run(number, name, fn):
    del _logs[:], _runs[:]
    line = f"{number} - {name.replace('_', ' ')}"
    try:
        fn()
        print(f"ok {line}", flush=True)
        return True
    except Skipped as why:
        print(f"ok {line} # SKIP {why}", flush=True)
        return True
    except Exception as error:  # a case's trouble is not the next one's
        print(f"not ok {line}", flush=True)
        _diagnose(str(error) if isinstance(error, Failed) else traceback.format_exc())
        if isinstance(error, Failed):
            _diagnose(_where(error))
        _dump_logs()
        return False
    finally:
        _stop_all()


def _where(error):
    here = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    return f"at {here[-1].filename}:{here[-1].lineno}" if here else ""


def _diagnose(text):
    for line in text.rstrip("\n").split("\n"):
        print(f"# {line}", flush=True)


def _dump_logs():
    for result in _runs:
        _diagnose_end("--- ran", str(result))
    for title, path in _logs + [(shlex.join(p.argv), p.log) for p in _lasting]:
        try:
            with open(path, errors="replace") as f:
                text = f.read()
        except OSError as error:
            text = f"(no log: {error})"
        _diagnose_end(f"--- log of {title}", text)


def _diagnose_end(title, text):
    lines = text.rstrip("\n").split("\n")
    left_out = max(0, len(lines) - LOG_LINES)
    _diagnose(title + (f" ({left_out} lines left out)" if left_out else ""))
    _diagnose("\n".join(lines[left_out:]))


# --- expectations -----------------------------------------------------------------------------------------------------------


def expect(condition, what):
    if not condition:
        raise Failed(what)


def expect_equal(got, wanted, what="value"):
    if got != wanted:
        raise Failed(f"{what}: expected {wanted!r}\n{' ' * len(what)}       got {got!r}")


def expect_in(part, whole, what="value"):
    if part not in whole:
        raise Failed(f"{what}: expected {part!r} in\n{whole}")


def expect_not_in(part, whole, what="value"):
    if part in whole:
        raise Failed(f"{what}: did not expect {part!r} in\n{whole}")


def expect_match(pattern, text, what="value"):
    found = re.search(pattern, text, re.M)
    if not found:
        raise Failed(f"{what}: expected a match of {pattern!r} in\n{text}")
    return found


# --- deadlines --------------------------------------------------------------------------------------------------------------


def patient(seconds):
    """A deadline for what has to come, on whatever machine. What may not take longer is measured by the test itself."""
    return max(seconds, PATIENCE_S)


def wait_for(fn, seconds, what):
    """Calls fn until it is true and returns what it gave; fails the case after `seconds`, or a little longer: patient()."""
    seconds = patient(seconds)
    deadline = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


# --- the command ------------------------------------------------------------------------------------------------------------


class Result:
    """What a command left: rc (negative: died of that signal), out and err as text, raw_out as bytes."""

    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.raw_out = argv, rc, out
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")

    @property
    def json(self):
        """The one JSON value on stdout."""
        return _parse_json(self.out, self)

    @property
    def jsonlines(self):
        """The JSON values on stdout, one a line."""
        return [_parse_json(line, self) for line in self.out.splitlines() if line.strip()]

    def __str__(self):
        return f"$ {shlex.join(self.argv)}\nexit status {self.rc}\nstdout:\n{self.out}\nstderr:\n{self.err}"


def _parse_json(text, source):
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failed(f"not JSON ({error}): {text[:200]}\n{source}") from error


def clinch(*args, input=None, env=None, timeout=30, cwd=None):
    """Runs the built command. CLINCH_WRAPPER, when set, goes before it (`valgrind -q --error-exitcode=99`)."""
    wrapper = shlex.split(os.environ.get("CLINCH_WRAPPER", ""))
    argv = wrapper + [os.path.join(BUILD, "clinch"), *map(str, args)]
    return run(argv, input=input, env=env, timeout=timeout * (20 if wrapper else 1), cwd=cwd)


def run(argv, input=None, env=None, timeout=30, cwd=None):
    """Runs argv to its end. env is laid over the environment (a None value removes a name). A time-out fails the case."""
    argv = [str(a) for a in argv]
    data, timeout = input.encode() if isinstance(input, str) else input, patient(timeout)
    stdin = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(argv, **stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(env),
                              timeout=timeout, cwd=cwd)
    except subprocess.TimeoutExpired as late:
        result = Result(argv, None, late.stdout or b"", late.stderr or b"")
        raise Failed(f"not done after {timeout} s\n{result}") from late
    result = Result(argv, done.returncode, done.stdout, done.stderr)
    _runs.append(result)
    del _runs[:-3]
    return result


def _environment(changes):
    env = dict(os.environ)
    for name, value in (changes or {}).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = str(value)
    return env


# --- processes --------------------------------------------------------------------------------------------------------------


class Process:
    """A started program. `.log` is the file that has its stdout and stderr."""

    def __init__(self, argv, env=None, cwd=None, stdin=subprocess.DEVNULL):
        self.argv = [str(a) for a in argv]
        fd, self.log = tempfile.mkstemp(dir=tempdir(), prefix=os.path.basename(self.argv[0]) + ".", suffix=".log")
        with os.fdopen(fd, "wb") as log:
            self.popen = subprocess.Popen(self.argv, stdin=stdin, stdout=log, stderr=log, env=_environment(env), cwd=cwd,
                                          start_new_session=True)
        self.pid = self.popen.pid
        _running.append(self)
        _logs.append((shlex.join(self.argv), self.log))

    def log_text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def log_lines(self):
        """The lines written so far, without one that is being written: a reader may see the first part of a write."""
        return self.log_text().rpartition("\n")[0].splitlines()

    def log_objects(self):
        """Those of them that are JSON objects, in order."""
        return [_parse_json(line, f"in the log of {self.argv[0]}") for line in self.log_lines() if line.startswith("{")]

    def running(self):
        return self.popen.poll() is None

    def wait(self, seconds=10):
        """Its exit status; fails the case when it has not ended by itself."""
        try:
            return self.popen.wait(patient(seconds))
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{self.argv[0]} still runs after {patient(seconds)} s\n{self.log_text()}") from late

    def stop(self, seconds=5):
        """SIGTERM, then SIGKILL, to it and what it started. Returns its exit status."""
        if self in _running:
            _running.remove(self)
        if self.popen.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.popen.wait(patient(seconds))
            except subprocess.TimeoutExpired:
                pass
        self._signal(signal.SIGKILL)  # its own session: children that outlived it go too
        return self.popen.wait(patient(seconds))

    def _signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def start(argv, ready=None, seconds=15, env=None, cwd=None, stdin=subprocess.DEVNULL):
    """Starts argv and waits until it is ready. ready is a port number or (address, port) that accepts a TCP connection,
    a "path:/some/file" that exists, any other string a regular expression seen in its log, or a function that is then true
    (called with the process). Waiting for a port connects to it once, which a program that serves one connection at a time
    may hang on (`openssl ocsp`: use "waiting for OCSP client connections")."""
    process = Process(argv, env=env, cwd=cwd, stdin=stdin)
    if ready is None:
        return process
    is_ready = _readiness(ready)

    def alive_and_ready():
        if not process.running():
            raise Failed(f"{shlex.join(process.argv)} ended with {process.popen.returncode} before it was ready ({ready!r})")
        return is_ready(process)

    try:
        wait_for(alive_and_ready, seconds, f"{process.argv[0]} to be ready ({ready!r})")
    except BaseException:
        process.stop()
        raise
    return process


def keep_running(process):
    """The process goes on when its case ends, until the program does. Its log is among the diagnostics of each failure."""
    _running.remove(process)
    _lasting.append(process)
    if (shlex.join(process.argv), process.log) in _logs:
        _logs.remove((shlex.join(process.argv), process.log))


def _readiness(ready):
    if callable(ready):
        return ready
    if isinstance(ready, int):
        return lambda _: accepts(("127.0.0.1", ready))
    if isinstance(ready, tuple):
        return lambda _: accepts(ready)
    if ready.startswith("path:"):
        return lambda _: os.path.exists(ready[5:])
    return lambda process: re.search(ready, process.log_text(), re.M)


def accepts(address):
    """Whether a TCP connection to (address, port) is accepted now."""
    try:
        with socket.create_connection(address, timeout=1):
            return True
    except OSError:
        return False


def _stop_all():
    for process in reversed(list(_running)):
        process.stop()


def free_port(kind=socket.SOCK_STREAM, address="127.0.0.1"):
    """A port that nobody listens on, for programs that cannot be told 0. It is below those that the kernel gives to clients and for 0,
    and no other test program is given it while this one runs."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        above = int(f.read().split()[0])
    first = 10000 if above >= 15000 else 61000  # a system that gives away nearly all: what is left above
    while True:
        port = random.randrange(first, min(above, 32768) if above >= 15000 else 65536)
        if _is_free(port, kind, address) and _reserve(port):
            return port


def _is_free(port, kind, address):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as s:
        try:
            s.bind((address, port))
        except OSError:
            return False
        return True


def _reserve(port):
    """By a name that ends with this process."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0clinch-test-port-{port}")
    except OSError:
        name.close()
        return False
    _ports.append(name)
    return True


# --- files ------------------------------------------------------------------------------------------------------------------


def tempdir():
    """This test program's own directory, removed when it ends."""
    if not _tempdirs:
        new_tempdir()
    return _tempdirs[0]


def new_tempdir():
    """One more directory, removed when the program ends."""
    path = tempfile.mkdtemp(prefix="clinch-test.")
    _tempdirs.append(path)
    return path


def source_path(*parts):
    return os.path.join(SOURCE, *parts)


def build_path(*parts):
    return os.path.join(BUILD, *parts)


@atexit.register
def _clean():
    _stop_all()
    for process in _lasting:
        process.stop()
    for path in _tempdirs:
        shutil.rmtree(path, ignore_errors=True)
