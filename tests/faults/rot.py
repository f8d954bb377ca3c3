# SPDX-License-Identifier: MIT
"""usage: rot.py CACHE WAY KIND...

What becomes of caches: files that are damaged, lost or replaced. Prints which. A program, because it needs root.
"""
import glob
import os
import shutil
import sys

# Files of the cache itself are a kind of their own; so are locks.
KINDS = ("packages", "layers", "squashfs", "kernel", "initrd", "iso", "bootloader", "repos", "keys", "used", "top", "locks")


def paths_of(cache, kind):
    """The files of a kind of entry, whatever owner they have. Of "KIND alone", not what describes them."""
    if kind.endswith(" alone"):
        return [path for path in paths_of(cache, kind.removesuffix(" alone"))
                if os.path.basename(path) not in ("seal", "digests", "place", "info.json", "place.json")]
    if kind == "locks":
        return sorted(glob.glob(f"{cache}/lock") + glob.glob(f"{cache}/*.lock") + glob.glob(f"{cache}/*/*.lock") + glob.glob(f"{cache}/*/*/lock"))
    if kind == "top":
        return sorted(path for path in glob.glob(f"{cache}/*") if os.path.isfile(path) and not path.endswith((".lock", "/lock")))
    paths = [os.path.join(root, name) for root, _, names in os.walk(f"{cache}/{kind}") for name in names]
    return sorted(path for path in paths if os.path.isfile(path) and not os.path.islink(path)
                  and not path.endswith((".lock", "/lock")))


def write_back(path, data):
    """Into the same inode, as a program that writes to it does; the time becomes now."""
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()


def flip(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    for place in range(len(data) // 2, min(len(data) // 2 + 8, len(data))):
        data[place] ^= 0x55
    write_back(path, data)


def flip_and_keep_time(path):
    """As a bad disk does, or somebody who sets the time back."""
    status = os.stat(path)
    flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def cut(path):
    with open(path, "rb") as file:
        data = file.read()
    write_back(path, data[:len(data) // 2])


def empty(path):
    write_back(path, b"")


def lose(path):
    os.unlink(path)


def become_directory(path):
    os.unlink(path)
    os.mkdir(path)


def become_link(path):
    """To a file elsewhere that is nearly the same."""
    elsewhere = f"{path.split('/cache/')[0]}/elsewhere"
    shutil.copyfile(path, elsewhere)
    flip(elsewhere)
    os.unlink(path)
    os.symlink(elsewhere, path)


def close(path):
    """For who is not root, that is."""
    os.chmod(path, 0)


WAYS = {"flipped": flip, "flipped with their time kept": flip_and_keep_time, "cut short": cut, "emptied": empty, "lost": lose, "a directory": become_directory,
        "a link to elsewhere": become_link, "unreadable": close}


def main(cache, way, *kinds):
    for kind in kinds:
        for path in paths_of(cache, kind):
            WAYS[way](path)
            print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
