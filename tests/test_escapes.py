"""Every way out that docs/security.md lists is tried: real keys, a real sshd, real terminals.

The sshd of these tests lets everything through (``PERMISSIVE``), so what is refused here
is refused by the key's line and by what it runs. The account is the one that the tests run as, root
perhaps: that an unprivileged account cannot write its home, and that sshd runs no rc file of a
home, is not shown.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from core.errors import Where
from core.records import Answer, Question, Record, Setting
from core.ssh_keys import read_keys
from db.pairs import make
from db.store import Store
from tests.docs import ROOT
from tests.processes import children
from tests.sshd import MINDFUL, PERMISSIVE, CannotStart, Sshd, free_port
from tests.terminal import Terminal
from tests.waiting import PATIENCE, until

LEFT_HAND = 'layout = "left-hand"\n'


class House:
    """A study, its people's keys, and an sshd that knows them."""

    def __init__(self, sshd: Sshd) -> None:
        self.sshd = sshd
        folder = sshd.folder
        self.study = _study(folder / "study" / "study.db")
        self.keys = {name: sshd.new_key(name) for name in ("ann", "lea", "pat", "rita")}
        self.stranger = sshd.new_key("stranger")
        for name, key in self.keys.items():
            role = "lead" if name == "lea" else "annotator"
            self.tiebreak("annotator", "add", name, "--key", f"{key}.pub", "--role", role)
        self.authorize()
        self.mark = folder / "somebody was here"

    def login(
        self,
        name: str,
        *words: str,
        options: Sequence[str] = (),
        columns: int = 120,
        rows: int = 40,
        term: str = "xterm-256color",
        environment: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[Terminal]:
        """Log in with somebody's key from a terminal of that size."""
        return self.sshd.connect(
            self.keys[name],
            *words,
            options=options,
            columns=columns,
            rows=rows,
            term=term,
            environment=environment,
        )

    def tiebreak(self, *words: str) -> str:
        command = [str(self.sshd.python), "-I", "-m", "tui", "--db", str(self.study), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def authorize(self) -> None:
        self.sshd.authorize(self.tiebreak("ssh", "authorized-keys"))

    def fingerprint(self, name: str) -> str:
        return read_keys(Path(f"{self.keys[name]}.pub").read_bytes(), name)[0].fingerprint

    def identities(self) -> list[tuple[str, str]]:
        with Store(self.study) as store:
            return [(vote.annotator, vote.identity) for vote, _ in store.reading.votes()]

    def assignments(self, name: str) -> list[str]:
        with Store(self.study) as store:
            found = store.connection.execute(
                "SELECT state FROM assignment WHERE annotator_id = ? ORDER BY id",
                (store.annotator(name),),
            )
            return [state for (state,) in found]

    def files(self) -> set[Path]:
        """What lies in the study's folder, but for what SQLite keeps beside an open study."""
        return {path for path in self.study.parent.rglob("*") if "-" not in path.suffix}

    def pid(self) -> int:
        (pid,) = self.sshd.sessions()
        return pid

    def gone(self) -> None:
        """Wait until every session has ended."""
        until(lambda: not self.sshd.sessions(), "a session still runs")


def _study(path: Path) -> Path:
    path.parent.mkdir()
    records: list[Record] = [Setting("dwell_ms", 0), Setting("name", "Escape study")]
    for number in range(6):
        records.append(Question(f"q{number}", (f"Question number {number}?",)))
        text = "A [press here](http://127.0.0.1:9/) of somebody's."
        records += [Answer(f"q{number}", model, (text,)) for model in ("ant", "bee")]
    with Store(path, create=True) as store:
        store.ingest.take((Where("test", n), record) for n, record in enumerate(records))
        make(store, overlap=4)
    return path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with ExitStack() as stack:
        try:
            sshd = stack.enter_context(Sshd(folder, config=PERMISSIVE + MINDFUL))
        except CannotStart as error:
            pytest.skip(str(error))
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("TIEBREAK_DB", raising=False)
            house = House(sshd)
        yield house


# ── the attempts, by the names that docs/security.md gives them ──────────────

ATTEMPTS: dict[str, Callable[[House], None]] = {}
LONG: set[str] = set()
"""Those that take seconds, tried with the longer proofs."""


def attempt(
    name: str, *, is_long: bool = False
) -> Callable[[Callable[[House], None]], Callable[[House], None]]:
    def named(trying: Callable[[House], None]) -> Callable[[House], None]:
        ATTEMPTS[name] = trying
        LONG.update({name} if is_long else ())
        return trying

    return named


def refused(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert "needs a terminal" in done.stderr
    assert "log in without a command" in done.stderr


@attempt("a shell without a terminal")
def _(house: House) -> None:
    refused(house.sshd.run(house.keys["ann"], options=["-T"]))


@attempt("a command")
def _(house: House) -> None:
    refused(house.sshd.run(house.keys["ann"], f"touch '{house.mark}'"))
    refused(house.sshd.run(house.keys["lea"], "tiebreak export gold"))


@attempt("a command, with a terminal")
def _(house: House) -> None:
    words = ["annotate", "--as", "lea", ";", "touch", f"'{house.mark}'"]
    with house.login("ann", *words) as seat:
        seat.shows("0 done")
        seat.shows("Escape study")
        seat.send("\x11")
        assert seat.wait() == 0
        seat.drain()
        assert b"is not run; log in without a command" in seat.raw
        assert not house.mark.exists()
    with Store(house.study) as store:
        assert store.people.listed()[1].last_vote_at == ""


@attempt("sftp")
def _(house: House) -> None:
    command = house.sshd.client(house.keys["ann"], program="sftp")
    done = subprocess.run(
        [*command, house.sshd.host], input="ls\n", capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode != 0
    assert "study.db" not in done.stdout


@attempt("scp, there and back", is_long=True)
def _(house: House) -> None:
    scp = house.sshd.client(house.keys["ann"], program="scp")
    there = f"{house.sshd.host}:{house.mark}"
    back = f"{house.sshd.host}:{house.study}"
    taken = house.sshd.folder / "taken.db"
    for old in ([], ["-O"]):
        for source, target in ((__file__, there), (back, str(taken))):
            done = subprocess.run(
                [*scp, *old, source, target], capture_output=True, text=True, timeout=PATIENCE
            )
            assert done.returncode != 0
    assert not taken.exists()


def _through(port: int, sent: bytes) -> bytes:
    """What comes back through a forwarded port."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as one:
                one.sendall(sent)
                return one.recv(100)
        except ConnectionRefusedError:  # the client does not listen yet
            assert time.monotonic() < deadline
            time.sleep(0.05)
        except ConnectionResetError:
            return b""


@attempt("ssh -L, -D and -W")
def _(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:  # what nobody should reach
        inside.settimeout(0.2)
        _forward(house, inside.getsockname()[1])
        with pytest.raises(TimeoutError):
            inside.accept()


def _forward(house: House, inside: int) -> None:
    target = f"127.0.0.1:{inside}"
    done = house.sshd.run(house.keys["ann"], options=["-W", target])
    assert done.returncode != 0
    ports = [free_port(), free_port()]
    forwards = ["-L", f"{ports[0]}:{target}", "-D", str(ports[1])]
    command = house.sshd.client(house.keys["ann"], "-N", *forwards)
    with subprocess.Popen([*command, house.sshd.host], stderr=subprocess.DEVNULL) as client:
        try:
            assert _through(ports[0], b"hello") == b""
            socks4 = b"\x04\x01" + inside.to_bytes(2, "big") + bytes([127, 0, 0, 1, 0])
            assert not _through(ports[1], socks4).startswith(b"\x00\x5a"), "granted"
        finally:
            client.kill()


@attempt("ssh -R, to a port and to a socket file")
def _(house: House) -> None:
    for listens in ("0", str(house.mark)):
        done = house.sshd.run(
            house.keys["ann"],
            options=["-N", "-R", f"{listens}:127.0.0.1:9", "-o", "ExitOnForwardFailure=yes"],
        )
        assert done.returncode == 255
        assert "forwarding failed" in done.stderr


@attempt("ssh -A and -X")
def _(house: House) -> None:
    agent = house.sshd.folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL) as running:
        try:
            environment = {"SSH_AUTH_SOCK": str(agent), "DISPLAY": ":9"}
            with house.login("ann", options=["-A", "-X"], environment=environment) as seat:
                seat.shows("0 done")
                given = Path(f"/proc/{house.pid()}/environ").read_bytes()
                assert b"SSH_CONNECTION=" in given
                assert b"SSH_AUTH_SOCK=" not in given
                assert b"DISPLAY=" not in given
        finally:
            running.terminate()
    house.gone()


@attempt("ssh -N, to hold a connection without a session", is_long=True)
def _(house: House) -> None:
    done = house.sshd.run(house.keys["ann"], options=["-N"], seconds=PATIENCE)
    assert done.returncode == 255, "sshd closed it by itself"


@attempt("variables: of Python, Textual, Tiebreak, XDG, the locale, the window's size")
def _(house: House) -> None:
    folder = house.sshd.folder / "variables"
    (folder / "tiebreak").mkdir(parents=True)
    (folder / "tiebreak" / "settings.toml").write_text(LEFT_HAND)
    for module in ("sitecustomize", "click", "startup"):
        (folder / f"{module}.py").write_text(f"open({str(house.mark)!r}, 'w').close()\n")
    touch = f"$(touch '{house.mark}')"
    variables = {
        "PYTHONPATH": str(folder),
        "PYTHONSTARTUP": str(folder / "startup.py"),
        "PYTHONINSPECT": "1",
        "PYTHONHOME": str(folder),
        "TEXTUAL_DRIVER": "click:Driver",
        "TEXTUAL_PRESS": "1,1,1",
        "TEXTUAL_SCREENSHOT": "1",
        "TEXTUAL_SCREENSHOT_LOCATION": str(house.study.parent),
        "TEXTUAL_LOG": str(house.mark),
        "TEXTUAL_ALLOW_SIGNALS": "1",
        "TIEBREAK_DB": "/nowhere",
        "TIEBREAK_SETTINGS": str(folder / "tiebreak" / "settings.toml"),
        "TIEBREAK_LAYOUT": "left-hand",
        "_TIEBREAK_COMPLETE": "bash_source",
        "XDG_CONFIG_HOME": str(folder),
        "XDG_STATE_HOME": str(folder),
        "BROWSER": f"touch '{house.mark}'",
        "LANG": touch,
        "LC_ALL": "../../" * 20,
        "LANGUAGE": touch,
        "COLUMNS": "5000",
        "LINES": "5000",
        "SSH_ORIGINAL_COMMAND": touch,
    }
    before = house.files()
    with house.login(
        "ann", options=["-o", f"SendEnv={' '.join(variables)}"], environment=variables
    ) as seat:
        seat.shows("1 A is better")
        given = Path(f"/proc/{house.pid()}/environ").read_bytes()
        missing = [name for name in variables if f"{name}=".encode() not in given]
        assert missing == [], "sshd did not let everything through, so nothing is shown"
        time.sleep(1.5)
        seat.drain()
        assert "0 done" in seat.text()
        seat.send("\x11")
        assert seat.wait() == 0
        seat.drain()
        assert b">>>" not in seat.raw
    assert house.files() == before
    assert not [path for path in folder.rglob("*") if path.suffix in (".svg", ".log")]


@attempt("an odd TERM", is_long=True)
def _(house: House) -> None:
    for term in ("dumb", f"x;touch '{house.mark}'", "../../etc/passwd"):
        with house.login("ann", term=term) as seat:
            assert seat.wait() == 1
            seat.drain()
            assert "a terminal that can place text" in seat.text()


@attempt("a window of 2000 × 2000", is_long=True)
def _(house: House) -> None:
    with house.login("ann", columns=2000, rows=2000) as seat:
        seat.until(lambda: b"Ctrl+Q" in seat.raw)
        # And the same claimed by the terminal itself, as newer ones report their size.
        for claim in ("", "\x1b[48;3000;3000;3000;3000t"):
            seat.send(f"{claim}?\x1bs")  # all is painted three times
            time.sleep(2)
            seat.drain()
            assert len(seat.raw) < 2_000_000
        seat.send("\x11")
        assert seat.wait() == 0


@attempt("a terminal that sends what no terminal sends, bytes that are no UTF-8")
def _(house: House) -> None:
    with house.login("ann") as seat:
        seat.shows("0 done")
        # It claims to have no size, and then a click in the middle of it.
        seat.send("\x1b[?2048;1$y\x1b[48;0;0;0;0t\x1b[48;24;80;0;0t")
        seat.send("\x1b[<0;5;5M\x1b[<0;5;5m")
        seat.send(b"\xfc\x1b[119;1:1u\x1b[1114112u\x1b[M\xe9!!")
        seat.send("?")
        seat.shows("Help")
        seat.send("\x11")
        assert seat.wait() == 0
        seat.drain()
        assert b".py" not in seat.raw
        assert b"Traceback" not in seat.raw
        assert str(house.study.parent) not in seat.text()


@attempt("Ctrl+Z, Ctrl+C and Ctrl+\\, also while it starts")
def _(house: House) -> None:
    with house.login("ann") as seat:
        seat.until(lambda: bool(house.sshd.sessions()))
        for _ in range(10):
            seat.send("\x1a")
            seat.read(0.05)
        seat.shows("0 done")
        assert _program_above(house.pid()) == "sshd", "no shell stays beside a session"
        seat.send("\x1a\x03\x1c\x1a")
        time.sleep(0.5)
        assert _state(house.pid()) in "SR", "it is stopped"
        assert children(house.pid()) == []
        seat.send("?")
        seat.shows("Help")
    house.gone()
    with house.login("ann") as seat:
        seat.until(lambda: bool(house.sshd.sessions()))
        for _ in range(10):
            seat.send("\x1c\x03")
            seat.read(0.03)
        seat.until(lambda: seat.ended() or "0 done" in seat.text())
        assert b"$ " not in seat.raw
        assert b"# " not in seat.raw


def _program_above(pid: int) -> str:
    parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1]
    return Path(f"/proc/{parent}/comm").read_text().strip()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


@attempt("the command palette, a screenshot, a link in an answer")
def _(house: House) -> None:
    before = house.files()
    with house.login("ann") as seat:
        seat.shows("press here")
        for keys in ("\x10", "\x1bOS", "\x1b[24~"):  # Ctrl+P, F4, F12
            seat.send(keys)
            time.sleep(0.2)
        seat.drain()
        assert "Search" not in seat.text()
        line = next(n for n, text in enumerate(seat.screen.display) if "press here" in text)
        at = f"{seat.screen.display[line].index('press here') + 3};{line + 1}"
        seat.send(f"\x1b[<0;{at}M\x1b[<0;{at}m")
        time.sleep(0.4)
        seat.drain()
        assert children(house.pid()) == []
        assert "0 done" in seat.text()
        assert b"\x1b]52" not in seat.raw
    assert house.files() == before
    house.gone()


@attempt("an annotator at the lead's screen", is_long=True)
def _(house: House) -> None:
    with house.login("ann") as seat:
        seat.shows("0 done")
        seat.send("\x1bOR")
        time.sleep(0.5)
        seat.drain()
        assert "Lead  │" not in seat.text()
        assert "0 done" in seat.text()
        seat.send("?")
        seat.shows("Help")
        assert "Watch the numbers" not in seat.text()
    house.gone()
    with house.login("lea") as seat:
        seat.shows("Lead  │")
        seat.send("\x1bOQ")
        seat.shows("0 done")


@attempt("a key that was removed, or that nobody knows")
def _(house: House) -> None:
    assert house.sshd.run(house.stranger).returncode == 255
    with house.login("rita") as seat:
        seat.shows("0 done")
        house.tiebreak("annotator", "remove-key", "rita", house.fingerprint("rita"))
        assert seat.wait() == 1, "the open session ends"
    with house.login("rita") as seat:  # sshd has its line from before
        assert seat.wait() == 1
        seat.drain()
        assert "this key opens nothing here any more" in seat.text()
    house.authorize()
    assert house.sshd.run(house.keys["rita"]).returncode == 255


@attempt("somebody who is paused, or retired", is_long=True)
def _(house: House) -> None:
    for word, why in (("pause", "paused your voting"), ("retire", "your part in this study")):
        house.tiebreak("annotator", word, "pat")
        with house.login("pat") as seat:
            assert seat.wait() == 1
            seat.drain()
            assert why in seat.text()
            assert "Question" not in seat.text()
    house.authorize()
    assert house.sshd.run(house.keys["pat"]).returncode == 255


@attempt("a line that drops, and one that freezes", is_long=True)
def _(house: House) -> None:
    for number in (signal.SIGKILL, signal.SIGSTOP):
        with house.login("ann") as seat:
            seat.shows("0 done")
            seat.kill(number)
            house.gone()
            assert "open" not in house.assignments("ann")
    with house.login("ann") as seat:
        seat.shows("0 done")
        seat.send("n")
        seat.shows("Note on this pair")
        seat.send("half a thought")
        seat.shows("half a thought")
        seat.kill(signal.SIGKILL)
        house.gone()
    assert house.assignments("ann").count("open") == 1
    with house.login("ann") as seat:
        seat.shows("✎ note")
        seat.decides("1", "1 done")
        seat.send("\x11")
        assert seat.wait() == 0
    assert house.identities() == [("ann", f"ssh:{house.fingerprint('ann')}")]


# ── the table is tried, and what is tried is in the table ────────────────────


def listed() -> list[str]:
    """The attempts in the table of docs/security.md."""
    text = (ROOT / "docs" / "security.md").read_text("utf-8").partition("\n## No way out\n")[2]
    table = text.partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+?) \| [^|]+ \|$", table, re.MULTILINE)
    return [row for row in rows if row not in ("attempt", "---")]


def test_the_table_lists_what_is_tried() -> None:
    assert sorted(listed()) == sorted(ATTEMPTS)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in ATTEMPTS],
)
def test_there_is_no_way_out(house: House, name: str) -> None:
    ATTEMPTS[name](house)
    assert not house.mark.exists()
    house.gone()
