# SPDX-License-Identifier: MIT
"""Clients that take all they can get, that say what is not theirs to say, and pages of other sites."""
import json
import os
import re
import shutil
import socket
import subprocess
import time

from rack import ADDRESS, PORT, mac_of, ip_of, wait_for
from tap import check, same

FIRST = "00000000000000a1"
ROOT = "/current/mini/rootfs.squashfs"


def addresses(*texts):
    for text in texts:
        subprocess.run(["ip", "addr", "add", f"{text}/32", "dev", "lo"], check=True)


def hold(source, url, agent="kiln-node", more=""):
    """A connection that has asked for something and reads no more than the head's beginning; with its status."""
    connection = socket.create_connection((ADDRESS, PORT), timeout=20, source_address=(source, 0))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(f"GET {url} HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n{more}\r\n".encode())
    return connection, connection.recv(12)[9:].decode()


def one_address_gets_its_share(world):
    rack = world.rack()
    rack.build(FIRST, root=os.urandom(8 << 20))
    greedy, other = "10.0.200.10", "10.0.200.11"
    addresses(greedy, other)
    rack.serve("--no-dhcp", "--no-tftp", "--interface", "srv", "--transfers", "8")
    for agent in ("kiln-node", "iPXE/1.21.1", "GRUB 2.06"):
        held = [hold(greedy, ROOT, agent) for _ in range(5)]
        same([status for _, status in held], ["200", "200", "503", "503", "503"], f"five roots for one {agent}")
        connection, status = hold(other, ROOT)
        same(status, "200", "a root for another address")
        for one in [*(connection for connection, _ in held), connection]:
            one.close()
        wait_for("no transfer is left", lambda: rack.get("/api/state").json["transfers"] == 0)
    held = [hold(greedy, "/api/events") for _ in range(10)]
    same([status for _, status in held], ["200"] * 8 + ["503"] * 2, "ten event streams for one address")
    same(hold(other, "/api/events")[1], "200", "an event stream for another address")
    for connection, _ in held:
        connection.close()
    statuses = [rack.report(source=greedy, attempt="a", mac=[mac_of(50)], stage="initrd").status for _ in range(300)]
    check(set(statuses[:100]) == {204} and 429 in statuses, f"300 reports at once: {statuses}")
    same(rack.report(source=other, attempt="a", mac=[mac_of(51)], stage="initrd").status, 204, "a report of another address")
    connections, refused = [], 0
    for _ in range(300):
        connection = socket.create_connection((ADDRESS, PORT), timeout=10, source_address=(greedy, 0))
        connections.append(connection)
    for connection in connections:
        try:
            connection.sendall(b"GET /current/pxe/boot.ipxe HTTP/1.1\r\nHost: a\r\n\r\n")
            refused += not connection.recv(12)
        except ConnectionError:
            refused += 1
    check(30 <= refused <= 60, f"{refused} of 300 connections of one address were refused, not about 44")
    same(rack.get("/current/pxe/boot.ipxe", source=other).status, 200, "a file for another address")


