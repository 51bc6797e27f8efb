// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.Wire;

namespace Segue.Audio
{
    /// <summary>
    /// QOA frames to samples (qoaformat.org, version 1.0). A frame is a header of 8 bytes, per channel a predictor's
    /// state (4 samples and 4 weights), then slices of 8 bytes, channels taking turns: a scale of 4 bits and 20 codes of 3.
    /// Everything is big-endian. Frames stand alone.
    /// </summary>
    public static class QoaDecoder
    {
        private const int Slice = 20;
        private const int Taps = 4;
        private const int Head = 8;
        private static readonly int[] Residuals = MakeResiduals();

        /// <summary>Samples per channel in whole frames. Throws <see cref="MalformedException"/>.</summary>
        public static int Count(byte[] data)
        {
            int count = 0;
            for (int at = 0; at < data.Length;) count += Frame(data, at, out at);
            return count;
        }

        /// <summary>
        /// Decode whole stereo frames; samples from `skip` on, at most `count` of them, are put into `into`, left and right
        /// in turn. Gives how many there were. Throws <see cref="MalformedException"/>.
        /// </summary>
        public static int Decode(byte[] data, short[] into, int skip, int count)
        {
            int done = 0;
            for (int at = 0; at < data.Length;)
            {
                int begin = at, held = Frame(data, at, out at);
                for (int channel = 0; channel < 2; channel++) DecodeChannel(data, begin, channel, held, into, done - skip, count);
                done += held;
            }
            return Math.Max(0, Math.Min(count, done - skip));
        }

        private static int Frame(byte[] data, int at, out int next)
        {
            if (data.Length - at < Head) throw new MalformedException("QOA: expected a header of 8 bytes, got " + (data.Length - at));
            int channels = data[at], count = (data[at + 4] << 8) | data[at + 5], size = (data[at + 6] << 8) | data[at + 7];
            int expected = Head + channels * (4 * Taps + 8 * ((count + Slice - 1) / Slice));
            if (channels == 0 || count == 0 || size != expected)
                throw new MalformedException("QOA: expected " + expected + " bytes for " + channels + " × " + count + " samples, got " + size);
            if (channels != 2) throw new MalformedException("QOA: expected 2 channels, got " + channels);
            if (at + size > data.Length) throw new MalformedException("QOA: expected a frame of " + size + " bytes, got " + (data.Length - at));
            next = at + size;
            return count;
        }

        private static void DecodeChannel(byte[] data, int begin, int channel, int held, short[] into, int place, int count)
        {
            int state = begin + Head + channel * 4 * Taps;
            int s0 = Int16(data, state), s1 = Int16(data, state + 2), s2 = Int16(data, state + 4), s3 = Int16(data, state + 6);
            int w0 = Int16(data, state + 8), w1 = Int16(data, state + 10), w2 = Int16(data, state + 12), w3 = Int16(data, state + 14);
            int slice = begin + Head + 2 * 4 * Taps + 8 * channel;
            for (int n = 0; n < held; slice += 16)
            {
                ulong word = 0;
                for (int i = 0; i < 8; i++) word = (word << 8) | data[slice + i];
                int scale = (int)(word >> 60) * 8;
                for (int shift = 57; shift >= 0 && n < held; shift -= 3, n++)
                {
                    int residual = Residuals[scale + (int)((word >> shift) & 7)];
                    int sample;
                    unchecked
                    {
                        sample = ((w0 * s0 + w1 * s1 + w2 * s2 + w3 * s3) >> 13) + residual;
                        sample = Math.Max(-32768, Math.Min(32767, sample));
                        int delta = residual >> 4;
                        w0 += s0 < 0 ? -delta : delta;
                        w1 += s1 < 0 ? -delta : delta;
                        w2 += s2 < 0 ? -delta : delta;
                        w3 += s3 < 0 ? -delta : delta;
                    }
                    s0 = s1;
                    s1 = s2;
                    s2 = s3;
                    s3 = sample;
                    int to = place + n;
                    if (to >= 0 && to < count) into[2 * to + channel] = (short)sample;
                }
            }
        }

        private static int Int16(byte[] data, int at) => (short)((data[at] << 8) | data[at + 1]);

        private static int[] MakeResiduals()
        {
            int[] scales = { 1, 7, 21, 45, 84, 138, 211, 304, 421, 562, 731, 928, 1157, 1419, 1715, 2048 };
            double[] steps = { 0.75, -0.75, 2.5, -2.5, 4.5, -4.5, 7.0, -7.0 };
            var table = new int[16 * 8];
            for (int i = 0; i < table.Length; i++)
            {
                double exact = scales[i / 8] * steps[i % 8];
                table[i] = Math.Sign(exact) * (int)Math.Floor(Math.Abs(exact) + 0.5);
            }
            return table;
        }
    }
}
