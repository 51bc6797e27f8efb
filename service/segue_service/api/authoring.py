# SPDX-License-Identifier: Apache-2.0
"""SoundtrackAuthoringService: what a composer, an editor plug-in or a build pipeline calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from google.rpc import code_pb2

from segue.v1 import errors_pb2
from segue.v1 import soundtrack_authoring_service_pb2 as pb
from segue_engine.contract import PromptError
from segue_service.api import requests as check
from segue_service.api.caller import Caller, check_operator, identified, is_operator
from segue_service.api.soundtrack_limits import parsed
from segue_service.errors import Refused, invalid, over_quota, problems_of, token_wrong
from segue_service.security.access import ANYBODY, Identity
from segue_service.security.prompt_filter import prompts_of
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
        self._security = registry.parts.security

    async def list_soundtracks(self, request: pb.ListSoundtracksRequest, caller: Caller) -> pb.ListSoundtracksResponse:
        """The newest version of each soundtrack."""
        who = self._reader(caller)
        first, size = check.page(request.page_size, request.page_token, 50, 100)
        records = [record for record in self._library.newest() if who.may_use(record.name)]
        more = str(first + size) if first + size < len(records) else ""
        return pb.ListSoundtracksResponse(
            soundtracks=[summary(record) for record in records[first : first + size]],
            next_page_token=more,
        )

    async def get_soundtrack(self, request: pb.GetSoundtrackRequest, caller: Caller) -> pb.GetSoundtrackResponse:
        """One soundtrack, compiled."""
        check.name("soundtrack_id", request.soundtrack_id)
        check.within("version", request.version, 0, 2**31 - 1)
        record = self._library.get(request.soundtrack_id, request.version, self._reader(caller).may_use)
        return pb.GetSoundtrackResponse(soundtrack=summary(record), compiled_json=record.built)

    async def validate_soundtrack(
        self, request: pb.ValidateSoundtrackRequest, caller: Caller
    ) -> pb.ValidateSoundtrackResponse:
        """Problems are the answer, not an error."""
        who = self._reader(caller)
        self._security.usage.text(who.name)
        if len(request.file_name) > 256:
            raise invalid("file_name", f"expected at most 256 characters, got {len(request.file_name)}")
        try:
            record = await self._compile(request.text, request.syntax, request.file_name or "<soundtrack>", who)
        except SoundtrackError as error:
            return pb.ValidateSoundtrackResponse(valid=False, problems=problems_of(error.diagnostics))
        except PromptError as error:
            path, _, message = str(error).partition(": ")
            problems = problems_of([Diagnostic("error", message or str(error), path)])
            return pb.ValidateSoundtrackResponse(valid=False, problems=problems)
        except Refused as error:
            if error.reason != errors_pb2.ERROR_REASON_PROMPT_REFUSED or error.code != code_pb2.INVALID_ARGUMENT:
                raise
            path, _, message = str(error).partition(": ")
            return pb.ValidateSoundtrackResponse(
                valid=False, problems=problems_of([Diagnostic("error", message, path)])
            )
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
        who = self._writer(caller)
        self._security.usage.text(who.name)
        compiled = await self._compile(request.text, request.syntax, "<upload>", who)
        record = replace(compiled, owner=who.name)
        self._check_name(record, who)
        size = len(request.text.encode())
        self._security.usage.check_upload(who.name, record.name, record.version, size)
        self._library.keep(record, replace=request.replace)
        self._security.usage.uploaded(who.name, record.name, record.version, size)
        told = {"tenant": who.name, "key": caller.who.key, "peer": caller.peer}
        self._security.audit.note(
            "upload", **told, soundtrack=f"{record.name} {record.version}", detail=f"{size} bytes"
        )
        return pb.UploadSoundtrackResponse(
            soundtrack=summary(record),
            problems=problems_of(record.diagnostics),
            notes=dict(record.styles.notes),
        )

    async def embed_style(self, request: pb.EmbedStyleRequest, caller: Caller) -> pb.EmbedStyleResponse:
        """Prompts as the model would hear them."""
        who = self._reader(caller)
        self._security.usage.text(who.name)
        weights = np.asarray(check.weights(request.prompts), np.float32)
        prompts = [check.prompt(f"prompts[{place}]", item) for place, item in enumerate(request.prompts)]
        texts = [(f"prompts[{place}].text", item.text) for place, item in enumerate(request.prompts) if item.text]
        await self._security.prompts.check(texts, who.name)
        embedding, notes = await self._library.blend([None] * len(prompts), prompts, weights)
        codes = await self._library.quantise(embedding)
        return pb.EmbedStyleResponse(
            embedding=embedding.tolist(), style_codes=codes, notes=notes, style_encoder=self._library.encoder.name
        )

    def _reader(self, caller: Caller) -> Identity:
        """Who reads soundtracks, or has texts checked: anybody where there are no tenants. Raises Refused."""
        access = self._security.access
        if access.is_open or is_operator(caller, self._settings):
            return ANYBODY
        return identified(caller, access)

    def _writer(self, caller: Caller) -> Identity:
        """Who uploads: the operator, or a tenant. Raises Refused."""
        access = self._security.access
        if access.is_open or is_operator(caller, self._settings):
            check_operator(caller, self._settings)
            return ANYBODY
        return identified(caller, access)

    def _check_name(self, record: Record, who: Identity) -> None:
        """Raises Refused unless a soundtrack of this name may be this tenant's. An operator's may have any."""
        if not who.name:
            return
        if not who.may_use(record.name):
            raise over_quota(who.name, "soundtracks", f'"{record.name}" is none of the names that it may use')
        if self._library.has(record.name) and self._library.owner(record.name) != who.name:
            raise token_wrong(f'the soundtrack "{record.name}": it is not this tenant\'s')

    async def _compile(self, text: str, syntax: int, name: str, who: Identity) -> Record:
        if not text.strip():
            raise invalid("text", "expected a soundtrack, got nothing")
        if syntax not in pb.SoundtrackSyntax.values():
            raise invalid("syntax", f"expected a value of SoundtrackSyntax, got {syntax}")
        as_json = syntax == _JSON or (syntax != _YAML and text.lstrip().startswith("{"))

        def parse() -> Soundtrack:
            return load_built(text) if as_json else parse_soundtrack(text, name)

        soundtrack = await parsed(len(text.encode()), parse, self._parts)
        await self._security.prompts.check(prompts_of(soundtrack), who.name)
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
