# SPDX-License-Identifier: MIT
"""A reader of rpm 4.11's database that shares nothing with kiln: db5.3_dump's text, headers parsed here.

rpm 4.11 (lib/rpmdb.c) finds a package by an index: key -> records {package, number} of two 32-bit integers in the
machine's byte order, `number` being the place in the tag's array; and reads the header from Packages by `package`.
"""
import collections
import os
import struct
import subprocess

DIRECTORY = "var/lib/rpm"
# EL7's rpm makes Packages a hash table and most indexes btrees; rpm reads either (lib/backend/db3.c asks the file).
INDEXES = {"Name": 1000, "Basenames": 1117, "Group": 1016, "Requirename": 1049, "Providename": 1047, "Conflictname": 1054,
           "Obsoletename": 1090, "Triggername": 1066, "Dirnames": 1118, "Installtid": 1128, "Sigmd5": 261, "Sha1header": 269}
REQUIRENAME, REQUIREFLAGS = 1049, 1048
# rpmds.h of 4.11: what is needed to install, or to erase; a requirement of the first kind alone need not be in the index.
POSTTRANS, PRETRANS, PRE, POST, RPMLIB, KEYRING, PREUN, POSTUN = (1 << bit for bit in (5, 7, 9, 10, 24, 26, 11, 12))
INSTALL_ONLY, ERASE = PRE | POST | RPMLIB | KEYRING | PRETRANS | POSTTRANS, PREUN | POSTUN
INT32, STRING, BIN, STRING_ARRAY, I18N = 4, 6, 7, 8, 9


def dump(path):
    """(access method, {key: value}) of a table."""
    text = subprocess.run(["db5.3_dump", path], stdout=subprocess.PIPE, check=True, text=True).stdout
    head, _, body = text.partition("HEADER=END\n")
    method = next(line.split("=")[1] for line in head.splitlines() if line.startswith("type="))
    values = [bytes.fromhex(line.strip()) for line in body.splitlines() if line.startswith(" ")]
    return method, dict(zip(values[::2], values[1::2]))


def parse(blob):
    """{tag: (type, [values])} of a header as headerExport() writes it."""
    count, size = struct.unpack(">II", blob[:8])
    assert len(blob) == 8 + 16 * count + size, "a header of another size than it says"
    store, tags = blob[8 + 16 * count:], {}
    for i in range(count):
        tag, kind, offset, items = struct.unpack(">IIiI", blob[8 + 16 * i:24 + 16 * i])
        if kind == INT32:
            value = list(struct.unpack(f">{items}I", store[offset:offset + 4 * items]))
        elif kind in (STRING, STRING_ARRAY, I18N):
            value = store[offset:].split(b"\0", items)[:items]
        else:
            value = [store[offset:offset + items]]
        tags[tag] = (kind, value)
    return tags


def headers(root):
    """{package number: tags}; checks that record 0 holds the highest number."""
    method, records = dump(os.path.join(root, DIRECTORY, "Packages"))
    assert method == "hash", f"Packages is a {method} table"
    numbered = {struct.unpack("=I", key)[0]: value for key, value in records.items()}
    last, = struct.unpack("=I", numbered.pop(0))
    assert last == max(numbered), f"record 0 says {last}, the highest package is {max(numbered)}"
    return {number: parse(blob) for number, blob in numbered.items()}


def wanted(tag, packages):
    """What an index of a tag must hold: {key: {(package, number)}}."""
    index = collections.defaultdict(set)
    for number, tags in packages.items():
        kind, values = tags.get(tag, (None, []))
        for place, value in enumerate(values):
            key = struct.pack("=I", value) if kind == INT32 else value
            index[key].add((number, 0 if kind in (INT32, BIN) else place))
    return index


def optional(tag, packages):
    """The records that an rpm may leave out of an index (rpmdb.c, "Filter out install prerequisites")."""
    if tag != REQUIRENAME:
        return set()
    return {(number, place) for number, tags in packages.items()
            for place, flags in enumerate(tags.get(REQUIREFLAGS, (INT32, []))[1])
            if flags & INSTALL_ONLY and not flags & ERASE}


def differences(root):
    """What is wrong with the indexes, a sentence each."""
    packages, found = headers(root), []
    for name, tag in INDEXES.items():
        kind, records = dump(os.path.join(root, DIRECTORY, name))
        if kind not in ("hash", "btree"):
            found.append(f"{name} is a {kind} table")
        index = {key: set(struct.iter_unpack("=II", value)) for key, value in records.items()}
        expected, free = wanted(tag, packages), optional(tag, packages)
        for key in sorted(set(index) | set(expected)):
            have, want = index.get(key, set()), expected.get(key, set())
            if have - want or want - have - free:
                found.append(f"{name}: {key!r} has {have}, not {want}")
    return found


def names(root):
    """name-version-release.arch of every package, sorted; without epoch, as `rpm -qa` prints it."""
    def text(tags, tag):
        return tags[tag][1][0].decode()
    return sorted(f"{text(tags, 1000)}-{text(tags, 1001)}-{text(tags, 1002)}.{text(tags, 1022)}"
                  for tags in headers(root).values())
