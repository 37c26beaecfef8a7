"""Bytes in whichever form they come."""

BytesLike = bytes | bytearray | memoryview
