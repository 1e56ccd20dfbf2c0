"""Public keys: read as OpenSSH reads them, refused with a reason, and never repeated in it."""

from __future__ import annotations

import base64
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput, UsageError
from core.ssh_keys import (
    TYPES,
    SshKey,
    authorized_line,
    checked_fingerprint,
    read_keys,
)

needs_keygen = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen")
ED25519 = bytes(range(32))


def string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def integer(number: int) -> bytes:
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def line(kind: str, *parts: bytes, says: str = "", comment: str = "ann@laptop") -> str:
    body = base64.b64encode(string(kind.encode()) + b"".join(parts)).decode()
    return f"{says or kind} {body} {comment}"


GOOD = line("ssh-ed25519", string(ED25519))


def read(text: str) -> list[SshKey]:
    return read_keys(text.encode(), "ann.pub")


@needs_keygen
@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ed25519"),
        ("-t", "rsa", "-b", "2048"),
        ("-t", "rsa", "-b", "3072"),
        ("-t", "ecdsa", "-b", "256"),
        ("-t", "ecdsa", "-b", "384"),
        ("-t", "ecdsa", "-b", "521"),
    ],
    ids=" ".join,
)
def test_a_key_has_the_fingerprint_that_ssh_keygen_prints(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", *options, "-N", "", "-C", "two words", "-f", file], check=True
    )
    (key,) = read_keys(file.with_suffix(".pub").read_bytes(), "key.pub")
    said = subprocess.run(["ssh-keygen", "-lf", file], capture_output=True, text=True, check=True)
    assert key.fingerprint == said.stdout.split()[1]
    assert checked_fingerprint(key.fingerprint) == key.fingerprint
    assert key.comment == "two words"
    with pytest.raises(BadInput, match="private key") as refused:
        read_keys(file.read_bytes(), "key")
    secrets = file.read_text().splitlines()[1:-1]
    assert secrets
    assert not [one for one in secrets if one in str(refused.value) + refused.value.hint]


@pytest.mark.parametrize(
    "good",
    [
        GOOD,
        line("ssh-rsa", integer(65537), integer((1 << 2047) + 1)),
        line("ecdsa-sha2-nistp256", string(b"nistp256"), string(b"\x04" + bytes(64))),
        line("sk-ssh-ed25519@openssh.com", string(ED25519), string(b"ssh:")),
        line(
            "sk-ecdsa-sha2-nistp256@openssh.com",
            string(b"nistp256"),
            string(b"\x04" + bytes(64)),
            string(b"ssh:"),
        ),
        GOOD.rsplit(" ", 1)[0],
        f"  {GOOD}\r\n",
        f"# a comment\n\n{GOOD}\n",
    ],
)
def test_what_is_taken(good: str) -> None:
    (key,) = read(good)
    assert key.type in TYPES


