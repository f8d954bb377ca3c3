# SPDX-License-Identifier: MIT
"""The rules of the house that no compiler knows: which folder may include which, no circles, names defined once, sizes,
and expressions that can be read at once. Each check_* returns the problems it found, a line each."""
import collections
import glob
import json
import os
import re
import statistics
import subprocess

FUNCTION_LINES_MAX, FUNCTION_LINES_MEDIAN, FILE_LINES_MAX = 100, 20, 600
TERNARIES_PER_1000_LINES, CHAIN_MAX = 6, 5

# From the ground up: a folder includes what stands above it here, and nothing below. A folder inside of another that
# stands here, too, is that one's own. `builder` is main.c.
ORDER = ["builder/base", "builder/manual", "builder/shared", "builder/http", "builder/secrets", "builder/signing", "builder/uki", "builder/web", "builder/registry", "builder/remote", "builder/cache",
         "builder/profile/reader", "builder/profile", "builder/init",
         "builder/packages", "builder/selection", "builder/sandbox", "builder/rootfs", "builder/configure",
         "builder/artefact/image", "builder/artefact/initrd", "builder/artefact/iso", "builder/artefact",
         "builder/build", "builder/compare", "builder/verify", "builder/release", "builder/diff", "builder/report", "builder/status", "builder/boot", "builder/serve", "builder/cache_server", "builder/rollout", "builder/rack",
         "builder/verbs", "builder",
         "firmware/node/root", "firmware/node/devices", "firmware/node/facts", "firmware/node/inventory",
         "firmware/node/secrets", "firmware/node/trust", "firmware/node/cmdline", "firmware/node/config_drive", "firmware/node/dhcp",
         "firmware/node/http", "firmware/node/identity", "firmware/node/plan", "firmware/node/network", "firmware/node/roots",
         "firmware/node/state", "firmware/node/machine", "firmware/node/watch",
         "firmware/node/initrd", "firmware/node"]
HOUSES = [folder for folder in ORDER if folder not in ("builder", "firmware/node")]
# kiln-node takes these of the builder.
NODE_BORROWS = {"builder/base", "builder/shared"}
# What a folder shows to the others; a folder that is not here shows every header but internal.h.
PUBLIC = {"builder/packages": {"packages.h"}, "builder/rootfs": {"rootfs.h", "tree.h", "account_tables.h"},
          "builder/artefact": {"artefact.h"},
          "builder/manual": {"manual_pages.h", "markup.h"}, "builder/boot": {"boot.h"}, "builder/configure": {"configure.h"}, "builder/verify": {"verify.h"},
          "builder/profile": {"profile.h", "effective.h", "defaults.h"}, "builder/serve": {"serve.h"}, "builder/cache_server": {"cache_server.h"}, "builder/rack": {"virtual_rack.h"},
          "builder/rollout": {"rollout.h"}, "builder/report": {"build_report.h"}}
# These count as inside of a house: they read what profiles are written in.
LODGERS = {"builder/init": "builder/profile"}
LIBRARIES = {"solv/": {"builder/packages", "builder/rootfs"}, "rpm/": {"builder/packages", "builder/rootfs"}}
# Every folder may have one of each.
COMMON_NAMES = {"internal.h", "main.c"}


def folder_of(path):
    """The entry of ORDER that a file belongs to: its folder or the nearest one above."""
    directory = os.path.dirname(path)
    while directory and directory not in ORDER:
        directory = os.path.dirname(directory)
    return directory


def code_of(text):
    """C without comments and literals, line by line."""
    def blank(match):
        return "\n" * match.group(0).count("\n")
    text = re.sub(r"/\*.*?\*/", blank, text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"'(\\.|[^'\\\n])+'", "''", text)
    return re.sub(r"//[^\n]*", "", text)


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


# ---- layers ----

def target_of(include, sources):
    """The file of this tree that an #include names, or None."""
    for path in (f"builder/{include}", include):
        if path in sources:
            return path
    return None


