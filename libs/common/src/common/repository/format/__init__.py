"""The bytes of every object, as docs/format.md states them. Pure: no files, no clocks.

Whatever cannot be read as the document says raises ``Corrupt``.
"""
