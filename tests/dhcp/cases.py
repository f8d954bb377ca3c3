# SPDX-License-Identifier: MIT
"""What the DHCP client has to get right. A case builds its part of the network and says what it expects."""
import inspect
import os
import re
import sys
import threading
import time

import lan
from lan import NODE_MAC, STRANGER_MAC, Client, Machine, Server, command, dhcpd, dnsmasq

CASES = []
POOL = "--dhcp-range=192.168.2.150,192.168.2.160,255.255.255.0,1h"
ASKED = {"dhcp_options": {"node": "224", "role": "225", "id": "226"}}


def case(function):
    CASES.append(function)
    return function


class World:
    """The machines and servers of one case."""

    def __init__(self):
        self.machines, self.servers = [], []

    def machine(self, *words, **options):
        self.machines.append(Machine(*words, **options))
        return self.machines[-1]

    def serve(self, start, *words, **options):
        self.servers.append(start(*words, **options))
        return self.servers[-1]

    def node(self, mac=STRANGER_MAC, **options):
        return Client(self.machine("node", mac=mac, **options))

    def server(self, name="one", address="192.168.2.1/24"):
        return self.machine(name, address=address)

    def hostile(self, behaviour):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hostile.py")
        self.serve(Server, self.server(), "DHCP, hostile", sys.executable, script, "eth0", behaviour)
        return self.node()

    def close(self):
        for server in self.servers:
            server.stop()
        for machine in self.machines:
            machine.remove()


def expect(actual, expected):
    if actual != expected:
        line = inspect.stack()[1].lineno
        raise AssertionError(f"cases.py:{line}: {actual!r} instead of {expected!r}")


def only_lease(answer):
    if len(answer["leases"]) != 1:
        raise AssertionError(f"one lease was expected: {answer}")
    return answer["leases"][0]


def expect_lease(answer, **expected):
    lease = only_lease(answer)
    expect({key: lease[key] for key in expected}, expected)
    return lease


def in_pool(lease):
    return 150 <= int(lease["address"].rsplit(".", 1)[1]) <= 160


# ---- what each of the two servers says ----

SUBNET = "subnet 192.168.2.0 netmask 255.255.255.0 {{ range 192.168.2.150 192.168.2.160; {} }}\n"
FULL_LEASE = dict(address="192.168.2.71", prefix=24, router="192.168.2.254", dns=["192.168.2.1", "192.168.2.2"],
                  hostname="master101", domain="example.com", lease_s=3600, mtu=1400,
                  routes=["10.1.0.0/16 via 192.168.2.3", "0.0.0.0/0 via 192.168.2.254"],
                  search=["a.example.com", "b.a.example.com", "example.org"], node="master101", role="master", id=3)


@case
def dnsmasq_says_all(world):
    world.serve(dnsmasq, world.server(), POOL, f"--dhcp-host={NODE_MAC},192.168.2.71,master101", "--domain=example.com",
                "--dhcp-option=option:router,192.168.2.9", "--dhcp-option=option:dns-server,192.168.2.1,192.168.2.2",
                "--dhcp-option=option:mtu,1400", "--dhcp-option=option:classless-static-route,10.1.0.0/16,192.168.2.3,"
                "0.0.0.0/0,192.168.2.254", "--dhcp-option=option:domain-search,a.example.com,b.a.example.com,example.org",
                "--dhcp-option=224,master101", "--dhcp-option=225,master", "--dhcp-option=226,3")
    expect_lease(world.node(mac=NODE_MAC).ask(**ASKED), server="192.168.2.1", **FULL_LEASE)


@case
def dhcpd_says_all(world):
    world.serve(dhcpd, world.server(), 'option routes code 121 = array of unsigned integer 8;\n'
                'option kiln-node code 224 = text;\noption kiln-role code 225 = text;\n'
                'option kiln-id code 226 = unsigned integer 8;\n' + SUBNET.format('''
                option routers 192.168.2.9; option domain-name-servers 192.168.2.1, 192.168.2.2;
                option domain-name "example.com"; option interface-mtu 1400;
                option routes 16, 10,1, 192,168,2,3, 0, 192,168,2,254;
                option domain-search "a.example.com", "b.a.example.com", "example.org";
                option kiln-node "master101"; option kiln-role "master"; option kiln-id 3;''') +
                f'host a {{ hardware ethernet {NODE_MAC}; fixed-address 192.168.2.71; option host-name "master101"; }}')
    expect_lease(world.node(mac=NODE_MAC).ask(**ASKED), server="192.168.2.1", **FULL_LEASE)


