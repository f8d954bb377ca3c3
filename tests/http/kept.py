#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: tests/http/kept.py OLD NEW

The root from the state disk, and from servers what the disk lacks of it. tests/http/run runs the tests and gives TAP. As
a program it measures: what a node that keeps the root of OLD fetches for the one of NEW, and for that of OLD again. Both
are the directory of a role in a published build."""
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests/initrd")]
sys.dont_write_bytecode = True

from server import CHUNK, Server, index_of  # noqa: E402

NODE = os.environ.get("KILN_NODE", os.path.join(TOP, "build/kiln-node"))
TAP = None
CONTENT = os.urandom(1500000)
CHANGED = (3, 4, 11, 20)  # chunks, of which two are neighbours
NEXT = b"".join(os.urandom(CHUNK) if at // CHUNK in CHANGED else CONTENT[at:at + CHUNK] for at in range(0, len(CONTENT), CHUNK))
PARTS = 3
DISK_HAS = len(CONTENT) - len(CHANGED) * CHUNK


def hex_of(content):
    return hashlib.sha256(content).hexdigest()


def site(content=NEXT):
    """What a server has, by the last part of the path."""
    return {"rootfs.squashfs": content, "rootfs.chunks": index_of(content), "again?x=1": content,
            hex_of(content): content, hex_of(index_of(content)): index_of(content)}


def make_disk(work, content=CONTENT, index=None):
    disk = os.path.join(work, "disk")
    shutil.rmtree(disk, ignore_errors=True)
    os.makedirs(os.path.join(disk, "kiln-roots"), 0o700)
    for end, data in ((".squashfs", content), (".chunks", index_of(content) if index is None else index)):
        with open(os.path.join(disk, "kiln-roots", hex_of(content) + end), "wb") as file:
            file.write(data)
    return disk


def run_node(work, *words):
    result = subprocess.run([NODE, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    origin = {}
    if os.path.exists(os.path.join(work, "origin")):
        with open(os.path.join(work, "origin")) as file:
            origin = dict(line.rstrip("\n").split("=", 1) for line in file)
    return result.returncode, result.stdout, origin


def fetch_next(work, urls, disk, seconds=20, content=NEXT):
    """(exit status, output, where it came from), after the file was looked at."""
    path = os.path.join(work, "next")
    for name in ("next", "origin", "rootfs.chunks"):
        if os.path.exists(os.path.join(work, name)):
            os.unlink(os.path.join(work, name))
    index = index_of(content)
    status, text, origin = run_node(work, "fetch", "--chunks", f"{hex_of(index)}:{len(index)}", "--kept", disk, urls, path,
                                    hex_of(content), str(len(content)), str(seconds))
    with open(path, "rb") as file:
        right = file.read() == content
    return (status if right else f"{status}, another file"), text, origin


def test_kept_root(work):
    """The same build again: nothing is fetched."""
    disk, to = make_disk(work), os.path.join(work, "kept")
    words = ("kept-root", disk, to, hex_of(CONTENT), str(len(CONTENT)))
    status, text, origin = run_node(work, *words)
    with open(to, "rb") as file:
        right = file.read() == CONTENT
    TAP.ok(status == 0 and right and origin == {"root_from": "disk", "root_kept_bytes": str(len(CONTENT)), "root_fetched_bytes": "0",
                                            "root_requests": "0"}, "the root of the state disk", [status, text, origin])
    for name, damage, said in (("another build's", lambda path: os.rename(path, path + "x"), "does not keep this root"),
                               ("a damaged one", lambda path: os.truncate(path, 5000), "has 5000 bytes, not 1500000"),
                               ("a link", lambda path: (os.rename(path, work + "/x"), os.symlink(work + "/x", path)), "does not keep")):
        damage(os.path.join(make_disk(work), "kiln-roots", hex_of(CONTENT) + ".squashfs"))
        status, text, _ = run_node(work, *words)
        TAP.ok(status != 0 and said in text and not os.path.exists(to), f"the state disk has {name}", f"exit {status}\n{text}")


def test_parts(work):
    """(plan of the server, requests, where the root came from, what is said)"""
    both, network, all_parts = "disk+network", "network", 1 + PARTS
    cases = [(["serve"], all_parts, both, f"fetching the rest in {PARTS} parts"), (["serve", "chunked"], all_parts, both, ""),
             (["serve", "beyond"], all_parts, both, ""), (["serve", "moved", "serve"], all_parts + 1, both, ""),
             (["serve", "cut", "serve"], all_parts + 1, both, "bytes early"), (["serve", "reset", "serve"], all_parts + 1, both, ""),
             (["serve", "drip"], all_parts, both, ""), (["serve", "404", "serve"], all_parts + 1, both, "the server says 404"),
             (["serve", "other_end", "serve"], all_parts + 1, both, f"other bytes from byte {3 * CHUNK} on"),
             (["serve", "lie", "serve"], all_parts + 1, both, "other bytes"), (["serve", "nothing", "serve"], all_parts + 1, both, "closed"),
             (["serve", "wrong_part", "serve"], all_parts + 1, both, f"another part than the one from byte {3 * CHUNK}"),
             (["serve", "larger", "serve"], all_parts + 1, both, f"has {len(NEXT) + 1} bytes"),
             (["serve", "garbage", "serve"], all_parts + 1, both, "does not speak HTTP"),
             (["busy", "serve"], all_parts + 1, both, "trying again in"), (["serve", "busy", "serve"], all_parts + 1, both, "trying again in"),
             (["serve", "whole"], 3, network, "is fetched whole: the server does not send parts of it (it says 200)"),
             (["serve", "416", "serve"], 3, network, "it says 416"),
             (["serve", "other_end", "other_end", "serve"], 4, network, "is fetched whole: the server has other bytes"),
             (["404", "serve"], 2, network, "is fetched whole: rootfs.chunks: "), (["other", "serve"], 2, network, "whole: rootfs.chunks: ")]
    disk = make_disk(work)
    for plan, requests, source, said in cases:
        with Server(site(), plan) as server:
            status, text, origin = fetch_next(work, f"http://127.0.0.1:{server.port}/b/tiny/rootfs.squashfs", disk)
            TAP.ok(status == 0 and len(server.requests) == requests == int(origin["root_requests"]) and origin["root_from"] == source and
               said in text, f"parts: {', '.join(plan)}", [status, text, origin, server.requests])
            if plan == ["serve"]:
                ranges = [request.get("Range") for request in server.requests[1:]]
                TAP.ok(int(origin["root_fetched_bytes"]) == len(CHANGED) * CHUNK + len(index_of(NEXT)) and
                   int(origin["root_kept_bytes"]) == DISK_HAS and ranges[0] == f"bytes={3 * CHUNK}-{5 * CHUNK - 1}",
                   "what is fetched is what changed, and the index", [origin, ranges])
            if plan[1:2] == ["busy"]:
                TAP.ok(server.requests[2]["at"] - server.requests[1]["at"] >= 4, "Retry-After is obeyed for parts", server.requests)


def test_parts_by_digest(work):
    disk = make_disk(work)
    for path in ("/blobs/sha256/", "/v2/kiln/tiny/blobs/sha256/"):
        with Server(site()) as server:
            status, text, origin = fetch_next(work, f"http://127.0.0.1:{server.port}{path}{hex_of(NEXT)}", disk)
            TAP.ok(status == 0 and origin["root_from"] == "disk+network" and server.requests[0]["path"] == path + hex_of(index_of(NEXT)),
               f"the index is beside {path}DIGEST", [status, text, server.requests])
    with Server({**site(), "x": NEXT}) as server:
        status, text, origin = fetch_next(work, f"http://127.0.0.1:{server.port}/x", disk)
        TAP.ok(status == 0 and "does not end with rootfs.squashfs" in text, "no index beside another URL", [status, text])


def test_parts_and_disks(work):
    """Whatever the disk has, the root is the right one."""
    half = index_of(CONTENT)[:64 + 40 * 11] + index_of(CONTENT)[-40:]
    absurd = bytearray(index_of(CONTENT))
    absurd[64:72] = struct.pack("<Q", 2**63)
    damaged = bytearray(CONTENT)
    damaged[7 * CHUNK + 5] ^= 1
    for name, make, said, requests in (
            ("no root", lambda: shutil.rmtree(make_disk(work) + "/kiln-roots"), "whole: the state disk keeps no root yet", 2),
            ("a root without an index", lambda: os.unlink(f"{make_disk(work)}/kiln-roots/{hex_of(CONTENT)}.chunks"), "have nothing of it", 2),
            ("an index that is cut off", lambda: make_disk(work, index=half), "have nothing of it", 2),
            ("an absurd index", lambda: make_disk(work, index=bytes(absurd)), "have nothing of it", 2),
            ("an index of another root", lambda: make_disk(work, os.urandom(len(CONTENT)), index_of(CONTENT)), "have nothing of it", 2),
            ("a damaged chunk", lambda: make_disk(work, bytes(damaged), index_of(CONTENT)), "in 4 parts", 5),
            ("a link for its directory", lambda: (os.rename(make_disk(work) + "/kiln-roots", work + "/disk/aside"),
                                                  os.symlink("aside", work + "/disk/kiln-roots")), "is a link", 2),
            ("no directory", lambda: shutil.rmtree(make_disk(work)), "whole: open", 2)):
        make()
        with Server(site()) as server:
            status, text, origin = fetch_next(work, f"http://127.0.0.1:{server.port}/rootfs.squashfs", os.path.join(work, "disk"))
            TAP.ok(status == 0 and said in text and len(server.requests) == requests, f"the state disk has {name}",
               [status, text, origin, len(server.requests)])
    make_disk(work, NEXT)
    with Server(site()) as server:
        status, text, origin = fetch_next(work, f"http://127.0.0.1:{server.port}/rootfs.squashfs", os.path.join(work, "disk"))
        TAP.ok(status == 0 and len(server.requests) == 1, "all of it is there", [status, text, origin])


def deaf_server():
    """Takes no connection, and refuses none: its queue is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    callers = []
    for _ in range(3):
        caller = socket.socket()
        caller.setblocking(False)
        caller.connect_ex(listener.getsockname())
        callers.append(caller)
    return listener.getsockname()[1], [listener, *callers]