def test_several_keys_in_one_file_and_one_of_them_twice() -> None:
    other = line("ssh-ed25519", string(bytes(32)), comment="other")
    assert [key.comment for key in read(f"{GOOD}\n{other}\n{GOOD} again\n")] == [
        "ann@laptop",
        "other",
    ]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "holds no public key"),
        ("# only a comment", "holds no public key"),
        ("hello there", "no public key of a type"),
        (line("ssh-dss", string(b"p")), "DSA"),
        (line("ssh-ed25519-cert-v01@openssh.com", string(b"n")), "certificate"),
        (f"restrict {GOOD}", "options before the key"),
        (f'command="sh" {GOOD}', "options before the key"),
        (f'environment="LD_PRELOAD=x",no-pty {GOOD}', "options before the key"),
        (line("ssh-ed25519", string(ED25519[:-1])), "32 bytes"),
        (line("ssh-ed25519", string(ED25519), string(b"more")), "32 bytes"),
        (line("ssh-ed25519", string(ED25519), b"\0"), "cut off"),
        (line("ssh-ed25519", b"\xff\xff\xff\xff"), "cut off"),
        (line("ssh-rsa", integer(65537), integer(1 << 2046)), "2047 bits"),
        (line("ssh-rsa", integer(1), integer((1 << 2047) + 1)), "cannot be"),
        (line("ssh-rsa", integer(65537), string(b"\xff" * 256)), "cannot be"),
        (line("ssh-rsa", integer(65537)), "exponent and a modulus"),
        (line("ssh-ed25519", string(ED25519), says="ssh-rsa"), "another type than its line says"),
        (line("ecdsa-sha2-nistp256", string(b"nistp384"), string(b"\x04")), "another curve"),
        (line("ecdsa-sha2-nistp256", string(b"nistp256"), string(b"\x04")), "no point"),
        (line("sk-ssh-ed25519@openssh.com", string(ED25519), string(b"")), "application"),
        (line("sk-ssh-ed25519@openssh.com"), "application"),
        ("ssh-ed25519", "another type"),
        ("ssh-ed25519 AAAA*", "base64"),
        (GOOD.replace(" ann@laptop", "")[:-1], "base64"),
        ("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n", "private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nc2VjcmV0", "private key"),
        (f"{GOOD}\n-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n", "private key"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA", "another format"),
        ("ssh-ed25519 \x00", "no text"),
    ],
)
def test_what_is_refused_and_why(bad: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as refused:
        read(bad)
    assert "ann.pub" in refused.value.message
    assert "c2VjcmV0" not in refused.value.message + refused.value.hint


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(BadInput, match=r"ann\.pub:3"):
        read(f"{GOOD}\n\nssh-ed25519 AAAA\n")


def test_a_file_that_is_too_large_or_no_text_is_refused() -> None:
    for content in (b"#" * 70_000, b"\xff\xfe" + GOOD.encode("utf-16-le")):
        with pytest.raises(BadInput):
            read_keys(content, "ann.pub")


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_of_any_bytes(content: bytes) -> None:
    for prefix in (b"", b"ssh-ed25519 ", b"ssh-rsa " + base64.b64encode(string(b"ssh-rsa"))):
        for given_bytes in (content, base64.b64encode(content)):
            with suppress(BadInput):
                for key in read_keys(prefix + given_bytes, "ann.pub"):
                    assert checked_fingerprint(key.fingerprint)


@pytest.mark.parametrize(
    "word",
    ["", "SHA256:", "MD5:00", "SHA256:" + "a" * 42, "SHA256:" + "a" * 44, "SHA256:" + "'" * 43],
)
def test_what_is_no_fingerprint_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="no fingerprint"):
        checked_fingerprint(word)


def unquoted(options: str) -> str:
    r"""What sshd takes out of the quotes after ``command=``: only ``\"`` means another."""
    start = options.index('command="') + len('command="')
    found, at = "", start
    while options[at] != '"':
        if options[at : at + 2] == '\\"':
            at += 1
        found += options[at]
        at += 1
    return found


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)


@given(st.lists(PRINTABLE, min_size=1), st.text())
def test_a_command_comes_out_of_its_line_word_by_word(command: list[str], name: str) -> None:
    (key,) = read(GOOD)
    written = authorized_line(key, command, name)
    assert "\n" not in written
    assert written.isascii()
    assert written.startswith('restrict,pty,command="exec ')
    assert shlex.split(unquoted(written)) == ["exec", *command]
    after = written[written.index(key.type) :] if key.type not in str(command) else ""
    assert after == "" or after.split(" ")[1] == key.body


@pytest.mark.parametrize("word", ["new\nline", "tab\t", "é", "\udcff", "\x7f"])
def test_a_path_that_cannot_stand_in_the_line_is_refused(word: str) -> None:
    (key,) = read(GOOD)
    with pytest.raises(UsageError, match="cannot stand"):
        authorized_line(key, ["python", word], "ann")


@needs_keygen
@given(PRINTABLE, st.text(max_size=20))
def test_openssh_reads_the_line_that_is_written(word: str, name: str) -> None:
    (key,) = read(GOOD)
    said = subprocess.run(
        ["ssh-keygen", "-lf", "-"],
        input=authorized_line(key, [word], name) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert key.fingerprint in said.stdout
