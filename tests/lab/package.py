# SPDX-License-Identifier: MIT
"""One RPM: Debian packages (or a stand-in's tree) and a recipe in, a signed package out."""
import fnmatch
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tarfile

from apt import LabError, deb_path, run

PAYLOAD = "w2.xzdio"
EPOCH = 1700000000  # the time stamp of what has none of its own
# Documentation of every language, and what only Debian's own tools read.
NOT_PACKAGED = (
    "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*", "/usr/share/bug/*",
    "/usr/share/doc-base/*", "/usr/share/menu/*", "/usr/share/maven-repo/*", "/usr/share/initramfs-tools/*",
    "/usr/share/apport/*", "/usr/share/gtk-doc/*", "/usr/share/doc/*", "/usr/share/debianutils/*",
    "/usr/share/python3/runtime.d/*", "/usr/lib/python3/dist-packages/debian*", "/usr/share/pam-configs/*",
    "/etc/init.d/*", "/etc/init/*", "/etc/rc?.d/*", "/etc/apt/*", "/etc/dpkg/*", "/etc/kernel/*", "/etc/insserv*",
    "/etc/update-motd.d/*", "/usr/share/debconf/*", "/usr/share/perl5/Debian/*", "/run/*", "/var/run/*", "/var/lock/*",
)
LICENSE = "/usr/share/doc/*/copyright"
LOADER_PATHS = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
MOVED = {"bin", "sbin", "lib", "lib64"}  # links into /usr, owned by filesystem


class Package:
    """What decides one RPM. `debs` are stanzas, the first gives the version; `requires` are finished lines."""

    def __init__(self, name, debs, recipe, tree=None):
        self.name, self.debs, self.recipe, self.tree = name, debs, recipe, tree
        self.requires = []
        first = debs[0] if debs else {}
        self.epoch, self.version, self.release = evr(first.get("Version", "1.0-1"))
        self.versions_are_debians = bool(debs) and not (recipe.get("Version") or recipe.get("Epoch"))
        self.epoch = int(recipe.get("Epoch", self.epoch))
        self.version = recipe.get("Version", self.version)
        self.release = recipe.get("Release", self.release)
        noarch = debs and all(deb["Architecture"] == "all" for deb in debs)
        self.arch = recipe.get("Arch", "noarch" if noarch else "x86_64")
        self.size = sum(int(deb.get("Installed-Size", 0)) for deb in debs)

    def key(self, common):
        """The hash of all that decides the RPM's bits."""
        digest = hashlib.sha256(common)
        for deb in self.debs:
            digest.update(f"{deb['Package']} {deb['SHA256']}\n".encode())
        digest.update(("\n".join(self.requires) + self.recipe.text).encode())
        if self.tree:
            hash_tree(self.tree, digest)
        return digest.hexdigest()


def evr(version):
    """Debian's [epoch:]upstream[-revision] as RPM's epoch, version, release."""
    epoch, _, rest = version.rpartition(":")
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return int(epoch or 0), upstream.replace("-", "."), revision


def hash_tree(top, digest):
    for directory, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            digest.update(f"{path[len(top):]} {os.lstat(path).st_mode:o} ".encode())
            if os.path.islink(path):
                digest.update(os.readlink(path).encode())
            else:
                with open(path, "rb") as data:
                    digest.update(hashlib.file_digest(data, "sha256").digest())


class Entry:
    """One path of the RPM."""

    def __init__(self, mode, owner="root", group="root"):
        self.mode, self.owner, self.group = mode, owner, group
        self.flags, self.caps = set(), ""


def unwanted(path, patterns):
    return not fnmatch.fnmatchcase(path, LICENSE) and any(fnmatch.fnmatchcase(path, p) for p in patterns)