def test_parts_of_mirrors(work):
    disk = make_disk(work)
    cases = [((["serve", "cut"], ["serve"]), (2, PARTS), "bytes early"), ((["serve", "whole"], ["serve"]), (2, PARTS), "it says 200"),
             ((["serve", "serve", "lie"], ["serve"]), (3, PARTS - 1), "other bytes"), ((["404"], ["serve"]), (1, 1 + PARTS), "404"),
             ((["serve", "trickle"], ["serve"]), (2, PARTS), "too slow"), ((["serve", "busy"], ["serve"]), (2, PARTS), "unavailable"),
             ((["serve", "rot"], ["serve"]), (2, PARTS + 1), "bytes early")]
    for plans, wanted, said in cases:
        servers = [Server(site(), plan) for plan in plans]
        urls = ",".join(f"http://127.0.0.1:{server.port}/b/rootfs.squashfs" for server in servers)
        status, text, origin = fetch_next(work, urls, disk, seconds=4)
        asked = tuple(len(server.requests) for server in servers)
        TAP.ok(status == 0 and asked == wanted and said in text and origin["root_from"] == "disk+network", f"parts from mirrors: {plans}",
           [status, text, origin, asked])
        for server in servers:
            server.__exit__()


def test_dead_mirror_beside_no_parts(work):
    """The root is had whole at once where one mirror is dead and the other one sends no parts."""
    disk = make_disk(work)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = probe.getsockname()[1]
    cases = (["serve", "whole"], ["serve", "416", "serve"], ["serve", "other_end", "other_end", "serve"])
    for plan in cases:
        with Server(site(), plan) as server:
            urls = f"http://127.0.0.1:{dead}/rootfs.squashfs,http://127.0.0.1:{server.port}/rootfs.squashfs"
            status, text, origin = fetch_next(work, urls, disk)
            pauses = 1 if len(plan) > 3 else 0  # one wrong answer may be an accident
            TAP.ok(status == 0 and origin["root_from"] == "network" and text.count("trying again in") == pauses,
               f"a dead mirror, and one that sends no parts: {', '.join(plan)}", [status, text, origin, server.requests])


