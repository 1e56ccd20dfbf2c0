"""A list of people, one a line, of which one is chosen."""

from __future__ import annotations

from tui.widgets.named_list import NamedList


class PeopleList(NamedList, inherit_bindings=False):
    """Everybody, by name."""

    class Moved(NamedList.Moved):
        """Another person is the chosen one."""

    class Picked(NamedList.Picked):
        """The chosen person was clicked."""
