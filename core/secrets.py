"""What must never be stored in a study: a file that is copied, mailed and published."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SECRET = re.compile(r"api_?key|authorization|password|secret|bearer|header", re.IGNORECASE)
_LOOKS_LIKE_ONE = re.compile(r"(sk|pk)-[\w-]{8,}|(bearer|basic) \S+", re.IGNORECASE)


def names_a_secret(key: str) -> bool:
    """Whether a parameter's name says that its value is a secret.

    The *name* of an environment variable that holds one (``api_key_env``) is none.
    """
    return _SECRET.search(key) is not None and not key.endswith("_env")


def secret_in(parameters: Mapping[str, Any]) -> str:
    """Which of a judge's parameters holds a secret, by its name or its look, however deep.

    Returns:
        The parameter's name, with a dot between it and what lies in it; empty if none does.
        Never the secret.
    """
    for name in parameters:
        if names_a_secret(name):
            return name
    for path, text in _texts(parameters, ""):
        name = path.rpartition(".")[2]
        if name.endswith("_env"):
            continue
        # A schema may well have a property of such a name: what is in it is no text then.
        if names_a_secret(name) or _LOOKS_LIKE_ONE.fullmatch(text.strip()):
            return path
    return ""


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """All texts in a JSON value, each with the names that lead to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(one, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one, path)
