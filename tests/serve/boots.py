# SPDX-License-Identifier: MIT
"""Whose boot it is that is seen, whatever the inventory says meanwhile, and what is asked of HTTP beside whole files."""
import json
import os
import signal
import socket
import subprocess

from hostile import ROOT, addresses, hold
from rack import ADDRESS, PORT, ip_of, mac_of, wait_for
from tap import check, same

FIRST, SECOND = "00000000000000a1", "00000000000000b2"
ALONE = ("--no-dhcp", "--no-tftp", "--interface", "srv")
KERNEL = "/current/pxe/images/mini/vmlinuz"


def machines(rack):
    """What is known of each, by its name, or by its card if it has none."""
    return {m.get("name", m.get("mac")): m for m in rack.get("/api/state").json["machines"]}


def texts(rack):
    return {name: m.get("text") for name, m in machines(rack).items() if m["stage"] != "none"}


def inventory(rack, lines):
    with open(rack.cluster, encoding="utf-8") as stream:
        head = stream.read().split("nodes:\n")[0]
    with open(rack.cluster + ".new", "w", encoding="utf-8") as stream:
        stream.write(head + "nodes:\n" + "".join(f"  - {{role: mini, {line}}}\n" for line in lines))
    os.rename(rack.cluster + ".new", rack.cluster)


def take(rack, lines):
    """Another inventory, and what stays of it over restarts."""
    times = rack.log().count("took the inventory anew")
    inventory(rack, lines)
    wait_for("the inventory is taken", lambda: rack.log().count("took the inventory anew") > times)
    before = texts(rack)
    for number in (signal.SIGKILL, signal.SIGTERM):
        rack.stop(number)
        rack.serve(*ALONE)
        same(texts(rack), before, f"what is known after a restart by {number.name}")
    return before


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


def what_was_seen_stays_with_the_cards(world):
    rack = world.rack()
    rack.build(FIRST)
    rack.serve(*ALONE)
    for name, card in (("zero", 0), ("one", 1)):
        rack.report(attempt=name, mac=[mac_of(card)], stage="refused", text=name)
    nodes = [f'name: a, mac: "{mac_of(0)}", ip: 10.0.1.0', f'name: b, mac: "{mac_of(1)}", ip: 10.0.1.1']
    same(take(rack, nodes), {"a": "zero", "b": "one"}, "other names")
    nodes = [f'name: b, mac: "{mac_of(0)}", ip: 10.0.1.0', f'name: a, mac: "{mac_of(1)}", ip: 10.0.1.1']
    same(take(rack, nodes), {"b": "zero", "a": "one"}, "names that are swapped")
    nodes = [f'name: b, mac: "{mac_of(7)}", ip: 10.0.1.0', nodes[1]]
    same(take(rack, nodes), {"b": "zero", "a": "one"}, "a card that is replaced")
    nodes = [nodes[0], f'name: a, mac: "{mac_of(8)}", ip: 10.0.1.1', f'name: c, mac: "{mac_of(1)}", ip: 10.0.1.2']
    same(take(rack, nodes), {"b": "zero", "c": "one"}, "a card that is another node's now")
    same(take(rack, [*nodes[:2], "name: none, ip: 10.0.1.3"]), {"b": "zero", mac_of(1): "one"}, "a node that is gone, and one without a card")
    addresses("10.0.1.3")
    rack.report("10.0.1.3", attempt="n", node="none", stage="refused", text="none")
    same(texts(rack)["none"], "none", "a node without a card")
    same(take(rack, nodes[:2]), {"b": "zero", mac_of(1): "one"}, "what is left when it has gone")


