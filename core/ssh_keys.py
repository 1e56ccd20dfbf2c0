"""OpenSSH public keys: read from a file, checked, and written as ``authorized_keys`` lines.

The layout of a key is that of RFC 4253, section 6.6 (RSA), RFC 5656 (ECDSA), RFC 8709 (Ed25519)
and OpenSSH's PROTOCOL.u2f (keys on a security token). What a file holds is never repeated in a
message: it may have been a private key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import BadInput, UsageError, Where

LEAST_RSA_BITS = 2048
LARGEST_FILE = 65_536
"""Bytes; a thousand keys fit."""

_CURVES = {"nistp256": 32, "nistp384": 48, "nistp521": 66}
"""Each curve's name → bytes of one coordinate."""

_TOKEN_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
_TOKEN_ED25519 = "sk-ssh-ed25519@openssh.com"
_PLAIN_ECDSA = {f"ecdsa-sha2-{curve}": curve for curve in _CURVES}
TYPES = ("ssh-ed25519", *_PLAIN_ECDSA, "ssh-rsa", _TOKEN_ED25519, _TOKEN_ECDSA)
_HINT = f"a line is: TYPE BASE64 COMMENT, as in an id_….pub file; types: {', '.join(TYPES)}"
_PRIVATE = re.compile(r"PRIVATE KEY-----|^PuTTY-User-Key-File", re.MULTILINE)
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


@dataclass(frozen=True, slots=True)
class SshKey:
    """One public key.

    Attributes:
        body: the key in base64, as its file has it.
    """

    type: str
    body: str
    comment: str = ""

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, as ``ssh-keygen -lf`` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.body)).digest()
        return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def checked_fingerprint(written: str) -> str:
    """A fingerprint as a person or sshd gave it.

    Raises:
        UsageError: if it is none.
    """
    if not _FINGERPRINT.fullmatch(written):
        raise UsageError(
            "this is no fingerprint of a key: it begins with SHA256: and has 43 characters more",
            "`tiebreak annotator list` prints them, and so does `ssh-keygen -lf FILE`",
        )
    return written


