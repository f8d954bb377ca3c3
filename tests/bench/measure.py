# SPDX-License-Identifier: MIT
"""What the benchmarks share: running a command and what it cost, kiln's and the peer's pipelines, the table, the plot."""
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = f"{TOP}/build/bench"
LAB = f"{TOP}/build/lab/repo"


class Cost:
    """Seconds, of processors too, the largest resident set of any process in MB, and MB written (also what only reached the page
    cache)."""

    def __init__(self, seconds, processor, memory, written, output):
        self.seconds, self.processor, self.memory, self.written, self.output = seconds, processor, memory, written, output


def run(command, **options):
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)}: status {status}\n{output[-3000:]}")
    return Cost(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, usage.ru_oublock * 512 / 1e6, output)


def fresh(*names):
    for name in names:
        shutil.rmtree(f"{WORK}/{name}", ignore_errors=True)


def kiln(cluster, *arguments):
    return run([f"{TOP}/build/kiln", "build", cluster, "--quiet", "--out", f"{WORK}/out", "--cache", f"{WORK}/cache", *arguments])


def newest_build(cluster):
    """Some roles only, or some kinds: a partial build."""
    return max(glob.glob(f"{WORK}/out/{cluster}/partial/*/"), key=os.path.getmtime).rstrip("/")


def packages_of(cluster, role):
    """The NEVRAs that kiln put into the role, from its manifest, so that both install the same."""
    with open(f"{newest_build(cluster)}/manifest.json", encoding="utf-8") as stream:
        return [package["nevra"] for package in json.load(stream)["roles"][role]["packages"]]


def size_mb(path):
    return float(subprocess.run(["du", "-sm", path], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[0])


# ---- the peer: what a user would otherwise run, for the same packages ----

DNF_SCRIPT = r"""
set -eu
root=$1; shift
mkdir -p "$root/dev" "$root/proc"
for node in null zero random urandom; do : > "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
mount -t proc proc "$root/proc"
dnf -q -y --installroot="$root" --nogpgcheck --releasever=7 --setopt=install_weak_deps=False \
    --setopt=cachedir="$root/var/cache/dnf" --setopt=keepcache=0 --setopt=tsflags= "$@"
"""


def peer_install(root, repositories, packages):
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    places = [option for name, path in repositories.items() for option in (f"--repofrompath={name},file://{path}", f"--repo={name}")]
    return run(["unshare", "--mount", "sh", "-c", DNF_SCRIPT, "sh", root, *places, "install", *packages])


def peer_pack(root):
    return run(["mksquashfs", root, f"{root}.squashfs", "-comp", "gzip", "-noappend", "-no-progress", "-quiet"])


def peer_iso(root, boot):
    return run(["xorriso", "-no_rc", "-as", "mkisofs", "-quiet", "-o", f"{root}.iso", "-iso-level", "3", "-r", "-graft-points",
                f"boot/vmlinuz={boot}/vmlinuz", f"boot/initrd.img={boot}/initrd.img", f"kiln/rootfs.squashfs={root}.squashfs"])


def peer_role(role, boot, packages):
    """Seconds of installing, packing and writing the ISO of one role."""
    root = f"{WORK}/peer/{role}"
    costs = [peer_install(root, {"lab": LAB}, packages).seconds, peer_pack(root).seconds, peer_iso(root, boot).seconds]
    fresh("peer")
    return costs


# ---- the result ----


class Table:
    """Rows of medians, with ratios to a peer's median and the target."""

    def __init__(self):
        self.samples, self.rows = {}, []

    def add(self, work, seconds):
        self.samples.setdefault(work, []).append(seconds)
        print(f"{seconds:9.3f} s  {work}", file=sys.stderr, flush=True)  # it takes a while: what is known stays known

    def median(self, work):
        return statistics.median(self.samples[work])

    def row(self, work, peer=None, target=""):
        self.rows.append((work, self.median(work), self.median(work) / self.median(peer) if peer else None, target))

    def print(self):
        print(f"{'work':58} {'seconds':>9} {'ratio':>8}  target")
        for work, seconds, ratio, target in self.rows:
            print(f"{work:58} {seconds:9.3f} {'' if ratio is None else format(ratio, '8.4f'):>8}  {target}")

    def save(self, path, **more):
        with open(path, "w", encoding="utf-8") as stream:
            json.dump({"samples": self.samples, "rows": [dict(zip(("work", "seconds", "ratio", "target"), row)) for row in self.rows],
                       **more}, stream, indent=2)


def plot(path, title, bars):
    """Horizontal bars on a logarithmic scale of seconds, as SVG."""
    bars = [(label, seconds) for label, seconds in bars if seconds > 0]
    low, high = 0.01, max(1000.0, *(seconds for _, seconds in bars))
    width, left, height = 900, 420, 26

    def x(seconds):
        import math
        return left + (width - left - 80) * math.log(max(seconds, low) / low) / math.log(high / low)

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{(len(bars) + 2) * height}" font-family="sans-serif" '
             f'font-size="13">', f'<text x="10" y="18" font-weight="bold">{title}</text>']
    for i, (label, seconds) in enumerate(bars):
        y = (i + 1) * height + 8
        lines += [f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{label}</text>',
                  f'<rect x="{left}" y="{y}" width="{x(seconds) - left:.1f}" height="{height - 8}" '
                  f'fill="{"#b0532e" if label.startswith("peer") else "#2e6fb0"}"/>',
                  f'<text x="{x(seconds) + 4:.1f}" y="{y + 14}">{seconds:.3g} s</text>']
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("\n".join([*lines, "</svg>", ""]))
