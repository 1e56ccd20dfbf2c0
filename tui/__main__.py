"""``python -m tui`` is ``tiebreak``, for hosts where the command is not on the path."""

from __future__ import annotations

from tui.cli import main

main()
