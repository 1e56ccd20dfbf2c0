"""What must never be stored in a study: a file that is copied, mailed and published."""

from __future__ import annotations

import re

_SECRET = re.compile(r"api_?key|authorization|password|secret|bearer|header", re.IGNORECASE)


def names_a_secret(key: str) -> bool:
    """Whether a parameter's name says that its value is a secret.

    The *name* of an environment variable that holds one (``api_key_env``) is none.
    """
    return _SECRET.search(key) is not None and not key.endswith("_env")