def test_deaf_mirror(work):
    """A rack cache that swallows packets costs one wait, whatever is fetched from the next one."""
    disk, bare = make_disk(work), {"rootfs.squashfs": NEXT}
    port, sockets = deaf_server()
    for name, content, requests in (("parts", site(), 1 + PARTS), ("the whole, as there is no index", bare, 2)):
        with Server(content) as server:
            started = time.monotonic()
            urls = f"http://127.0.0.1:{port}/rootfs.squashfs,http://127.0.0.1:{server.port}/rootfs.squashfs"
            status, text, origin = fetch_next(work, urls, disk)
            took = time.monotonic() - started
            TAP.ok(status == 0 and text.count("no connection within 5 s") == 1 and len(server.requests) == requests and took < 9,
               f"a mirror that swallows packets costs one wait of 5 s: {name}", [status, text, origin, len(server.requests), took])
    for each in sockets:
        each.close()


# ---- measuring ----

def files_of(role):
    """{name: content} of a published role's root and index."""
    files = {}
    for name in ("rootfs.squashfs", "rootfs.chunks"):
        with open(os.path.join(role, name), "rb") as file:
            files[name] = file.read()
    return files


def measured(what, work, *words):
    started = time.monotonic()
    status, text, origin = run_node(work, *words)
    if status != 0:
        sys.exit(text)
    print(f"{what}: {int(origin['root_fetched_bytes'])} bytes in {origin['root_requests']} requests, "
          f"{int(origin['root_kept_bytes'])} from the disk, {time.monotonic() - started:.1f} s")


