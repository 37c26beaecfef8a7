"""What a process is allowed, and may allow itself."""

import resource


def allow_open_files() -> None:
    """Raise the limit of open files as far as it goes: a walk keeps one for each level."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
