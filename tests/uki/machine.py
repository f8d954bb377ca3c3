# SPDX-License-Identifier: MIT
"""A machine with UEFI firmware that enforces Secure Boot: OVMF with the variables of Debian's snakeoil keys, in QEMU.
What firmware and kernel say on the serial console is in `text`."""
import os
import re
import shutil
import subprocess
import threading
import time

CODE, VARIABLES = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd"
OPEN_CODE, OPEN_VARIABLES = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"  # starts anything
CONTROLS = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\r")


def cd(iso, index=0):
    return ["-device", f"ide-cd,drive=cd,bootindex={index}", "-drive", f"if=none,id=cd,readonly=on,format=raw,file={iso}"]


def disk(image, index):
    return ["-device", f"virtio-blk-pci,drive=disk{index},bootindex={index}", "-drive",
            f"if=none,id=disk{index},readonly=on,format=raw,file={image}"]


def card(mac, backend):
    """A network card without a boot program of its own: the firmware's is used."""
    return ["-netdev", backend, "-device", f"virtio-net-pci,netdev=net,mac={mac},romfile=,bootindex=0"]


def flash(work, name, code, variables):
    own = f"{work}/{name}.vars"
    shutil.copy(variables, own)
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={own}"]


def firmware_arguments(work, name, firmware):
    """`secure`: UEFI that enforces Secure Boot; `uefi`: UEFI that starts anything; `bios`."""
    if firmware == "bios":
        return []
    if firmware == "uefi":
        return flash(work, name, OPEN_CODE, OPEN_VARIABLES)
    return ["-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1",
            *flash(work, name, CODE, VARIABLES)]


class Machine:
    """`with` ends it. `before` is put before QEMU's command line."""

    def __init__(self, work, name, devices, before=(), firmware="secure"):
        command = [*before, "qemu-system-x86_64", "-machine", "q35,smm=on", "-accel", "tcg", "-cpu", "max", "-m", "768",
                   "-nodefaults", "-display", "none", "-no-reboot", *firmware_arguments(work, name, firmware),
                   "-serial", "stdio", *devices]
        if not any(word == "-netdev" for word in devices):
            command += ["-nic", "none"]
        self.text, self.log = "", f"{work}/{name}.log"
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with open(self.log, "w", encoding="utf-8") as log:
            while data := os.read(self.process.stdout.fileno(), 65536):
                text = CONTROLS.sub("", data.decode(errors="replace"))
                self.text += text
                log.write(text)
                log.flush()

    def type(self, keys):
        for key in keys:  # firmware and boot loaders poll their serial line
            os.write(self.process.stdin.fileno(), key.encode())
            time.sleep(0.1)

    def expect(self, pattern, seconds=300, start=0):
        """The match, or None when the time is over or the machine has gone. What came before `start` does not count."""
        end = time.monotonic() + seconds
        while True:
            gone = self.process.poll() is not None
            if gone:
                self.reader.join(5)
            match = re.search(pattern, self.text[start:])
            if match or gone or time.monotonic() > end:
                return match
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(5)
