"""Bytes that were valid once."""

import json
import struct
from copy import deepcopy
from random import Random
from typing import Any

_NUMBERS = (0, 1, 2, 15, 16, 17, 255, 2**15, 2**16 - 1, 2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_LARGE = (2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


_VALUES: tuple[Any, ...] = (None, True, "", "a", "\udcff", 0, -1, 1.5, 2**63, 2**70, 1e999)
_VALUES += ([], {}, [[]], "00" * 16, "AAAA", "2026-01-01T00:00:00", "9999-12-31T23:59:59+00:00")


def mutated(random: Random, good: bytes, other: bytes) -> bytes:
    """``good`` with a few things wrong; ``other`` is a valid object to take pieces of."""
    if good[:1] == b"{" and random.random() < 0.7:
        return _other_values(random, json.loads(good))
    return _other_bytes(random, good, other)


def _other_values(random: Random, body: Any) -> bytes:
    """JSON with values that are not expected somewhere in it."""
    for _ in range(random.choice((1, 1, 2, 4))):
        target = body
        while True:
            keys = list(target) if isinstance(target, dict) else list(range(len(target)))
            if not keys:
                break
            key = random.choice(keys)
            inner = target[key]
            if isinstance(inner, dict | list) and inner and random.random() < 0.8:
                target = inner
                continue
            if isinstance(target, dict) and random.random() < 0.2:
                del target[key]
            elif isinstance(target, list) and random.random() < 0.2:
                target.append(deepcopy(inner))
            else:
                target[key] = deepcopy(random.choice(_VALUES))
            break
    text = json.dumps(body)
    return (text.replace("[]", "[" * 5000) if random.random() < 0.01 else text).encode()


def _other_bytes(random: Random, good: bytes, other: bytes) -> bytes:
    data = bytearray(good)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        place = random.randint(0, len(data))
        length = min(random.choice((1, 2, 4, 8, 16, 20, 64, 300)), len(data) - place)
        match random.randrange(8):
            case 0 if data:
                data[min(place, len(data) - 1)] ^= 1 << random.randrange(8)
            case 1:
                del data[place:]
            case 2:
                del data[place : place + length]
            case 3:
                data[place:place] = data[place : place + length] * random.choice((1, 2, 50))
            case 4:
                start = random.randint(0, len(other))
                data[place : place + length] = other[start : start + length]
            case 5:
                data[place:] = other[random.randint(0, len(other)) :]
            case 6:
                kind = random.choice(("<B", "<H", "<I", "<I", "<I"))
                number = random.choice(_NUMBERS) & (256 ** struct.calcsize(kind) - 1)
                data[place : place + struct.calcsize(kind)] = struct.pack(kind, number)
            case _:
                data[place : place + 8] = struct.pack("<Q", random.choice(_LARGE))
    return bytes(data)
