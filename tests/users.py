# SPDX-License-Identifier: MIT
"""Who runs a command of a test: the user who runs the test, root, or somebody else.

A plain user's root is that of a user namespace with the subordinate ids: enough for owners, mounts, chroot(2) and
namespaces, not for device nodes.
"""
import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile

USER, SUBORDINATE_IDS = "kiln-test", "400000000-400065535"


def has_all_ids():
    """False in a user namespace, whose root has 65536 of them."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return file.read().split() == ["0", "0", "4294967295"]


def as_root(*namespaces):
    """Words before a command that needs root, alone in `namespaces` (options of unshare(1))."""
    ids = [] if os.geteuid() == 0 else ["--map-root-user", "--map-auto"]
    return ["unshare", *ids, *namespaces] if ids or namespaces else []


def as_user(name):
    """Words before a command that is to run as a plain user of the machine (user ids of the namespace, for a plain user)."""
    return [*as_root(), "setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups"]


def remove(path):
    """Removes a tree that may hold files of subordinate ids."""
    subprocess.run([*as_root(), "rm", "-rf", "--", path], check=True)


@contextlib.contextmanager
def directory(prefix):
    """A temporary directory that every user may look into, removed with all that kiln left in it."""
    path = tempfile.mkdtemp(prefix=prefix)
    os.chmod(path, 0o755)
    try:
        yield path
    finally:
        remove(path)


def is_ready(user):
    """Whether the user is there, with subordinate ids."""
    with open("/etc/subuid", encoding="utf-8") as file:
        has_ids = any(line.startswith(f"{user}:") for line in file)
    return has_ids and any(entry.pw_name == user for entry in pwd.getpwall())


def make_user(lock):
    """Sees to it that the user is there as long as the lock is held, shared with other suites. If the lock's file is not
    empty, a test made the user, and the last one that needs it removes it."""
    while True:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if is_ready(USER):
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(entry.pw_name == USER for entry in pwd.getpwall()):
            subprocess.run(["useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", USER], check=True)
            os.write(lock.fileno(), b"made by a test of kiln\n")
        subprocess.run(["usermod", "--add-subuids", SUBORDINATE_IDS, "--add-subgids", SUBORDINATE_IDS, USER], check=True)


@contextlib.contextmanager
def plain_user(*directories):
    """Words before a command that runs it as a plain user with subordinate ids, to whom the directories then belong: the
    one who runs the test, or for root one who is made for as long as it is needed."""
    if os.geteuid() != 0:
        yield []
        return
    with open(f"/run/lock/{USER}", "a", encoding="ascii") as lock:  # suites that run side by side share the user
        make_user(lock)
        try:
            for path in directories:
                shutil.chown(path, USER, pwd.getpwnam(USER).pw_gid)
            yield as_user(USER)
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # or somebody else still needs it, and removes it later
                if os.stat(lock.fileno()).st_size:
                    subprocess.run(["userdel", USER], check=False, stderr=subprocess.DEVNULL)
                    os.ftruncate(lock.fileno(), 0)


def the_other_kind(*directories):
    """For root plain_user(); for a plain user, root of a user namespace, as a container has it."""
    return plain_user(*directories) if os.geteuid() == 0 else contextlib.nullcontext(as_root())
