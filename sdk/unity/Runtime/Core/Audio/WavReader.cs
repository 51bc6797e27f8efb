// SPDX-License-Identifier: Apache-2.0
using System;
using System.Text;
using Segue.Wire;

namespace Segue.Audio
{
    /// <summary>16-bit PCM out of a WAV file, mono or stereo; anything else is refused with a sentence.</summary>
    public static class WavReader
    {
        /// <summary>The samples, left and right in turn. Throws <see cref="MalformedException"/>.</summary>
        /// <param name="rate">Samples per second and channel.</param>
        public static short[] Read(byte[] file, string name, out int rate)
        {
            rate = 0;
            if (file.Length < 12 || Text(file, 0) != "RIFF" || Text(file, 8) != "WAVE") throw Bad(name, "a WAV file");
            int channels = 0;
            for (long at = 12; at + 8 <= file.Length;)
            {
                string kind = Text(file, (int)at);
                long size = BitConverter.ToUInt32(file, (int)at + 4), body = at + 8;
                if (kind == "fmt " && size >= 16 && body + 16 <= file.Length)
                {
                    int format = BitConverter.ToUInt16(file, (int)body), bits = BitConverter.ToUInt16(file, (int)body + 14);
                    if (format == 0xfffe && size >= 40 && body + 26 <= file.Length) format = BitConverter.ToUInt16(file, (int)body + 24);
                    channels = BitConverter.ToUInt16(file, (int)body + 2);
                    rate = (int)Math.Min(int.MaxValue, BitConverter.ToUInt32(file, (int)body + 4));
                    if (format != 1 || bits != 16 || rate < 8000 || rate > 192000 || channels < 1 || channels > 2)
                        throw Bad(name, "16-bit PCM, mono or stereo; got format " + format + ", " + bits + " bits, " + rate + " Hz, " + channels + " channels");
                }
                else if (kind == "data")
                {
                    if (channels == 0) throw Bad(name, "its format before its samples");
                    // A file that is still being written, or was cut, says more than it holds.
                    int bytes = (int)Math.Min(size, file.Length - body) / (2 * channels) * (2 * channels);
                    return Stereo(file, (int)body, bytes, channels);
                }
                at = body + size + (size & 1);
            }
            throw Bad(name, "a chunk \"data\"");
        }

        private static short[] Stereo(byte[] file, int begin, int bytes, int channels)
        {
            var found = new short[bytes / channels];
            if (channels == 2) Buffer.BlockCopy(file, begin, found, 0, bytes);
            else
            {
                for (int i = 0; i < found.Length / 2; i++)
                    found[2 * i] = found[2 * i + 1] = BitConverter.ToInt16(file, begin + 2 * i);
            }
            return found;
        }

        private static string Text(byte[] file, int at) => Encoding.ASCII.GetString(file, at, 4);

        private static MalformedException Bad(string name, string expected) =>
            new MalformedException(name + ": expected " + expected);
    }
}
