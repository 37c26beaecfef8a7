"""Secrets from where an organisation keeps them: HashiCorp Vault, AWS KMS.

Which one is meant stands in the value of the setting itself; see docs/how-to/secrets.md.
"""

from common.keyproviders.resolving import Resolver

__all__ = ["Resolver"]
