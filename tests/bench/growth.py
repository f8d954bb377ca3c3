# SPDX-License-Identifier: MIT
"""How kiln's time grows: with nodes, with roles, with packages."""
import os
import subprocess

from measure import LAB, TOP, WORK, fresh, kiln, packages_of, peer_install, peer_pack, run

NODES = (10, 100, 1000)
FEWER, MANY = 2000, 20000  # between these, checking grows no faster than nodes do
TURNS = 5  # inventory changes that are measured
ROLES = (1, 3, 10)
PACKAGES = (100, 350, 1000)
# A package of its own for each further role, so that no two are the same.
EXTRA = ("jq", "bc", "file", "dosfstools", "gdisk", "ethtool", "dmidecode", "bind-utils", "bzip2", "diffutils")

HEAD = f"""cluster: growth
release: {TOP}/profiles/releases/lab.yaml
http_base: http://10.0.0.250
paths: {{roles: roles, overlays: {TOP}/overlays, kickstart: {TOP}/kickstart}}
networks:
  - {{name: lan, subnet: 10.64.0.0/14, gateway: 10.64.0.1, dns: [10.64.0.2]}}
"""
VARIABLES = """variables:
  registry: "10.64.0.9:5000"
  ssh_authorized_keys: []
  timezone: UTC
  ntp_servers: []
  kickstart: {erase_disk: ""}
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def node(number, role):
    mac = f"52:54:01:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
    return f'  - {{name: n{number:05d}, role: {role}, mac: "{mac}", ip: 10.64.{1 + number // 250}.{2 + number % 250}}}\n'


def write_inventory(path, count, turn):
    """The shipped cluster with so many slaves more, the first of which has another address in each turn."""
    with open(f"{TOP}/profiles/cluster.yaml", encoding="utf-8") as stream:
        text = stream.read()
    slaves = [node(number, "slave") for number in range(count)]
    slaves[0] = slaves[0].replace("ip: 10.64.1.2}", f"ip: 10.67.1.{2 + turn}}}")
    text = text.replace("networks:\n", "networks:\n  - {name: big, subnet: 10.64.0.0/14, gateway: 10.64.0.1}\n", 1)
    text = text.replace("nodes:\n", "nodes:\n" + "".join(slaves), 1)
    folders = ("profiles/roles", "profiles/releases", "overlays", "kickstart")
    write(path, text + "\npaths: {" + ", ".join(f"{os.path.basename(folder)}: {TOP}/{folder}" for folder in folders) + "}\n")


def linear(table):
    """Time of processors of checking a large inventory, beside that of a tenth of it."""
    for turn in range(TURNS):
        for count in (FEWER, MANY):
            cluster = f"{WORK}/growth/{count}/cluster.yaml"
            write_inventory(cluster, count, turn)
            table.add(f"kiln: check, processor time, {count} nodes", run([f"{TOP}/build/kiln", "check", cluster]).processor)
    table.row(f"kiln: check, processor time, {FEWER} nodes")
    table.row(f"kiln: check, processor time, {MANY} nodes", f"kiln: check, processor time, {FEWER} nodes", f"{MANY // FEWER}: linear")


def inventory(table):
    """A cluster of many slaves whose inventory changed: checked, and what hangs on it rendered (the configuration layer, the PXE tree,
    the kickstart files), the packed root being in the cache. Each count has a folder of its own, and all go at the end: ext4 makes
    new files slowly for some minutes after thousands were removed."""
    fresh("growth")
    for count in NODES:
        cluster = f"{WORK}/growth/{count}/cluster.yaml"
        rendering = ("--out", f"{WORK}/growth/{count}/out", "--role", "slave", "--only", "config", "--only", "pxe", "--only", "kickstart")
        for turn in range(TURNS + 1):
            write_inventory(cluster, count, turn)
            checked = run([f"{TOP}/build/kiln", "check", cluster])
            rendered = kiln(cluster, "--allow-outside", TOP, *rendering)
            if turn == 0:  # the root is packed now
                continue
            table.add(f"kiln: check, {count} nodes", checked.seconds)
            table.add(f"kiln: render, {count} nodes", rendered.seconds)
            table.add(f"kiln: check and render, {count} nodes", checked.seconds + rendered.seconds)
            table.add(f"kiln: the same, processor time, {count} nodes", checked.processor + rendered.processor)
        table.row(f"kiln: check, {count} nodes")
        table.row(f"kiln: render, {count} nodes")
        table.row(f"kiln: check and render, {count} nodes", target="0.15 s" if count == 1000 else "")
        table.row(f"kiln: the same, processor time, {count} nodes")
    linear(table)
    fresh("growth")


def roles(table):
    """Cold builds of roles that differ in one package each."""
    for count in ROLES:
        fresh("growth", "out", "cache")
        cluster = f"{WORK}/growth/cluster.yaml"
        nodes = "".join(node(number, f"role{number}") for number in range(count))
        write(cluster, f"{HEAD}nodes:\n{nodes}{VARIABLES}")
        with open(f"{TOP}/profiles/roles/base.yaml", encoding="utf-8") as stream:
            write(f"{WORK}/growth/roles/base.yaml", stream.read())
        for number in range(count):
            write(f"{WORK}/growth/roles/role{number}.yaml", f"description: role {number}\ninherits: base\npackages: [{EXTRA[number]}]\n")
        work = f"kiln: cold, {count} role{'s' if count > 1 else ''} of one kind"
        table.add(work, kiln(cluster, "--allow-outside", TOP).seconds)
        table.row(work)


# Without systemd a role names what it boots to.
UNIT = """default_target: mini.target
files:
  - {path: /etc/systemd/system/mini.target, content: "[Unit]\\nDescription=Nothing\\n"}
