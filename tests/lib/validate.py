#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""validate.py SCHEMAS kind FILE...   checks each JSON value of the files against its schema
validate.py SCHEMAS man PAGE DIR      writes the examples of a man page to DIR/KIND.json"""

import json
import os
import sys


def values(text):
    """The JSON values that stand one behind the other in a text."""
    decoder = json.JSONDecoder()
    text = text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:].lstrip()


def examples(page):
    """(kind, text) of each literal block behind a line '.\\" example KIND'."""
    kind, lines = None, None
    for line in page.splitlines():
        if line.startswith('.\\" example '):
            kind = line.split()[2]
        elif kind and line.startswith(".Bd"):
            lines = []
        elif lines is not None and line.startswith(".Ed"):
            yield kind, "\n".join(lines) + "\n"
            kind, lines = None, None
        elif lines is not None:
            lines.append(line.replace("\\e", "\\"))


def check(schemas, kind, files):
    import jsonschema

    with open(os.path.join(schemas, f"nexus-{kind}-1.schema.json")) as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong = 0
    for name in files:
        with open(name) as f:
            for value in values(f.read()):
                for error in validator.iter_errors(value):
                    path = "".join(f"[{p!r}]" for p in error.absolute_path)
                    print(f"{name}: {path}: {error.message}")
                    wrong += 1
    return 1 if wrong else 0


def main():
    schemas, what, *rest = sys.argv[1:]
    if what != "man":
        return check(schemas, what, rest)
    with open(rest[0]) as f:
        for kind, text in examples(f.read()):
            with open(os.path.join(rest[1], kind + ".json"), "w") as out:
                out.write(text)
    return 0


sys.exit(main())
