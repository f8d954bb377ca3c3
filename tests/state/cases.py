# SPDX-License-Identifier: MIT
"""The cases. Each makes its own disks, so that one can run alone."""
import os
import subprocess

from machine import Disk, TOP, WORK, boot, command

LABEL = "KILN-STATE"
VALUE = "Sw0rdfish-of-the-state-disk"  # of the secret `pass`, which /etc/with-secret of x.service needs
CLAIM = {"min_bytes": 0, "max_bytes": 0, "model": "*", "path": "*"}


def wanted(required=True, claim=None, filesystem="ext4", timeout_ms=0):
    disk = {"label": LABEL, "required": required, "timeout_ms": timeout_ms, "filesystem": filesystem}
    return {**disk, "claim": claim} if claim else disk


def with_overlay(**options):
    return {**wanted(**options), "overlay": True}


def is_refused(result, *words):
    return result["apply"] == "40" and all(word in result["refused"] for word in words)


def said(result, *words):
    """A note of the record that holds all the words, which is on the console too: there its lines are one, or indented."""
    return any(all(word in note for word in words) and all(line in result["console"] for line in note.splitlines())
               for note in result["record"]["notes"])


FIRST = """
echo "@@myid=$(cat /var/lib/zookeeper/myid)"
echo "@@from_image=$(cat /var/lib/zookeeper/from-image)"
echo "@@mode=$(stat -c '%a %u %g' /var/lib/zookeeper)"
echo "@@fresh=$(stat -c '%a %u %g' /var/lib/fresh)"
echo "@@resources=$(cat /etc/resources)"
echo "@@options=$(grep ' /run/kiln/state ' /proc/mounts)"
echo "@@identity=$(cat /run/kiln/state/kiln/identity.json | tr -d '\\n ')"
echo "@@identity_mode=$(stat -c '%a' /run/kiln/state/kiln/identity.json /run/kiln/state/kiln/keep | tr '\\n' ' ')"
echo "@@seed_size=$(stat -c %s /var/lib/systemd/random-seed)"
echo written >/var/lib/zookeeper/data
echo "changed" >/var/lib/zookeeper/from-image
echo private >/etc/ssh/ssh_host_ed25519_key
echo public >/etc/ssh/ssh_host_ed25519_key.pub
/usr/libexec/kiln/kiln-node keep
echo "@@keep=$?"
echo seed >/var/lib/systemd/random-seed
/usr/libexec/kiln/kiln-node need-secret pass; echo "@@need_before=$? $(ls /etc/with-secret)"
(umask 077; echo "pass=VALUE" >/run/kiln/state/kiln/kiln.secrets)
/usr/libexec/kiln/kiln-node apply
echo "@@again=$?"
/usr/libexec/kiln/kiln-node need-secret pass; echo "@@need=$? $(stat -c '%a %u' /etc/with-secret)"
""".replace("VALUE", VALUE)

LATER = """
echo "@@data=$(cat /var/lib/zookeeper/data)"
echo "@@from_image=$(cat /var/lib/zookeeper/from-image)"
echo "@@key=$(cat /etc/ssh/ssh_host_ed25519_key) $(stat -c '%a %u' /etc/ssh/ssh_host_ed25519_key)"
echo "@@public=$(cat /etc/ssh/ssh_host_ed25519_key.pub) $(stat -c '%a' /etc/ssh/ssh_host_ed25519_key.pub)"
echo "@@seed=$(cat /var/lib/systemd/random-seed)"
grep -q "^pass VALUE$" /etc/with-secret; echo "@@secret=$?"
grep -q VALUE /run/kiln/report.json /run/kiln/state.json /var/lib/kiln/report.json; echo "@@shown=$?"
chmod 644 /run/kiln/state/kiln/kiln.secrets
/usr/libexec/kiln/kiln-node apply
echo "@@open_secret=$? $(ls /etc/with-secret)"
/usr/libexec/kiln/kiln-node need-secret pass; echo "@@need=$?"
""".replace("VALUE", VALUE)


def used_disk(world, name):
    """A copy of a disk that master101 has claimed, used and let go. Made once, by a boot whose result is world["first"]."""
    if "used" not in world:
        world["used"] = Disk("used", 512)
        world["first"] = boot(world, "used", [world["used"]], wanted(claim=CLAIM), script=FIRST, paths=["/var/lib/fresh"])
    return world["used"].copy(name)


