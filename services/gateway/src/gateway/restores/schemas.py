"""Restores as the API takes them."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from gateway.backups.schemas import Component, Components
from gateway.operations.domain import State
from gateway.restores.domain import DATABASE, TARGET, Wish, check_path

Path = Annotated[str, AfterValidator(check_path)]
Target = Annotated[str, StringConstraints(pattern=TARGET)]
Database = Annotated[str, StringConstraints(pattern=DATABASE)]


class RestoreRequest(BaseModel):
    """What to restore and where to. An empty body restores everything into a new folder."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "components": ["database", "files"],
                    "paths": ["etc/app.toml"],
                    "target": "inspection",
                    "databases": {"database": "app_restored"},
                },
                {"in_place": True},
                {},
            ]
        },
    )

    components: Components = Field(default_factory=list, description="None means all.")
    paths: list[Path] = Field(
        default_factory=list,
        max_length=1000,
        description="Only these, with what is below them.",
    )
    target: Target | None = Field(
        default=None, description="A folder below the station's restore folder; else a new one."
    )
    databases: dict[Component, Database] = Field(
        default_factory=dict,
        max_length=64,
        description="For each database component, the new database that it is restored into.",
    )
    in_place: bool = Field(default=False, description="Restore over the source.")

    def wish(self) -> Wish:
        """What is asked for."""
        return Wish(
            components=tuple(self.components),
            paths=tuple(self.paths),
            target=self.target or "",
            databases=self.databases,
            in_place=self.in_place,
        )


class RestoreFilter(BaseModel):
    """Which restores."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    limit: int = Field(default=50, ge=1, le=200)
    offset: int = Field(default=0, ge=0, le=1_000_000)