def include_problem(path, target):
    """Why `path` may not include `target`, or None."""
    own, other = folder_of(path), folder_of(target)
    if own == other:
        private = os.path.basename(target) == "internal.h" and os.path.dirname(path) != os.path.dirname(target)
        return "is internal to its folder" if private else None
    if own.startswith("firmware") and other.startswith("builder") and other not in NODE_BORROWS:
        return "is the builder's alone"
    if any(other.startswith(house + "/") and not own.startswith(house) and LODGERS.get(own) != house for house in HOUSES):
        return f"is internal to {os.path.dirname(other)}/"
    if ORDER.index(own) < ORDER.index(other) or (own.startswith("builder") and other.startswith("firmware")):
        return f"stands above {own}/"
    shown = PUBLIC.get(other)
    below = os.path.dirname(target) != other
    if below or os.path.basename(target) == "internal.h" or (shown and os.path.basename(target) not in shown):
        return f"is internal to {other}/"
    return None


def check_layers(sources):
    problems, known = [], set(sources)
    for path in sources:
        if path.startswith("tests/"):
            continue
        if folder_of(path) == "":
            problems.append(f"{path}: a folder that tests/layout.py does not know")
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            if not (match := re.match(r'\s*#include [<"]([^">]+)[">]', line)):
                continue
            include = match.group(1)
            target = target_of(include, known)
            if target and (why := include_problem(path, target)):
                problems.append(f"{path}:{number}: includes {include}, which {why}")
            for prefix, allowed in LIBRARIES.items():
                if include.startswith(prefix) and folder_of(path) not in allowed:
                    problems.append(f"{path}:{number}: only {' and '.join(sorted(allowed))} include <{include}>")
    return problems


# ---- circles, by the linker's own symbols ----

def symbol_graph(top, objects):
    """Which object file uses a symbol of which other: {source: {source}}."""
    defined, used = {}, collections.defaultdict(set)
    for path in objects:
        name = os.path.relpath(path, top)[:-2]
        for line in subprocess.run(["nm", "-P", path], capture_output=True, text=True, check=True).stdout.splitlines():
            symbol, kind = line.split()[:2]
            if kind in "TDBRC":
                defined[symbol] = name
            elif kind == "U":
                used[name].add(symbol)
    names = {os.path.relpath(path, top)[:-2] for path in objects}
    return {name: {defined[symbol] for symbol in used[name] if symbol in defined} - {name} for name in names}


def circles_of(graph):
    """The strongly connected components of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(component) > 1:
                found.append(sorted(component))
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def check_circles():
    """Needs what `make` compiled."""
    problems = []
    for top, part in (("build", "builder"), ("build/static", "firmware")):
        objects = [path for path in glob.glob(f"{top}/{part}/**/*.o", recursive=True)
                   if os.path.exists(os.path.relpath(path, top)[:-2] + ".c")]
        if not objects:
            return [f"{top}/{part}: nothing is compiled; run make first"]
        stale = [path for path in objects if os.path.getmtime(path) < os.path.getmtime(os.path.relpath(path, top)[:-2] + ".c")]
        if stale:  # what they were is not what the sources are: their circles would be told of code that is gone
            return [f"{len(stale)} objects are older than their sources, {stale[0]} for one; run make first"]
        graph = symbol_graph(top, objects)
        problems += [f"a circle of {len(circle)} files: {' '.join(circle)}" for circle in circles_of(graph) if len(circle) > 2]
        folders = collections.defaultdict(set)
        for name, others in graph.items():
            own = os.path.dirname(name)
            folders[own] |= {os.path.dirname(other) for other in others} - {own}
        problems += [f"a circle of folders: {' '.join(circle)}" for circle in circles_of(folders)]
    return problems


# ---- names and sizes ----

def functions_of(files):
    done = subprocess.run(["ctags", "--output-format=json", "--fields=+ne", "--kinds-C=f", "-f", "-", *files],
                          capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in done.splitlines()]


def check_sizes(files, functions):
    problems = [f"{name}: {count} lines, at most {FILE_LINES_MAX}" for name in files
                if (count := read(name).count("\n")) > FILE_LINES_MAX]
    lengths = []
    for tag in functions:
        length = tag.get("end", tag["line"]) - tag["line"] + 1
        lengths.append(length)
        if length > FUNCTION_LINES_MAX:
            problems.append(f"{tag['path']}:{tag['line']}: {tag['name']} has {length} lines, at most {FUNCTION_LINES_MAX}")
    median = statistics.median(lengths)
    print(f"{len(lengths)} functions, median {median:.0f} lines")
    if median > FUNCTION_LINES_MEDIAN:
        problems.append(f"the median function has {median} lines, at most {FUNCTION_LINES_MEDIAN}")
    return problems


def check_names(files, functions):
    """grep, gdb and people find one place for a name."""
    problems, places = [], collections.defaultdict(list)
    for path in files:
        if not path.startswith("tests/") and os.path.basename(path) not in COMMON_NAMES:
            places[os.path.basename(path)].append(path)
    for tag in functions:
        if not tag["path"].startswith("tests/") and tag["name"] != "main":
            places[tag["name"] + "()"].append(f"{tag['path']}:{tag['line']}")
    for name, where in sorted(places.items()):
        if len(where) > 1:
            problems.append(f"{where[0]}: {name} is also in {', '.join(where[1:])}")
    return problems


# ---- expressions ----

FORBIDDEN = [(re.compile(r"^\s*return fail\([^;]*\), -?\w+;"), "two things in one return"),
             (re.compile(r"^\s*[\w>.*()-]+ \? [^:;]+\([^;]*\) : [^;]+\([^;]*\);"), "a ternary as a statement")]


def has_comma(code, start):
    """Whether the condition whose parenthesis opens before `start` holds a comma that is no argument's."""
    depth = 1
    for character in code[start:]:
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(character, 0)
        if depth == 0:
            return False
        if character == "," and depth == 1:
            return True
    return False


