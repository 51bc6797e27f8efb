# SPDX-License-Identifier: Apache-2.0
"""The encoder as what an engine hands out: recordings to codes, for sessions that go on from them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_SAMPLES, PromptError
from segue_engine.spectrostream.encoder import SpectroStreamEncoder
from segue_engine.spectrostream.prefill import EDGE_FRAMES, prefill_pieces


class SpectroStreamTokenizer:
    """Fulfils `contract.AudioTokenizer` with the first `levels` codes of a frame."""

    def __init__(self, encoder: SpectroStreamEncoder, levels: int) -> None:
        self._encoder, self._levels = encoder, levels

    def pieces(self, audio: NDArray[np.float32]) -> Iterator[NDArray[np.int32]]:
        """See `prefill_pieces`. Raises PromptError for a recording of a second or less."""
        try:
            return prefill_pieces(self._encoder, audio, self._levels)
        except ValueError as error:
            raise PromptError(f"audio: {error}") from None

    def warm_up(self) -> None:
        """Compile the program and run it once."""
        for _ in self.pieces(np.zeros(((EDGE_FRAMES + 1) * FRAME_SAMPLES, CHANNELS), np.float32)):
            pass
