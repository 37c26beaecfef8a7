"""What opens a copy, brought up to date: its config and run keys fit each other at every moment."""

from collections.abc import Callable

from common.errors import Conflict, Corrupt, NotFound
from common.repository.format.config import FormerKey, RepositoryConfig
from common.repository.format.frame import MAX_SIZE
from common.repository.format.names import CONFIG
from common.repository.format.wrappedkey import WrappedKey, keep_recipients, parse_run_key
from common.repository.lock import replacing_config
from common.repository.session import Session, read_config
from common.storage.local import LocalDirectory

OWNER = "copy"
"""Whose the unfinished objects of a copying are."""


class Opening:
    """``config`` and the run keys of one copying.

    ``whole``: it is of all backups. ``withheld``: the target's own config stays for now.
    """

    def __init__(
        self, session: Session, target: LocalDirectory, failed: dict[str, str], *, whole: bool
    ) -> None:
        self._session = session
        self._target = target
        self._failed = failed
        self._whole = whole
        self.withheld = False
        self.config = b""
        self.generation = 0

    def bring(self, run_keys: Callable[[], None]) -> None:
        """``config`` and, by ``run_keys``, all run keys; once more when they change meanwhile.

        Raises:
            Conflict: the target would have run keys that no key of now opens.
        """
        while True:
            generation = -1
            while generation != self._announce():
                generation = self.generation
                run_keys()
            if not self.withheld:
                return
            self._replace()

    def _announce(self) -> int:
        """Let the target open the run keys that are about to come, and those that it has.

        After a rotation its own key pair becomes a former one, for as long as it has keys for it.
        That works when both are sealed under one encryption key. When they are not, ``config`` is
        withheld until the run keys there are wrapped to both pairs. Gives the generation here.
        """
        try:
            data = self._session.source.read(CONFIG, 0, MAX_SIZE + 1)
            config = RepositoryConfig.parse(data)
            config.authenticate(self._session.keys.writer_key)
        except (NotFound, Corrupt) as error:
            self._failed[CONFIG] = error.message
            return self.generation
        self.config, self.generation = data, config.generation
        self.withheld = False
        found = self.config_there()
        if found is None:
            self._put(data)
        elif _gives_way(found, config):
            former = _pairs_without(config, found)
            if former and found.sealing == config.sealing:
                config = config._replace(former=(*config.former, *former))
                data = config.pack(self._session.keys.writer_key)
            elif former:
                self.withheld = True
                return self.generation
            self._put(data)
        else:
            self._target.settle("")  # run keys for one pair rest on it
        return self.generation

    def _put(self, config: bytes) -> None:
        """Make it the target's, not while a backup into the target writes its snapshot."""
        with replacing_config(self._target.path):
            self._target.write(CONFIG, config, owner=OWNER)

    def _replace(self) -> None:
        """Give the target the withheld ``config``: what it has is wrapped to both pairs by now."""
        lost = self._lost(RepositoryConfig.parse(self.config))
        if lost:
            raise Conflict(
                f"{self._target.path} has {len(lost)} run keys that the keys of now would not open:"
                f" {' '.join(lost[:3])}",
                remedy="Copy into another folder. This one still opens with its former keys.",
            )
        self._target.settle("keys")
        self._put(self.config)

    def _lost(self, config: RepositoryConfig) -> list[str]:
        """The run keys there that this config does not open, except for what was pruned here."""
        left = self._left_behind(config)
        there = Session(self._target, config, self._session.keys).history
        if left and self._whole and there.runs() <= self._session.history.runs():
            needed = self._session.listed()[1] | self._session.key_ids()
            left = [key for key in left if key.key_id in needed]
        return sorted(key.name for key in left)

    def run_key(self, name: str) -> int:
        """Bring one run key, which keeps its name when keys are changed: how many bytes.

        Raises:
            NotFound: it is gone meanwhile.
            Corrupt: it is damaged here.
        """
        data = self._session.source.read(name, 0, MAX_SIZE + 1)
        generation = self._generation(name, data)
        if generation > self.generation:
            self._announce()
        found = self._found(name)
        if found is None and self.withheld:
            return 0  # it comes when its own config is there
        if found is not None:
            if self._generation(name, found) > generation:
                return 0
            if self.withheld or not self.config:
                data = keep_recipients(data, found, name, self._session.keys)
        if found == data:
            return 0
        self._target.write(name, data, owner=OWNER)
        return len(data)

    def conclude(self) -> None:
        """Leave ``config`` as it is here, unless the target has run keys for a former pair."""
        found = self.config_there()
        if found is None or found.generation > self.generation or not self.config:
            return
        config = RepositoryConfig.parse(self.config)
        former = _pairs_without(config, found) if found.sealing == config.sealing else ()
        if found != config and not (former and self._left_behind(config)):
            self._put(self.config)

    def config_there(self) -> RepositoryConfig | None:
        """The target's; None where it is missing, damaged or forged."""
        try:
            found = read_config(self._target)
            found.authenticate(self._session.keys.writer_key)
        except (NotFound, Corrupt):
            return None
        return found

    def _left_behind(self, config: RepositoryConfig) -> list[WrappedKey]:
        """The run keys there that are wrapped to none of the pairs in this config."""
        there = Session(self._target, config, self._session.keys)
        pairs = {config.public_key.recipient}
        pairs.update(former.public_key.recipient for former in config.former)
        keys = there.wrapped_keys(lambda _name, _error: None)
        return [key for key in keys if pairs.isdisjoint(key.wrapped)]

    def _found(self, name: str) -> bytes | None:
        """The target's run key; None where it is missing or damaged."""
        try:
            found = self._target.read(name, 0, MAX_SIZE + 1)
            self._generation(name, found)
        except (NotFound, Corrupt):
            return None
        return found

    def _generation(self, name: str, data: bytes) -> int:
        return parse_run_key(data, name, self._session.keys).generation


def _gives_way(found: RepositoryConfig, config: RepositoryConfig) -> bool:
    """Whether the target's config is older, or as old with a key pair of its own: then the pair was
    changed there as often as here.
    """
    if found.generation == config.generation:
        return found.public_key != config.public_key
    return found.generation < config.generation


def _pairs_without(config: RepositoryConfig, found: RepositoryConfig) -> tuple[FormerKey, ...]:
    """The key pairs of one config that the other lacks."""
    known = {former.public_key for former in config.former} | {config.public_key}
    own = (FormerKey(found.public_key, found.private_key), *found.former)
    return tuple(pair for pair in own if pair.public_key not in known)
