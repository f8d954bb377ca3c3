# SPDX-License-Identifier: MIT
"""A repository directory: Packages/, createrepo_c's metadata, comps, signatures; published by one rename."""
import os
import shutil

from apt import run

COMPS = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
{groups}</comps>
"""
GROUP = """  <group>
    <id>{id}</id>
    <name>{name}</name>
    <description>{name}</description>
    <default>false</default>
    <uservisible>true</uservisible>
    <packagelist>
{packages}    </packagelist>
  </group>
"""


def comps(path, known):
    """The table `groups` (id: name, then `type package` lines) as comps.xml."""
    groups, current = [], None
    with open(path) as lines:
        for line in lines:
            words = line.split("#")[0].split()
            if words and words[0] == "group":
                current = (words[1], " ".join(words[2:]), [])
                groups.append(current)
            elif words and words[1] in known:
                current[2].append((words[0], words[1]))
    return COMPS.format(groups="".join(
        GROUP.format(id=identifier, name=name, packages="".join(
            f'      <packagereq type="{kind}">{package}</packagereq>\n' for kind, package in packages))
        for identifier, name, packages in groups))


def write(directory, rpms, keyring=None, comps_xml=None):
    """Fills the empty `directory` with hard links to `rpms` and their metadata."""
    os.makedirs(directory + "/Packages")
    for rpm in rpms:
        os.link(rpm, f"{directory}/Packages/{os.path.basename(rpm)}")
    group = []
    if comps_xml:
        with open(directory + "/comps.xml", "w") as file:
            file.write(comps_xml)
        group = ["-g", "comps.xml"]
    newest = max((int(os.stat(rpm).st_mtime) for rpm in rpms), default=0)
    run(["createrepo_c", "--quiet", "--checksum", "sha256", "--general-compress-type", "gz", "--workers", "2",
         "--revision", str(newest), "--set-timestamp-to-revision", *group, directory])
    if comps_xml:
        os.unlink(directory + "/comps.xml")
    if keyring:
        keyring.sign_detached(directory + "/repodata/repomd.xml")


def publish(temporary, link):
    """Makes the link point at the new directory in one step. The previous one stays for who still reads it."""
    parent, name = os.path.split(os.path.abspath(link))
    previous = os.readlink(link) if os.path.islink(link) else None
    number = int(previous.rsplit("-", 1)[1]) + 1 if previous else 1
    final = f"{name}-{number}"
    shutil.rmtree(f"{parent}/{final}", ignore_errors=True)
    os.rename(temporary, f"{parent}/{final}")
    if os.path.lexists(link + ".new"):
        os.unlink(link + ".new")
    os.symlink(final, link + ".new")
    os.replace(link + ".new", link)
    for entry in os.listdir(parent):
        if entry.startswith(name + "-") and entry not in (final, previous):
            shutil.rmtree(f"{parent}/{entry}", ignore_errors=True)
