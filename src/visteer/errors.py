"""The one exception that a user is meant to read."""


class VisteerError(Exception):
    """Something the user can mend: one clear line that says what, which file, and how to mend it.

    The command line prints it without a traceback and exits with 1. Library callers catch it like any
    other exception. Wrong arguments of a Python call raise the usual `ValueError` or `TypeError` instead.
    """
