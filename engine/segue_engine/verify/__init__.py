# SPDX-License-Identifier: Apache-2.0
"""Golden vectors against our code: `verify(folder, registry.CHECKS)` gives a Report or raises VectorError, a sentence.

A vector set is a folder with tolerances.json, meta.json, weights (or the seeds they come from) and .npz files of inputs
and golden arrays. Sizes come from the set; nothing found in it is executed.
"""

from segue_engine.verify.report import FileReport, Report, Row
from segue_engine.verify.run import Watcher, verify
from segue_engine.verify.vector_set import VectorError

__all__ = ["FileReport", "Report", "Row", "VectorError", "Watcher", "verify"]
