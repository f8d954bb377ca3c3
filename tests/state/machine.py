# SPDX-License-Identifier: MIT
"""Virtual machines that boot kiln's kernel, initrd and init with a root so small that a boot takes seconds.

The root holds busybox, the tools of the state disk's file systems and kiln-node; its /sbin/init runs the case's script
and prints lines of @@NAME=VALUE, which are the boot's result.
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(TOP, "build/test/state")
KILN = os.environ.get("KILN", os.path.join(TOP, "build/kiln"))
KILN_NODE = os.environ.get("KILN_NODE", os.path.join(TOP, "build/kiln-node"))
TOOLS = ("mkfs.ext4", "e2fsck", "mkfs.xfs", "cp", "rm")
BOOT_SECONDS = 600
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"

NODES = {"master101": ("52:54:00:a8:02:47", "192.168.2.71", 1), "master102": ("52:54:00:a8:02:48", "192.168.2.72", 2)}

INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
echo; echo "@@record=$(tr -d '\\n' </run/kiln/state.json)"
echo "@@machine_id=$(cat /etc/machine-id)"
/usr/libexec/kiln/kiln-node apply
echo "@@apply=$?"
echo "@@refused=$(head -n 1 /run/kiln/refused 2>/dev/null)"
echo "@@report=$(tr -d '\\n' </run/kiln/report.json)"
. /test.sh
cd /
for path in /var/lib/systemd/random-seed /var/lib/zookeeper /var/lib/fresh /run/kiln/state; do umount $path 2>/dev/null; done
sync
echo "@@end=yes"
poweroff -f
"""

# A whole root has udev to load its network card's driver; the small one is given it on the way to the initrd's init.
BEFORE_INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
kiln-node load-drivers network
umount /sys /proc
exec /init
"""


class Unusable(Exception):
    """There is nothing to test with, or a machine did not get to its end."""


def command(*words, **options):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, "PATH": PATH}, **options).stdout


def build():
    """The directory that holds vmlinuz and initrd.img: of the lab's smallest role."""
    out = os.path.join(WORK, "out")
    result = subprocess.run([KILN, "build", os.path.join(TOP, "profiles/cluster.yaml"), "--release", "lab", "--role",
                             "registry", "--only", "kernel", "--only", "initrd", "--out", out, "--cache",
                             os.path.join(TOP, "build/cache")],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise Unusable("the lab's registry cannot be built:\n" + result.stdout[-2000:])
    return os.path.join(result.stdout.splitlines()[-1], "registry")


# ---- the root ----

def libraries(program):
    lines = command("ldd", program, text=True).splitlines()
    return [word for line in lines for word in line.split() if word.startswith("/")]


def copy_program(root, name):
    program = shutil.which(name, path=PATH)
    if not program:
        raise Unusable(f"{name} is not installed")
    for source in [program] + libraries(program):
        target = root + source if source != program else f"{root}/usr/sbin/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.realpath(source), target)


def make_root():
    """The squashfs that every boot has as its root."""
    squashfs = os.path.join(WORK, "rootfs.squashfs")
    with tempfile.TemporaryDirectory(dir=WORK) as root:
        for name in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/libexec/kiln", "dev", "proc", "sys", "run", "tmp", "lib",
                     "lib64", "etc/ssh", "var/lib/systemd", "var/lib/zookeeper/sub"):
            os.makedirs(f"{root}/{name}", exist_ok=True)
        shutil.copy(shutil.which("busybox"), f"{root}/bin/busybox")
        for name in ("sh", "cat", "head", "tr", "umount", "sync", "poweroff", "chmod", "stat", "dd", "grep", "ls", "echo", "sed"):
            os.symlink("/bin/busybox", f"{root}/bin/{name}")
        for name in TOOLS:
            copy_program(root, name)
        os.symlink("/usr/sbin/rm", f"{root}/bin/rm")
        shutil.copy("/etc/mke2fs.conf", f"{root}/etc/mke2fs.conf")
        shutil.copy(KILN_NODE, f"{root}/usr/libexec/kiln/kiln-node")
        write(f"{root}/var/lib/zookeeper/from-image", "the image's\n")
        write(f"{root}/etc/machine-id", "")
        write(f"{root}/sbin/init", INIT, 0o755)
        if os.path.exists(squashfs):
            os.unlink(squashfs)
        command("mksquashfs", root, squashfs, "-noappend", "-no-progress", "-comp", "gzip",
                "-Xcompression-level", "1", "-p", "/var/lib/zookeeper m 750 5 6")
    return squashfs


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


# ---- the initrd of one boot ----

