# SPDX-License-Identifier: Apache-2.0
"""The seeded composer: training data and reference for the starter model. numpy only."""

from segue_engine.models.starter.composer.composer import Augmentation, Composer, Piece
from segue_engine.models.starter.composer.dataset import TrainingBatch, compose_batch, lead_line, piano_roll

__all__ = ["Augmentation", "Composer", "Piece", "TrainingBatch", "compose_batch", "lead_line", "piano_roll"]
