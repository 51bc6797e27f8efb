# SPDX-License-Identifier: Apache-2.0
"""`segue train starter`: train the bundled model on what its own composer writes."""

from __future__ import annotations

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError

TRAINABLE = ("starter",)


def check_trainable(model: str) -> None:
    """Raises CommandError for a model that is not trained here."""
    if model not in TRAINABLE:
        raise CommandError(
            f'no model "{model}" can be trained or evaluated here; there is: {", ".join(TRAINABLE)}', EXIT_BAD_INPUT
        )
