# SPDX-License-Identifier: MIT
"""The HTML page about a build (builder/report): of real builds, and of manifests and inventories that somebody made up."""
import glob
import html.parser
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree

import tap
from tap import check, same

HOSTILE = "\"'><script>document.title='stolen'</script></style></svg><img src=x onerror=alert(1)>&amp;\x1b[31m\u202e"
SHOWN = HOSTILE.replace("\x1b", "?").replace("\u202e", "?")
ELEMENTS = set("html meta title style header h1 h2 h3 code dl div dt dd nav ul li a main p table thead tbody tr th td details summary svg "
               "g text line rect circle footer".split())
ATTRIBUTES = set("lang charset name content http-equiv id class href aria-label role tabindex scope open width height viewbox x y x1 x2 "
                 "y1 y2 cx cy r rx text-anchor".split())
PAGE_MAX_BYTES = 2 << 20


class Page(html.parser.HTMLParser):
    """Reads a page as browsers do, and notes what is in it."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.links, self.texts, self.open = set(), set(), [], [], []
        self.feed(text)
        self.close()
        self.text = "".join(self.texts)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.texts.append(data)


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(data if isinstance(data, bytes) else data.encode())


def looked_at(path):
    """The page, which holds nothing but what reports are made of, fetches nothing, and whose pictures are XML."""
    text = read(path)
    page = Page(text)
    same(page.elements - ELEMENTS, set(), "foreign elements")
    same(page.attributes - ATTRIBUTES, set(), "foreign attributes")
    check(all(link.startswith("#") for link in page.links), f"a link leads away: {page.links}")
    for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        xml.etree.ElementTree.fromstring(picture)
    return page


def newc(name, data):
    fields = [0, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def package(name, version="1-1", size=1000, **more):
    return {"name": name, "arch": "noarch", "nevra": f"{name}-{version}.noarch", "repository": "base", "sha256": "0" * 64, "size": 1,
            "installed_size": size, **more}


def made_up(out, build, roles, inventory, notes=None, release="mini", cluster="tiny"):
    """A build of a manifest and configuration layers alone. `roles`: name to packages."""
    place = f"{out}/{cluster}/{build}"
    objects = {name: {"configuration": [], "files": [], "packages": packages, "root": {"sha256": "", "size": 1},
                      "kernel": {"arguments": [release], "image": "vmlinuz", "version": release}} for name, packages in roles.items()}
    write(f"{place}/manifest.json", json.dumps({
        "artefacts": [], "build": build, "cluster": cluster, "format": 1, "release": release, "roles": objects, "signed_by": None,
        "inputs": {"version": release, "code": "0" * 64, "files": {}}, "options": {"http_base": release, "only": [], "serial": 0, "set": []}}))
    for role in roles:
        layer = newc("kiln/config/etc/kiln/node.json", json.dumps({"format": 1, "build": build, "role": role, **inventory}).encode())
        write(f"{place}/{role}/config.cpio", layer + newc("TRAILER!!!", b""))
    if notes:
        write(f"{out}/{cluster}/.notes-{build}", json.dumps(notes))
    return place


def report(site, out, build):
    return site.kiln("builds", "--out", out, "--report", build).splitlines()[-1]


def a_build_has_a_report(site):
    site.fresh()
    one = site.greet("one")
    two = site.greet("two", says=r"^report: .*\.html$")
    place, name = os.path.split(two)
    path = f"{place}/report-{name}.html"
    page = looked_at(path)
    for part in ("tiny: build", "content", "kernel", "nobody can log in", f"Since build {os.path.basename(one)}", "↻ content: /etc/greeting",
                 "another configuration on 3 nodes:", "10.0.0.3", "manifest tiny: began after"):
        check(part in page.text, f"no `{part}` in the page:\n{page.text[-3000:]}")
    same(os.stat(path).st_mode & 0o777, 0o644, "its mode")
    check(not glob.glob(f"{two}/*report*") and "report-" not in read(f"{two}/SHA256SUMS"), "the report is a part of the build")
    site.kiln("verify", two, says="files are as published, and the same")
    before = read(path), os.stat(path).st_mtime_ns
    site.greet("two", says="nothing has changed")
    same((read(path), os.stat(path).st_mtime_ns), before, "the page after a build that made nothing")
    os.remove(path)
    same(report(site, site.out, name), path, "where it is")
    same(read(path), before[0], "the page that was made again")
    site.publish(one)
    site.kiln("builds", "--out", site.out, "--prune", "--keep", "0")
    check(not glob.glob(f"{place}/*{name}*"), "what lay beside a build that went stays")


def a_report_of_a_part(site):
    site.fresh()
    path = site.greet("one", "--role", "web", says=r"^report: ")
    place, name = os.path.split(path)
    page = looked_at(f"{place}/report-{name}.html")
    check("Nothing to compare with" in page.text and "10.0.0.1" in page.text, page.text)
    site.greet("one", "--only", "config", silent_on=["report:", "no report"])  # without a manifest


def a_report_is_no_reason_to_fail(site):
    """What was built is published: where the page cannot be written, a warning says so."""
    site.fresh()
    one = site.greet("one")
    place, name = os.path.split(one)
    os.remove(f"{place}/report-{name}.html")
    os.makedirs(f"{place}/report-{name}.html/full")
    site.kiln("builds", "--out", site.out, "--report", name, status=31, says="rename report-")
    check(not [name for name in os.listdir(place) if name.startswith(".staging")], "half a page stays behind")
    site.kiln("builds", "--out", site.out, "--report", "0123", status=12, says="there is no build `0123`")
    write(f"{one}/manifest.json", "{")
    site.kiln("builds", "--out", site.out, "--report", name, status=24, says="manifest.json: line 1")


def hostile_inventory():
    link = {"interface": HOSTILE, "network": HOSTILE, "addresses": [HOSTILE], "dhcp": True,
            "bond": {"name": HOSTILE, "members": [HOSTILE], "options": f"mode={HOSTILE}"}}
    return {"networks": [{"name": HOSTILE, "subnet": HOSTILE, "gateway": HOSTILE, "vlan": -3}, {"name": 7, "subnet": "10.0.0.0/99"}, "x"],
            "vips": [{"name": HOSTILE, "ip": HOSTILE}, 5],
            "nodes": [{"name": HOSTILE, "role": HOSTILE, "ip": HOSTILE, "network": HOSTILE, "links": [link, 3]}, {"name": None}, []]}


def what_others_wrote_stays_text(site):
    out = f"{site.base}/hostile"
    packages = [package(HOSTILE, HOSTILE, repository=HOSTILE), package("huge", size=1 << 62), package("less", size=-5),
                package("text", size="12"), {"name": 3}]
    made_up(out, "0" * 16, {"web": [package(f"{HOSTILE}gone")]}, {"networks": [], "nodes": []})
    os.utime(f"{out}/tiny/{'0' * 16}", (1600000000, 1600000000))
    notes = {"format": 1, "made": 1 << 60, "before": HOSTILE, "took_ms": -1, "warnings": [HOSTILE, 3],
             "steps": [{"step": HOSTILE, "began_ms": 5, "took_ms": 1 << 59}, {"step": HOSTILE, "began_ms": "x"}, 9]}
    made_up(out, "1" * 16, {"web": packages, HOSTILE.replace("/", "|"): packages}, hostile_inventory(), notes, release=HOSTILE)
    page = looked_at(report(site, out, "1" * 16))
    check(page.text.count(SHOWN) > 15, f"{page.text.count(SHOWN)} times as it is")
    write(f"{out}/tiny/.notes-{'1' * 16}", "no JSON")
    check("Nobody wrote them down" in looked_at(report(site, out, "1" * 16)).text, "notes that are none")


def large_inventory():
    def node(number):
        link = {"network": f"net{number % 2}", "addresses": [f"10.2.{number // 250}.{number % 250}"],
                "bond": {"name": "bond0", "members": ["a", "b"], "options": "mode=802.3ad"}, "vlan": 12}
        return {"name": f"node{number}", "role": f"role{number % 4}", "ip": f"10.0.{number // 250}.{number % 250}", "network": "lan",
                "links": [link]}
    networks = [{"name": "lan", "subnet": "10.0.0.0/16", "gateway": "10.0.0.1"}]
    networks += [{"name": f"net{i}", "subnet": f"10.{i + 1}.0.0/16", "vlan": 12} for i in range(2)]
    return {"networks": networks, "nodes": [node(i) for i in range(2000)], "vips": [{"name": "web", "ip": "10.0.7.7"}]}


def large_roles():
    common = [package(f"package-with-a-name-{i}", size=1000000 // (i + 1)) for i in range(480)]
    return {f"role{r}": common + [package(f"only-{r}-{i}", size=5000 * i) for i in range(30)] for r in range(4)}


def what_comes_to_one_more_role_is_not_new(site):
    """A package is compared with what any role of the older build had of its name."""
    out = f"{site.base}/roles"
    common, other = package("common"), package("rebuilt", sha256="1" * 64)
    made_up(out, "0" * 16, {"web": [], "db": [common, package("tool"), package("rebuilt"), package("moved")]}, {"networks": [], "nodes": []})
    os.utime(f"{out}/tiny/{'0' * 16}", (1600000000, 1600000000))
    made_up(out, "1" * 16, {"web": [common, package("tool", "2-1"), package("moved"), other], "db": [common, package("fresh"), package("tool")],
                            "third": [common, package("fresh")]}, {"networks": [], "nodes": []})
    page = read(report(site, out, "1" * 16))
    marks = dict(re.findall(r'<tr><th scope="row">([a-z]+)<td>[^<]*<td class="n">[^<]*<td>[^<]*<td>[^<]*<td>([a-z]*)</tr>', page))
    same(marks, {"common": "", "tool": "", "rebuilt": "changed", "moved": "", "fresh": "new"}, "marks")
    check(re.search(r"<title>tool 2-1[^<]*; changed", page), "another version of what a role had")


def two_thousand_nodes(site):
    out = f"{site.base}/large"
    made_up(out, "0" * 16, {**large_roles(), "role0": []}, large_inventory())
    os.utime(f"{out}/tiny/{'0' * 16}", (1600000000, 1600000000))
    made_up(out, "1" * 16, large_roles(), large_inventory())
    path = report(site, out, "1" * 16)
    page = looked_at(path)
    check(os.path.getsize(path) < PAGE_MAX_BYTES, f"{os.path.getsize(path)} bytes")
    check("500 nodes alike" in page.text and "bond0: 2 cards, 802.3ad, VLAN 12" in page.text and "web, virtual address; lan 10.0.7.7" in page.text,
          "the network is not in the picture")
    check("node1999" in page.text and "600 packages as a table" in page.text and "only-3-29" in page.text, "something is left out")
    check(read(path).count("<rect") < 2000, "nodes that are alike are not folded")


def the_report_in_a_browser(site):
    browser = shutil.which("chromium")
    if not browser:
        raise tap.Skip("there is no chromium")
    out = f"{site.base}/browser"
    made_up(out, "1" * 16, {"web": [package(HOSTILE, HOSTILE), package("content")]}, hostile_inventory(),
            {"warnings": [HOSTILE], "steps": [{"step": "pack", "began_ms": 0, "took_ms": 900}]})
    path = report(site, out, "1" * 16)
    done = subprocess.run([browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={site.base}/chromium", "--dump-dom",
                           "--enable-logging=stderr", f"file://{path}"], capture_output=True, text=True, timeout=100, check=False)
    check("<title>tiny: build 1111111111111111</title>" in done.stdout, done.stdout[:600])
    same(Page(done.stdout).elements - ELEMENTS - {"head", "body"}, set(), "foreign elements")
    check("Content Security Policy" not in done.stderr, f"its own policy refuses a part of it:\n{done.stderr[-2000:]}")


TESTS = [a_build_has_a_report, a_report_of_a_part, a_report_is_no_reason_to_fail, what_others_wrote_stays_text, what_comes_to_one_more_role_is_not_new, two_thousand_nodes,
         the_report_in_a_browser]
