"""docs/asyncapi.yaml: what those outside read instead of the code."""

import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "asyncapi.yaml"


@pytest.fixture(scope="module")
def document() -> Any:
    """The document as a reader of YAML sees it."""
    return YAML(typ="safe").load(DOCUMENT.read_text())


def references(value: Any) -> list[str]:
    """Every $ref in ``value``."""
    if isinstance(value, dict):
        found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return found + [one for child in value.values() for one in references(child)]
    if isinstance(value, list):
        return [one for child in value for one in references(child)]
    return []


def test_it_is_current() -> None:
    """Lost: its truth. Run .ci/asyncapi.py after a change of a message."""
    generator = runpy.run_path(str(ROOT / ".ci" / "asyncapi.py"))
    assert DOCUMENT.read_text() == generator["text"]()


def test_every_reference_leads_somewhere(document: Any) -> None:
    """Lost: every tool that reads the document."""
    for reference in set(references(document)):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_the_examples_are_as_the_schemas_say(document: Any) -> None:
    """Lost: subscribers that check what they receive."""
    components = {"components": document["components"]}
    for message in document["components"]["messages"].values():
        jsonschema.validate(message["examples"][0]["payload"], message["payload"] | components)
