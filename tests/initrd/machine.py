# SPDX-License-Identifier: MIT
"""What a small boot is made of: newc archives, squashfs roots, QEMU with one or two consoles. Nothing of it is kiln's."""
import hashlib
import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import time


STARTS, HANDS_OVER = "kiln: cluster ", "handing over at "  # the first and the last that init says


def newc(entries):
    """A newc archive of (path, mode, data) entries; what the kernel unpacks as an initramfs (its buffer-format.rst)."""
    out = bytearray()
    for number, (path, mode, data) in enumerate(list(entries) + [("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += b"\0" * (-len(out) % 4)
        out += data
        out += b"\0" * (-len(out) % 4)
    return bytes(out) + b"\0" * (-len(out) % 4096)


def directory(path, mode=0o755):
    return path, stat.S_IFDIR | mode, b""


def regular(path, data, mode=0o644):
    return path, stat.S_IFREG | mode, data if isinstance(data, bytes) else data.encode()


def link(path, target):
    return path, stat.S_IFLNK | 0o777, target.encode()


def copy_program(top, program, place):
    """A program of this machine, with the libraries that it needs, at that place below `top`."""
    names = [program]
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    names += [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    for name in names:
        target = top + (place if name == program else name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.realpath(name), target)


def squashfs(work, init, padding=0, programs=()):
    """The bytes of a root that holds busybox and this /sbin/init (None: none), so many incompressible bytes, and
    programs as (here, there)."""
    top = os.path.join(work, "root")
    shutil.rmtree(top, ignore_errors=True)
    for name in ("bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp"):
        os.makedirs(os.path.join(top, name), exist_ok=True)
    subprocess.run(["cp", "/bin/busybox", os.path.join(top, "bin/busybox")], check=True)
    for name in ("sh", "cat", "sync", "poweroff", "reboot", "mount", "ls", "df", "grep", "sleep", "dd", "stat", "ip", "sed"):
        if not os.path.lexists(os.path.join(top, "bin", name)):
            os.symlink("busybox", os.path.join(top, "bin", name))
    path = os.path.join(top, "sbin/init")
    if os.path.exists(path):
        os.unlink(path)
    if init:
        with open(path, "w") as file:
            file.write(init)
        os.chmod(path, 0o755)
    with open(os.path.join(top, "etc/hidden"), "w") as file:
        file.write("of the root\n")
    with open(os.path.join(top, "padding"), "wb") as file:
        file.write(os.urandom(padding))
    for program, place in programs:
        copy_program(top, program, place)
    image = os.path.join(work, "rootfs.squashfs")
    subprocess.run(["mksquashfs", top, image, "-noappend", "-quiet", "-no-progress", "-all-root", "-comp", "gzip"],
                   check=True, stdout=subprocess.DEVNULL)
    with open(image, "rb") as file:
        return file.read()


def folder(work, files):
    """A directory that holds these texts by name."""
    top = os.path.join(work, "folder")
    shutil.rmtree(top, ignore_errors=True)
    os.makedirs(top)
    for name, text in files.items():
        with open(os.path.join(top, name), "w") as file:
            file.write(text)
    return top


def filesystem(path, megabytes, label, content):
    """An image of an ext4 file system with the directory's content."""
    with open(path, "wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", label, "-d", content, path], check=True,
                   env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})


def configuration(root, changes=(), files=()):
    """config.cpio for a root, with lines of root.conf changed or (None) left out, and files of the layer."""
    lines = {"ROOT_SHA256": hashlib.sha256(root).hexdigest(), "ROOT_SIZE": str(len(root)), "ROLE": "tiny",
             "CLUSTER": "test", "BUILD_ID": "0123456789ab", "RELEASE": "lab", "OVERLAY_SIZE": "50%",
             "ON_FAILURE": "shell", "REBOOT_DELAY_S": "10"}
    lines.update(dict(changes))
    text = "".join(f"{key}={value}\n" for key, value in lines.items() if value is not None)
    layer = [(f"kiln/config/{path}", mode, data) for path, mode, data in files]
    return newc([directory("kiln"), regular("kiln/root.conf", text), directory("kiln/config")] + layer)


def signed(work, key, config, serial=1):
    """The archive of configuration() with the list of what it holds, signed by the private key `key`; and the initrd's
    file of trusted keys, as an archive of its own."""
    entries, lines, root = [], [], {}
    at = 0
    while config[at:at + 6] == b"070701":
        mode, size, length = (int(config[at + k:at + k + 8], 16) for k in (14, 54, 94))
        name = config[at + 110:at + 109 + length].decode()
        body = (at + 110 + length + 3) // 4 * 4
        at = (body + size + 3) // 4 * 4
        if name == "TRAILER!!!":
            break
        data = config[body:body + size]
        entries.append((name, mode, data))
        if name == "kiln/root.conf":
            root = dict(line.split("=", 1) for line in data.decode().splitlines())
        if name != "kiln":
            lines.append((name[5:], mode, data))
    text = "kiln-layer 1\n" + "".join(f"{key.lower()} {root[name]}\n" for key, name in (
        ("cluster", "CLUSTER"), ("role", "ROLE"), ("build", "BUILD_ID")))
    text += f"serial {serial}\nroot {root['ROOT_SHA256']} {root['ROOT_SIZE']}\n"
    for name, mode, data in sorted(lines):
        between = {stat.S_IFREG: f"{len(data)} {hashlib.sha256(data).hexdigest()} ", stat.S_IFCHR: "0:0 ",
                   stat.S_IFLNK: data.decode(errors="replace") + " "}.get(stat.S_IFMT(mode), "")
        kind = {stat.S_IFREG: "f", stat.S_IFCHR: "c", stat.S_IFLNK: "l", stat.S_IFDIR: "d"}[stat.S_IFMT(mode)]
        text += f"{kind} {stat.S_IMODE(mode):04o} 0 0 {between}{name}\n"
    path = os.path.join(work, "layer")
    with open(path, "w") as file:
        file.write(text)
    if os.path.exists(path + ".sig"):
        os.unlink(path + ".sig")
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "kiln-layer", path], check=True)
    with open(path + ".sig") as file:
        return newc(entries + [regular("kiln/layer", text), regular("kiln/layer.sig", file.read())])


