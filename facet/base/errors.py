"""Errors that a command reports in one line instead of a traceback."""


class FacetError(Exception):
    """Base of every error that `facet` and the stages report as `error: <message>`; `exit_code` ends the command."""

    exit_code = 2


class InputError(FacetError):
    """A path, file or flag of the user is unusable; the message names it, what was expected and what to do."""
