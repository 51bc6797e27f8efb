# SPDX-License-Identifier: Apache-2.0
"""Damaged, partial and foreign T5X checkpoints: which array, what was expected; nothing outside of it is touched."""

from __future__ import annotations

import gzip
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.t5x import open_t5x
from segue_engine.checkpoints.t5x_write import write_t5x

KEY, FOLDER = "encoder/layers_0/mlp/wo/kernel", "target.encoder.layers_0.mlp.wo.kernel"

Damage = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    tensors = {KEY: (8, 6), "encoder/encoder_norm/scale": (6,), "token_embedder/embedding": (16, 6)}
    write_t5x(
        tmp_path / "it",
        ((key, rng.standard_normal(shape, np.float32)) for key, shape in tensors.items()),
        chunk_bytes=100,
    )
    return tmp_path / "it"


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def write(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(data) and None


def cut(name: str, count: int) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-count]) and None


def described(**changed: Any) -> Damage:
    def change(folder: Path) -> None:
        path = folder / FOLDER / ".zarray"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return change


def indexed(change: Callable[[dict[str, Any]], Any]) -> Damage:
    def apply(folder: Path) -> None:
        index = msgpack.unpackb((folder / "checkpoint").read_bytes(), ext_hook=msgpack.ExtType)
        change(index)
        (folder / "checkpoint").write_bytes(msgpack.packb(index))

    return apply


def leaf(**changed: Any) -> Damage:
    return indexed(
        lambda index: index["optimizer"]["target"]["encoder"]["layers_0"]["mlp"]["wo"]["kernel"].update(changed)
    )


def kvstore(**changed: Any) -> Damage:
    return leaf(kvstore={"driver": "file", "path": f"{FOLDER}/"} | changed)


def deep(folder: Path) -> None:
    tree: dict[str, Any] = {}
    for _ in range(100):
        tree = {"a": tree}
    (folder / "checkpoint").write_bytes(msgpack.packb({"version": 3, "optimizer": {"target": tree}}))


def pickled(index: dict[str, Any]) -> None:
    index["optimizer"]["target"]["bomb"] = msgpack.ExtType(1, msgpack.packb(((1,), "object", pickle.dumps({"a": 1}))))


BOMB = gzip.compress(bytes(50_000_000), 1)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("checkpoint"), "not a T5X checkpoint: no index file 'checkpoint'"),
        (write("checkpoint", b""), "checkpoint: damaged index"),
        (cut("checkpoint", 20), "checkpoint: damaged index"),
        (write("checkpoint", pickle.dumps({"version": 3})), "checkpoint: "),
        (write("checkpoint", b"\xdf\xff\xff\xff\xff"), "checkpoint: damaged index"),
        (write("checkpoint", msgpack.packb([1, 2])), "expected version and optimizer.target"),
        (indexed(lambda index: index.update(version=4)), "expected T5X version 2 or 3, got 4"),
        (indexed(lambda index: index["optimizer"].update(target={})), "no parameters in it"),
        (indexed(lambda index: index["optimizer"]["target"].update({"a/b": {}})), "not a parameter's name: 'a/b'"),
        (indexed(lambda index: index["optimizer"]["target"].update(a=7)), "a: expected an array or the description of"),
        (indexed(pickled), "damaged index: an array of object"),
        (deep, "nested deeper than 32"),
        (leaf(driver="n5"), f"{KEY}: expected an array or the description of a zarr folder"),
        (leaf(metadata={"shape": [8, 7]}), f"{KEY}: the index expects [8, 7], its folder holds [8, 6]"),
        (kvstore(driver="http"), f"{KEY}: expected a kvstore of file, gcs, gfile"),
        (kvstore(path="../../etc/"), f"{KEY}: not a folder of the checkpoint: '../../etc/'"),
        (kvstore(path="/etc"), f"{KEY}: not a folder of the checkpoint: '/etc'"),
        (kvstore(path=""), f"{KEY}: not a folder of the checkpoint: ''"),
        (remove(f"{FOLDER}/.zarray"), f"{KEY}: no array in {FOLDER}: .zarray is missing"),
        (remove(f"{FOLDER}/1.0"), f"{KEY} [8, 6]: expected 2 chunk files of [4, 6], missing or empty: {FOLDER}/1.0"),
        (write(f"{FOLDER}/1.0", b""), f"missing or empty: {FOLDER}/1.0"),
        (write(f"{FOLDER}/.zarray", b"{"), f"{FOLDER}/.zarray: not JSON"),
        (write(f"{FOLDER}/.zarray", b"[" * 50_000), f"{FOLDER}/.zarray: not JSON"),
        (described(zarr_format=3), "expected zarr_format 2 in order C without filters"),
        (described(order="F"), "expected zarr_format 2 in order C without filters"),
        (described(dtype="|O"), "unknown dtype '|O'"),
        (described(shape=[8, -6]), "expected a shape and as many chunk sizes"),
        (described(shape=[2**39, 2**39], chunks=[2**39, 2**39]), "is more than can be a parameter"),
        (described(shape=[10**6], chunks=[1]), "is more than can be a parameter"),
        (described(compressor={"id": "blosc"}), "expected gzip, zlib or no compression, got {'id': 'blosc'}"),
        (described(compressor=None), f"{KEY} [8, 6]: expected chunk files of 96 bytes"),
    ],
)  # fmt: skip
def test_what_can_be_seen_at_once_is_said_when_it_is_opened(folder: Path, damage: Damage, said: str) -> None:
    damage(folder)
    with pytest.raises(CheckpointFileError) as caught:
        open_t5x(folder)
    assert str(folder) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut(f"{FOLDER}/0.0", 4), "truncated after 96 bytes"),
        (cut(f"{FOLDER}/0.0", 30), "truncated after"),
        (write(f"{FOLDER}/0.0", b"not gzip"), "damaged: Error -3"),
        (write(f"{FOLDER}/0.0", gzip.compress(bytes(95))), "it holds 95"),
        (write(f"{FOLDER}/0.0", gzip.compress(bytes(97))), "it holds more"),
        (write(f"{FOLDER}/0.0", BOMB), "it holds more"),
        (write(f"{FOLDER}/0.0", gzip.compress(bytes(96)) + b"x"), "something follows its end"),
        (lambda folder: (folder / FOLDER / "0.0").unlink(), "0.0: no such file or directory"),
    ],
)
def test_what_takes_reading_is_said_when_it_is_read(folder: Path, damage: Damage, said: str) -> None:
    checkpoint = open_t5x(folder)
    damage(folder)
    with pytest.raises(CheckpointFileError) as caught:
        np.asarray(checkpoint[KEY])
    assert f"{FOLDER}/0.0" in str(caught.value)
    assert said in str(caught.value)
    np.asarray(checkpoint["token_embedder/embedding"])


