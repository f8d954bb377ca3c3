# SPDX-License-Identifier: MIT
"""Packages that are signed as rpm 4.11 signs, and what somebody without the key can make of them.

Such a header has no digest of the payload. Of its two signatures one covers the header (tag 268), the other header and
payload (1002), and nothing signs the signature header that holds them.
"""
import hashlib
import os
import shutil
import struct
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{TESTS}/el7")

import repository as el7  # noqa: E402

LEAD, RSA, OPENPGP, SIZE, PGP, MD5, MEANINGLESS = 96, 268, 278, 1000, 1002, 1004, 0x70
SPEC = """Name: {name}
Version: 1
Release: 1
Summary: a test
License: MIT
BuildArch: noarch
%description
A test.
%pre -p <lua>
posix.mkdir("/canary")
%install
mkdir -p %{{buildroot}}/usr/share/{name}
cd %{{buildroot}}/usr/share/{name}
echo genuine-1 > one
echo genuine-2 > two
ln -s one link
%files
/usr/share/{name}
"""


def build(directory, name, key=None):
    """A package with two files of one size, a link and a scriptlet; its path."""
    spec, home = f"{directory}/{name}.spec", {**os.environ, "HOME": directory}
    with open(spec, "w", encoding="utf-8") as stream:
        stream.write(SPEC.format(name=name))
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {directory}/build", "--define",
                    f"_rpmdir {directory}/built", "--define", "_binary_payload w6.gzdio", spec], check=True,
                   capture_output=True, env=home)
    path = f"{directory}/built/noarch/{name}-1-1.noarch.rpm"
    el7.make_old(path)
    if key:
        subprocess.run(["rpmsign", "--rpmv3", "--addsign", "--define", f"__gpg {shutil.which('gpg')}", "--define",
                        f"_gpg_path {key.home}", "--define", f"_gpg_name {key.fingerprint}", "--define",
                        "_gpg_digest_algo sha256", path], check=True, capture_output=True, env=home)
    return path


def split(path):
    """Lead and signature header, header, payload."""
    with open(path, "rb") as stream:
        data = stream.read()
    main = LEAD + (el7.header_size(data, LEAD) + 7) // 8 * 8
    end = main + el7.header_size(data, main)
    return bytearray(data[:main]), data[main:end], data[end:]


def new_package(directory, name, path):
    """The package as a current rpm makes it, unsigned, at `path`; its header."""
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {directory}/build", "--define",
                    f"_rpmdir {directory}/new", f"{directory}/{name}.spec"], check=True, capture_output=True,
                   env={**os.environ, "HOME": directory})
    shutil.copy(f"{directory}/new/noarch/{name}-1-1.noarch.rpm", path)
    return split(path)[1]


def with_openpgp(plain, path, signatures):
    """A copy of an unsigned package whose signature header is one entry, OPENPGP: texts in base64."""
    with open(plain, "rb") as stream:
        lead = stream.read(LEAD)
    _, header, rest = split(plain)
    store = b"".join(text.encode() + b"\0" for text in signatures)
    region = struct.pack(">IIiI", 62, 7, -32, 16)
    entries = struct.pack(">IIII", 62, 7, len(store), 16) + struct.pack(">IIII", OPENPGP, 8, 0, len(signatures))
    store += region
    head = bytes.fromhex("8eade80100000000") + struct.pack(">II", 2, len(store))
    with open(path, "wb") as stream:
        stream.write(lead + head + entries + store + bytes(-len(head + entries + store) % 8) + header + rest)


def entry(name, mode, data, inode):
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % value for value in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def payload(name, one=b"genuine-1\n", two=b"genuine-2\n", link=b"one", extra=()):
    """The payload anew. None: without that file."""
    place = f"./usr/share/{name}"
    wanted = [("", 0o040755, b""), ("/link", 0o120777, link), ("/one", 0o100644, one), ("/two", 0o100644, two), *extra]
    archive = b"".join(entry(place + path, mode, data, inode)
                       for inode, (path, mode, data) in enumerate(wanted, 1) if data is not None)
    archive += entry("TRAILER!!!", 0, b"", 0)
    return subprocess.run(["gzip", "-9cn"], input=archive, capture_output=True, check=True).stdout


def with_payload(path, new, forget=(PGP,)):
    """Replaces the payload in place, and does what needs no key: sizes and the MD5 that are only noted are made to agree,
    the signature over the payload gets a tag that means nothing."""
    signature, header, old = split(path)
    store = LEAD + 16 + 16 * struct.unpack(">I", signature[LEAD + 8:LEAD + 12])[0]
    tags = set()
    for place, tag, _, offset, count in list(el7.entries_of(signature, LEAD)):
        tags.add(tag)
        if tag in forget:
            signature[place + 1] = MEANINGLESS
        elif tag == SIZE:
            signature[store + offset:store + offset + 4] = struct.pack(">I", len(header) + len(new))
        elif tag == MD5:
            signature[store + offset:store + offset + count] = hashlib.md5(header + new).digest()
    assert {RSA, PGP, SIZE} <= tags, f"the package is not signed as rpm 4.11 does: {sorted(tags)}"
    with open(path, "wb") as stream:
        stream.write(signature + header + new)


def forgeries(name):
    """What to call it, its payload."""
    return {"another file": payload(name, one=b"forged--1\n"),
            "another link target": payload(name, link=b"two"),
            "one file more": payload(name, extra=[("/more", 0o100755, b"#!/bin/sh\n")]),
            "one file less": payload(name, two=None),
            "two files exchanged": payload(name, one=b"genuine-2\n", two=b"genuine-1\n"),
            "the same files packed again": payload(name)}
