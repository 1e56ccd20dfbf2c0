"""What a session over SSH keeps of the environment that the client could fill.

sshd hands over what its AcceptEnv lets through, and a client may put anything into it. So of the
environment only what names the terminal and its language is kept, and only where it is plausible.
Textual reads its own variables while it is imported: call :func:`clean` before.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
from collections.abc import MutableMapping

_TERM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")
_LOCALE = re.compile(r"[A-Za-z0-9_.@-]{1,40}")
_LOCALES = (
    "LANG",
    *(f"LC_{name}" for name in "ALL COLLATE CTYPE MESSAGES MONETARY NUMERIC TIME".split()),
)


def clean(environ: MutableMapping[str, str] = os.environ) -> bool:
    """Keep TERM, COLORTERM, NO_COLOR and the locale, where they are plausible; nothing else.

    Returns:
        Whether the client wanted a command to be run. What it was is not looked at.
    """
    wanted_command = "SSH_ORIGINAL_COMMAND" in environ
    kept: dict[str, str] = {}
    if _TERM.fullmatch(environ.get("TERM", "")):
        kept["TERM"] = environ["TERM"]
    if environ.get("COLORTERM") in ("truecolor", "24bit"):
        kept["COLORTERM"] = environ["COLORTERM"]
    if "NO_COLOR" in environ:
        kept["NO_COLOR"] = ""
    kept |= {name: environ[name] for name in _LOCALES if _LOCALE.fullmatch(environ.get(name, ""))}
    environ.clear()
    environ.update(kept, PATH="/usr/bin:/bin", HOME="/", TEXTUAL_ANIMATIONS="none")
    return wanted_command


def close_in() -> None:
    """Take the signals that a terminal can send, and leave no core file.

    Whoever starts a process may have it ignore the hang-up of its terminal; without the terminal
    the screens would then run for ever. The keys that stop a process would leave it stopped
    until the screens are up, which take them as keys.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP, signal.SIGTERM))
    for number in (signal.SIGTSTP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
