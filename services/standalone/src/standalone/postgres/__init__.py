"""An embedded PostgreSQL server from a wheel: no root, a Unix socket only, a password for everyone.

``Cluster`` is all that others need. See docs/decisions/0070-embedded-postgresql.md.
"""

from standalone.postgres.cluster import ADMIN, BACKUP_ROLE, DATABASE, ROLES, SHELTER, Cluster

__all__ = ["ADMIN", "BACKUP_ROLE", "DATABASE", "ROLES", "SHELTER", "Cluster"]
