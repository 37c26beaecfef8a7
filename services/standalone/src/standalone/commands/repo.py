"""``strongroom repo``: a repository in a folder, without any service."""

from standalone.commands import called, new_app

app = new_app(
    "Work on a repository in a folder, without any service.\n\n"
    "The key comes from BACKUP_ENCRYPTION_KEY or --key-file.",
    called(
        {
            "init": "making", "backup": "capturing", "snapshots": "listing", "check": "checking",
            "restore": "restoring", "forget": "forgetting", "prune": "forgetting",
            "ls": "browsing", "find": "browsing", "diff": "browsing", "dump": "browsing",
            "mount": "mounting", "stats": "measuring", "copy": "copying", "repair": "repairing",
        }
    ),
)  # fmt: skip


@app.callback()
def _group() -> None:
    """Only carries the help."""
