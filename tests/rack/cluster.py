# SPDX-License-Identifier: MIT
"""The article's cluster as images, and the rack that runs it: `kiln build`, `kiln rack`."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

import cluster_access
from tap import Tap, fail_all, note

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(TOP, "build/test/rack")
KILN = os.environ.get("KILN", os.path.join(TOP, "build/kiln"))
CLUSTER = os.path.join(TOP, "profiles/cluster.yaml")
OUT = os.path.join(WORK, "out")
LOOK = os.path.join(TOP, "tests/rack/look.py")
HEALTHY, DEGRADED, NOT_SERVING, UNKNOWN = range(4)  # exit statuses of kiln status

# The article's table, written down once more: what the images say is checked against it.
MASTERS = {f"master10{i}": f"192.168.2.7{i}" for i in (1, 2, 3)}
SLAVES = {f"slave10{i}": f"192.168.2.6{i}" for i in (1, 2, 3)}
BALANCERS = {f"bamboo10{i}": f"192.168.2.9{i}" for i in (1, 2, 3)}
REGISTRY = {"registry101": "192.168.2.98"}
NODES = {**MASTERS, **SLAVES, **BALANCERS, **REGISTRY}
VIP = "192.168.2.90"
LOOK_EVERY_S = 15  # a look at ten machines is a hundred questions, and the machines need the processors


class Unusable(Exception):
    """What the rest of the tests needs is not there."""


def make_key():
    path = cluster_access.make_key(WORK, "kiln-rack-test")
    with open(path + ".pub", encoding="ascii") as file:
        return path, file.read().strip()


def settings(public, words=()):
    """What the shipped cluster file does not say: who may enter, and that the masters' state outlives a reboot."""
    disk = "state_disk={label: KILN-STATE, claim: {min_gb: 3}}"
    report = "report_url=http://192.168.2.1/report"
    return [word for each in (f'variables.ssh_authorized_keys=["{public}"]', disk, report, *words) for word in ("--set", each)]


def build(options, *words):
    """The id of the build: with --only it is a partial one, else `current`."""
    command = [KILN, "build", CLUSTER, "--release", "lab", "--out", OUT, "--cache", os.path.join(TOP, "build/cache"),
               *words, *options]
    result = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        fail_all("the images are built", result.stdout)
    return os.path.basename(result.stdout.splitlines()[-1])


def wait_until(condition, seconds, every=2.0):
    """The first true value of `condition`, or the last false one when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(every)


class RackTap(Tap):
    def holds(self, look, judge, name, seconds):
        """`look` until `judge` accepts what it returns."""
        seen = {}

        def attempt():
            seen["value"] = look()
            try:
                return judge(seen["value"])
            except (KeyError, IndexError, TypeError, AttributeError, ValueError):
                return False
        return self.ok(wait_until(attempt, seconds), name, f"last seen: {str(seen.get('value'))[:3000]}")


class Rack:
    """`with` ends it, unless it is to be kept."""

    def __init__(self, key, options, keep=False):
        self.key, self.options, self.keep = key, options, keep
        self.state = os.path.join(WORK, "state")

    def kiln(self, *words, seconds=120, data=None):
        """(exit status, standard output, standard error) of `kiln rack --state ... WORDS`."""
        try:
            result = subprocess.run([KILN, "rack", "--state", self.state, *words], input=data, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, timeout=seconds, check=False, cwd=TOP)
        except subprocess.TimeoutExpired:
            return -1, "", f"no end within {seconds} s"
        return result.returncode, result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")

    def must(self, *words, seconds=120):
        status, output, errors = self.kiln(*words, seconds=seconds)
        if status != 0:
            raise Unusable(f"kiln rack {' '.join(words)}: exit status {status}\n{output}{errors}")
        return output

    def begin(self, *nodes, words=()):
        os.makedirs(self.state, exist_ok=True)
        if self.keep and self.kiln("ps")[0] == 0:
            return self
        self.must("up", "--out", OUT, "--detach", *words, *self.options, CLUSTER, *nodes)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.keep:
            self.kiln("down")

    def up(self, *nodes):
        self.must("up", *nodes)

    def cut(self, *nodes):
        self.must("cut", *nodes)

    def machines(self):
        status, output, errors = self.kiln("--json", "ps")
        try:
            found = json.loads(output)
        except ValueError:
            return {"error": f"{status} {output}{errors}"}
        found = found.get("machines", found) if isinstance(found, dict) else found
        return {each["name"]: each for each in found} if isinstance(found, list) else found

    def status(self):
        """(exit status, the object) of `kiln status`."""
        status, output, errors = self.kiln("status", "--", "--json", "--timeout", "10000", seconds=60)
        try:
            return status, json.loads(output.splitlines()[-1])
        except (ValueError, IndexError):
            return status, {"state": "none", "findings": [{"what": output + errors}], "nodes": {}}

    def wait_healthy(self, minutes):
        """Whether all of it is healthy within the time; says how it is on the way."""
        begun, told = time.monotonic(), None

        def look():
            nonlocal told
            status, answer = self.status()
            well = sorted(name for name, node in answer.get("nodes", {}).items() if node["healthy"])
            if (status, well) != told:
                told = (status, well)
                note(f"{time.monotonic() - begun:4.0f} s: {answer['state']}; healthy: {len(well)} {' '.join(well)}")
            return status == HEALTHY
        return wait_until(look, minutes * 60, LOOK_EVERY_S)

    def look(self, *words, seconds=60):
        status, output, errors = self.kiln("run", "--", sys.executable, LOOK, *words, seconds=seconds)
        try:
            return json.loads(output)
        except ValueError:
            return {"status": 0, "text": f"{status} {output}{errors}"}

    def get(self, url, body=None):
        return self.look("get", url, *([body] if body else []))

    def get_json(self, url):
        try:
            return json.loads(self.get(url)["text"])
        except ValueError:
            return {}

    @contextlib.contextmanager
    def asking(self, url):
        """Asks for it meanwhile; the object that comes has the result afterwards."""
        handle, marker = tempfile.mkstemp(prefix="asking-", dir=WORK)
        os.close(handle)
        command = [KILN, "rack", "--state", self.state, "run", "--", sys.executable, LOOK, "ask", url, marker]
        result = {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TOP) as process:
            try:
                yield result
            finally:
                os.unlink(marker)
                output = process.communicate(timeout=60)[0]
                result.update(json.loads(output) if output else {"asked": 0, "lost": 0, "gap_s": 0})

    def ssh(self, node, command, data=None, seconds=120):
        """(exit status, output) of a command on the node."""
        status, output, errors = self.kiln("ssh", node, "--", "-i", self.key, "-o", "BatchMode=yes", "-o",
                                           "ConnectTimeout=60", command, data=data, seconds=seconds)
        return status, (output if status == 0 else output + errors).strip()