@case
def routes_of_microsofts_number(world):
    """249 is read if 121 is not there; without either, the routers."""
    one = world.server()
    server = world.serve(dnsmasq, one, POOL, "--dhcp-option=249,10.2.0.0/16,192.168.2.5", "--dhcp-option=3,192.168.2.7")
    node = world.node()
    expect_lease(node.ask(), routes=["10.2.0.0/16 via 192.168.2.5"], router="")
    server.stop()
    server = world.serve(dnsmasq, one, POOL, "--dhcp-option=249,10.2.0.0/16,192.168.2.5",
                         "--dhcp-option=121,10.3.0.0/16,192.168.2.6")
    expect_lease(node.ask(), routes=["10.3.0.0/16 via 192.168.2.6"], router="")
    server.stop()
    world.serve(dnsmasq, one, POOL, "--dhcp-option=3,10.0.0.1,192.168.2.7")
    expect_lease(node.ask(), routes=[], router="192.168.2.7")  # 10.0.0.1 is out of the subnet


@case
def options_inside_option_43(world):
    """Both servers answer our vendor class with a sub-option."""
    asked = {"dhcp_options": {"node": "43.1", "id": "43.2"}}
    one = world.server()
    server = world.serve(dnsmasq, one, POOL, "--dhcp-option=vendor:kiln,1,master102", "--dhcp-option=vendor:kiln,2,2b")
    node = world.node()
    expect_lease(node.ask(**asked), node="master102", id=2)
    server.stop()
    world.serve(dhcpd, one, 'option space kiln;\noption kiln.node code 1 = text;\noption kiln.id code 2 = integer 32;\n'
                'class "kiln" { match if option vendor-class-identifier = "kiln"; vendor-option-space kiln;\n'
                'option kiln.node "master102"; option kiln.id 2; }\n' + SUBNET.format(""))
    expect_lease(node.ask(**asked), node="master102", id=2)


@case
def the_client_id_is_what_the_profile_says(world):
    """Reservations by option 61: the MAC's form as firmware sends it, and the DUID's (RFC 4361, 6355)."""
    duid = "ff:a8:02:99:00:04:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff".replace("ff:a8:02", "ff:00:a8:02", 1)
    one = world.server()
    server = world.serve(dnsmasq, one, POOL, f"--dhcp-host=id:01:{STRANGER_MAC},192.168.2.72",
                         f"--dhcp-host=id:{duid},192.168.2.81")
    node = world.node()
    expect_lease(node.ask(), address="192.168.2.72")
    expect_lease(node.ask(dhcp_client_id="duid"), address="192.168.2.81")
    server.stop()
    world.serve(dhcpd, one, SUBNET.format("") +
                f"host a {{ option dhcp-client-identifier 01:{STRANGER_MAC}; fixed-address 192.168.2.72; }}\n"
                f"host b {{ option dhcp-client-identifier {duid}; fixed-address 192.168.2.81; }}\n")
    expect_lease(node.ask(), address="192.168.2.72")
    expect_lease(node.ask(dhcp_client_id="duid"), address="192.168.2.81")


@case
def a_gateway_outside_the_subnet(world):
    """As clouds do it: a /32 and a route to the gateway on the link. The initrd must reach its server."""
    world.serve(dhcpd, world.server(), 'option routes code 121 = array of unsigned integer 8;\n' + SUBNET.format("") +
                f"host a {{ hardware ethernet {STRANGER_MAC}; fixed-address 192.168.2.140; option subnet-mask 255.255.255.255;"
                " option routes 32, 10,0,0,1, 0,0,0,0, 0, 10,0,0,1; }")
    node = world.node()
    expect_lease(node.ask(), prefix=32, router="10.0.0.1", routes=["10.0.0.1/32 via 0.0.0.0", "0.0.0.0/0 via 10.0.0.1"])
    status, text, routes = node.network("", role="slave", strangers=True)
    expect((status, "eth0 192.168.2.140/32 (dhcp)" in text), (0, True))
    expect(sorted(line.split(" dev ")[0] for line in routes.splitlines()), ["10.0.0.1", "default via 10.0.0.1"])


# ---- bad cables ----

