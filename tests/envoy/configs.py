"""What configs are made of."""


def split_rule(v1, v2, name="httpbin", **more):
    """A rule that splits by these weights."""
    return {"name": name, "split": [{"subset": "v1", "weight": v1}, {"subset": "v2", "weight": v2}], **more}
