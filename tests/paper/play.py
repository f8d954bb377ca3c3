# SPDX-License-Identifier: MIT
"""A rack of paper: an inventory, a build that iPXE and kiln-node could boot, kiln serve, and build/tests/paper/paper, which
plays the machines. All of it in the network namespace of the caller."""
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [f"{TOP}/tests/serve", f"{TOP}/tests"]

from rack import ADDRESS, PORT, Rack, ip_of, mac_of, write  # noqa: E402

PAPER = f"{TOP}/build/tests/paper/paper"
FIRST, SECOND = "00000000000000a1", "00000000000000b2"
# Real ones weigh 74 KB, 850 KB, 8 MB, 8 MB, 850 KB and 280 MB: 2,000 machines would measure the loopback's speed.
BYTES = {"undionly.kpxe": 74213, "ipxe.efi": 850528, "vmlinuz": 64 << 10, "initrd.img": 64 << 10, "config.cpio": 16 << 10,
         "rootfs.squashfs": 1 << 20}


def noise(name, build_id, size):
    """Bytes that are a build's own, and nobody else's."""
    block = hashlib.sha512(f"{name} of {build_id}".encode()).digest()
    return (block * (size // len(block) + 1))[:size - 8] + build_id[-8:].encode()


def entry(index, carried):
    """As firmware/bootloader/entry.ipxe.tmpl makes it."""
    root = "carried" if carried else f"http://{ADDRESS}:{PORT}/current/mini/rootfs.squashfs"
    names = ("initrd.img", "config.cpio", *(("rootfs.head", "rootfs.squashfs", "rootfs.tail") if carried else ()))
    lines = ["#!ipxe", f"echo kiln: n{index} (mini)", "imgfree",
             f"kernel ../images/mini/vmlinuz console=ttyS0 kiln.role=mini kiln.root={root} " + " ".join(f"initrd={name}" for name in names)]
    return "\n".join([*lines, *(f"initrd --name {name} ../images/mini/{name}" for name in names), "boot", ""])


def publish(rack, build_id, sizes=None, carried_each=5):
    """A build whose every file says whose it is. Each so-many-th machine's root is carried by iPXE (0: nobody's); the others' fetched by the initrd."""
    sizes, place, sums = BYTES | (sizes or {}), f"{rack.out}/rack/{build_id}", []
    files = {f"pxe/{name}": noise(name, build_id, sizes[name]) for name in ("undionly.kpxe", "ipxe.efi")}
    files["pxe/boot.ipxe"] = f"#!ipxe\n# of {build_id}\nchain mac/${{netX/mac:hexhyp}}.ipxe\n".encode()
    files |= {f"pxe/images/mini/{name}": noise(name, build_id, sizes[name]) for name in ("vmlinuz", "initrd.img", "config.cpio", "rootfs.squashfs")}
    files |= {f"pxe/images/mini/rootfs.{part}": noise(part, build_id, 4096) for part in ("head", "tail")}
    files["mini/rootfs.squashfs"] = files["pxe/images/mini/rootfs.squashfs"]
    files |= {f"pxe/mac/{mac_of(i).replace(':', '-')}.ipxe": (entry(i, carried_each and i % carried_each == 0) + f"# of {build_id}\n").encode()
              for i in range(rack.nodes)}
    files["manifest.json"] = f'{{\n"build": "{build_id}",\n"release": "mini",\n"x": 1}}\n'.encode()
    for name, data in files.items():
        write(f"{place}/{name}", data)
        sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    write(f"{place}/SHA256SUMS", "".join(sorted(sums, key=lambda line: line[66:])))
    rack.publish(build_id)


def addresses_are_here():
    """Whoever binds one of the machines' addresses may; nothing leaves by them."""
    subprocess.run(["ip", "route", "add", "local", "10.0.0.0/16", "dev", "lo", "table", "local"], check=True)


class Watch(threading.Thread):
    """What kiln serve and its children take meanwhile: the most memory, in MB, and processor seconds."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.memory, self.over = pid, 0.0, False
        self.start()

    def run(self):
        while not self.over:
            try:
                with open(f"/proc/{self.pid}/status", encoding="utf-8") as stream:
                    self.memory = max(self.memory, int(re.search(r"VmRSS:\s+(\d+)", stream.read()).group(1)) / 1024)
            except (OSError, AttributeError):
                pass  # it has just been killed
            time.sleep(0.2)


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Places(threading.Thread):
    """The most roots that kiln serve sends at once, by what it says."""

    def __init__(self, rack):
        super().__init__(daemon=True)
        self.rack, self.most, self.over = rack, 0, False
        self.start()

    def run(self):
        while not self.over:
            self.most = max(self.most, self.rack.get("/api/state").json["transfers"])
            time.sleep(0.25)


class Game:
    """Machines that are switched on, beside whatever the caller does meanwhile."""

    def __init__(self, rack, **options):
        nodes = f"{rack.base}/nodes"
        write(nodes, "".join(f"{mac_of(i)} {ip_of(i)} n{i} mini\n" for i in range(rack.nodes)))
        words = {"interface": "cli", "server": ADDRESS, "port": PORT, "tree": f"{rack.out}/rack", "nodes": nodes, **options}
        self.process = subprocess.Popen([PAPER, *(f"{name}={value}" for name, value in words.items())], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self):
        """The summary, and the exit status."""
        out, problem = self.process.communicate()
        if not out:
            raise AssertionError(f"paper: status {self.process.returncode}: {problem}")
        return json.loads(out), self.process.returncode


def unknown_mac(index):
    return f"52:54:00:ee:{index >> 8:02x}:{index & 255:02x}"


def shown(summary):
    """For people."""
    lines = [f"{summary['machines']} machines, {summary['healthy']} healthy in {summary['seconds']:.1f} s; "
             + ", ".join(f"{name} {value}" for name, value in summary["counts"].items())]
    lines += [f"  {name:14} {step['machines']:5} median {step['median_s']:7.3f} s, at most {step['max_s']:7.3f} s"
              for name, step in summary["steps"].items()]
    return "\n".join([*lines, *(f"  left: {text}" for text in summary["left"]), *(f"  wrong: {text}" for text in summary["mistakes"])])
