# SPDX-License-Identifier: Apache-2.0
"""Controls typed into `segue listen` are read as lines, however they come."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from segue_service.cli.listen import _lines


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ([b"enemy_", b"spotted\n!treas", b"ure\n"], ["enemy_spotted", "!treasure"]),
        ([b"danger=0.5"], ["danger=0.5"]),
        ([b"\n\n", b"\xff\n"], ["", "", "�"]),
        ([], []),
    ],
)
def test_lines(written: Sequence[bytes], lines: list[str]) -> None:
    reading, writing = os.pipe()
    read = _lines(reading)
    got: list[str] = []
    try:
        for some in written:
            os.write(writing, some)
            got += [next(read) for _ in range(some.count(b"\n"))]
        os.close(writing)
        assert [*got, *read] == lines
    finally:
        os.close(reading)
