# SPDX-License-Identifier: Apache-2.0
"""Which ear goes with which engine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.models.starter.composer import Composer
from segue_engine.styles.cache import CachedStyleEncoder, EmbeddingCache
from segue_engine.styles.starter_encoder import TagStyleEncoder
from segue_service.cli.ears import ear_for
from segue_service.session.adherence import Asked, Sound
from segue_service.session.ears import EncoderEar, StyleCodesEar


def assembly(model: str, encoder: Any) -> Any:
    return SimpleNamespace(info=SimpleNamespace(model=model), style_encoder=encoder)


class Deaf(HashStyleEncoder):
    takes_audio = False


def test_the_starters_ear_hears_its_codes_in_the_encoders_space() -> None:
    encoder = TagStyleEncoder.bundled()
    ear = ear_for(assembly("starter", encoder))
    assert ear is not None
    assert not ear.wants_audio
    boss, village = encoder.embed(["boss", "village"]).embeddings
    played = Composer(4).run(np.tile(encoder.to_tags(boss), (500, 1)), np.full(500, -1, np.int8))
    codes = np.asarray(played, np.int16).reshape(500, 12)[-ear.window :]
    none = np.zeros((0, 2), np.int16)
    like, unlike = ear.judge([Sound(codes, none, Asked(asked, (1,))) for asked in (boss, village)])
    assert like > 0.6
    assert unlike < 0.3


def test_others_are_heard_by_their_encoder_if_it_takes_recordings(tmp_path: Path) -> None:
    encoder = HashStyleEncoder()
    wrapped: Any = CachedStyleEncoder(encoder, EmbeddingCache(tmp_path))  # type: ignore[arg-type]
    assert ear_for(assembly("mrt2_small", wrapped)) == EncoderEar(encoder), "sound must not fill the cache of prompts"
    assert ear_for(assembly("mrt2_small", encoder)) == EncoderEar(encoder)
    assert ear_for(assembly("mrt2_small", Deaf())) is None
    assert ear_for(assembly("fake", encoder)) == StyleCodesEar()
