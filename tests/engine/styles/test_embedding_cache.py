# SPDX-License-Identifier: Apache-2.0
"""The cache of embeddings: what is found again, what is not, what is removed; alone, in threads and in processes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_engine.contract import EmbeddedPrompts, Prompt, PromptError, StyleEncoder
from segue_engine.styles.cache import CachedStyleEncoder, EmbeddingCache, default_folder
from segue_engine.styles.musiccoca import MusicCoCa, MusicCoCaSettings
from segue_engine.styles.musiccoca.synthesise import write_synthetic

ENTRY = 32 + 4 * 768


def row(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=768).astype(np.float32)


def files_of(folder):
    return sorted(path.name for path in folder.iterdir())


class Counting:
    """MusicCoCa that counts the prompts it is asked for."""

    def __init__(self, inner: MusicCoCa) -> None:
        self.inner, self.asked = inner, []
        self.name, self.blend, self.quantise = inner.name, inner.blend, inner.quantise
        self.fingerprint, self.takes_audio = inner.fingerprint, inner.takes_audio

    def embed(self, prompts) -> EmbeddedPrompts:
        self.asked += prompts
        return self.inner.embed(prompts)


def test_what_was_put_is_found_bit_for_bit(tmp_path):
    cache = EmbeddingCache(tmp_path / "styles")
    assert cache.get("a") is None
    cache.put("a", row(1), "unknown: ☃")
    found, note = EmbeddingCache(tmp_path / "styles").get("a")
    np.testing.assert_array_equal(found, row(1))
    assert found.dtype == np.float32
    assert note == "unknown: ☃"
    assert files_of(tmp_path / "styles") == ["a.embedding"]
    cache.clear()
    assert cache.get("a") is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_entry_is_as_good_as_none(tmp_path_factory, data):
    cache = EmbeddingCache(tmp_path_factory.getbasetemp() / "damaged")
    cache.put("a", row(1), "a note")
    path = cache.folder / "a.embedding"
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    assert cache.get("a") is None
    cache.put("a", row(2))
    np.testing.assert_array_equal(cache.get("a")[0], row(2))


def test_an_entry_under_another_name_is_none(tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.put("a", row(1))
    os.rename(tmp_path / "a.embedding", tmp_path / "b.embedding")
    assert cache.get("b") is None


@pytest.mark.parametrize("key", ["", "../a", "a/b", "a.b", "ä"])
def test_a_key_can_not_leave_the_folder(tmp_path, key):
    with pytest.raises(ValueError, match="key: expected"):
        EmbeddingCache(tmp_path).get(key)


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(ValueError, match="limit_bytes"):
        EmbeddingCache(tmp_path, limit_bytes=0)
    with pytest.raises(ValueError, match=r"embedding: expected \[768\]"):
        EmbeddingCache(tmp_path).put("a", np.zeros(12, np.float32))


def test_beyond_the_limit_the_entries_not_used_for_longest_go(tmp_path):
    cache = EmbeddingCache(tmp_path, limit_bytes=4 * ENTRY)
    past = time.time() - 1_000
    for place, key in enumerate("abcd"):
        cache.put(key, row(place))
        os.utime(tmp_path / f"{key}.embedding", (past + place, past + place))
    (tmp_path / "notes.txt").write_text("not an entry")
    assert cache.get("a") is not None  # used just now
    cache.put("e", row(9))
    assert files_of(tmp_path) == ["a.embedding", "c.embedding", "d.embedding", "e.embedding", "notes.txt"]
    EmbeddingCache(tmp_path, limit_bytes=2 * ENTRY).put("f", row(10))
    assert [name for name in files_of(tmp_path) if name.endswith(".embedding")] in (
        ["a.embedding", "f.embedding"],
        ["e.embedding", "f.embedding"],
    )


def test_what_a_dead_process_left_half_written_is_removed_in_time(tmp_path):
    for name, age in (("old.partial", 7_200), ("new.partial", 1)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    EmbeddingCache(tmp_path).put("a", row(1))
    assert files_of(tmp_path) == ["a.embedding", "new.partial"]


def test_a_folder_that_can_not_be_written_costs_one_warning(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    cache = EmbeddingCache(tmp_path / "file")
    with caplog.at_level(logging.WARNING, "segue_engine"):
        cache.put("a", row(1))
        cache.put("b", row(2))
    assert cache.get("a") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_default_folder_is_in_the_user_s_cache():
    assert default_folder().name == "styles"
    assert "segue" in default_folder().parts[-2]


def test_threads_share_a_small_cache(tmp_path):
    cache = EmbeddingCache(tmp_path, limit_bytes=5 * ENTRY)

    def work(place: int) -> bool:
        seed = place % 9
        found = cache.get(f"k{seed}")
        if found is None:
            cache.put(f"k{seed}", row(seed))
            return True
        return bool(np.array_equal(found[0], row(seed)))

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(work, range(300)))
    assert not [name for name in files_of(tmp_path) if name.endswith(".partial")]
    assert len(files_of(tmp_path)) <= 5 + 8


def test_processes_share_a_small_cache(tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from segue_engine.styles.cache import EmbeddingCache\n"
        f"cache = EmbeddingCache(Path(sys.argv[1]), limit_bytes=5 * {ENTRY})\n"
        "for place in range(300):\n"
        "    seed = place * int(sys.argv[2]) % 9\n"
        "    found = cache.get(f'k{seed}')\n"
        "    if found is None:\n"
        "        cache.put(f'k{seed}', np.full(768, seed, np.float32), str(seed))\n"
        "    else:\n"
        "        assert (found[0] == seed).all() and found[1] == str(seed)\n"
        "assert not cache._warned.is_set()\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, str(tmp_path), stride], stderr=subprocess.PIPE)
        for stride in ("1", "2", "4")
    ]
    for process in started:
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
    names = files_of(tmp_path)
    assert all(name.endswith(".embedding") for name in names)
    assert len(names) <= 5 + 3


@pytest.fixture
def counting(synthetic):
    return Counting(MusicCoCa(synthetic))


def test_a_prompt_is_embedded_once(counting, tmp_path):
    cached = CachedStyleEncoder(counting, EmbeddingCache(tmp_path))
    assert isinstance(cached, StyleEncoder)
    assert cached.name == counting.name
    audio = Prompt(audio=np.sin(np.arange(16_000) / 5).astype(np.float32), sample_rate=16_000)
    prompts = [Prompt(text="dark"), Prompt(text="calm " * 200), Prompt(text="dark"), audio]
    first = cached.embed(prompts)
    assert len(counting.asked) == 3
    again = CachedStyleEncoder(counting, EmbeddingCache(tmp_path)).embed(prompts)
    assert len(counting.asked) == 3
    np.testing.assert_array_equal(first.embeddings, again.embeddings)
    np.testing.assert_array_equal(first.embeddings, counting.inner.embed(prompts).embeddings)
    assert first.notes == again.notes == counting.inner.embed(prompts).notes
    assert first.notes[1] != ""
    np.testing.assert_array_equal(cached.blend(first.embeddings, [1, 0, 0, 0]), first.embeddings[0])
    np.testing.assert_array_equal(cached.quantise(first.embeddings), counting.quantise(first.embeddings))
    assert cached.embed([]).embeddings.shape == (0, 768)


def test_prompts_that_differ_in_anything_are_apart(counting, tmp_path):
    cached = CachedStyleEncoder(counting, EmbeddingCache(tmp_path))
    wave = np.zeros(32_000, np.float32)
    wave[:100] = 0.5
    prompts = [
        Prompt(text="dark"),
        Prompt(text="dark "),
        Prompt(audio=wave, sample_rate=16_000),
        Prompt(audio=wave, sample_rate=32_000),
        Prompt(audio=wave.reshape(-1, 2), sample_rate=16_000),
        Prompt(audio=wave * 0.5, sample_rate=16_000),
    ]
    assert len({cached._key(prompt) for prompt in prompts}) == len(prompts)
    cached.embed(prompts)
    assert len(counting.asked) == len(prompts)


def test_another_model_or_mapper_makes_other_entries_and_style_levels_do_not(synthetic, altered, tmp_path):
    write_synthetic(tmp_path / "other", 99)
    text, audio = Prompt(text="dark"), Prompt(audio=np.zeros(16_000, np.float32), sample_rate=16_000)
    base = MusicCoCa(synthetic)
    off = MusicCoCa(synthetic, MusicCoCaSettings(mapper="off"))
    seeded = MusicCoCa(synthetic, MusicCoCaSettings(mapper_seed=1))
    other = MusicCoCa(tmp_path / "other")
    coarse = MusicCoCa(synthetic, MusicCoCaSettings(style_levels=6))
    assert len({e.fingerprint(text) for e in (base, off, seeded, other)}) == 4
    assert base.fingerprint(text) == coarse.fingerprint(text)
    assert base.fingerprint(audio) == off.fingerprint(audio) != other.fingerprint(audio)
    changed = MusicCoCa(altered({"music_encoder.tflite": (tmp_path / "other/music_encoder.tflite").read_bytes()}))
    assert changed.fingerprint(text) == base.fingerprint(text)
    assert changed.fingerprint(audio) != base.fingerprint(audio)


def test_a_refused_prompt_is_refused_again_and_what_came_before_it_is_kept(counting, tmp_path):
    cached = CachedStyleEncoder(counting, EmbeddingCache(tmp_path))
    for _ in range(2):
        with pytest.raises(PromptError, match="blank"):
            cached.embed([Prompt(text="dark"), Prompt(text=" ")])
    assert [prompt.text for prompt in counting.asked] == ["dark", " ", " "]
    with pytest.raises(PromptError, match="either text or audio"):
        cached.embed([Prompt()])


def test_audio_without_its_files_is_refused_through_the_cache_too(altered, tmp_path):
    cached = CachedStyleEncoder(MusicCoCa(altered({"music_encoder.tflite": None})), EmbeddingCache(tmp_path / "c"))
    with pytest.raises(PromptError, match="only text"):
        cached.embed([Prompt(audio=np.zeros(16_000, np.float32), sample_rate=16_000)])


def test_a_damaged_entry_is_made_again(counting, tmp_path):
    cached = CachedStyleEncoder(counting, EmbeddingCache(tmp_path))
    first = cached.embed([Prompt(text="dark")]).embeddings
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    np.testing.assert_array_equal(cached.embed([Prompt(text="dark")]).embeddings, first)
    assert len(counting.asked) == 2
    cached.embed([Prompt(text="dark")])
    assert len(counting.asked) == 2
