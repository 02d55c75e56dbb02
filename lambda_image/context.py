"""What the functions use of Lambda's context object."""

from typing import Protocol


class Context(Protocol):
    """The context of one invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Return milliseconds until the function is killed."""
