# SPDX-License-Identifier: Apache-2.0
"""How good the starter is: musical figures, style, reactions and sound, the model beside the composer.

`music` alone needs numpy only, so it is all that is imported here; `suite` plays and measures everything.
"""

from segue_engine.models.starter.evaluation.music import Figures, mean_figures, measure

__all__ = ["Figures", "mean_figures", "measure"]