def test_a_flipped_bit_is_found_by_the_checksum(folder: Path) -> None:
    path = folder / FOLDER / "0.0"
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointFileError, match=r"incorrect data check; expected 96 bytes, float32\[4, 6\], of enc"):
        np.asarray(open_t5x(folder)[KEY])


def test_all_arrays_at_fault_are_named_at_once(folder: Path) -> None:
    remove(f"{FOLDER}/.zarray")(folder)
    remove("target.token_embedder.embedding/0.0")(folder)
    with pytest.raises(CheckpointFileError) as caught:
        open_t5x(folder)
    assert KEY in str(caught.value)
    assert "token_embedder/embedding [16, 6]: expected" in str(caught.value)


def test_what_does_not_fit_a_model_is_named_at_once(folder: Path) -> None:
    checkpoint = open_t5x(folder)
    expected = {KEY: (8, 7), "encoder/encoder_norm/scale": (6,), "decoder/decoder_norm/scale": (6,)}
    with pytest.raises(CheckpointFileError) as caught:
        checkpoint.check(expected, "mrt1_base")
    said = str(caught.value)
    assert f"{folder}: does not fit mrt1_base" in said
    assert "missing: decoder/decoder_norm/scale [6]" in said
    assert f"wrong shape: {KEY} expected [8, 7], got [8, 6]" in said
    fitting = {KEY: (8, 6), "encoder/encoder_norm/scale": (6,)}
    assert checkpoint.check(fitting, "it") == ("token_embedder/embedding",)
    assert set(checkpoint.only(fitting)) == set(fitting)


def test_a_folder_of_steps_says_to_name_one(tmp_path: Path) -> None:
    for step in (1000, 2000):
        (tmp_path / f"checkpoint_{step}").mkdir()
    with pytest.raises(CheckpointFileError, match="it has checkpoint_1000, checkpoint_2000: name one of these"):
        open_t5x(tmp_path)
    with pytest.raises(CheckpointFileError, match="no such folder or archive"):
        open_t5x(tmp_path / "nowhere")


def test_archives_that_break_off_or_lead_elsewhere(folder: Path, tmp_path: Path) -> None:
    whole = tmp_path / "it.tar"
    with tarfile.open(whole, "w") as archive:
        archive.add(folder, ".")
    data = whole.read_bytes()
    for name, content in (
        ("short.tar", data[:2000]),
        ("short.tgz", gzip.compress(data)[:-40]),
        ("no.tar", b"no" * 600),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointFileError, match=name):
            open_t5x(tmp_path / name)
    secret = tmp_path / "secret"
    secret.write_bytes(b"never read")
    with tarfile.open(tmp_path / "link.tar", "w") as archive:
        link = tarfile.TarInfo("checkpoint")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    with pytest.raises(CheckpointFileError, match="no index file"):
        open_t5x(tmp_path / "link.tar")
