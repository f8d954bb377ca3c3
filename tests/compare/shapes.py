# SPDX-License-Identifier: MIT
"""Trees of every shape that a package may have, and RPMs of them.

A shape makes a tree and returns lines of %files for what a package says otherwise than the tree: owners by name,
capabilities, %ghost. Contents and the last shape are random: KILN_COMPARE_SEED repeats a run.
"""
import os
import random
import shutil
import subprocess

import users

SOME_DAY, FAR_DAY = 1447959421, 4102444800  # the second is after 2038
BLOCK_BYTES = 131072
SPEC = """Name: {name}
Version: 1
Release: 1
Summary: A shape
License: MIT
BuildArch: noarch
AutoReqProv: no
{tags}
%description
Made for a test.
%install
cp -a {tree}/. %{{buildroot}}/
%files -f {tree}.files
"""
DEFINES = {"__os_install_post": "%{nil}", "_invalid_encoding_terminates_build": "0", "_source_payload": "w6.gzdio",
           "_unpackaged_files_terminate_build": "0", "_build_id_links": "none"}


def write(path, data=b"", mode=0o644, day=SOME_DAY):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    os.utime(path, (day, day))


def accounts(tree, _):
    """What all others are owned by: ids beyond 16 bits, too, where root has them."""
    far = (70000, 4000000000) if users.has_all_ids() else (60000, 65000)
    people = {b"root": (0, 0), b"near": (7, 12), b"far": far}
    write(f"{tree}/etc/passwd", b"".join(b"%s:x:%d:%d::/:/bin/sh\n" % (name, *ids) for name, ids in people.items()))
    write(f"{tree}/etc/group", b"".join(b"%s:x:%d:\n" % (name, gid) for name, (_, gid) in people.items()))
    return ["/etc/passwd", "/etc/group"]


def modes(tree, _):
    lines = []
    for mode in (0, 0o111, 0o400, 0o644, 0o755, 0o1644, 0o2711, 0o2755, 0o4711, 0o4755, 0o6755, 0o7777):
        write(f"{tree}/modes/file-{mode:04o}", b"%o" % mode, mode)
        os.makedirs(f"{tree}/modes/directory-{mode:04o}")
        lines += [f"%attr({mode:04o},{owner},{group}) {kind}/modes/{name}-{mode:04o}" for kind, name, owner, group in
                  (("", "file", "far", "near"), ("%dir ", "directory", "near", "far"))]
    for name, caps in (("raw", "cap_net_raw=ep"), ("two", "cap_setgid,cap_setuid=p"), ("kept", "cap_sys_admin=i"),
                       ("high", "cap_bpf,cap_chown=eip")):  # cap_bpf is in the second word
        write(f"{tree}/modes/caps-{name}", name.encode(), 0o755)
        lines.append(f"%attr(4750,far,near) %caps({caps}) /modes/caps-{name}")
    for name in ("old", "new"):
        write(f"{tree}/modes/day-{name}", b"", day=0 if name == "old" else FAR_DAY)
        lines.append(f"/modes/day-{name}")
    write(f"{tree}/modes/ghost", b"never there")
    write(f"{tree}/modes/settings", b"a = b\n")
    write(f"{tree}/modes/unowned/parents/leaf", b"leaf")
    return lines + ["%ghost /modes/ghost", "%config(noreplace) /modes/settings", "/modes/unowned/parents/leaf"]


def names(tree, _):
    """Bytes as they come; the longest name (rpm adds 9 bytes while it unpacks), path and target of a link."""
    top = os.fsencode(tree) + b"/names"
    for name in (b"caf\xc3\xa9", b"latin-\xe9\xff\x80", b"a space", b"back\\slash", b'quo"te', b"quo'te", b"star*", b"per%cent",
                 b"-dash", b".hidden", b"...", b"n" * 246, "\u65e5\u672c".encode(), b"[x]", b"{a,b}", b"#", b"~", b":"):
        write(os.path.join(top, name), name)
    deep = b"/".join([b"d" * 250] * 10)
    write(os.path.join(top, deep, b"leaf"), b"deep")
    for target in (b"nothing", b"/absolute", b"../.." + b"/x" * 500, b"caf\xe9", b"."):
        os.symlink(target, os.path.join(top, b"to-" + target.replace(b"/", b"_")[:40]))
    return ["/names"]


