# SPDX-License-Identifier: MIT
"""Whose boot it is that is seen, whatever the inventory says meanwhile, and what is asked of HTTP beside whole files."""
import os
import socket

from hostile import ROOT, addresses, hold
from rack import ADDRESS, PORT, ip_of, mac_of, wait_for
from tap import check, same

FIRST, SECOND = "00000000000000a1", "00000000000000b2"
ALONE = ("--no-dhcp", "--no-tftp", "--interface", "srv")
KERNEL = "/current/pxe/images/mini/vmlinuz"


def a_boot_begins_without_our_dhcp(world):
    rack, source = world.rack(), ip_of(6)
    rack.build(FIRST)
    addresses(source)
    rack.serve(*ALONE)
    rack.report(source, attempt="a", mac=[mac_of(6)], stage="decided")
    wait_for("more than a second has passed", lambda: (lambda m: rack.get("/api/state").json["now"] - m["last"] > 1500)(rack.machine(name="n6")))
    same(rack.get(KERNEL, source=source).status, 200, "the kernel of its next boot")
    node = rack.machine(name="n6")
    same((node["stage"], node["attempt"], "percent" in node), ("kernel", 2, False), "a machine that boots again, and hangs")
    rack.report(source, attempt="b", mac=[mac_of(6)], stage="initrd")
    same([boot["stage"] for boot in rack.machine(name="n6")["attempts"]], ["initrd", "decided"], "its boots")


def the_printed_configuration_of_a_part(world):
    rack = world.rack()
    rack.build(FIRST)
    place = rack.build(SECOND, current=False)
    os.mkdir(f"{rack.out}/rack/partial")
    os.rename(place, f"{rack.out}/rack/partial/{SECOND}")
    for build in (FIRST, SECOND):
        done = rack.kiln("serve", rack.cluster, build, "--out", rack.out, "--interface", "srv", "--print-config")
        same(done.returncode, 0, done.stderr)
        root = next(line.split("=")[1] for line in done.stdout.splitlines() if line.startswith("tftp-root="))
        files = [line.split(",")[2] for line in done.stdout.splitlines() if line.startswith("dhcp-boot=tag:!ipxe,tag:") and "http:" not in line]
        same(len(files), 2, "loaders that TFTP gives")
        for name in files:
            check(os.path.isfile(f"{root}/{name}"), f"{build}: no {root}/{name}")


def what_http_asks_for(world):
    """RFC 9110 and 9112, where whole files are not all that is asked for."""
    rack = world.rack()
    rack.build(FIRST, root=os.urandom(6 << 20))
    addresses("10.0.200.10", "10.0.200.11")
    rack.serve(*ALONE, "--transfers", "1")
    whole = rack.get(KERNEL)
    size, tag = len(whole.body), whole.headers["ETag"]
    again = rack.get(KERNEL, {"If-None-Match": tag})
    same((again.status, again.headers.get("Content-Length", str(size)), again.body), (304, str(size), b""), "what is there already")
    head = rack.request("HEAD", KERNEL, headers={"Range": "bytes=0-4"})
    same((head.status, head.headers["Content-Length"], "Content-Range" in head.headers), (200, str(size), False), "HEAD has no ranges")
    other = rack.request("DELETE", KERNEL)
    same((other.status, other.headers.get("Allow")), (405, "GET, HEAD, POST"), "another method")
    for value, status, part in (("99999999999999999999999-", 416, b""), ("-99999999999999999999999", 206, whole.body),
                                ("5-99999999999999999999999", 206, whole.body[5:])):
        reply = rack.get(KERNEL, {"Range": f"bytes={value}"})
        same((reply.status, reply.body), (status, part), value)
    for target, host, status in ((f"http://{ADDRESS}:{PORT}{KERNEL}", "evil.example", 200), (f"HTTP://rack{KERNEL}", "rack", 200),
                                 (f"http://{ADDRESS}", ADDRESS, 200), ("http://evil.example/api/state", ADDRESS, 421)):
        got = rack.raw(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        same(got[9:12].decode(), str(status), f"{target} with Host: {host}")
    tag = rack.request("HEAD", ROOT).headers["ETag"]
    connection, status = hold("10.0.200.10", ROOT)
    same((status, rack.get(ROOT, source="10.0.200.11").status), ("200", 503), "the one place, and who comes then")
    same(rack.get(ROOT, {"If-None-Match": tag}, source="10.0.200.11").status, 304, "who has it needs no place")
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()


CASES = [a_boot_begins_without_our_dhcp, the_printed_configuration_of_a_part, what_http_asks_for]
