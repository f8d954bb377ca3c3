# SPDX-License-Identifier: MIT
"""Recipes: what RECIPES.md describes, read."""
import os
import re

from apt import LabError

COPIED = ("Requires", "Provides", "Obsoletes", "Conflicts")
SINGLE = ("Summary", "Version", "Release", "Epoch", "Arch", "License", "Without", "Drop")
FLAGS = ("config", "ghost", "doc", "dir")


class Attribute:
    """One line of %attributes."""

    def __init__(self, line, where):
        words = line.split()
        if len(words) < 3 or ":" not in words[2] or not re.fullmatch(r"-|[0-7]{4}", words[1]):
            raise LabError(f"{where}: expected `pattern mode owner:group [flags]`")
        self.pattern, self.mode = words[0], None if words[1] == "-" else int(words[1], 8)
        self.owner, self.group = words[2].split(":")
        self.flags = {word for word in words[3:] if "=" not in word}
        self.caps = "".join(word[5:] for word in words[3:] if word.startswith("caps="))
        if not self.flags <= set(FLAGS):
            raise LabError(f"{where}: unknown flag among {' '.join(words[3:])}")


class Recipe:
    """Headers, the install script, attributes, and the sections that go to the spec file as they are."""

    def __init__(self, name, path=None):
        self.name, self.path, self.text = name, path, ""
        self.single, self.copied, self.sections = {}, [], []
        self.install, self.attributes = "", []
        if path:
            with open(path) as file:
                self.text = file.read()
            self._parse()

    def get(self, key, default=None):
        return self.single.get(key, default)

    def words(self, key):
        return self.single.get(key, "").split()

    def has(self, section):
        return any(head.split()[0] == section for head, _ in self.sections)

    def _parse(self):
        section, body = None, []
        for number, line in enumerate(self.text.splitlines(), 1):
            where = f"{self.path}:{number}"
            if re.match(r"%(install|attributes|pre|post|preun|postun|pretrans|posttrans|trigger\w+)\b", line):
                self._finish(section, body)
                section, body = line, []
            elif section == "%attributes":
                if line.strip() and not line.startswith("#"):
                    self.attributes.append(Attribute(line, where))
            elif section:
                body.append(line)
            elif line.strip() and not line.startswith("#"):
                self._header(line, where)
        self._finish(section, body)

    def _finish(self, section, body):
        text = "\n".join(body).rstrip() + "\n"
        if section == "%install":
            self.install = text
        elif section and section != "%attributes":
            self.sections.append((section, text if text.strip() else ""))

    def _header(self, line, where):
        key, colon, value = line.partition(":")
        if colon and key in SINGLE:
            self.single[key] = (self.single.get(key, "") + " " + value.strip()).strip()
        elif colon and key.split("(")[0] in COPIED:
            self.copied.append(line.strip())
        else:
            raise LabError(f"{where}: unknown header `{key}`")


def load_recipes(lab):
    """All recipes of the lab and of its stand-ins, by RPM name."""
    recipes = {}
    for folder in ("recipes", "standin"):
        directory = os.path.join(lab, folder)
        for entry in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            name, dot, suffix = entry.rpartition(".")
            if dot and suffix == "recipe":
                if name in recipes:
                    raise LabError(f"{directory}/{entry}: a second recipe for {name}")
                recipes[name] = Recipe(name, os.path.join(directory, entry))
    return recipes
