# SPDX-License-Identifier: MIT
"""A signing key of the lab's own, in a GNUPGHOME of its own."""
import os
import re
import shutil
import subprocess
import tempfile

from apt import run

PARAMETERS = """%no-protection
Key-Type: RSA
Key-Length: 3072
Key-Usage: sign
Name-Real: {name}
Name-Email: lab@kiln.invalid
Expire-Date: 0
%commit
"""
FIRST_DAY = 1577836800  # 2020-01-01: older than any package's time stamp


class Keyring:
    """Opens or makes the key below `directory`. The home is reached by a short link, as gpg-agent's socket needs."""

    def __init__(self, directory, name):
        self.directory, self.name, self.created = directory, name, FIRST_DAY
        self.link = tempfile.mkdtemp(prefix="kiln-lab-")
        self.home = self.link + "/gnupg"

    def __enter__(self):
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        os.chmod(self.directory, 0o700)
        os.symlink(os.path.abspath(self.directory), self.home)
        self.fingerprint = self._fingerprint()
        if not self.fingerprint:
            with open(self.link + "/parameters", "w") as file:
                file.write(PARAMETERS.format(name=self.name))
            self.gpg("--faked-system-time", f"{FIRST_DAY}!", "--gen-key", self.link + "/parameters")
            self.fingerprint = self._fingerprint()
        return self

    def __exit__(self, *_):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "gpg-agent"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.link, ignore_errors=True)

    def gpg(self, *arguments):
        return run(["gpg", "--homedir", self.home, "--batch", "--no-tty", "--quiet", *arguments])

    def _fingerprint(self):
        match = re.search(r"^fpr:+([0-9A-F]{40}):", self.gpg("--with-colons", "--list-secret-keys"), re.M)
        return match and match.group(1)

    def export(self, path):
        with open(path + ".new", "w") as file:
            file.write(self.gpg("--armor", "--export", self.fingerprint))
        os.replace(path + ".new", path)

    def sign_detached(self, path):
        self.gpg("--armor", "--yes", "--detach-sign", "--output", path + ".asc", path)
