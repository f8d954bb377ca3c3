# SPDX-License-Identifier: MIT
"""What tests/net plays: for each daemon the same machines. Runs inside the machine (guest), except for names()."""
import json
import os
import re
import socket
import subprocess
import time

A, B, C = "52:54:00:a8:02:47", "52:54:00:00:00:02", "52:54:00:00:00:03"
G, H, I = "52:54:00:00:00:31", "52:54:00:00:00:32", "52:54:00:00:00:33"
D, E, F = "52:54:00:00:00:0d", "52:54:00:00:00:0e", "52:54:00:00:00:0f"  # in no inventory
WAIT_SECONDS = 40
INVENTORY = {
    "format": 1, "cluster": "c", "role": "r", "build": "b", "release": "lab", "strangers": True, "arp_check": False,
    "dhcp_timeout_ms": 20000,
    "networks": [
        {"name": "lan", "subnet": "192.168.2.0/24", "gateway": "192.168.2.1", "dns": ["192.168.2.1"],
         "routes": ["10.99.0.0/16 via 192.168.2.254"], "search": ["example.org"], "mtu": 1450, "prefix6": 64,
         "gateway6": "fd00:1::1"},
        {"name": "store", "subnet": "10.20.0.0/24", "vlan": 20, "mtu": 1400},
        {"name": "data", "subnet": "10.30.0.0/24", "gateway": "10.30.0.1", "prefix6": 64, "gateway6": "fd00:3::1",
         "routes": ["fd00:66::/48 via fd00:3::6"]}],
    "nodes": [
        {"name": "one", "role": "r", "mac": A, "ip": "192.168.2.71", "network": "lan", "interface": "net0",
         "addresses": ["192.168.2.171", "10.20.0.71"]},
        {"name": "two", "role": "r", "mac": "", "ip": "10.20.0.72", "network": "store",
         "bond": {"name": "bond0", "members": [B, C],
                  "options": "mode=802.3ad,lacp_rate=1,xmit_hash_policy=layer3+4"}},
        {"name": "three", "role": "r", "mac": G, "ip": "192.168.2.73", "network": "lan",
         "addresses6": [{"ip": "fd00:1::73", "network": "lan"}], "links": [
            {"mac": H, "interface": "data0", "network": "data", "addresses": ["10.30.0.73", "10.20.0.73"],
             "addresses6": [{"ip": "fd00:3::73", "network": "data"}], "mtu": 1430,
             "routes": ["10.66.0.0/16 via 10.30.0.6"], "dhcp": False, "default_route": False},
            {"mac": I, "addresses": [], "routes": [], "dhcp": True, "default_route": False}]}]}


def ip(*words, ns=None):
    command = ["ip", *(["-n", ns] if ns else []), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


def ask_ip(*words):
    return json.loads(ip("-j", "-d", *words) or "[]")


# ---- what the kernel has ----

def link(name):
    return next((item for item in ask_ip("link") if item["ifname"] == name), {})


def addresses(name):
    return {f"{item['local']}/{item['prefixlen']}" for entry in ask_ip("address") if entry["ifname"] == name
            for item in entry["addr_info"] if item["scope"] == "global"}


def has_route(family, to, via=None, dev=None):
    return any(item["dst"] == to and item.get("gateway") == via and item.get("dev") == dev
               for item in ask_ip(family, "route"))


def defaults(family="-4"):
    return [(item.get("gateway"), item["dev"]) for item in ask_ip(family, "route") if item["dst"] == "default"]


def answers(address):
    """A listener of the other side, so that frames went there and back."""
    try:
        socket.create_connection((address, 7), timeout=2).close()
        return True
    except OSError:
        return False


# ---- the other side ----

def plug(*macs):
    """Cards eth0 and so on, whose cables end in p0 and so on."""
    ip("link", "set", "lo", "up")
    ip("netns", "add", "far")
    for number, mac in enumerate(macs):
        ip("link", "add", f"eth{number}", "address", mac, "type", "veth", "peer", "name", f"p{number}", "netns", "far")
        ip("link", "set", f"p{number}", "up", ns="far")
    ip("link", "set", "lo", "up", ns="far")


def far_address(name, *values):
    for value in values:
        ip("address", "add", value, "dev", name, *(["nodad"] if ":" in value else []), ns="far")


def far_vlan(parent, number):
    ip("link", "add", "link", parent, "name", "farvlan", "type", "vlan", "id", str(number), ns="far")
    ip("link", "set", "farvlan", "up", ns="far")


def start(*command, log):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(log, "ab"), stderr=subprocess.STDOUT)


