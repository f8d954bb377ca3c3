# SPDX-License-Identifier: MIT
"""Small repositories for the tests of bad input: one package, `kiln-lab-fixture`, right in `intact`, wrong in the
others. All metadata is signed by the lab's key unless the name says otherwise."""
import hashlib
import os
import shutil

import package
import repository
from keyring import Keyring

NAME = "kiln-lab-fixture"
SPEC = f"""Name: {NAME}
Version: 1.0
Release: 1
Summary: Nothing but a file
License: MIT
BuildArch: noarch

%description
Nothing but a file.

%files
%attr(0644, root, root) "/usr/share/{NAME}"
"""


def truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def flip_a_byte(path):
    with open(path, "r+b") as file:
        file.seek(-100, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-100, os.SEEK_END)
        file.write(bytes([byte ^ 0xFF]))


# Name: which key signs the package, which the metadata, what happens to the package after the metadata is made.
FIXTURES = {
    "intact": ("lab", "lab", None),
    "unsigned": (None, "lab", None),
    "wrongly-signed": ("other", "lab", None),
    "truncated": ("lab", "lab", truncate),
    "bad-checksum": ("lab", "lab", flip_a_byte),
    "unsigned-metadata": ("lab", None, None),
    "wrongly-signed-metadata": ("lab", "other", None),
}


def build_package(work, keyring):
    root = work + "/root"
    os.makedirs(root + "/usr/share")
    with open(f"{root}/usr/share/{NAME}", "w") as file:
        # Enough of it that half a package still has its headers: the payload is what is missing.
        file.writelines(hashlib.sha256(str(number).encode()).hexdigest() + "\n" for number in range(2000))
    rpm = package.rpmbuild(work, root, SPEC, package.EPOCH)
    if keyring:
        package.sign(rpm, keyring, package.EPOCH)
    return rpm


def make(directory, lab_keyring):
    """DIR/fixtures: all of the above, made again only if this file, package.py or the key changed."""
    digest = hashlib.sha256(lab_keyring.fingerprint.encode())
    for module in (__file__, package.__file__):
        with open(module, "rb") as code:
            digest.update(code.read())
    key, final, temporary = digest.hexdigest(), directory + "/fixtures", directory + "/tmp/fixtures"
    if os.path.exists(f"{final}/.{key}"):
        return
    with Keyring(directory + "/gnupg-other", "a stranger to the kiln lab") as other:
        keyrings = {"lab": lab_keyring, "other": other, None: None}
        for name, (package_key, metadata_key, damage) in FIXTURES.items():
            work = f"{directory}/tmp/fixture-{name}"
            rpm = build_package(work, keyrings[package_key])
            repository.write(f"{temporary}/{name}", [rpm], keyrings[metadata_key])
            if damage:
                damage(f"{temporary}/{name}/Packages/{os.path.basename(rpm)}")
    open(f"{temporary}/.{key}", "x").close()
    shutil.rmtree(final, ignore_errors=True)
    os.rename(temporary, final)