def expression_problems(path, code):
    for match in re.finditer(r"[^;{}]+", code):
        text = match.group(0)
        chain = len(re.findall(r"&&|\|\|", text))
        if chain > CHAIN_MAX:
            number = code.count("\n", 0, match.start() + len(text) - len(text.lstrip())) + 1
            yield f"{path}:{number}: {chain} operators in one condition, at most {CHAIN_MAX}: name its parts"
    for number, line in enumerate(code.splitlines(), 1):
        for pattern, what in FORBIDDEN:
            if pattern.search(line):
                yield f"{path}:{number}: {what}"
    for match in re.finditer(r"\b(?:if|while) \(", code):
        if has_comma(code, match.end()):
            number = code.count("\n", 0, match.start()) + 1
            yield f"{path}:{number}: a comma in a condition"


def check_expressions(files):
    problems, ternaries, lines = [], collections.Counter(), collections.Counter()
    for path in files:
        if not path.endswith(".c") or path.startswith("tests/"):
            continue
        code = code_of(read(path))
        ternaries[folder_of(path)] += code.count("?")
        lines[folder_of(path)] += code.count("\n")
        problems += expression_problems(path, code)
    for folder, count in sorted(ternaries.items()):
        if count * 1000 > TERNARIES_PER_1000_LINES * max(lines[folder], 500):
            problems.append(f"{folder}: {count * 1000 / lines[folder]:.1f} ternaries per 1,000 lines, "
                            f"at most {TERNARIES_PER_1000_LINES}")
    return problems


def check_licence(paths):
    """The licence is named within the first lines of all code."""
    problems = []
    for path in paths:
        if path.startswith("overlays/"):
            continue  # their bytes are the image's
        with open(path, "rb") as stream:
            head = stream.read(400)
        code = path.endswith((".c", ".h", ".py")) or head.startswith((b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env python3"))
        if code and b"SPDX-License-Identifier: MIT" not in head:
            problems.append(f"{path}: no SPDX-License-Identifier")
    return problems


def check_page(page, paths):
    """A page about the code names files and functions that are there."""
    problems, text = [], read(page)
    names = {os.path.basename(path) for path in paths}
    code = "".join(read(path) for path in paths if path.endswith(".c"))
    for quoted in re.findall(r"`([^`\n]+)`", text):
        for word in quoted.split():
            gone = re.fullmatch(r"(builder|firmware|tests)/[\w./-]+", word) and "NAME" not in word and not os.path.exists(word)
            if gone or (re.fullmatch(r"\w+\.[ch]", word) and "NAME" not in word and word not in names):
                problems.append(f"{page}: there is no {word}")
            if (function := re.fullmatch(r"(\w+)\(\)", word)) and not re.search(rf"\b{function.group(1)}\(", code):
                problems.append(f"{page}: there is no {word}")
    return problems