def on_a_bad_cable(world, start, *words):
    one = world.server()
    world.serve(start, one, *words)
    node = world.node()
    for seed in (1, 2):
        node.machine.put_on_bad_cable(delay_ms=10, jitter_ms=50, loss=0.2, duplicate=0.4, seed=seed)
        expect(in_pool(only_lease(node.ask())), True)


@case
def dnsmasq_over_a_bad_cable(world):
    on_a_bad_cable(world, dnsmasq, POOL)


@case
def dhcpd_over_a_bad_cable(world):
    on_a_bad_cable(world, dhcpd, SUBNET.format(""))


@case
def a_link_that_comes_late(world):
    world.serve(dnsmasq, world.server(), POOL)
    node = world.node()
    lan.command("ip", "link", "set", "node", "down")
    expect(node.ask(carrier_timeout_ms=300, dhcp_timeout_ms=300)["leases"], [])
    node.machine.ip("link", "set", "eth0", "down")

    def plug_in_when_it_waits():
        lan.wait_until(node.machine.waits_for_a_link, 60)
        lan.command("ip", "link", "set", "node", "up")
    threading.Thread(target=plug_in_when_it_waits, daemon=True).start()
    expect(in_pool(only_lease(node.ask())), True)


@case
def a_link_that_goes_and_comes_back(world):
    """The first messages are lost in a port that does not forward yet; the link then flaps."""
    one = world.server()
    node = world.node()
    lan.command("ip", "link", "set", "node", "nomaster")
    world.serve(dhcpd, one, SUBNET.format(""))

    def flap():
        lan.command("ip", "link", "set", "node", "down")
        lan.time.sleep(0.5)  # the client looks every 250 ms
        lan.command("ip", "link", "set", "node", "master", "br0", "up")
    lan.when_it_asks("node", flap)
    expect(in_pool(only_lease(node.ask())), True)


@case
def cards_without_cable_or_server(world):
    world.serve(dnsmasq, world.server(), POOL)
    node = world.node()
    node.machine.add_card("eth1", "52:54:00:00:01:01", "deaf", None)
    node.machine.add_card("eth2", "52:54:00:00:01:02", "unplugged", None)
    lan.command("ip", "link", "set", "unplugged", "down")
    expect_lease(node.ask("eth2", "eth1", "eth0"), interface="eth0")
    for port in ("deaf", "unplugged"):
        lan.command("ip", "link", "delete", port)


@case
def nobody_answers(world):
    world.server()
    expect(world.node().ask(dhcp_timeout_ms=700), {"leases": [], "notes": ""})


# ---- two servers, a relay ----

SERVERS = ("192.168.2.1", "192.168.2.2")


@case
def the_server_that_names_a_node_wins(world):
    """Whichever is the faster, and whichever product it is."""
    one, two = world.server(), world.server("two", "192.168.2.2/24")
    node = world.node()
    named = f"host a {{ hardware ethernet {STRANGER_MAC}; fixed-address 192.168.2.72; }}\n"
    for order in (SERVERS, SERVERS[::-1]):
        node.machine.put_on_gathering_cable(*order)
        pair = world.serve(dnsmasq, one, POOL), world.serve(dhcpd, two, SUBNET.format("") + named)
        expect_lease(node.ask(), address="192.168.2.72", server="192.168.2.2")
        for server in pair:
            server.stop()
        pair = (world.serve(dnsmasq, one, POOL, f"--dhcp-host={STRANGER_MAC},192.168.2.140,master102"),
                world.serve(dhcpd, two, SUBNET.format("")))
        node.machine.put_on_gathering_cable(*order)
        expect_lease(node.ask(), address="192.168.2.140", server="192.168.2.1", hostname="master102")
        for server in pair:
            server.stop()


@case
def among_equals_the_lowest_address_wins(world):
    one, two = world.server(), world.server("two", "192.168.2.2/24")
    world.serve(dhcpd, one, SUBNET.format(""))
    world.serve(dnsmasq, two, POOL)
    node = world.node()
    for order in (SERVERS, SERVERS[::-1]):
        node.machine.put_on_gathering_cable(*order)
        expect_lease(node.ask(), server="192.168.2.1")


