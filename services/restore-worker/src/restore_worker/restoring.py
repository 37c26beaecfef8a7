"""Brings a backup back, component by component."""

from dataclasses import dataclass, field

from common.childprocess.child import Channel
from common.components.component import Component, PlacedInPart, Target
from common.components.configured import component_for_restore, load
from common.components.names import ChosenPaths, show
from common.errors import Invalid, NotFound, RestoreFailed
from common.messages import ComponentResult
from common.repository.format.snapshot import StoredComponent
from common.repository.reader import Reader
from common.repository.tree import ContentDamaged, Source
from restore_worker.domain import check_name, choose
from restore_worker.metered import Meter, MeteredSource
from restore_worker.protocol import Restored, RestoreSpec

_PATHS_NAMED = 10


@dataclass
class _Results:
    """What was restored so far, and what was not."""

    components: list[ComponentResult] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    damage: list[str] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)
    unplaced: dict[str, PlacedInPart] = field(default_factory=dict)


def restore(reader: Reader, spec: RestoreSpec, channel: Channel) -> Restored:
    """Restore what is asked for. What one component lacks does not keep the others from coming.

    Raises:
        Invalid: a database is named for a component that is not restored.
        NotFound: the backup has no such component, or none of the paths.
        ContentDamaged: something could not be read; all else is restored.
        RestoreFailed: something could not be put in its place; all else is restored.
        Error: as ``Component.restore`` raises.
    """
    backup = reader.snapshot(spec.snapshot_id)
    done = {result.name: result for result in spec.done}
    chosen = _chosen(backup.info.components, spec)
    configured = load(spec.components_file) if spec.components_file.exists() else {}
    total = sum(stored.size for stored in chosen if stored.name not in done)
    meter, results = Meter(channel, None if spec.paths else total), _Results(list(spec.done))
    for stored in chosen:
        if stored.name in done:
            continue
        meter.begin(stored.name)
        component = component_for_restore(stored.kind, stored.name, configured.get(stored.name))
        source = MeteredSource(backup.source(stored.name), meter)
        result = _one(component, source, stored, spec, results)
        if result is not None:
            results.components.append(result)
            if stored.name in spec.databases:
                channel.send("component", result=result)
    return _outcome(results, spec)


def _one(
    component: Component,
    source: Source,
    stored: StoredComponent,
    spec: RestoreSpec,
    results: _Results,
) -> ComponentResult | None:
    """Restore one component; None when it has nothing that is chosen, or lacks something."""
    select = ChosenPaths(spec.paths) if spec.paths else None
    try:
        outcome = component.restore(source, _target(stored, spec), select)
    except ContentDamaged as error:
        results.damage.append(f"{stored.name}: {error.message}")
        results.damaged.extend(error.paths)
        return None
    except PlacedInPart as error:
        results.unplaced[stored.name] = error
        return None
    except NotFound:
        if select is None or select.met:
            raise
        return None
    finally:
        results.met |= select.met if select is not None else set()
    return ComponentResult(
        name=stored.name,
        kind=stored.kind,
        entries=outcome.entries,
        size_bytes=outcome.size_bytes,
        warnings=outcome.warnings,
        details=dict(outcome.details),
    )


def _chosen(components: tuple[StoredComponent, ...], spec: RestoreSpec) -> list[StoredComponent]:
    names = choose(spec.components, [stored.name for stored in components])
    strangers = sorted(set(spec.databases) - set(names))
    if strangers:
        raise Invalid(f"A database is named for {', '.join(strangers)}, which is not restored.")
    return [stored for stored in components if stored.name in names]


def _target(stored: StoredComponent, spec: RestoreSpec) -> Target:
    """Each component has a folder of its own, so that two never mix."""
    if spec.directory is None:
        return Target(in_place=True)
    folder = spec.directory / check_name(stored.name, "the name of a component")
    return Target(directory=folder, database=spec.databases.get(stored.name))


def _outcome(results: _Results, spec: RestoreSpec) -> Restored:
    missing = sorted(set(spec.paths) - results.met)
    unplaced = [f"{name}: {error.message}" for name, error in results.unplaced.items()]
    if results.damage:
        named = ", ".join(show(path) for path in results.damaged[:_PATHS_NAMED])
        more = len(results.damaged) - _PATHS_NAMED
        raise ContentDamaged(
            " ".join([*results.damage, *unplaced])
            + (f" Not whole: {named}" if named else "")
            + (f" and {more} more." if more > 0 else "." if named else ""),
            paths=tuple(results.damaged),
        )
    if unplaced:
        error = next(iter(results.unplaced.values()))
        raise RestoreFailed(" ".join(unplaced), remedy=error.remedy)
    if spec.paths and not results.components:
        raise NotFound(f"Nothing in the backup has the name {', '.join(missing[:_PATHS_NAMED])}.")
    return Restored(
        components=tuple(results.components),
        entries=sum(component.entries for component in results.components),
        size_bytes=sum(component.size_bytes for component in results.components),
        warnings=(
            *(f"The backup has nothing under the name {path}." for path in missing),
            *(
                f"{component.name}: {warning}"
                for component in results.components
                for warning in component.warnings
            ),
        ),
    )
