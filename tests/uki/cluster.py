# SPDX-License-Identifier: MIT
"""What tests/uki boots: a cluster of one small role, with the lab's kernel and a root of busybox, signed with keys made
here and, for Secure Boot, with the key that Debian's ovmf package publishes for tests ("snakeoil")."""
import glob
import os
import shutil
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KILN = os.environ.get("KILN", f"{TOP}/build/kiln")
SNAKEOIL = "/usr/share/ovmf/PkKek-1-snakeoil"  # its passphrase is its name
MAC = "52:54:00:00:00:01"

SPEC = """Name: content
Version: 1
Release: 1
Summary: A root of busybox
License: MIT
%description
Says that it was reached, and switches off.
%install
mkdir -p %{buildroot}/bin %{buildroot}/sbin
for name in run tmp etc; do mkdir -p %{buildroot}/$name; done
cp /bin/busybox %{buildroot}/bin/busybox
for name in sh cat sleep poweroff reboot; do ln -s busybox %{buildroot}/bin/$name; done
cp INIT %{buildroot}/sbin/init
%files
%attr(0755,root,root) /sbin/init
/bin
/run
/tmp
/etc
"""
# The lab's own pulls in all that a system needs; this one has what an initrd may want.
KERNEL_SPEC = """Name: kernel
Version: 1
Release: 1
Summary: The lab's kernel without what needs it
License: GPL
%description
For an initrd.
%install
cp -a TREE/. %{buildroot}/
%files
/boot
/lib
"""
KERNEL_PARTS = ["./boot/vmlinuz-*", "./lib/modules/*/modules.builtin*", "./lib/modules/*/modules.order"] + [
    f"./lib/modules/*/kernel/{part}" for part in (
        "fs/squashfs/*", "fs/overlayfs/*", "fs/isofs/*", "drivers/virtio/*", "drivers/cdrom/*", "drivers/ata/ahci.ko",
        "drivers/ata/libahci.ko", "drivers/ata/libata.ko", "drivers/scsi/s[rd]_mod.ko", "drivers/scsi/scsi_*.ko",
        "drivers/block/loop.ko", "drivers/block/virtio_blk.ko", "drivers/net/virtio_net.ko", "drivers/net/net_failover.ko",
        "net/core/*", "lib/*", "crypto/*", "arch/x86/crypto/*")]
INIT = """#!/bin/sh
echo "REACHED $(cat /etc/greeting) $(cat /proc/cmdline)"
cat /run/kiln/boot
echo "END"
sleep 1
poweroff -f
"""
RELEASE = """description: busybox on the lab's kernel
repositories:
  - {{name: tiny, baseurl: {base}/repository, trust: digest, priority: 1}}
  - name: lab
    baseurl: {top}/build/lab/repo
    gpgkeys: [{top}/build/lab/RPM-GPG-KEY-kiln-lab]
    repo_gpgcheck: true
    excludes: [kernel]
kernel: {{package: kernel, image: "/boot/vmlinuz-*"}}
kernel_arguments: ["console=ttyS0", quiet, "loglevel=4", "panic=-1", no_timer_check]
initrd:
  compressor: zstd
  modules: [squashfs, overlay, loop, isofs, sr_mod, ahci, virtio_pci, virtio_net, virtio_blk]
bootloader:
  packages: [syslinux, grub2-efi]
  isolinux: /usr/share/syslinux/isolinux.bin
  isolinux_modules: /usr/share/syslinux
  isohybrid_mbr: /usr/share/syslinux/isohdpfx.bin
  pxelinux: /usr/share/syslinux/pxelinux.0
  grub_efi_iso: /boot/efi/EFI/centos/gcdx64.efi
  grub_efi_net: /boot/efi/EFI/centos/grubx64.efi
"""
CLUSTER = """cluster: tiny
release: tiny
paths: {{overlays: overlays}}
secure_boot: own
trusted_keys: ["{key}"]
minimum_serial: 3
networks: [{{name: lan, subnet: 10.0.2.0/24, gateway: 10.0.2.2}}]
variables: {{greeting: hello}}
nodes:
  - {{name: a, role: web, ip: 10.0.2.15, mac: "{mac}"}}
"""
ROLE = """packages: [content]
default_target: mini.target
on_failure: reboot
reboot_delay_s: 0
files:
  - {path: /etc/systemd/system/mini.target, content: "[Unit]\\nDescription=Nothing\\n"}
  - {path: /etc/greeting, content: "{{variables.greeting}}\\n", template: true}
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(text.encode() if isinstance(text, str) else text)


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def run(*command, **options):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)


class Site:
    """Profiles, keys and a build in `base`."""

    def __init__(self, base, http_base):
        self.base, self.http_base, self.out = base, http_base, f"{base}/out"
        shutil.rmtree(base, ignore_errors=True)
        self._make_repository()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", f"{base}/key")
        run("openssl", "rsa", "-in", f"{SNAKEOIL}.key", "-passin", "pass:snakeoil", "-out", f"{base}/secure-boot.key")
        os.chmod(f"{base}/secure-boot.key", 0o600)
        write(f"{base}/profiles/cluster.yaml", CLUSTER.format(key=read(f"{base}/key.pub").decode().strip(), mac=MAC))
        write(f"{base}/profiles/releases/tiny.yaml", RELEASE.format(base=base, top=TOP))
        write(f"{base}/profiles/roles/web.yaml", ROLE)
        os.makedirs(f"{base}/profiles/overlays", exist_ok=True)

    def _make_repository(self):
        write(f"{self.base}/init", INIT)
        write(f"{self.base}/content.spec", SPEC.replace("INIT", f"{self.base}/init"))
        kernel, tree = glob.glob(f"{TOP}/build/lab/repo/Packages/kernel-[0-9]*.rpm")[0], f"{self.base}/kernel"
        os.makedirs(tree)
        parts = " ".join(f"'{part}'" for part in KERNEL_PARTS)
        run("sh", "-c", f"rpm2cpio {kernel} | cpio -id --quiet {parts}", cwd=tree)
        write(f"{self.base}/kernel.spec", KERNEL_SPEC.replace("TREE", tree))
        for name in ("content", "kernel"):
            run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {self.base}/rpmbuild", "--define",
                f"_rpmdir {self.base}/repository", "--define", "__strip /bin/true", "--define", "debug_package %{nil}",
                "--define", "_binary_payload w1.gzdio", f"{self.base}/{name}.spec")
        run("createrepo_c", "--quiet", f"{self.base}/repository")

    def kiln(self, *arguments):
        """(exit status, all that it says)."""
        done = subprocess.run([KILN, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def build(self, *more):
        """(exit status, all that it says) of a build with both signatures."""
        return self.kiln("build", f"{self.base}/profiles/cluster.yaml", "--cache", f"{self.base}/cache", "--out", self.out,
                         "--verbose", "--serial", "3", "--sign", f"{self.base}/key", "--http-base", self.http_base,
                         "--secure-boot-key", f"{self.base}/secure-boot.key", "--secure-boot-cert", f"{SNAKEOIL}.pem", *more)

    @property
    def role(self):
        return f"{self.out}/tiny/current/web"

    def iso(self):
        return glob.glob(f"{self.role}/*.iso")[0]
