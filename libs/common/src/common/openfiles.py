"""How many files this process may have open, and how many of them one thing may take."""

import resource


def allow_open_files() -> None:
    """Raise the limit of open files as far as it goes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def share_of_open_files(wanted: int, part: int) -> int:
    """As many open files as are wanted, but no more than one in ``part`` of those allowed now."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, allowed // part))