def check_first(first, tap):
    record = first["record"]
    tap.ok(record["status"] == "mounted" and record["claimed"] and record["filesystem"] == "ext4",
              "a blank disk is claimed, formatted and mounted", record)
    tap.ok(first["apply"] == "0" and first["myid"] == "1", "the node comes up and writes its myid on it",
              first["console"][-3000:])
    tap.ok(first["from_image"] == "the image's" and first["mode"] == "750 5 6",
              "the directory begins as the image has it, with its owner and mode", first["mode"])
    tap.ok(first["fresh"] == "700 7 8", "a path that the image lacks begins as the profile says", first["fresh"])
    tap.ok("nosuid" in first["options"] and "nodev" in first["options"], "it is mounted nosuid and nodev",
              first["options"])
    tap.ok(first["identity"] == '{"format":1,"cluster":"article","node":"master101","id":1}' and
              first["identity_mode"] == "600 700 ", "whose disk it is stands on it", first["identity"])
    memory = int(first["resources"].split("mem:")[1])
    tap.ok(first["resources"].startswith("cpus:1;mem:") and 100 <= memory <= 192,
              "a template sees the machine's memory less the reserve", first["resources"])
    tap.ok(len(first["machine_id"]) == 32 and first["machine_id"] != "0" * 32 and first["seed_size"] == "512",
              "there are a machine-id and a random seed", first["machine_id"])
    tap.ok(first["again"] == "0" and first["keep"] == "0", "apply once more changes nothing, and keys are kept")
    tap.ok("the secret pass has no value: x.service stays down, /etc/with-secret is not written" in first["console"] and
           first["need_before"] == "12 ", "a secret without a value: the console says what stays down", first["need_before"])
    tap.ok(first["need"] == "0 600 0", "put on the disk, it is there after another apply", first["need"])


def check_later(first, later, tap):
    tap.ok(later["record"]["status"] == "mounted" and not later["record"]["claimed"] and later["apply"] == "0",
              "at the next boot it is found by its label", later["record"])
    tap.ok(later["data"] == "written" and later["from_image"] == "changed", "what was written is there",
              later["from_image"])
    tap.ok(later["machine_id"] == first["machine_id"], "the machine-id is the same", later["machine_id"])
    tap.ok(later["key"] == "private 600 0" and later["public"] == "public 644", "so are the SSH host keys",
              later["key"])
    tap.ok(later["seed"] == "seed", "the random seed went to the disk", later["seed"])
    tap.ok(later["secret"] == "0", "the secret's value is taken from the disk", later["console"][-2000:])
    tap.ok(later["shown"] == "1" and VALUE not in later["console"], "no report and no console shows it")
    tap.ok(later["open_secret"] == "0 " and later["need"] == "12" and
           "mode 0644 lets others read it" in later["console"], "a file that others may read is not taken, and it is said why",
           later["open_secret"])


def first_later_and_full(world, tap):
    disk = used_disk(world, "use")
    check_first(world["first"], tap)
    fill = LATER + "dd if=/dev/zero of=/var/lib/zookeeper/big bs=65536; sync\n"
    check_later(world["first"], boot(world, "later", [disk], wanted(), script=fill, paths=["/var/lib/fresh"]), tap)
    result = boot(world, "full", [disk], wanted(), script='echo "@@myid=$(cat /var/lib/zookeeper/myid)"\n')
    tap.ok(result["apply"] == "0" and result["myid"] == "1", "a full disk boots", result["console"][-2000:])
    tap.ok(said(result, "is full", "/dev/vda"), "and the console says that it is full", result["record"])
    tap.ok(any("is full" in note for note in result["report"]["notes"]), "and so does the report")


def moved(world, tap):
    disk = used_disk(world, "moved")
    script = 'echo "@@myid=$(cat /var/lib/zookeeper/myid)"\n'
    result = boot(world, "moved", [disk], wanted(claim=CLAIM), node="master102",
                  script=script + "rm -f /run/kiln/state/kiln/identity.json\n")
    tap.ok(is_refused(result, "/dev/vda", "master101", "master102"), "a disk of another machine refuses the node",
              result["refused"])
    tap.ok(result["myid"] == "1", "and keeps its myid", result["myid"])
    result = boot(world, "moved-myid", [disk], wanted(), node="master102", script=script)  # without identity.json
    tap.ok(is_refused(result, "/var/lib/zookeeper/myid", '"1"', "id 2") and result["myid"] == "1",
              "ZooKeeper's myid alone refuses it too, and is not overwritten", result["refused"])
    tap.ok("REFUSED" in result["console"], "the console says so")


