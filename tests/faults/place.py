# SPDX-License-Identifier: MIT
"""A place of a test's own for builds: a cache, an output directory, and what may be seen of builds from outside."""
import contextlib
import glob
import os
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests")

import users  # noqa: E402
from tap import Failure, Skip, check  # noqa: E402,F401 (for who imports this)

KILN = os.environ.get("KILN", f"{TOP}/build/kiln")
LIMIT_SECONDS = 240
EXIT = {"usage": 2, "schema": 11, "disk full": 30, "system": 31, "sandbox": 33, "locked": 34, "interrupted": 130}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


class Place:
    """A cache and an output directory of a test's own, and what may be seen of builds in them from outside."""

    def __init__(self, base, name):
        self.path = tempfile.mkdtemp(prefix=f"{name}-", dir=base)
        os.chmod(self.path, 0o755)
        self.cache, self.out = f"{self.path}/cache", f"{self.path}/out"

    def command(self, profiles, cluster="tiny", *options):
        return [KILN, "build", f"{profiles}/{cluster}.yaml", "--cache", self.cache, "--out", self.out, *options]

    def published(self, cluster="tiny"):
        return [name for name in self.entries(cluster) if not name.startswith((".", "report-")) and name != "blobs"]

    def entries(self, cluster="tiny"):
        names = sorted(os.listdir(f"{self.out}/{cluster}")) if os.path.isdir(f"{self.out}/{cluster}") else []
        return [name for name in names if not name.startswith((".origin-", ".seal-", ".notes-", ".recipe-"))]  # what kiln reads later stays

    def litter(self, cluster="tiny"):
        """Names that no finished build leaves behind."""
        found = [name for name in self.entries(cluster) if name.startswith(".")]
        for path in glob.glob(f"{self.cache}/*") + glob.glob(f"{self.cache}/*/*"):
            name = os.path.basename(path)
            known = path.endswith((".lock", ".gzip", ".xz", ".zstd", ".rpm")) or "." not in name
            if not known or (os.path.dirname(path) == f"{self.cache}/mounts"):
                found.append(path)
        return found

    def mounts(self):
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            return [line.split()[1] for line in mounts if self.path in line]

    def processes(self):
        """Processes that inherited the environment of a command of this place."""
        found = []
        for path in glob.glob("/proc/[0-9]*"):
            with contextlib.suppress(OSError):
                with open(f"{path}/environ", "rb") as file:
                    mine = f"KILN_FAULT={self.path}\0".encode() in file.read()
                if mine:
                    found.append(f"{os.path.basename(path)} {os.readlink(path + '/exe')}")
        return found

    def check_quiet(self, patience_seconds=5.0):
        """Nothing mounted, nobody left. A killed build's children may take a moment to notice."""
        end = time.monotonic() + patience_seconds
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        check(not left, f"processes are left: {left}")
        check(not self.mounts(), f"mounts are left: {self.mounts()}")

    def sums(self, cluster="tiny"):
        return read_lines(f"{self.out}/{cluster}/current/SHA256SUMS")

    def remove(self):
        users.remove(self.path)


def environment(place, **changes):
    return {**os.environ, "KILN_FAULT": place.path, **changes}


def run(place, command, status=0, **changes):
    """Runs to the end; returns standard output and error."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=place.path, env=environment(place, **changes), timeout=LIMIT_SECONDS, check=False)
    check(done.returncode == status, f"exit status {done.returncode} instead of {status}:\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def start(place, command):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True, cwd=place.path, env=environment(place), start_new_session=True)


def says(text, *parts):
    for part in parts:
        check(part in text, f"`{part}` is not in the message:\n{text}")
