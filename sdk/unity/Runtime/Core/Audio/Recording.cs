// SPDX-License-Identifier: Apache-2.0
using System;

namespace Segue.Audio
{
    /// <summary>Decoded audio at 48 kHz: left and right in turn, full scale 32768. Not changed once it is made.</summary>
    public sealed class Recording
    {
        public Recording(short[] samples) : this(samples, 0, samples.Length / 2) { }

        /// <param name="loopStart">Where a loop begins, in samples per channel.</param>
        /// <param name="loopEnd">Where it goes back to its beginning (exclusive).</param>
        public Recording(short[] samples, int loopStart, int loopEnd)
        {
            Samples = samples;
            LoopStart = loopStart;
            LoopEnd = loopEnd;
        }

        public short[] Samples { get; }

        /// <summary>Samples per channel.</summary>
        public int Count => Samples.Length / 2;

        public int LoopStart { get; }

        public int LoopEnd { get; }

        /// <summary>A recording made at any rate. Not for the audio thread.</summary>
        /// <param name="samples">Left and right in turn.</param>
        public static Recording At48k(short[] samples, int rate)
        {
            if (rate == 48000) return new Recording(samples);
            ulong step = Resampler.Step(rate / 48000.0);
            var resampler = new Resampler();
            int frames = (int)((samples.Length / 2) * 48000L / rate), needed = resampler.Needed(frames, step);
            var ahead = new float[2 * Resampler.Delay];
            for (int i = 0; i < Math.Min(samples.Length, ahead.Length); i++) ahead[i] = samples[i];
            resampler.Process(ahead, new float[ahead.Length], Resampler.Delay, Resampler.Step(1.0));
            var input = new float[2 * needed];
            for (int i = 0; i < Math.Min(samples.Length - ahead.Length, input.Length); i++) input[i] = samples[ahead.Length + i];
            var output = new float[2 * frames];
            resampler.Process(input, output, frames, step);
            var made = new short[2 * frames];
            for (int i = 0; i < made.Length; i++) made[i] = (short)Math.Max(-32768f, Math.Min(32767f, (float)Math.Round(output[i])));
            return new Recording(made);
        }
    }
}