def what_names_no_card_stays_with_it(world):
    """A report that says a name is its node's, whatever has that name when the journal is read."""
    rack = world.rack()
    rack.build(FIRST)
    nodes = [f'name: a, mac: "{mac_of(0)}", ip: 10.0.1.0', f'name: b, mac: "{mac_of(1)}", ip: 10.0.1.1']
    rack.serve(*ALONE)
    take(rack, nodes)
    for name in "ab":
        rack.report(attempt=name, node=name, stage="refused", text=name)
    same(texts(rack), {"a": "a", "b": "b"}, "reports that say names")
    swapped = [nodes[0].replace(mac_of(0), mac_of(1)), nodes[1].replace(mac_of(1), mac_of(0))]
    same(take(rack, swapped), {"a": "b", "b": "a"}, "cards that are swapped")
    for name in "ab":
        rack.report(attempt=name + "2", node=name, stage="refused", text=name)
    same(take(rack, swapped[:1]), {"a": "a", mac_of(0): "b"}, "a node that is gone")
    rack.report(attempt="a3", node="a", stage="refused", text="new")
    rack.stop()
    inventory(rack, nodes)
    rack.serve(*ALONE)
    same(texts(rack), {"a": "b", "b": "new"}, "cards that are swapped while it does not run")


def what_is_not_sent_loads_nothing(world):
    """Who asks whether a file has changed, or for what is behind its end, is no boot loader."""
    rack, source = world.rack(), ip_of(6)
    rack.build(FIRST)
    addresses(source)
    rack.serve(*ALONE)
    tag = rack.request("HEAD", KERNEL).headers["ETag"]
    rack.report(source, attempt="a", mac=[mac_of(6)], stage="healthy")
    wait_for("more than a second has passed", lambda: (lambda m: rack.get("/api/state").json["now"] - m["last"] > 1500)(rack.machine(name="n6")))
    same(rack.get(KERNEL, {"If-None-Match": tag}, source=source).status, 304, "what it has already")
    same(rack.get(KERNEL, {"Range": "bytes=99999999-"}, source=source).status, 416, "what is not there")
    node = rack.machine(name="n6")
    same((node["stage"], node["attempt"]), ("healthy", 1), "a node that runs")


def each_card_of_a_node_is_known(world):
    rack, line = world.rack(), '  - {name: two, role: mini, mac: "%s", ip: 10.0.9.1, links: [{mac: "%s", ip: 10.0.9.2}]}'
    rack.build(FIRST)
    rack.write_inventory([line % (mac_of(0x900), mac_of(0x901))])
    rack.serve(*ALONE)
    rack.report(attempt="b", mac=[mac_of(0x901)], stage="initrd")
    same(machines(rack)["two"]["stage"], "initrd", "a node that boots from its second card")
    check(all(m["known"] for m in machines(rack).values()), "the second card is an unknown machine's")


def the_line_to_paste_has_a_free_address(world):
    rack = world.rack(nodes=2)
    rack.build(FIRST)
    for own, free in (("10.0.1.2", "10.0.1.3"), ("10.0.0.9", "10.0.1.2")):
        subprocess.run(["ip", "addr", "add", f"{own}/16", "dev", "srv"], check=True)
        rack.serve("--no-dhcp", "--no-tftp", "--listen", own, wait=False)
        report = json.dumps({"version": 1, "mac": ["52:54:00:ff:ff:ff"], "attempt": "a", "stage": "initrd"})
        ask = ["curl", "-sf", "-H", "Content-Type: application/json", "-d", report, f"http://{own}:{PORT}/report"]
        wait_for("it takes a report", lambda: subprocess.run(ask, check=False).returncode == 0)  # pylint: disable=cell-var-from-loop
        state = subprocess.run(["curl", "-sf", f"http://{own}:{PORT}/api/state"], capture_output=True, check=True).stdout
        lines = [m["yaml"] for m in json.loads(state)["machines"] if "yaml" in m]
        same(lines, ['- {name: NAME, role: ROLE, mac: "52:54:00:ff:ff:ff", ip: %s}' % free], f"served from {own}")
        rack.stop()


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


CASES = [a_boot_begins_without_our_dhcp, what_was_seen_stays_with_the_cards, what_names_no_card_stays_with_it,
         what_is_not_sent_loads_nothing, each_card_of_a_node_is_known, the_line_to_paste_has_a_free_address,
         the_printed_configuration_of_a_part, what_http_asks_for]