@case
def servers_that_name_different_nodes_are_refused(world):
    one, two = world.server(), world.server("two", "192.168.2.2/24")
    world.serve(dnsmasq, one, POOL, f"--dhcp-host={STRANGER_MAC},192.168.2.71")
    world.serve(dhcpd, two, SUBNET.format("") + f"host a {{ hardware ethernet {STRANGER_MAC}; fixed-address 192.168.2.72; }}")
    node = world.node()
    for order in (SERVERS, SERVERS[::-1]):
        node.machine.put_on_gathering_cable(*order)
        expect(sorted(lease["address"] for lease in node.ask()["leases"]), ["192.168.2.71", "192.168.2.72"])
    node.machine.put_on_gathering_cable(*SERVERS)
    status, text = node.apply("")
    expect((status, "contradiction" in text), (40, True))


def behind_a_relay(world):
    """A machine two networks away, for a server whose answers carry the relay's options."""
    relay = world.machine("relay", address="192.168.2.1/24")
    lan.command("ip", "link", "add", "br1", "type", "bridge")
    lan.command("ip", "link", "set", "br1", "up")
    far = world.machine("far", address="10.9.0.1/24", switch="br1")
    relay.add_card("eth1", None, "relay1", "br1")
    relay.ip("address", "add", "10.9.0.2/24", "dev", "eth1")
    relay.ip("link", "set", "eth1", "up")
    far.ip("route", "add", "192.168.2.0/24", "via", "10.9.0.2")
    world.serve(Server, relay, "Sending on", "dhcrelay", "-4", "-d", "--no-pid", "-a", "-id", "eth0", "-iu", "eth1", "10.9.0.1")
    return far


@case
def through_a_relay(world):
    """Both servers."""
    far, node = behind_a_relay(world), world.node()
    server = world.serve(dnsmasq, far, POOL)
    expect(in_pool(expect_lease(node.ask(), server="10.9.0.1")), True)
    server.stop()
    world.serve(dhcpd, far, "subnet 10.9.0.0 netmask 255.255.255.0 { }\n" + SUBNET.format(""))
    expect(in_pool(expect_lease(node.ask(), server="10.9.0.1")), True)
    lan.command("ip", "link", "delete", "br1")


@case
def a_rival_behind_a_relay_is_heard(world):
    """Its offer comes 0.7 s after that of the server on the spot, and names another node."""
    far, node = behind_a_relay(world), world.node()
    world.serve(dnsmasq, world.server("two", "192.168.2.2/24"), POOL, f"--dhcp-host={STRANGER_MAC},192.168.2.71")
    world.serve(dhcpd, far, "subnet 10.9.0.0 netmask 255.255.255.0 { }\n" + SUBNET.format("") +
                f"host a {{ hardware ethernet {STRANGER_MAC}; fixed-address 192.168.2.72; }}")
    node.ask()  # relay and server know each other's MAC then
    far.put_on_bad_cable(delay_ms=350)
    expect(sorted(lease["address"] for lease in node.ask()["leases"]), ["192.168.2.71", "192.168.2.72"])
    status, text = node.apply("")
    expect((status, "contradiction" in text), (40, True))
    far.put_on_good_cable()
    lan.command("ip", "link", "delete", "br1")


# ---- addresses that are in use ----

def gives_another_address(world, server, node):
    """Another machine takes what the server gave; it is declined, and the server gives another one."""
    address = only_lease(node.ask())["address"]
    world.machine("squatter", address=f"{address}/24", mac="52:54:00:00:02:01")
    answer = node.ask()
    expect((in_pool(only_lease(answer)), only_lease(answer)["address"] != address), (True, True))
    expect(answer["notes"], f"{address}, which the DHCP server 192.168.2.1 gave to eth0, is in use by 52:54:00:00:02:01: "
           "declined\n")
    expect(server.log().count(f"DHCPDECLINE of {address}") + server.log().count(f"DHCPDECLINE(eth0) {address}"), 1)


@case
def dnsmasqs_address_in_use(world):
    gives_another_address(world, world.serve(dnsmasq, world.server(), POOL), world.node())


@case
def dhcpds_address_in_use(world):
    gives_another_address(world, world.serve(dhcpd, world.server(), SUBNET.format("")), world.node())


@case
def a_reserved_address_in_use(world):
    """The server has nothing else for this machine: no lease is better than a second owner."""
    world.machine("squatter", address="192.168.2.72/24", mac="52:54:00:00:02:01")
    reserved = f"host a {{ hardware ethernet {STRANGER_MAC}; fixed-address 192.168.2.72; }}\n"
    world.serve(dhcpd, world.server(), SUBNET.format("") + reserved)
    node = world.node()
    for timeout_ms in (3000, 30000):  # a server may be slow on a busy machine, and then says nothing at first
        answer = node.ask(dhcp_timeout_ms=timeout_ms)
        expect(answer["leases"], [])
        if answer["notes"]:
            break
    expect("192.168.2.72" in answer["notes"], True)
    expect_lease(node.ask(arp_check=False), address="192.168.2.72")


