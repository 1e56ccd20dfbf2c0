"""The options by which a judge's prompt is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from judges.families import Prompts

OWN = "own"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was said of the prompt on the command line.

    Attributes:
        family: what the prompt is called.
        paths: folders and files of prompts beside ours.
        examples: ``own``, a file of examples, or empty.
    """

    family: str
    paths: tuple[Path, ...]
    explain: str
    examples: str
    names: tuple[str, ...]

    @property
    def named(self) -> str:
        """The prompt in its style, as a judge's record names it.

        Raises:
            TiebreakError: the style cannot be.
        """
        from judges.families import Style

        examples = self.examples if self.examples in ("", OWN) else Path(self.examples).stem
        return str(Style(self.family, self.explain, examples, self.names))

    def prompts(self) -> Prompts:
        """All prompts to choose from, examples included.

        Raises:
            TiebreakError: a file cannot be read as what it should be.
        """
        from judges.prompt_files import load_prompts

        prompts = load_prompts(*self.paths)
        if self.examples not in ("", OWN):
            prompts.add_examples(Path(self.examples))
        return prompts


def prompts_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that names prompts of one's own."""
    return click.option(
        "--prompts",
        "paths",
        multiple=True,
        metavar="PATH",
        type=click.Path(exists=True, path_type=Path),
        help="A folder or file of prompts, beside those that come with Tiebreak.",
    )(command)


def style_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how a prompt is to be worded; the command gets a :class:`Chosen`.

    The command keeps its own argument or option ``prompt`` for the family.
    """

    @wraps(command)
    def chosen(*args: Any, **given: Any) -> Any:
        names = tuple(
            name.strip() for name in (given.pop("names") or "").split(",") if name.strip()
        )
        picked = Chosen(
            given.pop("prompt"),
            given.pop("paths"),
            given.pop("explain") or "",
            given.pop("examples") or "",
            names,
        )
        return command(*args, chosen=picked, **given)

    optioned: Callable[..., Any] = chosen
    for option in (
        click.option(
            "--names", metavar="NAME,NAME", help="What the answers are called instead of A and B."
        ),
        click.option(
            "--examples", metavar="own|FILE", help="Judged examples to show before each request."
        ),
        click.option(
            "--explain",
            type=click.Choice(["first", "after", "none"]),
            help="Whether the reasons come before the verdict, after it, or not at all.",
        ),
        prompts_option,
    ):
        optioned = option(optioned)
    return optioned


def prompt_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--prompt`` with :func:`style_options`."""
    return click.option(
        "--prompt", default="pairwise", show_default=True, help="A family of prompts."
    )(style_options(command))
