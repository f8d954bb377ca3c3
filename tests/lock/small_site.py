# SPDX-License-Identifier: MIT
"""A directory with small repositories that are made on the spot, a cluster and a cache: what the suites lock and fetch share."""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests")
sys.dont_write_bytecode = True

import tap  # noqa: E402

KILN = os.environ.get("KILN", f"{TOP}/build/kiln")
BUILT = {}  # "directory": where built packages are kept between tests

CLUSTER = """cluster: small
release: tiny
paths: {roles: ., releases: ., overlays: overlays, kickstart: kickstart}
networks: [{name: lan, subnet: 10.0.0.0/24}]
nodes:
  - {name: one, role: web, ip: 10.0.0.1}
  - {name: two, role: db, ip: 10.0.0.2}
"""


class Site:
    """A directory with repositories, a cluster and a cache."""

    def __init__(self, directory):
        self.directory = directory
        self.write("cluster.yaml", CLUSTER)
        self.role("web", ["httpd", "common"])
        self.role("db", ["database", "common"])
        self.release(["main"])
        for folder in ("overlays", "kickstart"):
            os.mkdir(self.path(folder))
        self.package("main", "kernel", "1-1")
        self.package("main", "common", "1-1")
        self.package("main", "library", "1-1")
        self.package("main", "httpd", "1-1", ["library"])
        self.package("main", "database", "1-1", ["library"])
        self.publish("main", 1000000000)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as stream:
            stream.write(text)

    def read(self, name="cluster.tiny.lock"):
        with open(self.path(name), encoding="utf-8") as stream:
            return stream.read()

    def role(self, name, packages):
        self.write(f"{name}.yaml", f"packages: [{', '.join(packages)}]\n")

    def release(self, repositories, extra=""):
        text = "kernel: {package: kernel}\nrepositories:\n"
        for name in repositories:
            text += f"  - {{name: {name}, baseurl: {name}, trust: digest}}\n"
        self.write("tiny.yaml", text + extra)

    def package(self, repository, name, version, requires=(), summary="a test", provides=()):
        version, release = version.split("-")
        spec = f"Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: {summary}\nLicense: MIT\nBuildArch: noarch\n"
        spec += "".join(f"Requires: {what}\n" for what in requires) + "".join(f"Provides: {what}\n" for what in provides)
        spec += "%description\nA test.\n%files\n"
        key = hashlib.sha256(spec.encode()).hexdigest()
        top = BUILT["directory"]
        built = os.path.join(top, key)
        if not os.path.exists(built):  # the same package is the same file wherever it appears
            path = os.path.join(top, f"{key}.spec")
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(spec)
            subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}/build", "--define",
                            f"_rpmdir {built}", path], check=True, capture_output=True, env={**os.environ, "HOME": top})
        os.makedirs(self.path(repository), exist_ok=True)
        shutil.copy2(f"{built}/noarch/{name}-{version}-{release}.noarch.rpm", self.path(repository))

    def publish(self, repository, time):
        shutil.rmtree(self.path(f"{repository}/repodata"), ignore_errors=True)
        subprocess.run(["createrepo_c", "--quiet", "--no-database", f"--revision={time}", "--set-timestamp-to-revision",
                        self.path(repository)], check=True, capture_output=True)

    def kiln(self, *arguments, status=0, says=()):
        done = subprocess.run([KILN, *arguments, "--cache", "cache"], cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        if done.returncode != status:
            raise AssertionError(f"kiln {' '.join(arguments)}: exit status {done.returncode}, not {status}\n"
                                 f"{done.stdout}{done.stderr}")
        for text in [says] if isinstance(says, str) else says:
            if text not in done.stdout + done.stderr:
                raise AssertionError(f"kiln {' '.join(arguments)}: `{text}` is missing in\n{done.stdout}{done.stderr}")
        return done.stdout

    def lock(self, *arguments, **expected):
        return self.kiln("lock", "cluster.yaml", *arguments, **expected)

    def fetch(self, *arguments, **expected):
        return self.kiln("fetch", "cluster.yaml", *arguments, **expected)

    def locked(self):
        """NEVRA to who takes it."""
        lines = self.read().split("\n\n", 1)[1].splitlines()
        return {line.split()[0]: line.split()[4] for line in lines}


def without_http_warning(output):
    """These repositories are served by HTTP on the loopback, unsigned, which kiln warns of."""
    return "".join(line for line in output.splitlines(True) if "nothing authenticates its metadata" not in line)


def expect(actual, wanted):
    if actual != wanted:
        raise AssertionError(f"got {actual!r}, want {wanted!r}")


def main(tests):
    """Runs each test, or those that are named, in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="kiln-site-") as top:
        BUILT["directory"] = os.path.join(top, "packages")
        os.mkdir(BUILT["directory"])

        def call(test):
            directory = os.path.join(top, test.__name__)
            os.mkdir(directory)
            test(Site(directory))
        return tap.run(tap.choose(tests), call)
