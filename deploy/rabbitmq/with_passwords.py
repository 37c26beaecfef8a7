#!/usr/bin/env python3
"""Gives the logins of definitions.json their passwords, as salted hashes.

    with_passwords.py < passwords.json > rabbitmq-definitions.json

``passwords.json`` maps a login to its password; one that is not named stays without. Needs nothing
but Python. The output is as secret as any password hash: keep it 0600.
"""

import base64
import hashlib
import json
import secrets
import sys
from pathlib import Path

TEMPLATE = Path(__file__).with_name("definitions.json")


def password_hash(password: str) -> str:
    """RabbitMQ's: base64 of a salt of four bytes and SHA-256 over salt and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def with_passwords(definitions: dict, passwords: dict[str, str]) -> dict:
    """The definitions in which these logins work."""
    users = definitions["users"]
    unknown = set(passwords) - {user["name"] for user in users}
    if unknown:
        sys.exit(f"There is no login {', '.join(sorted(unknown))} in {TEMPLATE.name}.")
    filled = [
        user | {"password_hash": password_hash(passwords[user["name"]])}
        if user["name"] in passwords
        else user
        for user in users
    ]
    return definitions | {"users": filled}


if __name__ == "__main__":
    json.dump(
        with_passwords(json.loads(TEMPLATE.read_text()), json.load(sys.stdin)), sys.stdout, indent=2
    )