def replaced(world, tap):
    disk = Disk("replaced", 64)
    before = disk.sha256()
    result = boot(world, "replaced-required", [disk], wanted())
    tap.ok(is_refused(result, "no", LABEL) and result["record"]["status"] == "refused",
              "without its disk a node that requires one is refused", result["refused"])
    tap.ok(disk.sha256() == before, "and a blank disk without a claim is untouched")
    result = boot(world, "replaced-optional", [disk], wanted(required=False))
    tap.ok(result["apply"] == "0" and result["record"]["status"] == "absent" and
              any("lost at the next reboot" in note for note in result["report"]["notes"]),
              "one that does not comes up, and says what that means", result["record"])
    tap.ok(disk.sha256() == before, "that disk is untouched too")


def damaged(world, tap):
    disk = used_disk(world, "damaged")
    uuid = disk.read(1024 + 0x68, 16)
    disk.poke(4096, os.urandom(4096))            # group descriptors
    disk.poke(1024 + 0x3a, b"\x03\x00")          # "has errors": fsck looks at all of it
    for block in range(2, 64):
        disk.poke(block * 4096, os.urandom(4096))
    result = boot(world, "damaged", [disk], wanted(required=False, claim=CLAIM))
    tap.ok(is_refused(result, "damaged", "e2fsck", "/dev/vda"), "a damaged file system refuses the node",
              result["refused"] or result["console"][-2000:])
    tap.ok(disk.read(1024 + 0x68, 16) == uuid, "and is never formatted again")


def read_only(world, tap):
    disk = used_disk(world, "readonly")
    disk.read_only = True
    before = disk.sha256()
    result = boot(world, "readonly", [disk], wanted())
    tap.ok(is_refused(result, "read-only", "/dev/vda"), "a read-only disk refuses a node that requires one",
              result["refused"])
    tap.ok(disk.sha256() == before, "it is unchanged")


