# SPDX-License-Identifier: MIT
"""A signed repository of packages that are shaped as Enterprise Linux 7's: specs in packages/, programs of this machine."""
import glob
import hashlib
import os
import re
import shutil
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
COREUTILS = ("cat chgrp chmod chown cp cut date head id ln ls mkdir mv rm sha1sum sleep stat touch true").split()
KEY = """Key-Type: RSA
Key-Length: 2048
Key-Usage: sign
Name-Real: el7
Expire-Date: 0
%commit
"""


def run(command, **options):
    """Its output; an exception that holds it when the command fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


# ---- programs of the image ----

def libraries(program):
    """The shared libraries that it needs and its loader, by the names that it asks for."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", text.stdout, re.M)


def programs(directory):
    """Copies programs of this machine and their libraries below `directory`: bin, sbin, usr.sbin, systemd, lib64."""
    wanted = {"bin": [shutil.which(name) for name in COREUTILS + ["bash", "grep", "sed", "mawk", "getent"]],
              "sbin": ["/sbin/ldconfig", shutil.which("setcap", path="/sbin:/usr/sbin"),
                       shutil.which("getcap", path="/sbin:/usr/sbin")],
              "usr.sbin": ["/usr/sbin/useradd", "/usr/sbin/groupadd"],
              "systemd": ["/usr/bin/systemctl", "/usr/bin/systemd-machine-id-setup", "/usr/bin/journalctl"]}
    os.makedirs(f"{directory}/lib64")
    for place, paths in wanted.items():
        os.makedirs(f"{directory}/{place}")
        for path in paths:
            shutil.copy(path, f"{directory}/{place}/")
            for library in libraries(path):
                shutil.copy(library, f"{directory}/lib64/")
    shutil.copy(shutil.which("true"), f"{directory}/bin/su-like")
    run(["gcc", "-O1", "-static", "-o", f"{directory}/rpm", f"{TOP}/tests/unit/rpm-4.11/rpm.c", "-ldb-5.3", "-lpthread"])


def tiny_elf(path, bits):
    """The header of an executable: enough for rpm to give the file the colour of its word size."""
    identity = b"\x7fELF" + bytes([1 if bits == 32 else 2, 1, 1]) + bytes(9)
    machine = 3 if bits == 32 else 62
    sizes = "<HHIIIIIHHHHHH" if bits == 32 else "<HHIQQQIHHHHHH"
    header = struct.pack(sizes, 2, machine, 1, 0, 0, 0, 0, 52 if bits == 32 else 64, 0, 0, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(identity + header + b"%d bits" % bits)


# ---- packages ----

def build(spec, work, *arguments, macros=f"{HERE}/macros"):
    defines = {"_topdir": f"{work}/rpmbuild", "_rpmdir": f"{work}/rpms", "_dbpath": f"{work}/none",
               "programs": f"{work}/programs", "coreutils": " ".join(COREUTILS),
               "_buildhost": "el7.kiln.invalid", "use_source_date_epoch_as_buildtime": "1"}
    command = ["rpmbuild", "-bb", "--quiet", "--load", macros]
    for name, value in defines.items():
        command += ["--define", f"{name} {value}"]
    run([*command, *arguments, spec])


def build_all(work):
    for spec in sorted(glob.glob(f"{HERE}/packages/*.spec")):
        if not spec.endswith("/multilib.spec"):
            build(spec, work)
    for arch, bits, place in (("x86_64", 64, "/usr/lib64"), ("i686", 32, "/usr/lib")):
        tiny_elf(f"{work}/elf{bits}", bits)
        build(f"{HERE}/packages/multilib.spec", work, "--target", arch, "--define", f"place {place}",
              "--define", f"program {work}/elf{bits}")
    return sorted(glob.glob(f"{work}/rpms/*/*.rpm"))


def header_size(data, at):
    entries, size = struct.unpack(">II", data[at + 8:at + 16])
    return 16 + 16 * entries + size


def entries_of(data, at):
    count, = struct.unpack(">I", data[at + 8:at + 12])
    for i in range(count):
        place = at + 16 + 16 * i
        yield place, *struct.unpack(">IIII", data[place:place + 16])


def make_old(path):
    """What rpm 4.11 did not write becomes a tag that means nothing: digests of the payload (5092, 5093, 5097) and the
    header's SHA-256 (273). The header's SHA-1 (269) and the MD5 of everything (1004) are made to agree."""
    lead, forgotten = 96, {273, 5092, 5093, 5097}
    with open(path, "rb") as file:
        data = bytearray(file.read())
    main = lead + (header_size(data, lead) + 7) // 8 * 8
    for start in (lead, main):
        for place, tag, *_ in list(entries_of(data, start)):
            if tag in forgotten:
                data[place + 1] = 0x70
    header = data[main:main + header_size(data, main)]
    store = lead + 16 + 16 * struct.unpack(">I", data[lead + 8:lead + 12])[0]
    for _, tag, _, offset, count in list(entries_of(data, lead)):
        if tag == 269:
            data[store + offset:store + offset + 40] = hashlib.sha1(header).hexdigest().encode()
        elif tag == 1004:
            data[store + offset:store + offset + count] = hashlib.md5(data[main:]).digest()
    with open(path, "wb") as file:
        file.write(data)


class Key:
    """A signing key of GnuPG 1, which still makes the version 3 signatures that EL7's packages carry."""

    def __init__(self, work):
        self.home = f"{work}/gnupg"
        os.makedirs(self.home, mode=0o700)
        with open(f"{work}/key", "w", encoding="utf-8") as file:
            file.write(KEY)
        self.gpg("--quick-random", "--gen-key", f"{work}/key")
        self.fingerprint = re.search(r"^fpr:+([0-9A-F]{40}):", self.gpg("--with-colons", "--fingerprint"), re.M).group(1)
        self.path = f"{work}/RPM-GPG-KEY-el7"
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(self.gpg("--armor", "--export", self.fingerprint))

    def gpg(self, *arguments):
        return run(["gpg1", "--homedir", self.home, "--batch", "--no-tty", "--quiet", *arguments])

    def sign(self, rpms):
        defines = {"__gpg": shutil.which("gpg1"), "_gpg_path": self.home, "_gpg_name": self.fingerprint,
                   "_gpg_digest_algo": "sha256",
                   "__gpg_sign_cmd": "%{__gpg} gpg --batch --no-tty --no-armor --force-v3-sigs --digest-algo sha256 "
                                     '-u "%{_gpg_name}" -sbo %{__signature_filename} %{__plaintext_filename}'}
        command = ["rpmsign", "--rpmv3", "--addsign"]
        for name, value in defines.items():
            command += ["--define", f"{name} {value}"]
        run([*command, *rpms])


def make(work):
    """The repository below `work`; returns its key."""
    programs(f"{work}/programs")
    rpms = build_all(work)
    for rpm in rpms:
        make_old(rpm)
    key = Key(work)
    key.sign(rpms)
    os.makedirs(f"{work}/repo/Packages")
    for rpm in rpms:
        shutil.move(rpm, f"{work}/repo/Packages/")
    run(["createrepo_c", "--quiet", f"{work}/repo"])
    return key
