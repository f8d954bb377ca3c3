# SPDX-License-Identifier: MIT
"""The files of the writer `ifcfg`, read as EL7's initscripts read them: by a shell, and routes by ip(8)."""
import json
import os
import shlex
import subprocess
import tempfile

from scenarios import A, B, C, D, INVENTORY
from tap import note

FOLDER = "/etc/sysconfig/network-scripts/"
HOSTILE = "x.org\";touch /kiln-was-here;$(touch /kiln-was-here)`touch /kiln-was-here`"


def plan(program, cards, words, leases=()):
    """path -> content"""
    with tempfile.TemporaryDirectory(prefix="kiln-ifcfg-") as root:
        os.makedirs(f"{root}/etc/kiln")
        facts = {"command_line": words, "leases": list(leases),
                 "interfaces": [{"name": f"eth{number}", "mac": mac} for number, mac in enumerate(cards)]}
        for path, content in (("etc/kiln/node.json", {**INVENTORY, "network_writer": "ifcfg"}), ("facts.json", facts)):
            with open(f"{root}/{path}", "w", encoding="utf-8") as stream:
                json.dump(content, stream)
        with open(f"{root}/cmdline", "w", encoding="utf-8") as stream:
            stream.write(words)
        done = subprocess.run([program, "plan", "--root", root, "--cmdline", f"{root}/cmdline", "--facts", f"{root}/facts.json",
                               "--json"], stdout=subprocess.PIPE, text=True, check=False)
    made = json.loads(done.stdout)
    if made["refused"]:
        raise RuntimeError(made["refused"])
    return {item["path"]: item["content"] for item in made["files"]}


def variables(shell, text):
    """What a shell that sources the file has in the end and had not before."""
    with tempfile.NamedTemporaryFile("w", suffix=".ifcfg") as stream:
        stream.write(text)
        stream.flush()
        subprocess.run([shell, "-n", stream.name], check=True)
        names = {line.split("=", 1)[0] for line in text.splitlines()}
        script = '. "$1"; ' + "".join(f'printf "%s\\0" {shlex.quote(name)} "${name}"; ' for name in sorted(names))
        done = subprocess.run([shell, "-euc", script, "sh", stream.name], stdout=subprocess.PIPE, text=True, check=True)
    fields = done.stdout.split("\0")
    return dict(zip(fields[0::2], fields[1::2]))


def has(found, **wanted):
    return all(found.get(key) == value for key, value in wanted.items())


def static(program, shell):
    files = plan(program, (A, D), "ip=[2001:db8::71]::[2001:db8::1]:64::net0:none ip=[2001:db8::72]:::64::net0:none")
    net0, vlan = (variables(shell, files[f"{FOLDER}ifcfg-{name}"]) for name in ("net0", "net0.20"))
    yield "a card", has(net0, DEVICE="net0", HWADDR=A, TYPE="Ethernet", ONBOOT="yes", BOOTPROTO="none", MTU="1450")
    yield "addresses", has(net0, IPADDR="192.168.2.71", PREFIX="24", IPADDR1="192.168.2.171", PREFIX1="24",
                           GATEWAY="192.168.2.1", DEFROUTE="yes")
    yield "IPv6", has(net0, IPV6INIT="yes", IPV6ADDR="2001:db8::71/64", IPV6ADDR_SECONDARIES="2001:db8::72/64",
                      IPV6_DEFAULTGW="2001:db8::1", IPV6_AUTOCONF="no")
    yield "name servers", has(net0, DNS1="192.168.2.1", DOMAIN="example.org")
    yield "a VLAN", has(vlan, VLAN="yes", PHYSDEV="net0", VLAN_ID="20", IPADDR="10.20.0.71", MTU="1400")
    yield "nothing else", set(files) & {f"{FOLDER}ifcfg-eth0", f"{FOLDER}ifcfg-eth1"} == set()


def bond(program, shell):
    files = plan(program, (D, B, C), "")
    bond0, member = (variables(shell, files[f"{FOLDER}ifcfg-{name}"]) for name in ("bond0", "eth2"))
    options = dict(word.split("=", 1) for word in bond0["BONDING_OPTS"].split())
    yield "a bond", has(bond0, DEVICE="bond0", TYPE="Bond", BONDING_MASTER="yes", BOOTPROTO="none") and \
        options == {"mode": "802.3ad", "lacp_rate": "fast", "xmit_hash_policy": "layer3+4", "miimon": "100"}
    yield "a member", has(member, MASTER="bond0", SLAVE="yes", HWADDR=C) and "IPADDR" not in member
    yield "the VLAN on it", has(variables(shell, files[f"{FOLDER}ifcfg-bond0.20"]), PHYSDEV="bond0", IPADDR="10.20.0.72")


def hostile(program, shell):
    lease = {"interface": "eth0", "mac": D, "address": "192.168.2.150", "prefix": 24, "server": "192.168.2.1",
             "router": "192.168.2.1", "dns": ["192.168.2.1"], "hostname": "guest", "domain": HOSTILE}
    files = plan(program, (D,), "ip=eth0:dhcp", [lease])
    found = variables(shell, files[f"{FOLDER}ifcfg-eth0"])
    yield "a lease's words reach no shell", has(found, BOOTPROTO="dhcp") and not os.path.exists("/kiln-was-here") and \
        not any("kiln-was-here" in text for path, text in files.items() if path.startswith(FOLDER))


def routes(program, _):
    text = plan(program, (A, D), "rd.route=10.88.0.0/16::net0 ip=[2001:db8::71]:::64::net0:none "
                "rd.route=[2001:db8:8::]/48:[2001:db8::9]:net0")
    script = ["ip link add net0 type veth peer name far", "ip link set net0 up", "ip link set far up",
              "ip address add 192.168.2.71/24 dev net0", "ip address add 2001:db8::71/64 dev net0 nodad"]
    lines = text[f"{FOLDER}route-net0"].splitlines()
    lines6 = text[f"{FOLDER}route6-net0"].splitlines()
    script += [f"ip route add {line}" for line in lines] + [f"ip -6 route add {line}" for line in lines6]
    script += ["ip route", "ip -6 route"]
    done = subprocess.run(["unshare", *([] if os.getuid() == 0 else ["--user", "--map-root-user"]), "--net", "sh", "-ec",
                           "\n".join(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    note(done.stdout)
    yield "ip(8) takes the routes", done.returncode == 0 and "10.99.0.0/16 via 192.168.2.254 dev net0" in done.stdout \
        and "10.88.0.0/16 dev net0" in done.stdout and "2001:db8:8::/48 via 2001:db8::9 dev net0" in done.stdout


def play(program):
    """(what, whether) of everything."""
    for scenario in (static, bond, hostile, routes):
        for shell in ("sh", "bash") if scenario is not routes else ("sh",):
            for what, good in scenario(program, shell):
                yield f"ifcfg-{scenario.__name__}, {shell}: {what}", good