def sfdisk(disk, label):
    subprocess.run(["sfdisk", "-q", disk.path], input=f"label: {label}\nsize=16M\n", text=True, check=True,
                   env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"})
    return disk


def foreign_disks():
    """{what: a disk that must not be touched}"""
    disks = {name: Disk("foreign-" + name, 64) for name in
             ("gpt", "mbr", "swap", "ext4", "lvm", "luks", "raid", "tail", "middle", "backup-gpt")}
    sfdisk(disks["gpt"], "gpt")
    sfdisk(disks["mbr"], "dos")
    command("mkswap", disks["swap"].path)
    command("mkfs.ext4", "-q", "-F", "-L", "DATA", disks["ext4"].path)
    disks["lvm"].poke(512, b"LABELONE" + b"\1" + bytes(15) + b"LVM2 001" + b"x" * 32)
    disks["luks"].poke(0, b"LUKS\xba\xbe\x00\x01")
    disks["raid"].poke(64 * 2**20 - 65536, (0xa92b4efc).to_bytes(4, "little") + bytes(4092))  # md, version 0.90
    disks["tail"].poke(-1, b"x")
    disks["middle"].poke(32 << 20, b"x" * (2 << 20))
    sfdisk(disks["backup-gpt"], "gpt").poke(0, bytes(1 << 20))
    disks["usb"] = Disk("foreign-usb", 64, "usb-storage,removable=on")
    disks["small"] = Disk("foreign-small", 8)
    return disks


def untouchable(world, tap):
    disks = foreign_disks()
    before = {name: disk.sha256() for name, disk in disks.items()}
    claim = {**CLAIM, "min_bytes": 32 << 20}
    result = boot(world, "untouchable", list(disks.values()), wanted(claim=claim, timeout_ms=3000))
    tap.ok(is_refused(result, "none may be claimed"), "no disk that holds anything is claimed", result["refused"])
    for name, disk in disks.items():
        tap.ok(disk.sha256() == before[name], f"untouched: {name}")
    reasons = [("vda", "partitions"), ("vdb", "partitions"), ("vdc", "swap"), ("vdd", "ext4"), ("vde", "LVM2"),
               ("vdf", "crypto_LUKS"), ("vdg", "raid"), ("vdh", "not blank"), ("vdi", "not blank"), ("vdj", "gpt"),
               ("sda", "removable"), ("vdk", "size")]
    for device, reason in reasons:
        tap.ok(said(result, f"/dev/{device} ", reason), f"it is said why not /dev/{device}: {reason}",
                  result["record"]["notes"])


def several(world, tap):
    one, other = Disk("several-1", 400), Disk("several-2", 400, "scsi-hd,vendor=KILN,product=STATE-DISK")
    before = one.sha256()
    result = boot(world, "several", [one, other], wanted(claim=CLAIM, timeout_ms=500))
    tap.ok(is_refused(result, "several", "/dev/vda", "/dev/sda") and one.sha256() == other.sha256() == before,
              "of two blank disks none is claimed by luck", result["refused"])
    claim = {**CLAIM, "model": "KILN STATE*", "path": "sd?"}
    result = boot(world, "several-rule", [one, other], wanted(claim=claim, filesystem="xfs", timeout_ms=500))
    tap.ok(result["record"]["status"] == "mounted" and result["record"]["device"] == "/dev/sda" and
              result["record"]["filesystem"] == "xfs" and result["apply"] == "0",
              "a rule with model and path takes the one that was meant, as XFS", result["record"])
    tap.ok(one.sha256() == before, "the other one is untouched")
    result = boot(world, "several-later", [other, one], wanted(required=True), script=LATER)
    tap.ok(result["record"]["status"] == "mounted" and not result["record"]["claimed"] and result["apply"] == "0",
              "XFS is found again by its label", result["record"])


def two_labels(world, tap):
    one = Disk("labels-1", 64)
    command("mkfs.ext4", "-q", "-F", "-L", LABEL, one.path)
    result = boot(world, "labels", [one, one.copy("labels-2")], wanted(required=False))
    tap.ok(is_refused(result, "/dev/vda", "/dev/vdb", LABEL), "two disks with the label refuse the node, by name",
              result["refused"])


def by_hand(world, tap):
    """A partition that an operator made, on which a first use was cut short."""
    disk, part = sfdisk(Disk("hand", 64), "gpt"), Disk("hand-part", 16)
    junk = os.path.join(WORK, "junk")
    os.makedirs(os.path.join(junk, "paths.new"), exist_ok=True)
    with open(os.path.join(junk, "paths.new/half"), "w") as file:
        file.write("half\n")
    command("mkfs.ext4", "-q", "-F", "-d", junk, "-L", LABEL, part.path)
    disk.poke(1 << 20, part.read(0, 16 << 20))
    script = 'echo "@@list=$(ls /var/lib/zookeeper | tr "\\n" " ")"\n'
    result = boot(world, "hand", [disk], wanted(), script=script)
    tap.ok(result["record"]["device"] == "/dev/vda1" and result["record"]["status"] == "mounted" and
              result["apply"] == "0", "a partition with the label is taken", result["record"])
    tap.ok(result["list"] == "from-image myid sub ", "what a first use left half-done is made anew", result["list"])


# Where the root's writable layer is, and what is left of what WRITE_ROOT wrote.
LOOK_AT_ROOT = """
echo "@@layer=$(grep ' /run/kiln/writable ' /proc/mounts)"
echo "@@root=$(grep ' / ' /proc/mounts)"
[ "$(stat -c %a /)" = "$(stat -c %a /run/kiln/lower)" ]; echo "@@root_mode=$? $(stat -c %a /etc/kiln/node.json)"
echo "@@written=$(cat /written) $(ls /big)"
echo "@@data=$(cat /var/lib/zookeeper/data)"
echo "@@old=$(ls /run/kiln/state/kiln/overlay.old | tr '\\n' ' ')"
"""
WRITE_ROOT = """
echo written >/written
dd if=/dev/zero of=/big bs=65536 count=2560; echo "@@big=$?"
rm /etc/mke2fs.conf; [ -e /etc/mke2fs.conf ]; echo "@@removed=$?"
/bin/busybox mknod /null c 1 3 && echo x >/null; echo "@@device=$?"
echo kept >/var/lib/zookeeper/data
"""


def discard_script():
    """What kiln-discard.service does."""
    with open(os.path.join(TOP, "firmware/node/kiln-discard.service")) as file:
        line = next(line for line in file if line.startswith("ExecStart="))
    return f"""
{line.split("=", 1)[1]}
echo "@@discarded=$? $(ls /run/kiln/state/kiln | tr '\\n' ' ')"
"""


def is_in_memory(result, *words):
    return (result["layer"].startswith("kiln-overlay /run/kiln/writable tmpfs") and not result["record"]["overlay"] and
            said(result, "writable layer is in memory", *words) and
            any("writable layer is in memory" in note for note in result["report"]["notes"]))


def overlay(world, tap):
    disk = Disk("overlay", 512)
    first = boot(world, "overlay-first", [disk], with_overlay(claim=CLAIM), script=LOOK_AT_ROOT + WRITE_ROOT)
    tap.ok(first["layer"].startswith("/dev/vda /run/kiln/writable ext4 ") and first["record"]["overlay"] and
              first["apply"] == "0" and "with the root's writable layer" in first["console"],
              "the root's writable layer lies on the disk, just claimed", first["console"][-3000:])
    tap.ok(first["root"].startswith("kiln-root / overlay rw") and first["root_mode"] == "0 600" and
              first["written"].strip() == "", "under the overlay, with the configuration layer in it", first["root"])
    tap.ok(first["big"] == "0" and first["removed"] == "1" and first["device"] == "0",
              "it holds more than the memory would, whiteouts and device nodes", first["console"][-1000:])
    fill = "dd if=/dev/zero of=/big bs=65536; sync\n"
    later = boot(world, "overlay-later", [disk], with_overlay(), script=LOOK_AT_ROOT + discard_script() + fill)
    tap.ok(later["layer"].startswith("/dev/vda ") and later["written"].strip() == "" and later["apply"] == "0",
              "at the next boot what was written into the root is gone", later["written"])
    tap.ok(later["data"] == "kept" and later["machine_id"] == first["machine_id"],
              "the state path and the machine-id are not", later["data"])
    tap.ok(later["record"]["notes"] == [], "and the file system is not called damaged", later["record"]["notes"])
    tap.ok("upper" in later["old"] and later["discarded"] == "0 identity.json keep overlay ",
              "the old layer was renamed aside, and kiln-discard.service's command removes it", later["discarded"])
    full = boot(world, "overlay-full", [disk], with_overlay(), script=LOOK_AT_ROOT + discard_script())
    tap.ok(is_in_memory(full, "is full", "/dev/vda") and full["apply"] == "0" and full["data"] == "kept",
              "a disk that the root filled keeps the state; the layer is in memory", full["record"])
    tap.ok(full["discarded"] == "0 identity.json keep ", "and what filled it is removed", full["discarded"])
    half = "/bin/busybox mkdir -p /run/kiln/state/kiln/overlay.old/0/half\n"
    again = boot(world, "overlay-again", [disk], with_overlay(), script=LOOK_AT_ROOT + half)
    tap.ok(again["layer"].startswith("/dev/vda "), "so that the next boot has it on the disk again", again["record"])
    off = boot(world, "overlay-off", [disk], wanted(), script=LOOK_AT_ROOT)
    tap.ok(off["layer"].startswith("kiln-overlay ") and off["old"] == "0 1 " and off["record"]["notes"] == [] and
              off["data"] == "kept", "a profile without `overlay` discards the layer, beside one half removed", off["old"])


def overlay_in_memory(world, tap):
    absent = boot(world, "overlay-absent", [], with_overlay(required=False), script=LOOK_AT_ROOT)
    tap.ok(is_in_memory(absent, LABEL) and absent["record"]["status"] == "absent" and absent["apply"] == "0",
              "without the disk the layer is in memory, and it is said", absent["record"])
    required = boot(world, "overlay-required", [], with_overlay(), script=LOOK_AT_ROOT)
    tap.ok(is_refused(required, LABEL) and is_in_memory(required, LABEL), "a required disk is required", required["refused"])
    old_xfs = Disk("overlay-xfs", 400)
    command("mkfs.xfs", "-q", "-m", "crc=0", "-n", "ftype=0", "-L", LABEL, old_xfs.path)
    result = boot(world, "overlay-xfs", [old_xfs], with_overlay(), script=LOOK_AT_ROOT)
    tap.ok(is_in_memory(result, "ftype=1") and result["record"]["status"] == "mounted" and result["apply"] == "0",
              "an XFS that overlayfs cannot use holds the state alone", result["record"])
    small = Disk("overlay-small", 16)
    command("mkfs.ext4", "-q", "-F", "-L", LABEL, small.path)
    filler = "return 0\n" + "x" * (20 << 20)
    result = boot(world, "overlay-small", [small], with_overlay(), script=LOOK_AT_ROOT + filler)
    tap.ok(is_in_memory(result, "No space left") and result["record"]["status"] == "mounted" and result["apply"] == "0",
              "a disk that the configuration layer does not fit on holds the state alone", result["record"])


CASES = {"first-later-and-full": first_later_and_full, "moved": moved, "replaced": replaced,
         "damaged": damaged, "read-only": read_only, "untouchable": untouchable, "several": several,
         "two-labels": two_labels, "by-hand": by_hand, "overlay": overlay,
         "overlay-in-memory": overlay_in_memory}
