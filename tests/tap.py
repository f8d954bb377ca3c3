# SPDX-License-Identifier: MIT
"""TAP (testanything.org), as the suites in Python speak it: `ok N - NAME`, `not ok N - NAME` after notes that say why,
`ok N - NAME # skip REASON`, and the plan.

A suite is one of two things: a list of tests, each of which ends with an exception if something is wrong (run()), or
subjects that report several checks each (Tap). Both take names from the command line: choose().
"""
import contextlib
import subprocess
import sys
import traceback


class Failure(Exception):
    """What a test found wrong: told without a traceback."""


class Skip(Exception):
    """Why a test cannot run here."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def same(found, expected, what):
    check(found == expected, f"{what}:\nfound    {found}\nexpected {expected}")


def note(text):
    print("".join(f"# {line}\n" for line in str(text).splitlines()), end="", flush=True)


def skip_all(reason):
    """Ends the program: nothing of the suite can run here."""
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def fail_all(name, text):
    """Ends the program: what every test needs is not there, and that is a failure."""
    note("\n".join(text.splitlines()[-40:]))
    print(f"1..1\nnot ok 1 - {name}", flush=True)
    sys.exit(1)


def name_of(test):
    """Tests are functions, or pairs of a name and a function, or names themselves."""
    return test if isinstance(test, str) else test[0] if isinstance(test, tuple) else test.__name__


def choose(tests, words=None, always=()):
    """The tests that the words name, or whose names hold one of them, and those of `always`. All, without words. A word
    that finds nothing ends the program."""
    words, tests, found = sys.argv[1:] if words is None else words, list(tests), set()
    for word in words:
        names = [name_of(test) for test in tests]
        of_word = {name for name in names if name == word} or {name for name in names if word in name}
        if not of_word:
            sys.exit(f"no test is called `{word}`: there are {', '.join(names)}")
        found |= of_word
    return [test for test in tests if not words or name_of(test) in found or name_of(test) in always]


class Tap:
    """Checks that are reported one by one; the plan comes last."""

    def __init__(self):
        self.count = self.failures = 0
        self.subject = ""  # stands before the names

    def _line(self, verdict, name):
        self.count += 1
        print(f"{verdict} {self.count} - {self.subject}{name}", flush=True)

    def ok(self, condition, name, detail=""):
        """One check. The detail comes first, so that whoever reads the result has it at hand."""
        if not condition:
            self.failures += 1
            note("\n".join(str(detail).splitlines()[-60:]))
        self._line("ok" if condition else "not ok", name)
        return bool(condition)

    def same(self, actual, expected, name):
        return self.ok(actual == expected, name, f"got  {actual!r}\nwant {expected!r}")

    def failed(self, name, detail):
        return self.ok(False, name.splitlines()[0], f"{name}\n{detail}")

    def skip(self, name, reason):
        self._line("ok", f"{name} # skip {reason}")

    def finish(self):
        """The exit status of the suite."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failures or not self.count else 0


def why(error):
    """What to tell of an exception that ended a test."""
    if isinstance(error, Failure):
        return str(error)
    output = error.stderr or error.output or "" if isinstance(error, subprocess.SubprocessError) else ""
    return traceback.format_exc() + (output.decode(errors="replace") if isinstance(output, bytes) else output)


def run(tests, call=lambda test: test(), after=None):
    """Calls each test; what it raises is its result, and a judge's own failure is a failure too. `after` comes after each,
    outside of the judgement. The exit status of the suite."""
    tap = Tap()
    print(f"1..{len(tests)}", flush=True)
    for test in tests:
        function = test[1] if isinstance(test, tuple) else test
        try:
            call(function)
            tap.ok(True, name_of(test))
        except Skip as reason:
            tap.skip(name_of(test), reason)
        except Exception as error:  # pylint: disable=broad-exception-caught
            tap.ok(False, name_of(test), why(error))
        if after:
            with contextlib.suppress(FileNotFoundError):
                after()
    return 1 if tap.failures else 0