def newc(entries):
    """A cpio archive of {path: (mode, bytes)}, directories as None."""
    out = []
    for number, (name, (mode, data)) in enumerate([*entries.items(), ("TRAILER!!!", (0, b""))], 1):
        body = data or b""
        fields = (number, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        out += [head, bytes(-len(head) % 4), body, bytes(-len(body) % 4)]
    return b"".join(out)


def directories(entries):
    """The same with the directories that it needs, parents first."""
    result = {}
    for name in sorted(entries):
        parts = name.split("/")
        for depth in range(1, len(parts)):
            result.setdefault("/".join(parts[:depth]), (0o040755, None))
        result[name] = entries[name]
    return result


def node_json(state_disk, filesystem_paths=()):
    state = [{"path": "/var/lib/zookeeper", "mode": 0o755, "uid": 0, "gid": 0, "id_file": "myid"}]
    state += [{"path": path, "mode": 0o700, "uid": 7, "gid": 8} for path in filesystem_paths]
    return json.dumps({
        "format": 1, "cluster": "article", "role": "master", "build": "b1", "release": "lab",
        "network_writer": "ifcfg", "ensemble": True, "strangers": False,
        "networks": [{"name": "lan", "subnet": "192.168.2.0/24", "prefix": 24, "gateway": "", "dns": []}],
        "nodes": [{"name": name, "role": "master", "mac": mac, "ip": ip, "id": number, "index": number - 1,
                   "network": "lan", "variables": {}} for name, (mac, ip, number) in NODES.items()],
        "vips": [], "hosts": "", "dhcp_timeout_ms": 100, "state": state, "state_disk": state_disk,
        "reserve": {"memory_mb": 64, "cpus": 0}, "secrets": ["pass"],
        "templates": [{"path": "/var/lib/zookeeper/myid", "source": "/usr/share/kiln/templates/0", "mode": 0o644,
                       "uid": 0, "gid": 0},
                      {"path": "/etc/with-secret", "source": "/usr/share/kiln/templates/2", "mode": 0o600, "uid": 0, "gid": 0,
                       "secrets": ["pass"], "services": ["x.service"]},
                      {"path": "/etc/resources", "source": "/usr/share/kiln/templates/1", "mode": 0o644, "uid": 0,
                       "gid": 0}]})


def boot_archive(squashfs, config, script, overlay):
    with open(squashfs, "rb") as file:
        root = file.read()
    with open(os.path.join(TOP, "firmware/initramfs/init"), "rb") as file:
        init = file.read()
    with open(KILN_NODE, "rb") as file:
        kiln_node = file.read()
    conf = (f"ROOT_SHA256={hashlib.sha256(root).hexdigest()}\nROOT_SIZE={len(root)}\nROLE=master\nCLUSTER=article\n"
            "BUILD_ID=b1\nRELEASE=lab\n" + ("OVERLAY_DISK=1\n" if overlay else ""))
    return newc(directories({
        "init": (0o100755, init), "before-init": (0o100755, BEFORE_INIT.encode()), "bin/kiln-node": (0o100755, kiln_node),
        "kiln/root.conf": (0o100644, conf.encode()), "kiln/rootfs.squashfs": (0o100644, root),
        "kiln/config/etc/kiln/node.json": (0o100600, config.encode()),
        "kiln/config/usr/share/kiln/templates/0": (0o100644, b"{{node.id}}\n"),
        "kiln/config/usr/share/kiln/templates/2": (0o100600, b"pass {{secrets.pass}}\n"),
        "kiln/config/usr/share/kiln/templates/1":
            (0o100644, b"cpus:{{node.machine.task_cpus}};mem:{{node.machine.task_memory_mb}}\n"),
        "kiln/config/test.sh": (0o100644, script.encode())}))


# ---- booting ----

class Disk:
    """An image file and how the machine sees it."""

    def __init__(self, name, megabytes=0, device="virtio-blk-pci", read_only=False):
        self.path, self.device, self.read_only = os.path.join(WORK, name + ".img"), device, read_only
        if megabytes:
            with open(self.path, "wb") as file:
                file.truncate(megabytes << 20)

    def copy(self, name):
        other = Disk(name)
        command("cp", "--sparse=always", self.path, other.path)
        return other

    def poke(self, offset, data):
        with open(self.path, "r+b") as file:
            file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
            file.write(data)
        return self

    def sha256(self):
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
                hashlib.sha256(file.read()).hexdigest()

    def read(self, offset, size):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(size)


class Result(dict):
    """What a boot said: @@ lines by name, `record` and `report` parsed, `console` whole."""


def boot(world, name, disks, state_disk, node="master101", script="", paths=()):
    mac = NODES[node][0]
    initrd = os.path.join(WORK, "initrd.img")
    with open(initrd, "wb") as file, open(os.path.join(world["artefacts"], "initrd.img"), "rb") as base:
        file.write(base.read())
        file.write(bytes(-file.tell() % 4096))
        file.write(boot_archive(world["squashfs"], node_json(state_disk, paths), script, state_disk.get("overlay")))
    arguments = ["qemu-system-x86_64", "-machine", "q35", "-accel", os.environ.get("KILN_ACCEL", "tcg"), "-m", "256",
                 "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nodefaults",
                 "-kernel", os.path.join(world["artefacts"], "vmlinuz"), "-initrd", initrd,
                 "-append", f"console=ttyS0 panic=-1 quiet rdinit=/before-init kiln.root=carried kiln.on_failure=reboot kiln.node={node}",
                 "-netdev", "user,id=n0,restrict=on", "-device", f"virtio-net-pci,netdev=n0,mac={mac},romfile=",
                 "-device", "virtio-scsi-pci", "-device", "qemu-xhci"]
    for number, disk in enumerate(disks):
        arguments += ["-drive", f"file={disk.path},if=none,id=d{number},format=raw,readonly="
                      + ("on" if disk.read_only else "off"), "-device", f"{disk.device},drive=d{number}"]
    log = os.path.join(WORK, name + ".log")
    with open(log, "wb") as file:
        try:
            subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                           timeout=BOOT_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise Unusable(f"{name}: no end within {BOOT_SECONDS} s: see {log}") from error
    return read_log(name, log)


def read_log(name, log):
    with open(log, errors="replace") as file:
        text = re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]", "", file.read()).replace("\r", "")
    result = Result(re.findall(r"^@@(\w+)=(.*)$", text, re.MULTILINE))
    result["console"] = text
    if result.get("end") != "yes":
        raise Unusable(f"{name}: the machine did not get to its end: see {log}\n" + "\n".join(text.splitlines()[-25:]))
    for key in ("record", "report"):
        result[key] = json.loads(result[key])
    return result
