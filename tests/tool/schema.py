"""What a real validator says: a schema, then texts, one JSON string a line; for each the errors, or null if it is no JSON."""

import json
import sys

from jsonschema import Draft7Validator


def read(value):
    """As it is, but for `$`, which in Python is also before a line's last end."""
    if isinstance(value, dict):
        return {ended(name): read(inner) for name, inner in value.items()}
    return [read(inner) for inner in value] if isinstance(value, list) else ended(value)


def ended(value):
    return value[:-1] + r"\Z" if isinstance(value, str) and value.startswith("^") and value.endswith("$") else value


lines = [json.loads(line) for line in sys.stdin]
schema = json.loads(lines[0])
Draft7Validator.check_schema(schema)
validator = Draft7Validator(read(schema))
for text in lines[1:]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        print("null")
        continue
    print(json.dumps([f"{error.json_path}: {error.validator}" for error in validator.iter_errors(value)]))