def measure(old, new):
    if os.environ.get("KILN_HTTP_NAMESPACE") != "yes":
        user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
        os.environ["KILN_HTTP_NAMESPACE"] = "yes"
        os.execvp("unshare", ["unshare", *user, "--net", sys.executable, os.path.abspath(__file__), old, new])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    before, after = files_of(old), files_of(new)
    root, index = after["rootfs.squashfs"], after["rootfs.chunks"]
    with tempfile.TemporaryDirectory() as work, Server(after) as server:
        disk, to, url = make_disk(work, *before.values()), os.path.join(work, "root"), f"http://127.0.0.1:{server.port}/rootfs.squashfs"
        print(f"the root: {len(root)} bytes, its index: {len(index)}")
        wanted = (url, to, hex_of(root), str(len(root)), "60")
        measured("whole", work, "fetch", *wanted)
        measured("the next build", work, "fetch", "--chunks", f"{hex_of(index)}:{len(index)}", "--kept", disk, *wanted)
        same = before["rootfs.squashfs"]
        measured("the same build", work, "kept-root", disk, to, hex_of(same), str(len(same)))


TESTS = (test_kept_root, test_parts, test_parts_by_digest, test_parts_and_disks, test_parts_of_mirrors,
         test_dead_mirror_beside_no_parts, test_deaf_mirror)

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.partition("\n")[0])
    measure(*sys.argv[1:])