def unpack(deb, root, drop):
    """Extracts a Debian package; returns owners that are not root's, its conffiles and its newest time stamp."""
    owners, newest = {}, 0
    child = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    with child.stdout, tarfile.open(fileobj=child.stdout, mode="r|") as archive:
        for member in archive:
            path = "/" + member.name.removeprefix("./").strip("/")
            if path == "/" or unwanted(path, drop) or (member.isdir() and unwanted(path + "/", drop)):
                continue
            if member.islnk() and unwanted("/" + member.linkname.removeprefix("./"), drop):
                raise LabError(f"{deb}: {path} is a hard link to a file that is dropped")
            member.name = path[1:]
            if member.isdir():
                os.makedirs(root + path, exist_ok=True)
                os.chmod(root + path, member.mode | 0o700)
                owners[path] = (member.mode, member.uname, member.gname)
            else:
                archive.extract(member, root)
                if (member.uname, member.gname) != ("root", "root"):
                    owners[path] = (None, member.uname, member.gname)
            newest = max(newest, int(member.mtime))
        while child.stdout.read(1 << 16):
            pass
    if child.wait():
        raise LabError(f"dpkg-deb --fsys-tarfile {deb}: exit code {child.returncode}")
    listing = subprocess.run(["dpkg-deb", "-I", deb, "conffiles"], capture_output=True, text=True)
    conffiles = listing.stdout.split("\n") if listing.returncode == 0 else []
    return owners, {line.strip() for line in conffiles if line.startswith("/")}, newest


def entries_of(package, root, owners, conffiles, owned_directories):
    """The paths below root, with what Debian and the recipe say of them."""
    entries = {}
    for directory, folders, files in os.walk(root):
        for name in sorted(folders) + sorted(files):
            path = os.path.join(directory, name)
            inside = path[len(root):]
            mode = os.lstat(path).st_mode
            if stat.S_ISDIR(mode) and inside in owned_directories:
                if package.name == "filesystem":
                    entries[inside] = Entry(stat.S_IFDIR | owned_directories[inside])
                continue
            if stat.S_ISDIR(mode) and (inside[1:] in MOVED or package.tree
                                       or re.fullmatch(r"/s?bin/.*|/lib(64)?(/x86_64-linux-gnu|/systemd(/system)?)?",
                                                       inside)):
                continue
            entry = Entry(mode)
            if inside in owners:
                kept, entry.owner, entry.group = owners[inside]
                if kept is not None:
                    entry.mode = stat.S_IFDIR | kept
            if inside in conffiles and stat.S_ISREG(mode):
                entry.flags.add("config")
            if fnmatch.fnmatchcase(inside, LICENSE):
                entry.flags.add("doc")
            entries[inside] = entry
    for attribute in package.recipe.attributes:
        apply_attribute(attribute, entries, root, package.name)
    return entries


def apply_attribute(attribute, entries, root, name):
    matches = [path for path in entries if fnmatch.fnmatchcase(path, attribute.pattern)]
    if not matches and attribute.flags & {"ghost", "dir"} and "*" not in attribute.pattern:
        path = root + attribute.pattern
        os.makedirs(path if "dir" in attribute.flags else os.path.dirname(path), exist_ok=True)
        if "dir" not in attribute.flags and not os.path.lexists(path):
            open(path, "x").close()
        entries[attribute.pattern] = Entry(os.lstat(path).st_mode)
        matches = [attribute.pattern]
    if not matches:
        raise LabError(f"recipe of {name}: no file matches {attribute.pattern}")
    for path in matches:
        entry = entries[path]
        if attribute.mode is not None:
            entry.mode = stat.S_IFMT(entry.mode) | attribute.mode
        entry.owner, entry.group = attribute.owner, attribute.group
        entry.flags |= attribute.flags - {"dir"}
        entry.caps = attribute.caps or entry.caps


def file_line(path, entry):
    """A line of %files. What rpmbuild would read as a pattern or a macro becomes `?`, which matches it."""
    quoted = re.sub(r'[\\*?\[\]{}"]', "?", path).replace("%", "%%")
    mode = "-" if stat.S_ISLNK(entry.mode) else f"{stat.S_IMODE(entry.mode):04o}"
    marks = [f"%attr({mode}, {entry.owner}, {entry.group})"]
    marks += [word for flag, word in (("ghost", "%ghost"), ("doc", "%doc"), ("config", "%config(noreplace)"))
              if flag in entry.flags]
    if stat.S_ISDIR(entry.mode):
        marks.append("%dir")
    if entry.caps:
        marks.append(f"%caps({entry.caps})")
    return f'{" ".join(marks)} "{quoted}"'


def has_libraries(entries):
    return any(os.path.dirname(path) in LOADER_PATHS and re.search(r"\.so(\.|$)", path) for path in entries)


