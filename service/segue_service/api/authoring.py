# SPDX-License-Identifier: Apache-2.0
"""SoundtrackAuthoringService: what a composer, an editor plug-in or a build pipeline calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from segue.v1 import soundtrack_authoring_service_pb2 as pb
from segue_engine.contract import PromptError
from segue_service.api import requests as check
from segue_service.api.caller import Caller, check_operator
from segue_service.errors import invalid, problems_of, too_large
from segue_service.session.library import Library, Record
from segue_service.session.registry import Registry
from segue_service.soundtrack import Diagnostic, Soundtrack, SoundtrackError, load_built, parse_soundtrack

_JSON, _YAML = pb.SOUNDTRACK_SYNTAX_JSON, pb.SOUNDTRACK_SYNTAX_YAML


class AuthoringHandlers:
    """One per server. Texts are parsed and embedded off the event loop; nothing is ever half kept."""

    def __init__(self, registry: Registry, library: Library) -> None:
        self._library = library
        self._parts = registry.parts
        self._settings = registry.parts.settings

    async def list_soundtracks(self, request: pb.ListSoundtracksRequest, caller: Caller) -> pb.ListSoundtracksResponse:
        """The newest version of each soundtrack."""
        first, size = check.page(request.page_size, request.page_token, 50, 100)
        records = self._library.newest()
        more = str(first + size) if first + size < len(records) else ""
        return pb.ListSoundtracksResponse(
            soundtracks=[summary(record) for record in records[first : first + size]],
            next_page_token=more,
        )

    async def get_soundtrack(self, request: pb.GetSoundtrackRequest, caller: Caller) -> pb.GetSoundtrackResponse:
        """One soundtrack, compiled."""
        check.name("soundtrack_id", request.soundtrack_id)
        check.within("version", request.version, 0, 2**31 - 1)
        record = self._library.get(request.soundtrack_id, request.version)
        return pb.GetSoundtrackResponse(soundtrack=summary(record), compiled_json=record.built)

    async def validate_soundtrack(
        self, request: pb.ValidateSoundtrackRequest, caller: Caller
    ) -> pb.ValidateSoundtrackResponse:
        """Problems are the answer, not an error."""
        if len(request.file_name) > 256:
            raise invalid("file_name", f"expected at most 256 characters, got {len(request.file_name)}")
        try:
            record = await self._compile(request.text, request.syntax, request.file_name or "<soundtrack>")
        except SoundtrackError as error:
            return pb.ValidateSoundtrackResponse(valid=False, problems=problems_of(error.diagnostics))
        except PromptError as error:
            path, _, message = str(error).partition(": ")
            problems = problems_of([Diagnostic("error", message or str(error), path)])
            return pb.ValidateSoundtrackResponse(valid=False, problems=problems)
        return pb.ValidateSoundtrackResponse(
            valid=True,
            problems=problems_of(record.diagnostics),
            soundtrack=summary(record),
            compiled_json=record.built,
        )

    async def upload_soundtrack(
        self, request: pb.UploadSoundtrackRequest, caller: Caller
    ) -> pb.UploadSoundtrackResponse:
        """Check a text and keep it."""
        check_operator(caller, self._settings)
        record = await self._compile(request.text, request.syntax, "<upload>")
        self._library.keep(record, replace=request.replace)
        return pb.UploadSoundtrackResponse(
            soundtrack=summary(record),
            problems=problems_of(record.diagnostics),
            notes=dict(record.styles.notes),
        )

    async def embed_style(self, request: pb.EmbedStyleRequest, caller: Caller) -> pb.EmbedStyleResponse:
        """Prompts as the model would hear them."""
        weights = np.asarray(check.weights(request.prompts), np.float32)
        prompts = [check.prompt(f"prompts[{place}]", item) for place, item in enumerate(request.prompts)]
        embedding, notes = await self._library.blend([None] * len(prompts), prompts, weights)
        codes = await self._library.quantise(embedding)
        return pb.EmbedStyleResponse(
            embedding=embedding.tolist(), style_codes=codes, notes=notes, style_encoder=self._library.encoder.name
        )

    async def _compile(self, text: str, syntax: int, name: str) -> Record:
        size = len(text.encode())
        if size > self._settings.max_soundtrack_bytes:
            raise too_large("text", size, self._settings.max_soundtrack_bytes)
        if not text.strip():
            raise invalid("text", "expected a soundtrack, got nothing")
        if syntax not in pb.SoundtrackSyntax.values():
            raise invalid("syntax", f"expected a value of SoundtrackSyntax, got {syntax}")
        as_json = syntax == _JSON or (syntax != _YAML and text.lstrip().startswith("{"))

        def parse() -> Soundtrack:
            return load_built(text) if as_json else parse_soundtrack(text, name)

        soundtrack = await asyncio.get_running_loop().run_in_executor(self._parts.slow, parse)
        return await self._library.compile(soundtrack)


def summary(record: Record) -> pb.SoundtrackSummary:
    """A soundtrack in short."""
    soundtrack = record.soundtrack
    parameters: Sequence[pb.ParameterSummary] = [
        pb.ParameterSummary(
            name=name,
            minimum=parameter.low,
            maximum=parameter.high,
            default_value=parameter.low if parameter.default is None else parameter.default,
            seek_speed=parameter.seek_speed or 0.0,
        )
        for name, parameter in soundtrack.parameters.items()
    ]
    return pb.SoundtrackSummary(
        soundtrack_id=soundtrack.soundtrack,
        version=soundtrack.version,
        hash=record.hash,
        states=list(soundtrack.states),
        events=list(record.machine.events),
        parameters=parameters,
        stingers=list(soundtrack.stingers),
        styles=list(soundtrack.styles),
        initial_state=soundtrack.initial,
    )
