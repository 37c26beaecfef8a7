"""``strongroom repo``: a repository in a folder, without any service."""

from standalone.commands import called, new_app

app = new_app(
    "Work on a repository in a folder, without any service.\n\n"
    "The key comes from BACKUP_ENCRYPTION_KEY or --key-file.",
    called(
        {
            "init": "init", "backup": "backup", "snapshots": "snapshots", "check": "check",
            "restore": "restore", "forget": "forget", "prune": "forget",
            "ls": "browse", "find": "browse", "diff": "browse", "dump": "browse",
            "mount": "mount", "stats": "stats", "copy": "copy", "repair": "repair",
        },
        __name__,
    ),
)  # fmt: skip


@app.callback()
def _group() -> None:
    """Only carries the help."""
