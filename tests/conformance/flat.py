"""JSON documents from stdin as sorted lines "path = value". With --types, the kinds of values instead of values."""
import json
import sys

TYPES = "--types" in sys.argv


def walk(value, path):
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from walk(value[key], f"{path}.{key}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]")
    else:
        yield f"{path} = {type(value).__name__ if TYPES else json.dumps(value)}"


def documents(text):
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        document, end = decoder.raw_decode(text, at)
        yield document
        at = end
        while at < len(text) and text[at].isspace():
            at += 1


for number, document in enumerate(documents(sys.stdin.read().strip())):
    print("\n".join(walk(document, f"{number}" if number else "")))