def listen():
    program = ("import socket\ns = socket.create_server(('::', 7), family=socket.AF_INET6, dualstack_ipv6=True)\n"
               "while True: s.accept()[0].close()")
    start("ip", "netns", "exec", "far", "python3", "-c", program, log="/run/listen.log")


def serve_dhcp(*options):
    start("ip", "netns", "exec", "far", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=",
          "--group=", "--pid-file=", "--leasefile-ro", "--no-ping", "--log-dhcp", *options, log="/run/dnsmasq.log")


# ---- daemons ----

def wait_for(path):
    for _ in range(200):
        if os.path.exists(path):
            return
        time.sleep(0.1)
    raise RuntimeError(f"there is no {path} after 20 s")


def ask_udev():
    """As at boot: every card once more."""
    subprocess.run(["udevadm", "trigger", "--settle", "--action=add", "--subsystem-match=net"], check=True)


def start_udev():
    # Debian's NetworkManager leaves veth of other names than eth0 to containers.
    os.symlink("/dev/null", "/etc/udev/rules.d/85-nm-unmanaged.rules")
    start("/lib/systemd/systemd-udevd", log="/run/udev.log")
    wait_for("/run/udev/control")
    subprocess.run(["udevadm", "control", "--ping"], check=True)
    ask_udev()


def start_networkd():
    for name in ("links", "leases", "lldp"):
        os.makedirs(f"/run/systemd/netif/{name}")
    subprocess.run(["chown", "-R", "systemd-network:", "/run/systemd/netif"], check=True)
    start("/lib/systemd/systemd-networkd", log="/run/daemon.log")


def start_manager():
    os.makedirs("/run/dbus", exist_ok=True)
    with open("/run/dbus.conf", "w", encoding="ascii") as stream:
        stream.write('<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>'
                     '<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>'
                     '<allow send_type="method_call"/></policy></busconfig>')
    with open("/run/nm.conf", "w", encoding="ascii") as stream:
        stream.write("[main]\nplugins=keyfile\nno-auto-default=*\ndhcp=internal\nrc-manager=unmanaged\n[logging]\nlevel=INFO\n")
    start("dbus-daemon", "--config-file=/run/dbus.conf", "--nofork", "--nopidfile", log="/run/dbus.log")
    wait_for("/run/dbus/system_bus_socket")
    start("NetworkManager", "--debug", "--config=/run/nm.conf",
          log="/run/daemon.log")


DAEMONS = {"systemd-networkd": start_networkd, "NetworkManager": start_manager}


class Failed(Exception):
    """The rest of the scenario would only wait for what does not come."""


