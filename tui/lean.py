"""What a voting process does without, though Python would load it by default."""

from __future__ import annotations

import sys

_LEFT_OUT = ("ssl", "_hashlib")


def leave_out_tls() -> None:
    """Load the event loop and the hashes without OpenSSL, which nobody here talks through.

    Both do without it where Python was built without it; that saves each session some five
    MiB and the first paint some milliseconds. It must come before either is loaded; what has
    been loaded stays.
    """
    absent = [name for name in _LEFT_OUT if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails, as documented
    try:
        import asyncio  # noqa: F401
        import hashlib  # noqa: F401
        import hmac  # noqa: F401
    finally:
        for name in absent:
            del sys.modules[name]
