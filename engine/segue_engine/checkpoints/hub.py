# SPDX-License-Identifier: Apache-2.0
"""The hub as a source of files, through its own client (`huggingface_hub`, the extra `download`).

The client's `hf_hub_download` throws a partial file away when its process ends, so files are fetched by the function
below it, which takes up where a file ends; listing, redirects, retries, tokens and proxies are the client's as well.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from segue_engine.checkpoints.errors import DownloadError
from segue_engine.checkpoints.manifest import Advance
from segue_engine.checkpoints.sources import Listing, Offered, Sink

OFFLINE_HELP = (
    "without a network: copy the repository's files to a folder in the same layout and use `--mirror FOLDER`, "
    "or put them where `segue models where` looks"
)


def offline() -> bool:
    """Whether the environment says that the hub must not be asked (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


class Hub:
    """A repository of models at one revision, `main` unless another is given. endpoint: another hub's address."""

    def __init__(self, repository: str, revision: str | None = None, endpoint: str | None = None) -> None:
        self._repository = repository
        self._revision = revision
        self._endpoint = endpoint

    def listing(self) -> Listing:
        client = _client()
        with _explained(f"the list of files of {self._repository}"):
            info = client.HfApi(endpoint=self._endpoint, library_name="segue").model_info(
                self._repository, revision=self._revision, files_metadata=True, timeout=30
            )
            files = {}
            for file in info.siblings or ():
                sha256 = file.lfs.sha256 if file.lfs else ""
                files[file.rfilename] = Offered(int(file.size or 0), sha256, "" if sha256 else file.blob_id or "")
            self._revision = info.sha
        return Listing(self._repository, str(info.sha or ""), files)

    def identify(self, path: str, offered: Offered, advance: Advance) -> Offered:
        return offered  # the hub knows a hash of every file

    def fetch(self, path: str, offered: Offered, have: int, sink: Sink) -> None:
        client = _client()
        http_get = import_module("huggingface_hub.file_download").http_get
        headers = import_module("huggingface_hub.utils").build_hf_headers(library_name="segue")
        with _explained(path), _no_bars():
            http_get(
                client.hf_hub_url(self._repository, path, revision=self._revision, endpoint=self._endpoint),
                sink,
                resume_size=have,
                headers=headers,
                expected_size=offered.size,
            )


def _client() -> Any:
    try:
        return import_module("huggingface_hub")
    except ImportError:
        raise DownloadError(
            "downloading needs the hub's client: pip install 'segue[download]'; or use `--mirror FOLDER`"
        ) from None


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    """Progress is drawn by whoever called us."""
    utils: Any = import_module("huggingface_hub.utils")
    if utils.are_progress_bars_disabled():
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turns whatever the client raises into a DownloadError that says what to do."""
    errors: Any = import_module("huggingface_hub.errors")
    network: Any = getattr(errors, "HTTPError", OSError)
    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise DownloadError(f"{what}: not fetched: HF_HUB_OFFLINE is set; {OFFLINE_HELP}") from None
    except errors.GatedRepoError:
        raise DownloadError(
            f"{what}: the publisher wants its terms accepted first: do so on the model's page on the hub, "
            "then `hf auth login`, then the same command again"
        ) from None
    except errors.RepositoryNotFoundError:
        raise DownloadError(f"{what}: the hub knows no such repository, or it is private: `hf auth login`") from None
    except errors.EntryNotFoundError:
        raise DownloadError(f"{what}: not in the repository at this revision; it may have been moved") from None
    except (network, OSError) as error:
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise DownloadError(
            f"{what}: could not be fetched ({reason})\nthe same command goes on where this one stopped; {OFFLINE_HELP}"
        ) from None
