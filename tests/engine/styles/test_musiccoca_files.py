# SPDX-License-Identifier: Apache-2.0
"""Files that are missing, damaged or of another signature; packages that are missing; files that are noise."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from musiccoca_probes import pass_through, with_open_batch

from segue_engine.contract import EngineError, Prompt
from segue_engine.styles.musiccoca import FILES, MusicCoCa, MusicCoCaError, is_synthetic
from segue_engine.styles.musiccoca.flatbuffer import GraphWriter
from segue_engine.styles.musiccoca.synthesise import write_synthetic

GRAPHS = [name for name in FILES if name.endswith(".tflite")]
I32, I64, F32 = np.int32, np.int64, np.float32
SILENCE = np.zeros(16_000, np.float32)


@pytest.mark.parametrize("name", ["spm.model", "text_encoder.tflite", "pretrained_vector_quantizer.tflite"])
def test_a_file_that_every_prompt_needs_is_missed_at_once(altered, name):
    with pytest.raises(MusicCoCaError, match=rf"no {name}; `segue models download mrt2_small` fetches"):
        MusicCoCa(altered({name: None}))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"nowhere: no spm\.model, no text_encoder\.tflite, no pretrained_"):
        MusicCoCa(tmp_path / "nowhere")


@pytest.mark.parametrize("name", GRAPHS)
def test_a_truncated_file_is_named_before_it_is_used(synthetic, altered, name):
    content = (synthetic / name).read_bytes()
    for share in (0.0, 1e-5, 0.01, 0.3, 0.7, 0.999):
        encoder = MusicCoCa(altered({name: content[: int(len(content) * share)]}))
        with pytest.raises(MusicCoCaError, match=rf"{name}: damaged, or not a LiteRT file .* `segue models download"):
            encoder.load()


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"\0\0\0\0TFL3" + b"\0" * 99]
)
def test_another_kind_of_file_is_named(altered, content):
    for name in ("text_encoder.tflite", "spm.model"):
        with pytest.raises(MusicCoCaError, match=rf"{name}: damaged, or not a "):
            MusicCoCa(altered({name: content})).load()


def test_a_truncated_vocabulary_is_named(synthetic, altered):
    content = (synthetic / "spm.model").read_bytes()
    with pytest.raises(MusicCoCaError, match=r"spm\.model: damaged, or not a SentencePiece model"):
        MusicCoCa(altered({"spm.model": content[:5_000]})).embed([Prompt(text="dark")])


TEXT = ((1, 128), I32), ((1, 128), F32)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text_encoder.tflite", pass_through(TEXT[0]), r"found int32\[1, 128\]$"),
        ("text_encoder.tflite", pass_through(*TEXT, TEXT[1]), r"found int32\[1, 128\], float32\[1, 128\], float32"),
        ("text_encoder.tflite", pass_through(TEXT[0], TEXT[0]), r"expected inputs int32 of 128 values \(token ids\)"),
        ("text_encoder.tflite", pass_through(((1, 128), I64), TEXT[1]), r"found int64\[1, 128\]"),
        ("text_encoder.tflite", pass_through(TEXT[0], ((1, 64), F32)), r"float32 of 128 values \(paddings\); found"),
        ("text_encoder.tflite", pass_through(*TEXT, width=512), r"expected one output float32 of 768 .*\[1, 512\]"),
        ("text_encoder.tflite", pass_through(*TEXT, outputs=2), r"found float32\[1, 768\], float32\[1, 768\]"),
        ("mapper.tflite", pass_through(((1, 768), F32)), "mapper: expected inputs"),
        ("mapper.tflite", pass_through(((1, 768), F32), ((1, 12), F32)), r"of 768 values \(noise\)"),
        ("audio_preprocessor.tflite", pass_through(((1, 80_000), F32)), r"of 160000 values .*\[1, 80000\]"),
        ("music_encoder.tflite", pass_through(((1, 992, 128), F32), width=64), "music encoder: expected one output"),
        ("pretrained_vector_quantizer.tflite", pass_through(((1, 768), F32)), r"int32 or int64 of at least 12 values"),
    ],
)
def test_another_signature_is_refused_at_load_with_what_was_expected_and_found(altered, name, content, message):
    encoder = MusicCoCa(altered({name: content}))
    with pytest.raises(MusicCoCaError, match=rf"{name}: not MusicCoCa's .*{message}"):
        encoder.load()


def test_files_in_each_other_s_place_are_told_apart(synthetic, altered):
    swapped = {"text_encoder.tflite": (synthetic / "mapper.tflite").read_bytes()}
    with pytest.raises(MusicCoCaError, match=r"text_encoder\.tflite: not MusicCoCa's text encoder"):
        MusicCoCa(altered(swapped)).embed([Prompt(text="dark")])


def test_a_file_that_fails_to_run_is_named(altered):
    graph = GraphWriter("probe")
    ids = graph.input("ids", (1, 128), np.int32)
    graph.input("paddings", (1, 128))
    numbers = graph.constant(np.zeros((1, 6), np.float32))  # a table without the start id
    out = graph.op("GATHER", (numbers, ids), (1, 128, 6), Gather={"axis": 0})
    target = graph.constant(np.array([1, 768], np.int32))
    content = graph.finish(graph.op("RESHAPE", (out, target), (1, 768), Reshape={"newShape": [1, 768]}))
    with pytest.raises(MusicCoCaError, match=r"text_encoder\.tflite: text encoder failed to run: .*out of bounds"):
        MusicCoCa(altered({"text_encoder.tflite": content})).embed([Prompt(text="dark")])


def test_an_embedding_that_is_not_finite_never_leaves_the_encoder(altered):
    graph = GraphWriter("probe")
    for shape, dtype in TEXT:
        graph.input("in", shape, dtype)
    zeros = graph.constant(np.zeros((1, 768), np.float32))
    content = graph.finish(graph.op("LOG", (zeros,), (1, 768)))
    encoder = MusicCoCa(altered({"text_encoder.tflite": content, "mapper.tflite": None}))
    with pytest.raises(MusicCoCaError, match=r"text_encoder\.tflite: expected a finite embedding of 'dark'"):
        encoder.embed([Prompt(text="dark")])


def test_a_file_with_an_open_batch_axis_is_taken(synthetic, altered, encoder):
    changes = {name: with_open_batch((synthetic / name).read_bytes()) for name in GRAPHS}
    opened = MusicCoCa(altered(changes))
    opened.load()
    prompts = [Prompt(text="dark"), Prompt(audio=SILENCE, sample_rate=16_000)]
    rows = encoder.embed(prompts).embeddings
    np.testing.assert_array_equal(opened.embed(prompts).embeddings, rows)
    np.testing.assert_array_equal(opened.quantise(rows), encoder.quantise(rows))


def test_a_result_of_another_size_is_refused_where_the_file_left_it_open(altered):
    content = with_open_batch(pass_through(*TEXT, width=512))
    encoder = MusicCoCa(altered({"text_encoder.tflite": content}))
    with pytest.raises(MusicCoCaError, match=r"text_encoder\.tflite: expected the output float32 of 768 .* found 512"):
        encoder.embed([Prompt(text="dark")])


def test_a_repaired_file_is_read_without_a_restart(synthetic, altered):
    name = "text_encoder.tflite"
    folder = altered({name: b"damaged"})
    encoder = MusicCoCa(folder)
    with pytest.raises(MusicCoCaError):
        encoder.embed([Prompt(text="dark")])
    os.replace(altered({}) / name, folder / name)
    assert encoder.embed([Prompt(text="dark")]).embeddings.shape == (1, 768)


def test_without_the_packages_importing_works_and_building_says_what_to_install(synthetic):
    program = (
        "import sys\n"
        "sys.modules['ai_edge_litert'] = sys.modules['sentencepiece'] = None\n"
        "import segue_engine.styles.cache\n"
        "from segue_engine.styles.musiccoca import MusicCoCa, MusicCoCaError\n"
        "from segue_engine.styles.musiccoca.synthesise import write_synthetic\n"
        "assert 'jax' not in sys.modules\n"
        "from pathlib import Path\n"
        "for build in (lambda: MusicCoCa(Path(sys.argv[1])), lambda: write_synthetic(Path(sys.argv[1]), 0)):\n"
        "    try:\n"
        "        build()\n"
        "    except MusicCoCaError as error:\n"
        "        assert '`pip install segue[musiccoca]`' in str(error), error\n"
        "    else:\n"
        "        raise SystemExit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(synthetic)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_synthetic_files_are_small_say_what_they_are_and_depend_on_the_seed_only(synthetic, tmp_path):
    assert is_synthetic(synthetic)
    assert "noise" in (synthetic / "SYNTHETIC-NOISE.txt").read_text()
    assert sorted(path.name for path in synthetic.iterdir()) == sorted([*FILES, "SYNTHETIC-NOISE.txt"])
    assert sum(path.stat().st_size for path in synthetic.iterdir()) < 4_000_000
    again = write_synthetic(tmp_path / "again", 7)
    assert {path.name for path in again} == set(FILES)
    assert all(path.read_bytes() == (synthetic / path.name).read_bytes() for path in again)
    write_synthetic(tmp_path / "again", 8)
    assert (tmp_path / "again/mapper.tflite").read_bytes() != (synthetic / "mapper.tflite").read_bytes()


def test_synthetic_files_never_replace_others(altered):
    folder = altered({"SYNTHETIC-NOISE.txt": None, "spm.model": None})
    before = (folder / "mapper.tflite").read_bytes()
    with pytest.raises(MusicCoCaError, match="may be real"):
        write_synthetic(folder, 0)
    assert (folder / "mapper.tflite").read_bytes() == before
    assert not (folder / "spm.model").exists()


def test_synthetic_prompts_spread_over_embeddings_and_codes(encoder):
    words = ("dark", "bright", "calm", "tense", "piano", "strings", "brass", "synth", "drums", "flute")
    rows = encoder.embed([Prompt(text=word) for word in words]).embeddings
    codes = encoder.quantise(rows)
    assert len({tuple(row) for row in codes.tolist()}) == len(words)
    assert all(len(set(level)) >= 6 for level in codes.T.tolist())
    near = rows + 1e-5 * np.random.default_rng(0).normal(size=rows.shape).astype(np.float32)
    assert (encoder.quantise(near)[:, 0] == codes[:, 0]).mean() > 0.8
