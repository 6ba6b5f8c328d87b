# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a writer did to a directory, read from strace's log; and what a crash at any moment may leave of it.

    ops = read_ops(log, directory)          [Op]: create, write, truncate, sync, rename, unlink, sync-directory
    disk = Disk({name: bytes}); disk.apply(op)
    disk.now()                              after kill -9: all that was done is there
    disk.after_power_loss()                 without what was not synced: names, bytes, in any order
"""
import os
import re

from harness import Failed

QUIET = set("read pread64 readv newfstatat fstat statx stat lstat close access faccessat faccessat2 getdents64 lseek fcntl flock "
            "inotify_add_watch readlink readlinkat fadvise64 fchmod dup dup2 dup3 epoll_ctl mkdir mkdirat execve".split())
LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)")
PATH, STRING = re.compile(r"(\w+)<((?:\\x..)*)>"), re.compile(r'"((?:\\x..)*)"(\.\.\.)?')


class Op:
    def __init__(self, at, kind, *args):
        self.at, self.kind, self.args = at, kind, args

    def __repr__(self):
        return f"{self.kind} " + " ".join(a if isinstance(a, str) else f"({len(a)} bytes)" if isinstance(a, bytes) else str(a) for a in self.args)


def _plain(text):
    return bytes.fromhex(text.replace("\\x", ""))


def _whole_lines(log):
    """A call that was interrupted by another thread's is put together again."""
    begun = {}
    with open(log, encoding="ascii", errors="replace") as f:
        for line in f:
            found = LINE.match(line)
            if not found:
                continue
            pid, at, text = found.groups()
            if text.endswith("<unfinished ...>"):
                begun[pid] = text[:-len("<unfinished ...>")]
            elif text.startswith("<... "):
                yield float(at), begun.pop(pid, "") + text.partition("resumed>")[2]
            else:
                yield float(at), text


class _Reader:
    def __init__(self, directory):
        self.directory, self.ops = directory, []

    def name_in(self, path):
        """The name of a path in the directory; "": the directory itself; None: neither."""
        path = os.path.normpath(path)
        if path == self.directory:
            return ""
        return os.path.basename(path) if os.path.dirname(path) == self.directory else None

    def take(self, at, text):
        found = CALL.match(text)
        if not found or found[3] in ("-1", "?"):
            return
        call, args, result = found[1], found[2], int(found[3])
        fds = [_plain(p).decode() for _, p in PATH.findall(args)]
        cut = [s for s, dots in STRING.findall(args) if dots]
        strings = [_plain(s) for s, _ in STRING.findall(args)]
        handler = getattr(self, "on_" + call, None)
        paths = [os.path.join(fds[min(i, len(fds) - 1)] if fds else "/", os.fsdecode(s)) for i, s in enumerate(strings)]
        if handler and not cut:
            handler(at, args, result, fds, strings, paths)
        elif call not in QUIET and any(self.name_in(p) is not None for p in fds + paths if "\0" not in p):
            raise Failed(f"the replay does not know what {call}() does to the store: {text[:300]}")

    def add(self, at, kind, name, *args):
        if name:
            self.ops.append(Op(at, kind, name, *args))

    def on_openat(self, at, args, result, fds, strings, paths):
        name = self.name_in(paths[0])
        if "O_CREAT" in args:
            self.add(at, "create", name)
        if "O_TRUNC" in args:
            self.add(at, "truncate", name, 0)

    def on_write(self, at, args, result, fds, strings, paths):
        self.add(at, "write", self.name_in(fds[0]) if fds else None, strings[0][:result] if strings else b"")

    def on_pwrite64(self, at, args, result, fds, strings, paths):
        self.add(at, "write", self.name_in(fds[0]), strings[0][:result], int(args.rpartition(", ")[2]))

    def on_ftruncate(self, at, args, result, fds, strings, paths):
        self.add(at, "truncate", self.name_in(fds[0]), int(args.rpartition(", ")[2]))

    def on_fsync(self, at, args, result, fds, strings, paths):
        name = self.name_in(fds[0]) if fds else None
        if name == "":
            self.ops.append(Op(at, "sync-directory"))
        self.add(at, "sync", name)

    on_fdatasync = on_fsync

    def on_renameat(self, at, args, result, fds, strings, paths):
        names = [self.name_in(p) for p in paths]
        if names == [None, None]:
            return
        if not all(names):
            raise Failed(f"a file is moved into the store or out of it: {paths}")
        self.add(at, "rename", *names)

    on_rename = on_renameat2 = on_renameat

    def on_unlinkat(self, at, args, result, fds, strings, paths):
        self.add(at, "unlink", self.name_in(paths[0]))

    on_unlink = on_unlinkat


def read_ops(log, directory):
    reader = _Reader(directory)
    for at, text in _whole_lines(log):
        reader.take(at, text)
    return reader.ops


class File:
    def __init__(self, data=b""):
        self.data, self.synced = data, data

    def may_be(self, variant):
        """Its bytes after a crash, one of VARIANTS; what is synced is not in doubt."""
        if self.data == self.synced:
            return self.data
        return {"old": self.synced, "half": self.data[:len(self.data) // 2], "whole": self.data, "zeros": bytes(len(self.data))}[variant]


VARIANTS = ("old", "half", "whole", "zeros")


class Disk:
    def __init__(self, files):
        self.names = {name: File(data) for name, data in files.items()}
        self.synced_names = dict(self.names)
        self.pending = []  # changes of names since the directory was synced, each {name: File or None}

    def _change(self, change):
        self.pending.append(change)
        _enact(self.names, change)

    def apply(self, op):
        if op.kind == "create" and op.args[0] not in self.names:
            self._change({op.args[0]: File()})
        elif op.kind == "write":
            name, data, *at = op.args
            file = self.names[name]
            at = at[0] if at else len(file.data)
            file.data = file.data[:at].ljust(at, b"\0") + data + file.data[at + len(data):]
        elif op.kind == "truncate":
            file = self.names[op.args[0]]
            file.data = file.data[:op.args[1]].ljust(op.args[1], b"\0")
        elif op.kind == "sync":
            self.names[op.args[0]].synced = self.names[op.args[0]].data
        elif op.kind == "rename":
            self._change({op.args[1]: self.names[op.args[0]], op.args[0]: None})
        elif op.kind == "unlink":
            self._change({op.args[0]: None})
        elif op.kind == "sync-directory":
            self.synced_names, self.pending = dict(self.names), []

    def now(self):
        return {name: file.data for name, file in self.names.items()}

    def after_power_loss(self):
        """Each beginning of what was not synced yet, and all of it but one; each with all that may have become of the bytes."""
        n = len(self.pending)
        for chosen in [*(range(i) for i in range(n + 1)), *([j for j in range(n) if j != i] for i in range(n - 1))]:
            names = dict(self.synced_names)
            for i in chosen:
                _enact(names, self.pending[i])
            for variant in VARIANTS if any(f.data != f.synced for f in names.values()) else VARIANTS[:1]:
                yield {name: file.may_be(variant) for name, file in names.items()}


def _enact(names, change):
    for name, file in change.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file
