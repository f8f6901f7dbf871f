"""What a move changes in a case besides its state: how far it has come, and the rows that go with the step."""

from collections.abc import Callable

from workflows.case import Cursor

Effect = Callable[[Cursor], None]
