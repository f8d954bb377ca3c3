# SPDX-License-Identifier: MIT
"""What --json printed against the schema that `kiln schema` prints for it."""
import functools
import json
import subprocess

import jsonschema

import tap


@functools.lru_cache(maxsize=None)
def validator(kiln, kind):
    schema = json.loads(subprocess.run([kiln, "schema", kind], stdout=subprocess.PIPE, check=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    tap.same(schema["$id"], f"urn:kiln:schema:{kind}:1", "$id")
    return jsonschema.Draft202012Validator(schema)


def judge(kiln, kind, document):
    wrong = [f"{error.json_path}: {error.message}" for error in validator(kiln, kind).iter_errors(document)]
    tap.check(not wrong, f"{kind}: {wrong}\n{document}")
    return document
