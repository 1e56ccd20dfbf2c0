"""No number given on the command line is none, endless, or larger than a study can keep."""

from __future__ import annotations

import click
import pytest

from tests.test_docs import commands


def numbers() -> list[tuple[str, click.ParamType]]:
    """Name and type of each option and argument that takes a number."""
    return [
        (f"{name} {parameter.name}", parameter.type)
        for name, command in commands()
        if isinstance(command, click.Command)
        for parameter in command.params
        if parameter.type.name in {"integer", "integer range", "float", "float range"}
    ]


@pytest.mark.parametrize(("name", "type"), numbers(), ids=lambda part: str(part))
def test_a_number_is_finite_and_of_a_size_that_can_be_kept(
    name: str, type: click.ParamType
) -> None:
    for wrong in ("nan", "inf", "-inf", "9" * 25 if "integer" in type.name else "nan"):
        with pytest.raises(click.BadParameter):
            type.convert(wrong, None, None)