def contents(tree, chance):
    """Sizes around blocks, holes, zeros, noise, doubles of whole files and of tails."""
    noise = chance.randbytes(3 * BLOCK_BYTES)
    for size in (0, 1, 4095, 4096, 4097, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES, 1 << 20, (1 << 20) + 1):
        write(f"{tree}/contents/text-{size}", (b"0123456789abcdef\n" * (size // 17 + 1))[:size])
        write(f"{tree}/contents/zero-{size}", bytes(size))
    for part in (1, 100, BLOCK_BYTES, BLOCK_BYTES + 100, len(noise)):
        for name in "ab":
            write(f"{tree}/contents/{name}/noise-{part}", noise[:part])
    write(f"{tree}/contents/tail", noise[BLOCK_BYTES:BLOCK_BYTES + 100])
    write(f"{tree}/contents/hole", b"start")
    with open(f"{tree}/contents/hole", "r+b") as file:
        file.seek((20 << 20) + 5)
        file.write(b"middle")
        file.truncate((40 << 20) + 77)
    os.makedirs(f"{tree}/contents/empty/er/est")
    return ["/contents"]


def links(tree, _):
    """Hard links in one directory and across, thousands of them, of an empty file, and with capabilities."""
    for name in ("one", "empty"):
        write(f"{tree}/links/m/{name}", name.encode() if name == "one" else b"", 0o4755)
        for place in ("a/b", "z", "m"):
            os.makedirs(f"{tree}/links/{place}", exist_ok=True)
            os.link(f"{tree}/links/m/{name}", f"{tree}/links/{place}/other-{name}")
    write(f"{tree}/links/many/first", b"x" * 300)
    for number in range(3000):
        os.link(f"{tree}/links/many/first", f"{tree}/links/many/{number}")
    for name in ("x", "y"):
        if name == "x":
            write(f"{tree}/capable/x", b"capable", 0o755)
        else:
            os.link(f"{tree}/capable/x", f"{tree}/capable/y")
    return ["/links", "%dir /capable", *(f"%caps(cap_net_raw=ep) /capable/{name}" for name in "xy")]


def crowd(tree, _):
    """A directory of 10,000, of which most are empty and many are equal."""
    for number in range(10000):
        write(f"{tree}/crowd/{number:x}", b"" if number % 3 else b"%d" % (number % 300))
    return ["/crowd"]


def chance_tree(tree, chance):
    """Whatever comes."""
    directories, files = [f"{tree}/chance"], []
    os.makedirs(directories[0])
    for number in range(300):
        parent, kind = chance.choice(directories), chance.random()
        path = f"{parent}/{chance.randbytes(chance.randint(1, 30)).hex()}-{number}"
        if kind < 0.2:
            os.makedirs(path, chance.choice((0o755, 0o700, 0o2775, 0o1777)))
            directories.append(path)
        elif kind < 0.3 and files:
            os.link(chance.choice(files), path)
        elif kind < 0.4:
            os.symlink(chance.randbytes(chance.randint(1, 100)).hex(), path)
        else:
            data = chance.randbytes(chance.choice((0, 10, 5000, 70000))) * chance.randint(0, 5)
            write(path, data + bytes(chance.choice((0, 0, 300000))), chance.choice((0o644, 0o755, 0o4755, 0o600)),
                  chance.randrange(FAR_DAY))
            files.append(path)
    return ["%attr(-,far,near) /chance"]


# Package: its shape and how its payload is compressed.
SHAPES = {"accounts": (accounts, "w6.gzdio"), "modes": (modes, "w6.gzdio"), "names": (names, "w3.zstdio"), "contents": (contents, "w2.xzdio"),
          "links": (links, "w6.gzdio"), "crowd": (crowd, "w3.zstdio"), "chance": (chance_tree, "w2.xzdio")}


def build(work, name, shape, payload, chance):
    tree = f"{work}/{name}"
    lines = shape(tree, chance)
    with open(f"{tree}.files", "w", encoding="utf-8") as file:
        file.write("\n".join(["%defattr(-,root,root)", *lines, ""]))
    with open(f"{tree}.spec", "w", encoding="utf-8") as file:
        file.write(SPEC.format(name=name, tree=tree, tags="" if name == "accounts" else "Requires(pre): accounts"))
    defines = {"_topdir": f"{work}/rpmbuild", "_rpmdir": f"{work}/rpms", "_dbpath": f"{work}/none", **DEFINES, "_binary_payload": payload}
    options = [option for define in defines.items() for option in ("--define", " ".join(define))]
    subprocess.run(["rpmbuild", "-bb", "--quiet", *options, f"{tree}.spec"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    shutil.rmtree(tree)


def make_repository(work, seed):
    """A repository of all shapes; returns its directory and the paths of its packages."""
    chance = random.Random(seed)
    os.makedirs(work)
    for name, (shape, payload) in SHAPES.items():
        build(work, name, shape, payload, chance)
    shutil.rmtree(f"{work}/rpmbuild")
    directory = f"{work}/rpms"
    subprocess.run(["createrepo_c", "--quiet", directory], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return directory, sorted(f"{directory}/noarch/{name}-1-1.noarch.rpm" for name in SHAPES)