def trust(key, cluster="test", minimum_serial=1):
    with open(key + ".pub") as file:
        text = f"cluster {cluster}\nminimum_serial {minimum_serial}\nkey {file.read()}"
    return newc([directory("etc/kiln"), regular("etc/kiln/trust", text)])


def carried(root):
    return newc([regular("kiln/rootfs.squashfs", root)])


class Machine:
    """QEMU with a serial console and perhaps a screen (Linux has one console of a driver only). `with` ends it."""

    def __init__(self, work, kernel, parts, command_line="", memory=384, screen=False, network=None, more=(),
                 log=os.devnull):
        self.log = open(log, "a")
        self.text, self.monitor = "", None
        self.marks, self.cpu_s = (STARTS, HANDS_OVER), {}
        self.lock = threading.Lock()
        initrd = os.path.join(work, "initrd")
        with open(initrd, "wb") as file:
            file.write(b"".join(parts))
        names = "console=tty0 console=ttyS0" if screen else "console=ttyS0"
        serial, monitor = (os.path.join(work, name) for name in ("serial", "monitor"))
        command = ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", str(memory), "-nodefaults",
                   "-display", "none", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
                   "-append", f"{names} quiet loglevel=4 panic=-1 no_timer_check {command_line}"]
        for path in (serial, monitor):
            if os.path.exists(path):
                os.unlink(path)
        command += ["-serial", f"unix:{serial},server=on,wait=on"]
        if screen:
            command += ["-vga", "std", "-monitor", f"unix:{monitor},server=on,wait=off"]
        if network:
            command += ["-nic", network]
        command += list(more)
        # no_timer_check: on a busy host the emulated timer is late, and the kernel takes it for a broken board.
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.serial = self._connect(serial)
        threading.Thread(target=self._read, daemon=True).start()
        if screen:
            self.monitor = self._connect(monitor)

    def _connect(self, path):
        console = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + 20
        while True:
            try:
                console.connect(path)
                return console
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError("QEMU does not start: " + self.process.communicate()[0].decode()) from None
                time.sleep(0.02)

    def _read(self):
        while True:
            try:
                data = self.serial.recv(65536)
            except OSError:
                return
            if not data:
                return
            text = data.decode(errors="replace").replace("\r", "")
            with self.lock:
                self.text += text
                for mark in self.marks:
                    if mark not in self.cpu_s and mark in self.text:
                        self.cpu_s[mark] = self._cpu_seconds()
                self.log.write(text)
                self.log.flush()

    def screen(self):
        """The 80 columns and 25 lines of the screen in text mode, without line ends, from the video memory."""
        self.monitor.settimeout(3)
        self.monitor.sendall(b"xp /2000hx 0xb8000\n")
        data = b""
        try:
            while data.count(b"0x") < 2001:
                data += self.monitor.recv(65536)
        except OSError:
            pass
        cells = re.findall(r"0x([0-9a-f]{4})\b", data.decode(errors="replace"))
        return "".join(chr(int(cell[2:], 16)) for cell in cells)

    def _cpu_seconds(self):
        """Of QEMU, which emulates: unlike the time on the wall it does not grow with what else the machine does."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def expect(self, pattern, seconds=400):
        """The match on the serial console, or None when the time is over or the machine has gone."""
        end = time.monotonic() + seconds
        while True:
            gone = self.process.poll() is not None
            with self.lock:
                match = re.search(pattern, self.text)
            if match or gone or time.monotonic() > end:
                return match
            time.sleep(0.05)

    def send(self, text):
        self.serial.sendall(text.encode())

    def ends(self, seconds=400):
        """Whether the machine powers off or reboots (-no-reboot) in that time."""
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for console in (self.serial, self.monitor):
            if console:
                console.close()
        self.log.close()
