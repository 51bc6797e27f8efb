# SPDX-License-Identifier: Apache-2.0
"""`python -m segue_service` is `segue`."""

from segue_service.cli import main

main()
