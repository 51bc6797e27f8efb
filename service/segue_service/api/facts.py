# SPDX-License-Identifier: Apache-2.0
"""Facts about the engine and a soundtrack, as they go over the wire."""

from __future__ import annotations

from segue.v1 import audio_pb2, session_pb2, stream_pb2
from segue_engine.contract import CHANNELS, FRAME_SAMPLES, SAMPLE_RATE, Engine, EngineInfo, StyleEncoder
from segue_service.session.library import Record
from segue_service.session.shortfalls import shortfalls
from segue_service.soundtrack import Guidance

Warning_ = stream_pb2.Warning


def capabilities_of(engine: Engine, encoder: StyleEncoder) -> session_pb2.Capabilities:
    """What the model and its style encoder can do."""
    capabilities = engine.info.capabilities
    return session_pb2.Capabilities(
        notes=capabilities.notes,
        drums=capabilities.drums,
        guidance=capabilities.guidance,
        clock=capabilities.clock,
        audio_prompts=encoder.takes_audio,
        audio_prefill=engine.tokenizer is not None,
    )


def model_info(engine: Engine, encoder: StyleEncoder) -> session_pb2.ModelInfo:
    """An engine's facts as they go over the wire."""
    info = engine.info
    return session_pb2.ModelInfo(
        name=info.model,
        version=info.version,
        device=info.device,
        style_encoder=encoder.name,
        codec_delay_frames=info.codec_delay_frames,
        mastering_delay_samples=info.mastering_delay_samples,
        rewind_frames=0,
        loudness_lufs=info.loudness_lufs,
        true_peak_dbtp=info.true_peak_dbtp,
        default_guidance=session_pb2.Guidance(
            style=info.default_guidance.style, notes=info.default_guidance.notes, drums=info.default_guidance.drums
        ),
        capabilities=capabilities_of(engine, encoder),
    )


def audio_format(encoding: audio_pb2.AudioEncoding.ValueType) -> audio_pb2.AudioFormat:
    """The one shape of audio, in an encoding."""
    return audio_pb2.AudioFormat(
        sample_rate=SAMPLE_RATE, channels=CHANNELS, frame_samples=FRAME_SAMPLES, encoding=encoding
    )


def warnings_of(record: Record, info: EngineInfo, guidance: Guidance | None) -> list[stream_pb2.Warning]:
    """What of the prompts was not understood, and what the model can't do of the soundtrack and the session's guidance:
    once per session."""
    found = [
        Warning_(code=Warning_.CODE_PROMPT_NOT_UNDERSTOOD, message=f"styles.{style}: {note}")
        for style, note in record.styles.notes.items()
    ]
    found += [
        Warning_(code=Warning_.CODE_CAPABILITY_MISSING, message=message)
        for message in shortfalls(record.soundtrack, info, guidance)
    ]
    return found
