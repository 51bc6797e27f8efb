// SPDX-License-Identifier: Apache-2.0
using System;

namespace Segue.Audio
{
    /// <summary>
    /// Authored recordings, mixed in at their sample of the timeline when it is played, not when it arrives. One that has
    /// begun goes on by itself, whatever becomes of the timeline. Add and Void: one thread; the rest is the audio thread's.
    /// </summary>
    public sealed class ClipMixer
    {
        /// <summary>Clips that may wait or sound at once.</summary>
        public const int Most = 32;

        /// <summary>36 dB.</summary>
        public const float MostGain = 64f;

        private const int Ramp = 240;
        private readonly SpscQueue<Command> _commands = new SpscQueue<Command>(256);
        private readonly Voice[] _voices = new Voice[Most];

        /// <summary>
        /// Play a clip when its sample is reached; the same clip at the same sample is played once. A gain that is no number
        /// or beyond <see cref="MostGain"/> is none: false.
        /// </summary>
        public bool Add(Recording clip, long sample, float gain) =>
            Math.Abs(gain) <= MostGain && _commands.TryPush(new Command { Clip = clip, Sample = sample, Gain = gain });

        /// <summary>A take replaces the timeline from here on: what has not begun there will not; what holds is told again.</summary>
        public bool Void(long fromSample) => _commands.TryPush(new Command { Sample = fromSample });

        /// <summary>Add what sounds to `count` frames of `into`, whose first is `sample` on the timeline.</summary>
        /// <param name="moves">False while the timeline stands still: only clips that have begun are heard.</param>
        public void Mix(float[] into, int offset, int count, long sample, bool moves)
        {
            for (int i = 0; i < Most; i++)
            {
                ref Voice voice = ref _voices[i];
                if (voice.Clip == null) continue;
                int from = 0;
                if (!voice.HasBegun)
                {
                    if (!moves || voice.Sample >= sample + count) continue;
                    voice.HasBegun = true;
                    voice.At = (int)Math.Min(voice.Clip.Count, Math.Max(0, sample - voice.Sample));
                    voice.Joined = voice.At;
                    from = (int)Math.Max(0, voice.Sample - sample);
                }
                int length = Math.Min(count - from, voice.Clip.Count - voice.At);
                short[] samples = voice.Clip.Samples;
                for (int n = 0; n < length; n++, voice.At++)
                {
                    // Told too late, it is joined in its middle: softly.
                    float gain = voice.Gain * (1f / 32768f);
                    if (voice.Joined > 0 && voice.At - voice.Joined < Ramp) gain *= (voice.At - voice.Joined + 1f) / Ramp;
                    into[2 * (offset + from + n)] += samples[2 * voice.At] * gain;
                    into[2 * (offset + from + n) + 1] += samples[2 * voice.At + 1] * gain;
                }
                if (voice.At >= voice.Clip.Count) voice = default;
            }
        }

        /// <summary>Take up what was asked for since.</summary>
        public void Update(long playhead)
        {
            while (_commands.TryPop(out Command command))
            {
                if (command.Clip != null) Begin(command);
                else
                {
                    long from = Math.Max(command.Sample, playhead);
                    for (int i = 0; i < Most; i++)
                        if (_voices[i].Clip != null && !_voices[i].HasBegun && _voices[i].Sample >= from) _voices[i] = default;
                }
            }
        }

        private void Begin(Command command)
        {
            int free = -1;
            for (int i = 0; i < Most; i++)
            {
                if (_voices[i].Clip == command.Clip && _voices[i].Sample == command.Sample) return;
                if (_voices[i].Clip == null && free < 0) free = i;
            }
            if (free >= 0) _voices[free] = new Voice { Clip = command.Clip, Sample = command.Sample, Gain = command.Gain };
        }

        private struct Command
        {
            public Recording Clip;
            public long Sample;
            public float Gain;
        }

        private struct Voice
        {
            public Recording Clip;
            public long Sample;
            public float Gain;
            public bool HasBegun;
            public int At;
            public int Joined;
        }
    }
}