"""
SPEC = """Name: growth
Version: 1
Release: 1
Summary: many packages
License: MIT
BuildArch: noarch
%description
Made by a benchmark.
"""


def many_packages(count):
    """A repository of small packages: one spec file, as many binary packages, ten files of 4 KB each."""
    top = f"{WORK}/growth/many"
    lines, install, files = [SPEC], ["%install"], []
    for number in range(count):
        name = f"p{number:04d}"
        lines.append(f"%package -n {name}\nSummary: one of many\n%description -n {name}\nOne of many.\n")
        install.append(f"mkdir -p %{{buildroot}}/opt/{name}; for i in 0 1 2 3 4 5 6 7 8 9; do head -c 3000 /dev/urandom | base64 "
                       f">%{{buildroot}}/opt/{name}/$i; done")
        files.append(f"%files -n {name}\n/opt/{name}\n")
    write(f"{top}/growth.spec", "\n".join(lines + install + files))
    run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", "--define", f"_rpmdir {top}/repo", f"{top}/growth.spec"])
    run(["createrepo_c", "-q", f"{top}/repo"])
    return f"{top}/repo"


def packages(table):
    """A role of many packages, without the kernel that a release adds to every role: installed and packed."""
    fresh("growth")
    repository = many_packages(max(PACKAGES))
    write(f"{WORK}/growth/releases/many.yaml",
          f"repositories:\n  - {{name: lab, baseurl: {LAB}, trust: digest}}\n  - {{name: many, baseurl: {repository}, trust: digest}}\n"
          "package_names: {kernel: null}\nrpmdb: sqlite\nnetwork: systemd-networkd\n")
    for count in PACKAGES:
        fresh("out", "cache")
        names = [f"p{number:04d}" for number in range(count)]
        write(f"{WORK}/growth/roles/many.yaml", f"description: many packages\npackages: [bash, {', '.join(names)}]\n{UNIT}")
        cluster = f"{WORK}/growth/cluster.yaml"
        write(cluster, HEAD.replace(f"release: {TOP}/profiles/releases/lab.yaml", f"release: {WORK}/growth/releases/many.yaml")
              + f"nodes:\n{node(1, 'many')}")
        ours, theirs = f"kiln: {count} packages installed and packed, cold", f"peer: {count} packages installed and packed"
        table.add(ours, kiln(cluster, "--allow-outside", TOP, "--only", "squashfs", "--only", "manifest").seconds)
        root = f"{WORK}/peer/many"
        installed = packages_of("growth", "many")
        table.add(theirs, peer_install(root, {"lab": LAB, "many": repository}, installed).seconds + peer_pack(root).seconds)
        fresh("peer")
        table.row(theirs)
        table.row(ours, theirs)
    fresh("growth")