def spec(package, entries):
    """The spec file's text."""
    recipe = package.recipe
    first = package.debs[0] if package.debs else {}
    summary = recipe.get("Summary", first.get("Description", package.name)).replace("%", "%%")
    lines = [f"Name: {package.name}", f"Version: {package.version}", f"Release: {package.release}",
             f"Summary: {summary}", f"License: {recipe.get('License', 'see copyright')}", "AutoReqProv: no",
             "Vendor: kiln lab", "Group: Lab"]
    if package.epoch:
        lines.append(f"Epoch: {package.epoch}")
    if package.arch == "noarch":
        lines.append("BuildArch: noarch")
    lines += [f"Requires: {line}" for line in package.requires] + recipe.copied
    if package.name != "setup" and any((each.owner, each.group) != ("root", "root") for each in entries.values()):
        lines.append("Requires(pre): setup")  # the groups must be there when the files are
    made_of = " ".join(f"{deb['Package']} {deb['Version']}" for deb in package.debs)
    lines += ["", "%description", f"{summary}.", f"Repacked for kiln's lab release from: {made_of or 'its recipe'}.", ""]
    for head, body in recipe.sections:
        lines += [head, body]
    if has_libraries(entries) and not recipe.has("%post") and package.name != "glibc":
        lines += ["%post -p /sbin/ldconfig", "", "%postun -p /sbin/ldconfig", ""]
    lines += ["%files"] + [file_line(path, entries[path]) for path in sorted(entries)]
    return "\n".join(lines) + "\n"


def macros(work, payload):
    return {
        "_topdir": work, "_rpmdir": work + "/rpms", "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "_buildhost": "lab", "_binary_payload": payload, "_binary_filedigest_algorithm": "8",
        "use_source_date_epoch_as_buildtime": "1", "clamp_mtime_to_source_date_epoch": "1",
        "source_date_epoch_from_changelog": "0", "_build_id_links": "none", "debug_package": "%{nil}",
        "__spec_install_pre": "%{nil}", "__spec_install_post": "%{nil}", "__spec_clean_body": "%{nil}",
        "_tmppath": work + "/tmp", "_dbpath": work + "/db", "vendor": "kiln lab",
    }


def rpmbuild(work, root, text, newest, payload=PAYLOAD):
    """Writes the spec file and packs `root`; returns the path of the RPM."""
    for folder in ("tmp", "rpms", "BUILD", "SPECS"):
        os.makedirs(f"{work}/{folder}", exist_ok=True)
    path = work + "/SPECS/package.spec"
    with open(path, "w") as file:
        file.write(text)
    environment = dict(os.environ, HOME=work, SOURCE_DATE_EPOCH=str(newest), LC_ALL="C.UTF-8", TZ="UTC")
    defines = [word for key, value in macros(work, payload).items() for word in ("--define", f"{key} {value}")]
    run(["rpmbuild", "-bb", "--quiet", "--nodeps", "--buildroot", root, *defines, path], env=environment)
    (result,) = [os.path.join(work, "rpms", name) for name in os.listdir(work + "/rpms")]
    return result


def sign(rpm, keyring, newest):
    """Signs in place. The time of the signature is the package's, so that equal inputs give equal bits."""
    extra = f"--batch --no-tty --faked-system-time {max(newest, keyring.created)}!"
    run(["rpmsign", "--addsign", "--define", f"__gpg {shutil.which('gpg')}", "--define", f"_gpg_name {keyring.fingerprint}",
         "--define", "_gpg_digest_algo sha256", "--define", f"_gpg_sign_cmd_extra_args {extra}", rpm],
        env=dict(os.environ, GNUPGHOME=keyring.home, HOME=keyring.home, LC_ALL="C.UTF-8"))


def build(package, work, lab, downloads, keyring, owned_directories):
    """Makes one signed RPM in `work`; returns its path."""
    root = work + "/root"
    os.makedirs(root)
    owners, conffiles, newest = {}, set(), 0
    drop = NOT_PACKAGED + tuple(package.recipe.words("Drop"))
    if package.tree:
        shutil.copytree(package.tree, root, symlinks=True, dirs_exist_ok=True)
    for deb in package.debs:
        more_owners, more_conffiles, time = unpack(deb_path(downloads, deb), root, drop)
        owners.update(more_owners)
        conffiles |= more_conffiles
        newest = max(newest, time)
    newest = newest or EPOCH
    if package.recipe.install:
        run(["sh", "-euc", package.recipe.install], cwd=root,
            env=dict(os.environ, ROOT=root, LAB=lab, HOME=work, LC_ALL="C.UTF-8", TZ="UTC"))
    entries = entries_of(package, root, owners, conffiles, owned_directories)
    rpm = rpmbuild(work, root, spec(package, entries), newest)
    sign(rpm, keyring, newest)
    return rpm
