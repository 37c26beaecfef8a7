from pathlib import Path

from pydantic import Field

from common.config import Settings
from standalone.postgres import SHELTER, Cluster


class StandaloneSettings(Settings):
    """What the one-process product itself reads from the environment."""

    strongroom_postgres_dir: Path = Field(
        default=SHELTER, description="where the database's files are, when started as root"
    )
    strongroom_postgres_user: str = Field(
        default="", description="the account that a new database runs as, when started as root"
    )
    gateway_tls_certificate: Path | None = Field(
        default=None, description="the gateway's certificate, with which its address is https"
    )

    def cluster(self, home: Path) -> Cluster:
        """The embedded database whose home is there."""
        return Cluster(
            home, shelter=self.strongroom_postgres_dir, account=self.strongroom_postgres_user
        )
