# SPDX-License-Identifier: Apache-2.0
"""Models' files: where they lie, how they are read, checked, downloaded and synthesised. Importing it imports no jax.

::

    find(name, models_dir) -> Located            files of a model; raises, naming what is missing and what brings it
    open_checkpoint(path) -> Checkpoint          lazy mapping of published key to array, views of the mapped file
    t5x.open_t5x(path) -> T5XCheckpoint          the same of a Magenta RT 1's language model, read array by array
    codec.codec_tensors(located.codec, described(located))     decoder and codebooks, from whichever files hold them
    best_model(device, memory) -> Choice         name and reason, for `--model auto`
    layout.model_config(layout.described(located)), layout.codec_config(…), layout.checkpoint_shapes(…)
"""

from segue_engine.checkpoints.choose import Choice, best_model, choose
from segue_engine.checkpoints.errors import CheckpointFileError, DownloadError
from segue_engine.checkpoints.located import Located, find, locate
from segue_engine.checkpoints.reader import Checkpoint, open_checkpoint
from segue_engine.checkpoints.survey import Found, survey

__all__ = [
    "Checkpoint",
    "CheckpointFileError",
    "Choice",
    "DownloadError",
    "Found",
    "Located",
    "best_model",
    "choose",
    "find",
    "locate",
    "open_checkpoint",
    "survey",
]
