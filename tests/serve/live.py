# SPDX-License-Identifier: MIT
"""The page while the rack changes: what somebody holds, has selected or reads aloud of it stays, and it comes back."""
import contextlib
import json
import os
import shutil

from browser import Tab, browser
from hostile import hold
from rack import ADDRESS, PORT, mac_of, wait_for
from tap import Skip, check, same

FIRST = "00000000000000a1"
WATCHERS_MAX = 128
HELPERS = """
const buttonOf = name => [...document.querySelectorAll(".rack button")].find(button => button.querySelector("b").textContent === name);
const shown = () => [...document.querySelectorAll(".rack li")].filter(li => !li.hidden).map(li => li.querySelector("b").textContent).sort().join();
const sum = stage => [...document.querySelectorAll("#sums button")].find(button => button.textContent.includes(stage));
const role = name => buttonOf(name).closest("section").querySelector("h2").firstChild.textContent;
const held = {}, search = document.getElementById("find");
"""


@contextlib.contextmanager
def page_of(world, ready="document.body && document.body.dataset.ready"):
    """The page of the rack that serves, in a browser."""
    program = shutil.which("chromium")
    if not program:
        raise Skip("there is no chromium")
    with browser(program, f"{world.base}/chromium") as port:
        tab = Tab(port)
        tab.call("Page.navigate", url=f"http://{ADDRESS}:{PORT}/")
        wait_for("the page", lambda: tab.evaluate(ready))
        same(tab.evaluate(HELPERS + "1"), 1, "what helps to look at the page")
        yield tab


def serve_rack(world, **options):
    rack = world.rack(**options)
    rack.build(FIRST)
    rack.serve("--no-dhcp", "--no-tftp", "--interface", "srv")
    return rack


def say(rack, tab, index, stage, **more):
    """A report, and the page that shows it."""
    rack.report(attempt="a", mac=[mac_of(index)], stage=stage, **more)
    wait_for(f"n{index} is {stage} on the page", lambda: tab.evaluate(f"buttonOf('n{index}').textContent.includes('{stage}')"))


def what_is_held_stays(world):
    rack = serve_rack(world, nodes=4)
    with page_of(world) as tab:
        rack.report(attempt="a", mac=["52:54:00:99:99:99"], stage="initrd")
        say(rack, tab, 0, "root", percent=40)
        say(rack, tab, 1, "refused")
        tab.evaluate("""held.sum = sum("root"); held.open = document.querySelector("#trouble td button"); held.open.focus();
                        held.line = document.querySelector("#unknown .copy"); getSelection().selectAllChildren(held.line); held.text = held.line.textContent;
                        0""")
        say(rack, tab, 2, "root", percent=5)
        same(tab.evaluate("sum('root').textContent"), "◑ root 2", "the button's text")
        same(tab.evaluate("held.sum === sum('root')"), True, "the button that somebody presses is the same one")
        same(tab.evaluate("held.open.isConnected && document.activeElement === held.open"), True, "the focus")
        same(tab.evaluate("held.line.isConnected && getSelection().toString() === held.text"), True, "what is selected")


def a_filter_does_not_hide_itself(world):
    rack = serve_rack(world, nodes=4)
    with page_of(world) as tab:
        say(rack, tab, 0, "root", percent=40)
        tab.evaluate("sum('root').click()")
        same(tab.evaluate("shown()"), "n0", "those that load their root")
        say(rack, tab, 0, "decided")
        same(tab.evaluate("[shown(), sum('root')?.textContent, sum('root')?.getAttribute('aria-pressed')].join()"), ",◑ root 0,true", "when none does")
        tab.evaluate("sum('root').click()")
        same(tab.evaluate("[shown(), sum('root')].join()"), "n0,n1,n2,n3,", "without the filter")


def the_page_follows_the_inventory(world):
    rack = serve_rack(world, nodes=4)
    role = f"{os.path.dirname(rack.cluster)}/roles/"
    shutil.copy(f"{role}/mini.yaml", f"{role}/other.yaml")
    more = ['  - {name: Db-1, role: %s, mac: "52:54:00:00:99:01", ip: 10.0.9.1}' % name for name in ("mini", "other")]
    rack.write_inventory([more[0]])
    with page_of(world) as tab:
        wait_for("the new node", lambda: tab.evaluate("Boolean(buttonOf('Db-1'))"))
        tab.evaluate("held.card = buttonOf('Db-1'); held.card.focus(); 0")
        rack.write_inventory([more[1]])
        wait_for("its other role", lambda: tab.evaluate("role('Db-1')") == "other")
        rack.nodes = 3
        rack.write_inventory([more[1]])
        wait_for("one has gone", lambda: not tab.evaluate("Boolean(buttonOf('n3'))"))
        say(rack, tab, 2, "root", percent=5)
        rack.nodes = 2
        rack.write_inventory([more[1]])
        wait_for("one that was seen has gone, too", lambda: not tab.evaluate("Boolean(buttonOf('n2'))"))
        check(mac_of(2) in tab.evaluate("document.getElementById('unknown').textContent"), "who was seen is an unknown machine by now")
        same(tab.evaluate("held.card === buttonOf('Db-1') && document.activeElement === held.card"), True, "the card that has the focus")
        for word, found in (("db-1", "Db-1"), ("DB", "Db-1"), ("n", "n0,n1"), ("other", "Db-1")):
            tab.evaluate(f"search.value = {json.dumps(word)}; search.dispatchEvent(new Event('input')); 0")
            same(tab.evaluate("shown()"), found, f"what is found by {word}")


def the_page_comes_back(world):
    """An answer that is no stream of events ends an EventSource for good."""
    rack = serve_rack(world, nodes=4)
    held = [hold(ADDRESS, "/api/events") for _ in range(WATCHERS_MAX)]
    same(held[-1][1], "200", "the last one who may watch")
    with page_of(world) as tab:
        check("no connection" in tab.evaluate("document.getElementById('state').textContent"), "it says that it is not live")
        same(tab.evaluate("shown()"), "n0,n1,n2,n3", "the rack as it was")
        for connection, _ in held:
            connection.close()

        def is_live():
            rack.report(attempt="a", mac=[mac_of(1)], stage="root", percent=1)  # news, by which the server sees who is gone
            return tab.evaluate("document.getElementById('state').textContent") == "live"
        wait_for("it is live", is_live)
        say(rack, tab, 0, "initrd")


CASES = [what_is_held_stays, a_filter_does_not_hide_itself, the_page_follows_the_inventory, the_page_comes_back]
