# SPDX-License-Identifier: Apache-2.0
"""What a text becomes before it reaches the text encoder, and the mapper after it."""

from __future__ import annotations

import logging
import string

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from musiccoca_probes import mapper_probe, text_probe
from sentencepiece import SentencePieceProcessor

from segue_engine.contract import Prompt, PromptError
from segue_engine.styles.musiccoca import MissingFileError, MusicCoCa, MusicCoCaSettings
from segue_engine.styles.musiccoca.text import Tokeniser

OFF = MusicCoCaSettings(mapper="off")


@pytest.fixture(scope="module")
def vocabulary(synthetic):
    return SentencePieceProcessor(model_file=str(synthetic / "spm.model"))


@pytest.mark.parametrize("shape", [(1, 128), (128,), (1, 1, 128)])
@pytest.mark.parametrize("ids_first", [True, False])
def test_ids_and_paddings_reach_the_file_by_dtype_and_in_its_shape(altered, vocabulary, shape, ids_first):
    folder = altered({"text_encoder.tflite": text_probe(shape, ids_first)})
    row = MusicCoCa(folder, OFF).embed([Prompt(text="Dark AMBIENT strings")]).embeddings[0]
    expected = [1, *vocabulary.encode("dark ambient strings")]
    count = len(expected)
    np.testing.assert_array_equal(row[:128], expected + [0] * (128 - count))
    np.testing.assert_array_equal(row[128:256], [0.0] * count + [1.0] * (128 - count))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from(string.printable + "äßĲ漢☃▁"), max_size=400))
def test_tokens_are_the_lower_case_text_cut_to_127(synthetic, vocabulary, text):
    tokeniser = Tokeniser(synthetic / "spm.model", 2_000)
    expected = vocabulary.encode(text.lower())[:127]
    try:
        tokens = tokeniser.encode(text)
    except PromptError:
        assert not text.strip() or not any(piece.strip("▁") for piece in vocabulary.encode(text.lower(), out_type=str))
        return
    count = len(expected) + 1
    assert tokens.ids.dtype == np.int32
    assert tokens.paddings.dtype == np.float32
    assert tokens.ids.tolist() == [1, *expected] + [0] * (128 - count)
    assert tokens.paddings.tolist() == [0.0] * count + [1.0] * (128 - count)
    assert ("are heard" in tokens.note) == (len(vocabulary.encode(text.lower())) > 127)


def test_case_does_not_matter_and_words_do(encoder):
    rows = encoder.embed([Prompt(text=t) for t in ("Calm Piano", "calm piano", "loud brass")]).embeddings
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.abs(rows[0] - rows[2]).max() > 0.01
    codes = encoder.quantise(rows)
    assert codes[0].tolist() == codes[1].tolist() != codes[2].tolist()


def test_a_long_text_is_cut_and_the_note_says_so(encoder):
    long = "dark ambient strings " * 60
    embedded = encoder.embed([Prompt(text=long), Prompt(text="dark")])
    assert embedded.notes[0].startswith("only the first 127 of ")
    assert embedded.notes[1] == ""
    np.testing.assert_array_equal(embedded.embeddings[0], encoder.embed([Prompt(text=long + "x")]).embeddings[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "blank"),
        (" \t\n", "blank"),
        ("a" * 2_001, "at most 2000 characters, got 2001"),
        ("dark \ud800", "surrogate"),
        ("▁▁▁", "vocabulary"),
    ],
)
def test_a_text_that_cannot_be_embedded_is_refused(encoder, text, message):
    with pytest.raises(PromptError, match=message) as refused:
        encoder.embed([Prompt(text=text)])
    assert len(str(refused.value)) < 200


def test_characters_outside_the_vocabulary_are_named(tmp_path):
    path = tmp_path / "spm.model"
    from sentencepiece import SentencePieceTrainer

    with path.open("wb") as file:
        SentencePieceTrainer.train(
            sentence_iterator=iter(["dark ambient strings", "calm piano"]), model_writer=file, vocab_size=40,
            hard_vocab_limit=False, pad_id=0, bos_id=1, eos_id=2, unk_id=3, minloglevel=2,
        )  # fmt: skip
    tokeniser = Tokeniser(path, 100)
    assert tokeniser.encode("dark ☃ strings").note == "unknown: ☃"
    with pytest.raises(PromptError, match="vocabulary"):
        tokeniser.encode("☃ ☃")


def test_the_mapper_gets_the_published_noise_and_its_result_is_of_unit_length(altered):
    folder = altered({"mapper.tflite": mapper_probe()})
    for seed in (0, 5):
        row = MusicCoCa(folder, MusicCoCaSettings(mapper="on", mapper_seed=seed)).embed([Prompt(text="dark")])
        noise = np.random.RandomState(seed).randn(768)
        np.testing.assert_allclose(row.embeddings[0], noise / np.linalg.norm(noise), atol=1e-6)


def test_without_the_mapper_the_text_embedding_is_left_as_it_is(altered):
    folder = altered({"text_encoder.tflite": text_probe()})
    row = MusicCoCa(folder, OFF).embed([Prompt(text="dark")]).embeddings[0]
    assert np.linalg.norm(row) > 2.0


def test_which_path_a_text_takes_is_a_setting_and_is_reported(synthetic, altered, caplog):
    without = altered({"mapper.tflite": None, "SYNTHETIC-NOISE.txt": None})
    with caplog.at_level(logging.INFO, "segue_engine"):
        assert MusicCoCa(synthetic).name == "musiccoca-synthetic+mapper"
        assert "through the mapper (seed 0)" in caplog.messages[-1]
        assert MusicCoCa(synthetic, OFF).name == "musiccoca-synthetic"
        assert "without the mapper (off)" in caplog.messages[-1]
        assert MusicCoCa(without).name == "musiccoca"
        assert "without the mapper (no mapper.tflite)" in caplog.messages[-1]
    with pytest.raises(MissingFileError, match=r"no mapper\.tflite; `segue models download mrt2_small`"):
        MusicCoCa(without, MusicCoCaSettings(mapper="on"))
    row = MusicCoCa(without).embed([Prompt(text="dark")]).embeddings
    np.testing.assert_array_equal(row, MusicCoCa(synthetic, OFF).embed([Prompt(text="dark")]).embeddings)
    assert np.abs(row - MusicCoCa(synthetic).embed([Prompt(text="dark")]).embeddings).max() > 0.01
