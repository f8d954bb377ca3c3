# SPDX-License-Identifier: MIT
"""What lies in a tree, as the kernel tells it: every path with everything that an image must keep of it."""
import collections
import hashlib
import os
import stat

CHUNK_BYTES = 1 << 20

# `links`: all paths of the same inode, in order. `time`: modification, in nanoseconds. Paths and targets are bytes.
Entry = collections.namedtuple("Entry", "kind mode uid gid size sha256 target device links xattrs time")
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFCHR: "character device",
         stat.S_IFBLK: "block device", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


def digest(path):
    whole = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            whole.update(chunk)
    return whole.hexdigest()


def attributes(path):
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}


def entry_of(path, status, links):
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    return Entry(
        kind=kind, mode=stat.S_IMODE(status.st_mode), uid=status.st_uid, gid=status.st_gid,
        size=status.st_size if kind in ("file", "link") else None,
        sha256=digest(path) if kind == "file" else None, target=os.readlink(path) if kind == "link" else None,
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if kind.endswith("device") else None,
        links=links, xattrs=attributes(path), time=status.st_mtime_ns)


def walk(top, below=b""):
    """Paths relative to the top, a directory before what is in it; no mounts in between."""
    yield below
    with os.scandir(os.path.join(top, below)) as found:
        entries = sorted(found, key=lambda each: each.name)
    for each in entries:
        path = os.path.join(below, each.name)
        if each.is_dir(follow_symlinks=False):
            yield from walk(top, path)
        else:
            yield path


def read_tree(top):
    """Path (bytes, without a leading slash; the top is b"") -> Entry."""
    top = os.fsencode(top)
    found = [(path, os.lstat(os.path.join(top, path))) for path in walk(top)]
    names = collections.defaultdict(list)
    for path, status in found:
        if not stat.S_ISDIR(status.st_mode):
            names[status.st_dev, status.st_ino].append(path)
    return {path: entry_of(os.path.join(top, path), status, tuple(names[status.st_dev, status.st_ino]))
            for path, status in found}


def compare(left, right):
    """(path, field, what the left has, what the right has), in the order of the paths; field "presence": one has none."""
    for path in sorted(left.keys() | right.keys()):
        if path not in left or path not in right:
            yield path, "presence", left.get(path) and left[path].kind, right.get(path) and right[path].kind
            continue
        for field in Entry._fields:
            values = getattr(left[path], field), getattr(right[path], field)
            if values[0] != values[1]:
                yield path, field, *values
