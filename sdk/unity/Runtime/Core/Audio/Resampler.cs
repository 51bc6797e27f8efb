// SPDX-License-Identifier: Apache-2.0
using System;

namespace Segue.Audio
{
    /// <summary>
    /// Stereo at one rate to stereo at another that may change, by cubics through four points. Where the step is 1 it
    /// gives back what it gets, <see cref="Delay"/> samples later. One thread; allocates nothing.
    /// </summary>
    public sealed class Resampler
    {
        /// <summary>Input samples between what comes in and what is heard of it.</summary>
        public const int Delay = 3;

        private const double One = 4294967296.0;
        private ulong _phase;
        private float _l0, _l1, _l2, _l3;
        private float _r0, _r1, _r2, _r3;

        /// <summary>Input frames per output frame, as <see cref="Process"/> takes it.</summary>
        public static ulong Step(double ratio) => (ulong)Math.Round(ratio * One);

        /// <summary>Input frames that so many output frames need.</summary>
        public int Needed(int frames, ulong step) => (int)((_phase + (ulong)frames * step) >> 32);

        /// <summary>Make `frames` of output out of exactly <see cref="Needed"/> frames of input.</summary>
        public void Process(float[] input, float[] output, int frames, ulong step)
        {
            int at = 0;
            for (int i = 0; i < frames; i++)
            {
                float t = (_phase & 0xffffffffUL) * (float)(1.0 / One);
                output[2 * i] = Cubic(_l0, _l1, _l2, _l3, t);
                output[2 * i + 1] = Cubic(_r0, _r1, _r2, _r3, t);
                _phase += step;
                for (; _phase >> 32 != 0; _phase -= 1UL << 32, at += 2)
                {
                    _l0 = _l1;
                    _l1 = _l2;
                    _l2 = _l3;
                    _l3 = input[at];
                    _r0 = _r1;
                    _r1 = _r2;
                    _r2 = _r3;
                    _r3 = input[at + 1];
                }
            }
        }

        private static float Cubic(float a, float b, float c, float d, float t)
        {
            float slope = 0.5f * (c - a);
            float bend = a - 2.5f * b + 2f * c - 0.5f * d;
            float twist = 0.5f * (d - a) + 1.5f * (b - c);
            return b + t * (slope + t * (bend + t * twist));
        }
    }
}
