"""Every error that crosses a module border. The docstring of a class is its default message.

An error says what happened; ``remedy`` says what to do next. ``code`` is stable and goes into HTTP
answers, events and exit codes; messages may change.
"""


class Error(Exception):
    """Something went wrong inside Strongroom."""

    code = "internal_error"
    status = 500
    exit_code = 3

    def __init__(self, message: str | None = None, *, remedy: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip().partition("\n")[0]
        self.remedy = remedy
        super().__init__(self.message)

    def __str__(self) -> str:
        """The message and, where there is one, what to do next."""
        return f"{self.message} {self.remedy}".rstrip()


class Permanent(Error):
    """The same request will fail the same way: it is not tried again."""

    code = "permanent"


class Invalid(Permanent):
    """The request is not acceptable as it stands."""

    code = "validation_error"
    status = 422
    exit_code = 2


class Unauthorized(Permanent):
    """Who is asking is not known: log in first."""

    code = "unauthorized"
    status = 401
    exit_code = 4


class Forbidden(Permanent):
    """The permission for this operation is missing."""

    code = "forbidden"
    status = 403
    exit_code = 4


class NotFound(Permanent):
    """There is nothing under that name."""

    code = "not_found"
    status = 404
    exit_code = 5


class Conflict(Permanent):
    """The current state does not allow this operation."""

    code = "conflict"
    status = 409
    exit_code = 6


class Corrupt(Permanent):
    """Stored data is damaged."""

    code = "corrupt"
    exit_code = 7


class WrongKey(Permanent):
    """The key does not open this repository."""

    code = "wrong_key"
    status = 409
    exit_code = 8


class NoSpace(Error):
    """The disk is full."""

    code = "no_space"
    status = 507
    exit_code = 9


class Unavailable(Error):
    """A service that is needed does not answer."""

    code = "unavailable"
    status = 503
    exit_code = 10


class Cancelled(Permanent):
    """The operation was cancelled."""

    code = "cancelled"
    status = 409
    exit_code = 11


class LeaseLost(Error):
    """Another worker has taken this job over; nothing of it may be committed here."""

    code = "lease_lost"


class CaptureFailed(Permanent):
    """A component could not be backed up."""

    code = "capture_failed"
    exit_code = 12


class RestoreFailed(Permanent):
    """A component could not be restored."""

    code = "restore_failed"
    exit_code = 13


def of_code(code: str, message: str, remedy: str = "") -> Error:
    """An error told by another process: of the class that has its code, else one that keeps it.

    A class that is made in another way says more than was told.
    """
    known = [Error]
    for cls in known:
        if cls.code == code and cls.__init__ is Error.__init__:
            return cls(message, remedy=remedy)
        known.extend(cls.__subclasses__())
    error = Error(message, remedy=remedy)
    error.code = code
    return error