class Machine:
    def __init__(self, program, writer, say):
        self.program, self.writer, self.say = program, writer, say

    def check(self, what, condition, limit=0):
        """`condition` until it is true, or for `limit` seconds."""
        end = time.monotonic() + limit
        while not (good := condition()) and time.monotonic() < end:
            time.sleep(0.3)
        self.say(f"{'ok' if good else 'not ok'} {what}")
        if not good:
            for text in (ip("-br", "-d", "link") + ip("-br", "address") + ip("route") + ip("-6", "route")).splitlines():
                self.say("  " + text)
            self.show("/run/daemon.log")
            raise Failed

    def show(self, path):
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as stream:
                for text in stream.read().splitlines()[-40:]:
                    self.say("  " + text)

    def apply(self, words):
        with open("/run/cmdline", "w", encoding="ascii") as stream:
            stream.write(words + "\n")
        done = subprocess.run([self.program, "apply", "--root", "/", "--cmdline", "/run/cmdline"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        for text in done.stdout.splitlines():
            self.say("  " + text)
        return done

    def configure(self, words, **changes):
        os.makedirs("/etc/kiln", exist_ok=True)
        for folder in ("/etc/systemd/network", "/etc/NetworkManager/system-connections"):
            for name in os.listdir(folder):
                os.unlink(f"{folder}/{name}")
        with open("/etc/kiln/node.json", "w", encoding="utf-8") as stream:
            json.dump({**INVENTORY, "network_writer": self.writer, **changes}, stream)
        start_udev()
        listen()
        done = self.apply(words)
        self.address = re.search(r" ip=(\S+)", done.stdout + " ip=none").group(1)
        self.check("kiln-node configures it", lambda: done.returncode == 0)
        DAEMONS[self.writer]()

    def apply_again(self, words):
        done = self.apply(words)
        self.check("a second run changes nothing", lambda: done.returncode == 0 and " 0 files changed" in done.stdout)


# ---- scenarios ----

def static(machine):
    """Two addresses, IPv6, a route, an MTU, a VLAN, and a card that gets its name."""
    plug(A, E, F)
    far_address("p0", "192.168.2.1/24", "192.168.2.254/24", "2001:db8::1/64")
    far_vlan("p0", 20)
    far_address("farvlan", "10.20.0.1/24")
    words = "ip=[2001:db8::71]::[2001:db8::1]:64::net0:none"
    machine.configure(words)
    machine.check("the card of the MAC has the name", lambda: link("net0").get("address") == A and not link("eth0"))
    machine.check("addresses", lambda: {"192.168.2.71/24", "192.168.2.171/24", "2001:db8::71/64"} == addresses("net0"),
                  WAIT_SECONDS)
    machine.check("the VLAN", lambda: link("net0.20").get("linkinfo", {}).get("info_data", {}).get("id") == 20
                  and link("net0.20").get("link") == "net0" and addresses("net0.20") == {"10.20.0.71/24"}, WAIT_SECONDS)
    machine.check("MTUs", lambda: link("net0").get("mtu") == 1450 and link("net0.20").get("mtu") == 1400, 10)
    machine.check("routes", lambda: defaults() == [("192.168.2.1", "net0")] and defaults("-6") == [("2001:db8::1", "net0")]
                  and has_route("-4", "10.99.0.0/16", "192.168.2.254", "net0"), 10)
    machine.check("frames go there and back, on the VLAN and with IPv6",
                  lambda: answers("192.168.2.1") and answers("10.20.0.1") and answers("2001:db8::1"), WAIT_SECONDS)
    machine.check("other cards are left alone", lambda: not addresses("eth1") and not addresses("eth2"))
    machine.apply_again(words)
    ask_udev()
    machine.check("udev, asked again, leaves the name", lambda: link("net0").get("address") == A)


def bond(machine):
    """The node's address on a VLAN of two cards in one link, with LACP."""
    plug(D, B, C)
    ip("link", "add", "farbond", "type", "bond", "mode", "802.3ad", "lacp_rate", "fast", "miimon", "100", ns="far")
    for name in ("p1", "p2"):
        ip("link", "set", name, "down", ns="far")
        ip("link", "set", name, "master", "farbond", ns="far")
    ip("link", "set", "farbond", "up", ns="far")
    far_vlan("farbond", 20)
    far_address("farvlan", "10.20.0.1/24")
    machine.configure("")
    data = lambda: link("bond0").get("linkinfo", {}).get("info_data", {})  # noqa: E731
    machine.check("the bond's options", lambda: data().get("mode") == "802.3ad" and data().get("ad_lacp_rate") == "fast"
                  and data().get("xmit_hash_policy") == "layer3+4" and data().get("miimon") == 100, WAIT_SECONDS)
    machine.check("members", lambda: link("eth1").get("master") == link("eth2").get("master") == "bond0"
                  and "master" not in link("eth0"), WAIT_SECONDS)
    machine.check("the bond shows the first card's MAC", lambda: link("bond0").get("address") == B)
    machine.check("the address is on its VLAN", lambda: addresses("bond0.20") == {"10.20.0.72/24"} and
                  link("bond0.20").get("mtu") == 1400 and not addresses("bond0"), WAIT_SECONDS)
    machine.check("frames go there and back", lambda: answers("10.20.0.1"), WAIT_SECONDS)
    ip("link", "set", "p1", "down", ns="far")
    machine.check("and go on when a cable breaks", lambda: answers("10.20.0.1"), WAIT_SECONDS)
    ip("link", "set", "p1", "up", ns="far")
    machine.apply_again("")


def dhcp(machine):
    """A stranger: the lease's routes, not its router; a second card by DHCP takes no default route; IPv6 by advertisement."""
    plug(D, E, F)
    far_address("p2", "172.16.5.1/24", "fd00:5::1/64")
    far_address("p1", "172.16.6.1/24")
    serve_dhcp("--bind-dynamic", "--interface=p2", "--interface=p1", "--dhcp-range=172.16.5.50,172.16.5.60,1h",
               "--dhcp-range=172.16.6.50,172.16.6.60,1h", "--dhcp-range=fd00:5::,ra-only", "--enable-ra",
               "--dhcp-option=tag:p2,121,0.0.0.0/0,172.16.5.9,10.77.0.0/16,172.16.5.8",
               "--dhcp-option=tag:p2,option:dns-server,172.16.5.3")
    words = f"ip=eth2:dhcp ip=eth2:auto6 ip=up1:dhcp ifname=up1:{E} rd.route=10.88.0.0/16:172.16.5.7:eth2 BOOTIF=01-{F.replace(':', '-')}"
    machine.configure(words)
    one = lambda name, start: any(a.startswith(start) for a in addresses(name))  # noqa: E731
    machine.check("the address that kiln-node had", lambda: machine.address in addresses("eth2") and one("eth2", "172.16.5."),
                  WAIT_SECONDS)
    machine.check("an address of the second pool, under the new name", lambda: one("up1", "172.16.6."), WAIT_SECONDS)
    machine.check("an address of the router's prefix", lambda: one("eth2", "fd00:5:"), WAIT_SECONDS)
    machine.check("the default route is of option 121", lambda: defaults() == [("172.16.5.9", "eth2")], 10)
    machine.check("the other routes", lambda: has_route("-4", "10.77.0.0/16", "172.16.5.8", "eth2")
                  and has_route("-4", "10.88.0.0/16", "172.16.5.7", "eth2"), 10)


def duid(machine):
    """One client, one lease, also for who asks by DUID: the server keeps it for that."""
    plug(D)
    far_address("p0", "172.16.7.1/24")
    identifier = "ff:00:00:00:0d:00:03:00:01:" + D  # of RFC 4361: the machine has no UUID
    serve_dhcp("--bind-dynamic", "--interface=p0", "--dhcp-range=172.16.7.50,172.16.7.60,1h",
               f"--dhcp-host=id:{identifier},172.16.7.99,keeper")
    machine.configure("", dhcp_client_id="duid")
    machine.check("the reservation's address", lambda: machine.address == "172.16.7.99/24"
                  and addresses("eth0") == {machine.address}, WAIT_SECONDS)


def links(machine):
    """Three cards, each with a network of its own: the node's, another one and a VLAN on it, and one by DHCP."""
    plug(H, G, I)
    far_address("p1", "192.168.2.1/24", "192.168.2.254/24", "fd00:1::1/64")
    far_address("p0", "10.30.0.1/24", "10.30.0.6/24", "fd00:3::1/64")
    far_vlan("p0", 20)
    far_address("farvlan", "10.20.0.1/24")
    far_address("p2", "172.16.8.1/24")
    serve_dhcp("--bind-dynamic", "--interface=p2", "--dhcp-range=172.16.8.50,172.16.8.60,1h")
    machine.configure("")
    machine.check("the node's address", lambda: addresses("eth1") == {"192.168.2.73/24", "fd00:1::73/64"}, WAIT_SECONDS)
    machine.check("the second card has its name, address and MTU", lambda: link("data0").get("address") == H
                  and addresses("data0") == {"10.30.0.73/24", "fd00:3::73/64"} and link("data0").get("mtu") == 1430, WAIT_SECONDS)
    machine.check("the VLAN on it", lambda: link("data0.20").get("link") == "data0"
                  and addresses("data0.20") == {"10.20.0.73/24"}, WAIT_SECONDS)
    machine.check("the third card has what DHCP gave it",
                  lambda: any(a.startswith("172.16.8.") for a in addresses("eth2")), WAIT_SECONDS)
    machine.check("one default route, and the further link's own", lambda: defaults() == [("192.168.2.1", "eth1")]
                  and has_route("-4", "10.66.0.0/16", "10.30.0.6", "data0") and defaults("-6") == [("fd00:1::1", "eth1")]
                  and has_route("-6", "fd00:66::/48", "fd00:3::6", "data0"), 10)
    machine.check("frames go there and back on each", lambda: answers("192.168.2.1") and answers("10.30.0.1")
                  and answers("10.20.0.1") and answers("172.16.8.1") and answers("fd00:1::1") and answers("fd00:3::1"), WAIT_SECONDS)
    machine.apply_again("")


def swap(machine):
    """Two cards that the kernel found in the other order change places."""
    plug(D, E)
    far_address("p1", "192.168.9.1/24")
    words = f"kiln.ip=192.168.9.5/24 ip=192.168.9.5::192.168.9.1:24::eth0:none ifname=eth1:{D} ifname=eth0:{E}"
    machine.configure(words)
    machine.check("names", lambda: link("eth0").get("address") == E and link("eth1").get("address") == D)
    machine.check("the address is on the card that is meant", lambda: addresses("eth0") == {"192.168.9.5/24"}, WAIT_SECONDS)
    machine.check("frames go there and back", lambda: answers("192.168.9.1"), WAIT_SECONDS)
    machine.apply_again(words)


SCENARIOS = (static, bond, dhcp, duid, links, swap)


def names():
    return [f"{writer}-{scenario.__name__}" for writer in DAEMONS for scenario in SCENARIOS]


def play(name, program, say):
    if name == "nothing":
        plug(A)
        ip("link", "add", "link", "eth0", "name", "eth0.1", "type", "vlan", "id", "1")
        ip("link", "add", "bond0", "type", "bond")
        say("ok up")
        return
    writer, scenario = name.rsplit("-", 1)
    try:
        next(item for item in SCENARIOS if item.__name__ == scenario)(Machine(program, writer, say))
    except Failed:
        pass
    say("end")
