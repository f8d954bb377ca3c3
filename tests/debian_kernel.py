# SPDX-License-Identifier: MIT
"""A command in a QEMU machine that runs Debian's kernel over this machine's files: for what the kernel here cannot do.

The root is this machine's, by 9p, with an overlay in memory: what the command writes is gone with the machine. The kernel
and its modules are those of the lab's Debian package.
"""
import contextlib
import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, f"{HERE}/initrd")

import machine  # noqa: E402
from tap import Skip  # noqa: E402

ROOT_NEEDS = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
MEMORY_MB = 2048
ENDS = "the command ended with "
INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for file in /modules/*; do $b insmod $file; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose here /lower
$b mount -t tmpfs tmpfs /upper
$b mkdir /upper/files /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root
$b mount --move /dev /root/dev
for kind in proc sysfs:sys tmpfs:run tmpfs:dev/shm devpts:dev/pts; do
    $b mkdir -p /root/${kind#*:}
    $b mount -t ${kind%%:*} none /root/${kind#*:}
done
$b cp /command /root/run/command
exec $b switch_root /root /bin/sh /run/command
"""
COMMAND = """export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
ip link set lo up
cd '%s' && %s
echo "%s$?"
echo o > /proc/sysrq-trigger
sleep 60
"""


def package():
    """The lab's Debian package of a kernel."""
    found = [path for path in glob.glob(f"{TOP}/build/lab/debs/linux-image-*.deb")
             if re.search(r"linux-image-\d[^/]*-amd64_", path)]
    missing = [name for name in ("qemu-system-x86_64", "dpkg-deb", "busybox") if not shutil.which(name)]
    if missing or not found:
        raise Skip("no Debian kernel can be booted: " + (" ".join(missing) or "the lab has none"))
    return found[0]


def unpack(deb):
    """(vmlinuz, {name of a module: its bytes})."""
    kernel, modules = None, {}
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for entry in archive:
                name = os.path.basename(entry.name)
                if name.startswith("vmlinuz-"):
                    kernel = archive.extractfile(entry).read()
                elif name.endswith(".ko"):
                    modules[name[:-3].replace("-", "_")] = archive.extractfile(entry).read()
    return kernel, modules


def in_order(modules, name, order):
    """Appends the module behind those that it needs (its `depends=`). One that is no module is built in."""
    if name in order or name not in modules:
        return
    needs = re.search(rb"\0depends=([^\0]*)\0", modules[name])
    for each in filter(None, needs.group(1).decode().split(",") if needs else []):
        in_order(modules, each.replace("-", "_"), order)
    order.append(name)


def initramfs(modules, names, command):
    order = []
    for name in (*ROOT_NEEDS, *names):
        in_order(modules, name, order)
    with open(shutil.which("busybox"), "rb") as file:
        busybox = file.read()
    return machine.newc([
        *(machine.directory(name) for name in ("bin", "dev", "lower", "modules", "root", "upper")),
        machine.regular("bin/busybox", busybox, 0o755), machine.regular("init", INIT, 0o755),
        *(machine.regular(f"modules/{number:03}-{name}.ko", modules[name]) for number, name in enumerate(order)),
        machine.regular("command", COMMAND % (TOP, command, ENDS)),
    ])


def run(work, command, modules, seconds=900):
    """The exit status of a shell command in the repository's directory, None if it did not end, and what it printed."""
    kernel, found = unpack(package())
    os.makedirs(work, exist_ok=True)
    for name, data in (("vmlinuz", kernel), ("initramfs", initramfs(found, modules, command))):
        with open(f"{work}/{name}", "wb") as file:
            file.write(data)
    console, printed = f"{work}/console.log", ""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(console)  # of the last run
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", str(MEMORY_MB), "-nodefaults",
             "-display", "none", "-no-reboot", "-serial", f"file:{console}", "-kernel", f"{work}/vmlinuz",
             "-initrd", f"{work}/initramfs", "-append", "console=ttyS0 quiet panic=1", "-device", "virtio-rng-pci",
             "-virtfs", "local,path=/,mount_tag=here,security_model=none,readonly=on,multidevs=remap"],
            timeout=seconds, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        printed = done.stderr
    with contextlib.suppress(FileNotFoundError), open(console, encoding="utf-8", errors="replace") as file:
        printed += file.read()
    ended = re.search(f"^{ENDS}([0-9]+)", printed, re.M)
    return int(ended.group(1)) if ended else None, printed
