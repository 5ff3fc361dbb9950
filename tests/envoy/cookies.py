"""Cookies as the filter writes them."""

import time


def minute(after=0):
    """Now, or this many minutes later."""
    return f"{int(time.time() // 60) + after:07x}"


def visitors(number, name="canary-httpbin"):
    """Headers with cookies whose draws lie evenly, so that chance plays no part."""
    now = minute()
    return [("cookie", f"{name}=1.{(i * 0x9E3779B1) % 2**32:08x}.{now}") for i in range(number)]
