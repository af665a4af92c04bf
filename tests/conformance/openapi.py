#!/usr/bin/env python3
"""Makes operations.json out of an OpenAPI (Swagger 2) description of Docker's API.

    openapi.py DESCRIPTION.yaml >operations.json

What is kept: each operation's method, path, parameters by name, status codes, and the types of what is answered. A type is

    string, integer, number, boolean, object, any     with "?" behind it: may be null
    string(a|b|c)                                     one of these
    [TYPE]  {TYPE}  @NAME                             an array, a map, one of "types"

and an object in "types" is {MEMBER: TYPE}, where "MEMBER*" has to be there.
"""
import json
import sys

import yaml

# Of these no more than the status codes: without a swarm there is nothing else.
STATUS_ONLY = ("Swarm", "Node", "Service", "Task", "Secret", "Config", "Plugin", "Session")
METHODS = ("get", "head", "post", "put", "delete")


class Table:
    def __init__(self, description):
        self.definitions, self.types = description["definitions"], {}

    def name_of(self, ref):
        name = ref.rsplit("/", 1)[1]
        if name not in self.types:
            self.types[name] = None  # it may refer to itself
            self.types[name] = self.members(self.definitions[name], name)
            if self.types[name] is None:
                self.types[name] = self.type_of(self.definitions[name], name)
        return name

    def members(self, schema, where):
        """The members of an object that names some; None for anything else."""
        found, required = {}, set(schema.get("required", []))
        for part in schema.get("allOf", []):
            if "$ref" in part:
                name = self.name_of(part["$ref"])
                if isinstance(self.types[name], dict):
                    found.update(self.types[name])
            else:
                found.update(self.members(part, where) or {})
        for key, value in schema.get("properties", {}).items():
            found[key + ("*" if key in required else "")] = self.type_of(value, f"{where}.{key}")
        return found or None

    def type_of(self, schema, where):
        null = "?" if schema.get("x-nullable") else ""
        if "$ref" in schema:
            return f"@{self.name_of(schema['$ref'])}{null}"
        kind = schema.get("type", "object" if "allOf" in schema or "properties" in schema else "any")
        if kind == "array":
            return f"[{self.type_of(schema.get('items', {}), where + '[]')}]{null}"
        if kind == "object" or "allOf" in schema:
            members = self.members(schema, where)
            if members:
                self.types[where] = members
                return f"@{where}{null}"
            more = schema.get("additionalProperties")
            return ("{" + self.type_of(more, where + "{}") + "}" if isinstance(more, dict) and more else "object") + null
        if kind == "string" and schema.get("enum"):
            return f"string({'|'.join(str(e) for e in schema['enum'])}){null}"
        return (kind if isinstance(kind, str) else "any") + null


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        description = yaml.safe_load(file)
    table, operations = Table(description), []
    for path, methods in description["paths"].items():
        for method in METHODS:
            if method not in methods:
                continue
            operation = methods[method]
            answers = {}
            for status, answer in operation["responses"].items():
                where = f"{method.upper()} {path} {status}"
                known = "schema" in answer and operation["tags"][0] not in STATUS_ONLY
                answers[str(status)] = table.type_of(answer["schema"], where) if known else ""
            operations.append({
                "method": method.upper(), "path": path, "answers": answers,
                "parameters": sorted(p["name"] for p in operation.get("parameters", []) + methods.get("parameters", [])
                                     if p["in"] == "query")})
    rows = ",\n".join("  " + json.dumps(o) for o in operations)
    types = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(table.types.items()))
    print('{\n "operations": [\n' + rows + '\n ],\n "types": {\n' + types + "\n }\n}")


main()