def read_keys(content: bytes, path: str) -> list[SshKey]:
    """The public keys of a file, one a line; comments and empty lines are passed over.

    Args:
        path: what messages call the file.

    Raises:
        BadInput: for anything that is no public key of a type that we take, options before a
            key, a private key, or a file without keys. The message never quotes the file.
    """
    if len(content) > LARGEST_FILE:
        raise BadInput(Where(path), "", f"is larger than {LARGEST_FILE:,} bytes", _HINT)
    text = content.decode("utf-8", "replace")
    if _PRIVATE.search(text):
        raise BadInput(
            Where(path),
            "",
            "holds a private key, which nobody but its owner should have; nothing was taken",
            "ask for the .pub file beside it; whoever sent this one should make a new key",
        )
    if "\ufffd" in text or "\x00" in text:
        raise BadInput(Where(path), "", "is no text in UTF-8", _HINT)
    if "BEGIN SSH2 PUBLIC KEY" in text:
        raise BadInput(
            Where(path), "", "is in another format", "ssh-keygen -i -f FILE writes it as OpenSSH's"
        )
    lines = enumerate(text.replace("\r\n", "\n").split("\n"), 1)
    keys = [
        _key(line.strip(), Where(path, number))
        for number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not keys:
        raise BadInput(Where(path), "", "holds no public key", _HINT)
    once: dict[str, SshKey] = {}
    for key in keys:
        once.setdefault(key.fingerprint, key)
    return list(once.values())


def _key(line: str, where: Where) -> SshKey:
    kind, _, rest = line.partition(" ")
    if kind not in TYPES:
        raise BadInput(where, "", _not_taken(line), _HINT)
    body, _, comment = rest.strip().partition(" ")
    key = SshKey(kind, body, comment.strip())
    try:
        blob = base64.b64decode(body, validate=True)
        if base64.b64encode(blob).decode("ascii") != body:
            raise ValueError("is no whole base64")
        _check(kind, list(_fields(blob)))
    except binascii.Error as error:
        raise BadInput(where, "", "the key is no whole base64: was it cut?", _HINT) from error
    except ValueError as error:
        raise BadInput(where, "", f"the {kind} key {error}", _HINT) from error
    return key


def _not_taken(line: str) -> str:
    """Why a line that begins with no type of ours is refused, without repeating it."""
    words = line.split()
    if any(word in TYPES for word in words[1:]):
        return "has options before the key; Tiebreak sets them itself"
    if words[0] == "ssh-dss":
        return "is a DSA key, which is too weak"
    if "-cert-v0" in words[0]:
        return "is a certificate, and no key"
    return "is no public key of a type that Tiebreak takes"


def _fields(blob: bytes) -> Iterator[bytes]:
    """The strings of a key: each with its length in four bytes before it."""
    at = 0
    while at < len(blob):
        length = int.from_bytes(blob[at : at + 4], "big")
        if at + 4 + length > len(blob):
            raise ValueError("is cut off")
        yield blob[at + 4 : at + 4 + length]
        at += 4 + length


def _check(kind: str, fields: Sequence[bytes]) -> None:
    """Look whether a key is what its line says.

    Raises:
        ValueError: with what is wrong.
    """
    if not fields or fields[0] != kind.encode():
        raise ValueError("is of another type than its line says")
    parts = fields[1:]
    if kind in (_TOKEN_ED25519, _TOKEN_ECDSA):
        parts, application = parts[:-1], parts[-1:]
        if not any(application):
            raise ValueError("names no application")
    if kind == "ssh-rsa":
        _check_rsa(parts)
    elif kind in ("ssh-ed25519", _TOKEN_ED25519):
        if [len(part) for part in parts] != [32]:
            raise ValueError("is not 32 bytes long")
    else:
        _check_ecdsa(_PLAIN_ECDSA.get(kind, "nistp256"), parts)


def _check_rsa(parts: Sequence[bytes]) -> None:
    if len(parts) != 2:
        raise ValueError("is not an exponent and a modulus")
    exponent, modulus = (int.from_bytes(part, "big") for part in parts)
    if any(part[:1] >= b"\x80" for part in parts) or exponent < 3 or modulus < 3:
        raise ValueError("has an exponent or a modulus that cannot be")
    if modulus.bit_length() < LEAST_RSA_BITS:
        bits = modulus.bit_length()
        raise ValueError(f"has {bits} bits, and {LEAST_RSA_BITS} are the fewest that are taken")


def _check_ecdsa(curve: str, parts: Sequence[bytes]) -> None:
    if len(parts) != 2 or parts[0] != curve.encode():
        raise ValueError("names another curve than its type")
    if parts[1][:1] != b"\x04" or len(parts[1]) != 1 + 2 * _CURVES[curve]:
        raise ValueError("is no point of its curve")


def authorized_line(key: SshKey, command: Sequence[str], name: str) -> str:
    r"""One line for sshd's ``authorized_keys``: this key may run this command in a terminal.

    sshd takes the command out of double quotes (in which only ``\"`` means another character)
    and gives it to the account's shell, which ``exec`` keeps from staying beside each session.

    Args:
        command: the words of the command.
        name: whose key it is; written as the comment, what is not plain ASCII as ``?``.

    Raises:
        UsageError: if a word of the command cannot stand in such a line.
    """
    for word in command:
        if not word.isprintable() or not word.isascii():
            raise UsageError(
                f"{word!r} cannot stand in an authorized_keys line",
                "take a path without control characters and beyond-ASCII letters",
            )
    quoted = shlex.join(command).replace('"', '\\"')
    comment = "".join(c if c.isascii() and c.isprintable() else "?" for c in name)
    return f'restrict,pty,command="exec {quoted}" {key.type} {key.body} {comment}'
