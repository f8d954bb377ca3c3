# SPDX-License-Identifier: MIT
"""The profiles of the builds that are disturbed, and a kernel of a few bytes for them."""
import os
import subprocess

from place import TOP, write

KERNEL_SPEC = """Name: kernel
Version: 1
Release: 1
Summary: A few bytes in place of a kernel
License: MIT
BuildArch: noarch
%description
For builds that nobody boots.
%install
mkdir -p %{buildroot}/boot %{buildroot}/lib/modules/1
echo 'no kernel' >%{buildroot}/boot/vmlinuz-1
: >%{buildroot}/lib/modules/1/modules.builtin
%files
/boot/vmlinuz-1
/lib/modules/1
"""

RELEASE = """description: the lab
repositories:
{extra}  - name: lab
    baseurl: {top}/build/lab/repo
    gpgkeys: [{top}/build/lab/RPM-GPG-KEY-kiln-lab]
    repo_gpgcheck: true
kernel: {{package: kernel, image: "/boot/vmlinuz-*"}}
initrd: {{modules: [{modules}]}}
bootloader:
  packages: [syslinux, grub2-efi, ipxe-bootimgs]
  isolinux: /usr/share/syslinux/isolinux.bin
  isolinux_modules: /usr/share/syslinux
  isohybrid_mbr: /usr/share/syslinux/isohdpfx.bin
  pxelinux: /usr/share/syslinux/pxelinux.0
  grub_efi_iso: /boot/efi/EFI/centos/gcdx64.efi
  grub_efi_net: /boot/efi/EFI/centos/grubx64.efi
  ipxe_bios: /usr/share/ipxe/undionly.kpxe
  ipxe_efi: /usr/share/ipxe/ipxe.efi
"""
TINY_KERNEL = """  - {{name: tiny, baseurl: {repository}, trust: digest, priority: 1}}
"""
CLUSTER = """cluster: {name}
release: {name}
paths: {{overlays: overlays}}
networks: [{{name: lan, subnet: 10.0.0.0/24}}]
nodes:
{nodes}"""
NODE = '  - {{name: {role}-1, role: {role}, ip: 10.0.0.{number}, mac: "52:54:00:00:00:{number:02x}"}}\n'
TARGET = """default_target: mini.target
files:
  - {path: /etc/systemd/system/mini.target, content: "[Unit]\\nDescription=Nothing\\n"}
"""
ROLES = {
    "tiny": "packages: [bash]\n" + TARGET,
    "small": "packages: [bash, coreutils]\n" + TARGET,
    # Scriptlets that make users, caches, links and keys; users, files, a template and state of its own.
    "services": """packages: [systemd, openssh-server, chrony, rsyslog, cronie, sudo]
services: {enable: [sshd, chronyd], disable: [rsyslog]}
users: [{name: zk, uid: 480, system: true, home: /var/lib/zk}, {name: operator, groups: [adm]}]
sysctl: {net.ipv4.ip_forward: 1}
files:
  - {path: /etc/who, content: "{{node.name}} of {{cluster.name}}\\n", template: true, owner: zk, mode: 0640}
  - {path: /etc/where, link: who}
state: [{path: /var/lib/zk, owner: zk, mode: 0750}]
""",
}


def make_kernel(directory):
    write(f"{directory}/kernel.spec", KERNEL_SPEC)
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {directory}/rpmbuild", "--define",
                    f"_rpmdir {directory}/tiny", f"{directory}/kernel.spec"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    subprocess.run(["createrepo_c", "--quiet", f"{directory}/tiny"], check=True, stdout=subprocess.DEVNULL)


def write_profiles(directory, kernel_repository):
    tiny = RELEASE.format(top=TOP, extra=TINY_KERNEL.format(repository=kernel_repository), modules="")
    write(f"{directory}/releases/tiny.yaml", tiny)
    full = RELEASE.format(top=TOP, extra="", modules="squashfs, overlay, loop, e1000")
    write(f"{directory}/releases/full.yaml", full)
    for name, text in ROLES.items():
        write(f"{directory}/roles/{name}.yaml", text)
    write(f"{directory}/overlays/services/etc/motd.tmpl", "{{#nodes}}{{name}} {{ip}}\n{{/nodes}}")
    for name, roles in (("tiny", ("tiny", "small")), ("full", ("services",))):
        nodes = "".join(NODE.format(role=role, number=number) for number, role in enumerate(roles, 1))
        write(f"{directory}/{name}.yaml", CLUSTER.format(name=name, nodes=nodes))
