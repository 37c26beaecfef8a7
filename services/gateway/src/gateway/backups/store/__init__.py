"""All SQL about backups and their copies."""

from gateway.backups.store.lists import Listed, Upload, Wanted, find_by_name, page, show
from gateway.backups.store.rows import (
    Copy,
    find,
    first_heard,
    lock,
    name_taken,
    save,
    save_upload,
)
from gateway.backups.store.statistics import Statistics, statistics

__all__ = [
    "Copy",
    "Listed",
    "Statistics",
    "Upload",
    "Wanted",
    "find",
    "find_by_name",
    "first_heard",
    "lock",
    "name_taken",
    "page",
    "save",
    "save_upload",
    "show",
    "statistics",
]
