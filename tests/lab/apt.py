# SPDX-License-Identifier: MIT
"""What apt knows: the stanzas of all packages, the closure of the lab's list, downloads."""
import fnmatch
import hashlib
import os
import re
import subprocess
import tempfile


class LabError(Exception):
    """Something the user can act on; printed without a trace."""


def run(argv, **options):
    """One child process: no shell, output captured, any failure is an error that shows it."""
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, errors="replace", **options)
    if result.returncode:
        how = f"signal {-result.returncode}" if result.returncode < 0 else f"exit code {result.returncode}"
        tail = "\n  ".join((result.stdout + result.stderr).strip().splitlines()[-20:])
        raise LabError(f"{argv[0]}: {how}\n  {tail}")
    return result.stdout


class Table:
    """The file `packages`: RPM name -> Debian packages, what is dropped, who provides what."""

    def __init__(self, path):
        self.rpms, self.drop, self.prefer = {}, set(), {}
        with open(path) as lines:
            for number, line in enumerate(lines, 1):
                words = line.split("#")[0].split()
                if not words:
                    continue
                if words[0] == "drop":
                    self.drop.update(words[1:])
                elif words[0] == "prefer" and len(words) == 3:
                    self.prefer[words[1]] = words[2]
                elif len(words) == 1:
                    self.rpms[words[0]] = [words[0]]
                elif words[1] == "=":
                    self.rpms[words[0]] = words[2:]
                else:
                    raise LabError(f"{path}:{number}: neither `NAME`, `NAME = PACKAGE...`, `drop` nor `prefer`")


def _stanzas(text):
    wanted = re.compile(r"^(Package|Version|Architecture|Depends|Pre-Depends|Provides|Description"
                        r"|Installed-Size|SHA256|Filename|Homepage): (.*)$", re.M)
    for stanza in text.split("\n\n"):
        fields = dict(wanted.findall(stanza))
        if "Filename" in fields:
            yield fields


def _relations(field):
    """`a (>= 1) | b, c` -> the first alternative of each: (name, operator, version)."""
    for part in field.split(","):
        first = part.split("|")[0].strip()
        match = re.match(r"([a-z0-9][a-z0-9+.-]*)(?::\S+)?(?:\s*\((\S+)\s+(\S+)\))?", first)
        if match:
            yield match.groups()


class Archive:
    """The packages that apt can download now."""

    def __init__(self):
        self.stanzas, self.providers = {}, {}
        for fields in _stanzas(run(["apt-cache", "dumpavail"])):
            self.stanzas.setdefault(fields["Package"], fields)
            for name, _, _ in _relations(fields.get("Provides", "")):
                self.providers.setdefault(name, []).append(fields["Package"])
        if "systemd" not in self.stanzas:
            raise LabError("apt knows no packages: run `apt-get update` as root first")

    def resolve(self, name, table):
        """The real package behind a name, or None if the lab does without."""
        name = table.prefer.get(name, name)
        if name in table.drop or name == "-":
            return None
        if name in self.stanzas:
            return name
        for provider in self.providers.get(name, []):
            if provider not in table.drop:
                return provider
        raise LabError(f"package `{name}` is neither in the archive nor provided by one that is")

    def closure(self, table):
        """Returns {debian name: [(debian name, operator, version), ...]} of all that the table needs."""
        needs, queue = {}, [deb for debs in table.rpms.values() for deb in debs]
        while queue:
            name = queue.pop()
            if name in needs:
                continue
            fields = self.stanzas.get(name)
            if not fields:
                raise LabError(f"package `{name}` of the lab's list is not in the archive")
            needs[name] = []
            for relation in ("Pre-Depends", "Depends"):
                for target, operator, version in _relations(fields.get(relation, "")):
                    real = self.resolve(target, table)
                    if real:
                        needs[name].append((real, operator if real == target else None, version))
                        queue.append(real)
        return needs


def deb_path(directory, fields):
    return os.path.join(directory, os.path.basename(fields["Filename"]))


def download(stanzas, directory, report):
    """Fetches what is missing; apt checks each file against the archive's signed index."""
    os.makedirs(directory, exist_ok=True)
    missing = [fields for fields in stanzas if not os.path.exists(deb_path(directory, fields))]
    batch = 25
    for start in range(0, len(missing), batch):
        part = missing[start:start + batch]
        report(start, len(missing), "downloading " + part[0]["Package"])
        with tempfile.TemporaryDirectory(dir=directory) as temporary:
            run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root"]
                + [f"{fields['Package']}={fields['Version']}" for fields in part], cwd=temporary)
            for fields in part:
                found = fnmatch.filter(os.listdir(temporary), fields["Package"] + "_*.deb")
                if len(found) != 1:
                    raise LabError(f"apt-get download of {fields['Package']} left {len(found)} files")
                path = os.path.join(temporary, found[0])
                with open(path, "rb") as data:
                    if hashlib.file_digest(data, "sha256").hexdigest() != fields["SHA256"]:
                        raise LabError(f"{found[0]}: not the file that the archive's index describes")
                os.replace(path, deb_path(directory, fields))