def bodies_that_fill_the_memory(world):
    rack = world.rack()
    rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp")
    held, size = [], 256 << 10
    for _ in range(64):  # 16 MB, each without its last byte
        connection = socket.create_connection((ADDRESS, PORT), timeout=20)
        connection.sendall(f"POST /report HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode())
        connection.sendall(b" " * (size - 1))
        held.append(connection)
    report = json.dumps({"version": 1, "stage": "initrd", "attempt": "a", "mac": [mac_of(1)]}).encode()
    reply = wait_for("no room is left", lambda: (lambda found: found if found.status == 503 else None)(rack.request("POST", "/report", report)))
    check(int(reply.headers["Retry-After"]) >= 1, reply.headers)
    same(rack.request("POST", "/report", b"x" * (size + 1)).status in (413, 503), True, "a body that is too large as well")
    fleet = rack.request("POST", "/v1/pre-reboot", b"{}" + b" " * 100, {"fleet-lock-protocol": "true"})
    same((fleet.status, fleet.json["kind"]), (503, "busy"), "FleetLock")
    for connection in held:
        connection.close()
    wait_for("there is room again", lambda: rack.request("POST", "/report", report).status == 204)
    same(rack.request("POST", "/report", b"x" * (size + 1)).status, 413, "a body that is too large")


def a_slow_one_gives_its_place_to_others(world):
    rack = world.rack()
    rack.build(FIRST, root=os.urandom(8 << 20))
    addresses("10.0.200.10", "10.0.200.11")
    rack.serve("--no-dhcp", "--no-tftp", "--interface", "srv", "--transfers", "1")
    slow, status = hold("10.0.200.10", ROOT)
    same(status, "200", "the slow one")
    same(rack.get(ROOT, source="10.0.200.11").status, 503, "another one beside it")
    wait_for("another one gets its place", lambda: rack.get(ROOT, source="10.0.200.11").status == 200, 30)
    state = rack.get("/api/state").json
    same(state["transfers"], 0, "places that are taken")
    got = 0
    while got < 100000 and (part := slow.recv(1 << 16)):
        got += len(part)
    check(got >= 100000, f"the slow one got only {got} bytes more")


def parts_of_a_root(world):
    """Who asks for a part waits for parts, is not told how far a whole root would be, and gets no whole root past the line."""
    rack = world.rack()
    rack.build(FIRST, root=bytes(160 << 20))
    part = {"Range": f"bytes={150 << 20}-{(156 << 20) - 1}"}
    addresses(ip_of(1), ip_of(2), ip_of(3))
    rack.serve("--no-dhcp", "--no-tftp", "--interface", "srv", "--transfers", "1", "--uplink", "100M")
    rack.report(source=ip_of(1), attempt="a", mac=[mac_of(1)], stage="initrd")
    first, status = hold(ip_of(1), ROOT, more=f"Range: {part['Range']}\r\n")
    same(status, "206", "the first part")
    reply = rack.get(ROOT, part, source=ip_of(2))
    same((reply.status, reply.headers["Retry-After"]), (503, "1"), "another part of 6 MB, by 100 Mbit/s")
    time.sleep(1)  # the server looks how far each is
    machine = rack.machine(name="n1")
    same((machine["stage"], machine.get("percent")), ("root", None), "what is known of who fetches a part")
    small = {"Range": "bytes=0-99"}
    same(rack.get(ROOT, small, source=ip_of(2)).status, 206, "a small part beside it")
    same(rack.get(ROOT, {"Range": f"bytes={(160 << 20) - 100}-"}, source=ip_of(2)).status, 206, "the end of a root")
    same(rack.get(ROOT, {**small, "If-Range": '"x"'}, source=ip_of(3)).status, 503, "a whole root by a condition that does not hold")
    first.close()


def files_that_cannot_be_opened_are_not_absent(world):
    rack = world.rack(nodes=1000)
    rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp", "--user", "root")  # whose limits may be changed from outside
    with open(f"/proc/{rack.process.pid}/limits", encoding="utf-8") as limits:
        soft = int(re.search(r"Max open files\s+(\d+)", limits.read()).group(1))
    check(soft >= 16000, f"{soft} open files are not enough for 8,192 connections")
    time.sleep(0.5)  # what answered before is closed
    used = {int(name) for name in os.listdir(f"/proc/{rack.process.pid}/fd")}
    free = [number for number in range(1000) if number not in used]
    for number, statuses in ((free[1], {503}), (1024, {200})):  # room for a connection, and for its file, too
        subprocess.run(["prlimit", f"--pid={rack.process.pid}", f"--nofile={number}:"], check=True)
        same({rack.get("/current/pxe/boot.ipxe").status for _ in range(3)}, statuses, f"with {number} descriptors")
        time.sleep(0.3)


def pages_of_other_sites_get_nothing(world):
    rack = world.rack(more=", search: [lab.example.com]")
    rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp")
    body = json.dumps({"version": 1, "stage": "decided", "attempt": "x", "mac": [mac_of(1)]}).encode()
    own = f"http://{ADDRESS}:{PORT}"
    for headers, status in (({"Content-Type": "text/plain"}, 415), ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
                            ({"Content-Type": ""}, 415), ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
                            ({"Origin": f"http://{ADDRESS}:8081"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
                            ({"Sec-Fetch-Site": "same-site"}, 403), ({"Host": "evil.example:8080"}, 421), ({"Host": f"{ADDRESS}.evil.example"}, 421)):
        same(rack.request("POST", "/report", body, headers).status, status, f"a report with {headers}")
    same(rack.machine(name="n1")["stage"], "none", "what those reports did")
    for headers in ({"Origin": own}, {"Sec-Fetch-Site": "same-origin"}, {"Content-Type": "application/json; charset=utf-8"}, {"Host": "kiln"},
                    {"Host": "boot.lab.example.com:8080"}):
        same(rack.request("POST", "/report", body, headers).status, 204, f"a report with {headers}")
    for url in ("/api/state", "/api/machine?name=n1", "/api/events"):
        for headers, status in (({"Host": "evil.example"}, 421), ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Origin": "http://evil.example"}, 403)):
            same(rack.get(url, headers).status, status, f"{url} with {headers}")
    same(rack.get("/", {"Host": "evil.example"}).status, 421, "the page by another name")
    same(rack.get("/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status, 200, "a link to the page")
    same(rack.get("/metrics", {"Host": "evil.example"}).status, 200, "sums")
    same(rack.get("/current/pxe/boot.ipxe", {"Host": "boot.evil.example"}).status, 200, "a file, for firmware that knows another name")
    for url in ("/", "/api/state", "/metrics", "/current/pxe/boot.ipxe", "/nothing"):
        headers = rack.get(url).headers
        same((headers.get("X-Content-Type-Options"), headers.get("Referrer-Policy"), headers.get("Cross-Origin-Resource-Policy")),
             ("nosniff", "no-referrer", "same-origin"), f"headers of {url}")
        check("Access-Control-Allow-Origin" not in headers, headers)
    policy = rack.get("/").headers["Content-Security-Policy"]
    check("default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy, policy)


def nobody_speaks_for_others(world):
    rack = world.rack()
    rack.build(FIRST)
    addresses(ip_of(1), ip_of(2), "10.0.200.10", "192.168.7.7")
    rack.serve("--no-dhcp", "--no-tftp", "--interface", "srv")
    for source, index, status in ((ip_of(1), 2, 403), (ip_of(2), 1, 403), ("192.168.7.7", 1, 403), (ip_of(1), 99, 403), ("192.168.7.7", 99, 403),
                                  (ip_of(1), 1, 204), ("10.0.200.10", 2, 204), ("10.0.200.10", 99, 204), (ADDRESS, 3, 204)):
        same(rack.report(source=source, attempt="a", mac=[mac_of(index)], stage="initrd").status, status, f"{source} about n{index}")
    same(rack.report(source=ip_of(1), attempt="b", node="n2", stage="refused", text="lies").status, 403, "by name")
    same(rack.machine(name="n2")["stage"], "initrd", "the node that was spoken of")
    rack.get(f"/current/pxe/mac/{mac_of(5).replace(':', '-')}.ipxe", source=ip_of(1))
    same(rack.machine(name="n5")["stage"], "none", "a node whose file another one asked for")
    machine = rack.machine(name="n3")
    same(machine["ip"], ip_of(3), "the address of a node of which this machine spoke")


def a_flood_of_invented_cards(world):
    """What one address may say in a while, and what the page's text takes with a full network and as many strangers as are kept."""
    rack = world.rack(nodes=2000)
    rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp")
    for first in range(0, 3000, 10):
        for index in range(first, first + 10):
            rack.report(mac=[f"52:54:01:00:{index >> 8:02x}:{index & 255:02x}"], stage="initrd")
    started = time.monotonic()
    state = rack.get("/api/state").json
    print(f"the state of {state['count']} machines: {time.monotonic() - started:.2f} s")
    same(state["count"], 2000 + 1024, "known and unknown machines")
    same(sum(machine["known"] for machine in state["machines"]), 2000, "machines of the inventory")


def paths_that_mean_something_to_dnsmasq(world):
    rack = world.rack()
    rack.build(FIRST)
    for name in ("a,b", "a\nlog-queries", 'a"b', "a#b", "a\\b", "a "):
        state = f"{world.base}/{name}"
        done = rack.kiln("serve", rack.cluster, "--out", rack.out, "--state", state)
        check(done.returncode == 2 and "--state" in done.stderr, f"{name!r}: {done.returncode}\n{done.stderr}")
        check(not os.path.exists(state), f"{name!r} was made")
    out = f"{world.base}/out,x"
    shutil.copytree(rack.out, out, symlinks=True)
    done = rack.kiln("serve", rack.cluster, "--out", out, "--print-config")
    check(done.returncode == 2 and "--out" in done.stderr and not done.stdout, done.stderr)
    rack.state = f"{world.base}/it's a=b & (c)"
    rack.serve()
    got = subprocess.run(["curl", "-sf", f"tftp://{ADDRESS}/{FIRST}/pxe/undionly.kpxe"], capture_output=True, text=True, check=False)
    check(got.stdout.startswith(f"undionly.kpxe of {FIRST}"), f"TFTP from {rack.state}: {got.stdout}")


CASES = [one_address_gets_its_share, bodies_that_fill_the_memory, a_slow_one_gives_its_place_to_others, parts_of_a_root, files_that_cannot_be_opened_are_not_absent,
         pages_of_other_sites_get_nothing, nobody_speaks_for_others, a_flood_of_invented_cards, paths_that_mean_something_to_dnsmasq]