@case
def a_static_address_in_use(world):
    """kiln-node refuses the inventory's address when another machine has it, and only then."""
    node = world.node(mac=NODE_MAC)
    expect(node.probe("192.168.2.71"), "")
    expect(node.apply("")[0], 0)
    twin = world.machine("twin", address="192.168.2.71/24", mac="52:54:00:00:02:02")
    expect(node.probe("192.168.2.71"), "52:54:00:00:02:02")
    status, text = node.apply("")
    expect((status, "192.168.2.71 is in use by 52:54:00:00:02:02" in text), (40, True))
    expect(node.apply("", arp_check=False)[0], 0)
    twin.ip("link", "set", "eth0", "down")
    expect(node.apply("")[0], 0)


def starts_its_services(process, called):
    """Once, in their order; nothing before."""
    expect(process.wait(60), 0)
    with open(called) as file:
        expect(file.read(), "restart kiln-node.service systemd-networkd.service\n--no-block start default.target\n")
    return process.stdout.read()


@case
def a_refused_machine_gets_its_card(world):
    """The driver of the inventory's card is late: the machine is refused until the card is there, and then it is not."""
    node = world.node()
    settings = {"dhcp_timeout_ms": 1000, "carrier_timeout_ms": 1000, "device_timeout_ms": 1000}
    status, text = node.apply("", **settings)
    expect((status, "no node of cluster article matches this machine" in text), (40, True))
    process, called = node.reconsider("", **settings)
    time.sleep(2)
    expect((process.poll(), os.path.getsize(called)), (None, 0))
    node.machine.add_card("eth1", NODE_MAC, "late", "br0")
    expect("this machine is master101 now" in starts_its_services(process, called), True)


@case
def a_refused_stranger_gets_its_cable(world):
    """Nobody answers DHCP while the cable is out; the link alone is a reason to ask again, long before it is time to."""
    world.serve(dnsmasq, world.server(), POOL)
    node = world.node()
    settings = {"strangers": True, "dhcp_timeout_ms": 1000, "carrier_timeout_ms": 1000, "device_timeout_ms": 1000}
    node.machine.ip("link", "set", "eth0", "up")
    command("ip", "link", "set", "node", "down")
    expect(node.apply("", **settings)[0], 40)
    process, called = node.reconsider("", **settings | {"dhcp_timeout_ms": 20000})
    time.sleep(2)
    expect((process.poll(), os.path.getsize(called)), (None, 0))
    command("ip", "link", "set", "node", "up")
    starts_its_services(process, called)


# ---- a server that is none ----

def exchanges(server, kind):
    """In which exchanges the hostile server got a message of that type; one that is repeated has the same number."""
    return set(re.findall(rf"message {kind} of exchange (\w+)", server.log()))


def right(world, behaviour, **options):
    return expect_lease(world.hostile(behaviour).ask(**options), address="192.168.2.150", hostname="right")


@case
def malformed_answers(world):
    right(world, "malformed")


@case
def frames_of_other_vlans_and_stations(world):
    right(world, "strange_frames")


@case
def a_nak_begins_again(world):
    right(world, "nak_once")
    expect(len(exchanges(world.servers[0], 1)), 2)


@case
def a_nak_of_another_server(world):
    right(world, "nak_of_another")
    expect(len(exchanges(world.servers[0], 3)), 1)


@case
def a_server_that_only_offers(world):
    """It, or one that refuses each time, must not keep the machine from a server that works."""
    for behaviour in ("mute_after_offer", "nak_always"):
        node = world.hostile(behaviour)
        world.serve(dnsmasq, world.server("two", "192.168.2.2/24"), POOL)
        expect_lease(node.ask(), server="192.168.2.2")
        world.close()
        world.machines, world.servers = [], []


@case
def options_without_sense(world):
    lease = right(world, "strange_options", **ASKED)
    expect({key: lease[key] for key in ("router", "dns", "domain", "mtu", "routes", "search", "node", "role", "id")},
           {"router": "", "dns": [], "domain": "", "mtu": 0, "routes": [], "search": [], "node": "", "role": "", "id": 0})
