# SPDX-License-Identifier: MIT
"""Assertions from outside: HTTP, ZooKeeper's four letters, commands over ssh."""
import base64
import json
import urllib.error
import urllib.request

from cluster_access import four_letters
from environment import wait_until
from tap import Tap

PATIENCE_S = 360  # for what starts late: units restart every 20 s, and two cores emulate several machines


class BootTap(Tap):
    """With checks that wait for what is to become true."""

    def holds(self, look, judge, name, seconds=PATIENCE_S):
        """`look` until `judge` accepts what it returns."""
        seen = {}

        def attempt():
            seen["value"] = look()
            try:
                return judge(seen["value"])
            except (KeyError, IndexError, TypeError, AttributeError):
                return False
        return self.ok(wait_until(attempt, seconds, 1), name, f"last seen: {str(seen.get('value'))[:2000]}")

    def command(self, node, command, judge, name, seconds=PATIENCE_S):
        """A command on the node: `judge` sees its output if it succeeded, else it is tried again."""
        return self.holds(lambda: node.ssh(command), lambda result: result[0] == 0 and judge(result[1]), name, seconds)


def http(url, user=None, body=None, method=None, host=None):
    """(status, text); (0, why) when there is no answer."""
    request = urllib.request.Request(url, data=body, method=method)
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    if body:
        request.add_header("Content-Type", "application/json")
    if host:
        request.add_header("Host", host)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, ValueError) as error:
        return 0, str(error)


def http_json(url):
    """The parsed answer, or (status, text) if it is no JSON."""
    status, text = http(url)
    try:
        return json.loads(text)
    except ValueError:
        return status, text


