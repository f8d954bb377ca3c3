# SPDX-License-Identifier: MIT
"""System calls that fail: which ones a build makes, and a build in which one of them does.

strace counts the calls of each process and thread by itself: "the 12th pwrite64" fails in every one that makes twelve.
What was hit in the end is in the log.
"""
import collections
import os
import re
import subprocess

from place import KILN, LIMIT_SECONDS, environment, users

# call: errors that a kernel or a file system gives in earnest. What only asks (stat, fcntl) is left out, and so is
# close(): strace does not execute the call that it lets fail, and a descriptor that stays open is another fault.
DISK = ("EIO", "ENOSPC", "EDQUOT")
ERRORS = {
    "write": DISK, "pwrite64": DISK, "ftruncate": DISK, "fallocate": DISK, "copy_file_range": DISK,
    "fsync": DISK, "fdatasync": DISK, "syncfs": DISK, "rename": DISK, "renameat": DISK, "linkat": DISK,
    "mkdirat": DISK, "symlinkat": DISK, "mknodat": DISK,
    "openat": ("EMFILE", "ENFILE", "EIO"), "openat2": ("EMFILE", "ENFILE", "EIO"),
    "read": ("EIO",), "pread64": ("EIO",), "getdents64": ("EIO",), "unlinkat": ("EIO",),
    "utimensat": ("EIO",), "fchmod": ("EIO",), "fchown": ("EIO",), "fchownat": ("EIO",),
    "mmap": ("ENOMEM",), "clone3": ("EAGAIN", "ENOMEM"), "clone": ("EAGAIN", "ENOMEM"), "flock": ("ENOLCK",),
    "pipe2": ("EMFILE",), "mount": ("ENOMEM",), "fsmount": ("ENOMEM",), "move_mount": ("ENOMEM",),
}
LINE = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$")
RESULT = re.compile(r"= (\d+)")

Call = collections.namedtuple("Call", "name number arguments")  # `number` in its process or thread


class Log:
    """strace's log: which program made which call."""

    def __init__(self, path):
        self.calls, self.injected, self.programs, self.counts = [], [], {}, collections.Counter()
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if match := LINE.match(line):
                    self.add(*match.groups(), " resumed>" in line)

    def add(self, thread, name, arguments, resumed):
        if name == "execve":
            if '"' in arguments and (arguments.rstrip().endswith("= 0") or "<unfinished" in arguments):
                self.programs[thread] = arguments.split('"')[1]
        elif name in ("clone", "clone3", "vfork", "fork") and (result := RESULT.search(arguments)):
            self.programs.setdefault(result.group(1), self.programs.get(thread))
        if name not in ERRORS:
            return
        if "(INJECTED)" in arguments:
            self.injected.append((os.path.basename(self.programs.get(thread) or KILN), name, arguments.rstrip()))
        if resumed:
            return
        self.counts[thread, name] += 1
        if self.programs.get(thread, KILN) == KILN:
            self.calls.append(Call(name, self.counts[thread, name], arguments.rstrip()))


def trace(place, command, names, *options):
    """Runs under strace; returns what became of it, and the log."""
    path = f"{place.path}/strace.log"
    # As root, also for a plain user: the kernel takes newuidmap's power away while it is traced.
    strace = [*users.as_root(), "strace", "-f", "-q", "--seccomp-bpf", "-y", "-s", "0", "-o", path, "-e",
              "signal=none", "-e", f"trace={','.join(names)},execve,clone,clone3,vfork", *options]
    done = subprocess.run([*strace, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, cwd=place.path, env=environment(place), timeout=LIMIT_SECONDS, check=False)
    log = Log(path)
    os.unlink(path)
    return done, log


def list_calls(place, command):
    """The calls that kiln itself makes in a build without faults, in their order.

    strace counts each thread's calls: a thread's first mmap(2) stands for the program's first one, too, which is glibc's
    loader's, and that dies without it (so does true(1)) before kiln has begun.
    """
    done, log = trace(place, command, ERRORS)
    assert done.returncode == 0, done.stderr
    return [call for call in log.calls if (call.name, call.number) != ("mmap", 1)]


def choose(random, calls, count):
    """Faults (call, error): every kind of call as likely as any other, and every moment of it."""
    by_name = collections.defaultdict(list)
    for call in calls:
        by_name[call.name].append(call)
    names = []
    while len(names) < count:
        names += random.sample(sorted(by_name), len(by_name))
    chosen = [random.choice(by_name[name]) for name in names[:count]]
    return [(call, random.choice(ERRORS[call.name])) for call in chosen]


def fail_call(place, command, call, error):
    return trace(place, command, [call.name], "-e", f"inject={call.name}:error={error}:when={call.number}")
