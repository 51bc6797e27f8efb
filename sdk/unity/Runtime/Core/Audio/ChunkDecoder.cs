// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.V1;
using Segue.Wire;

namespace Segue.Audio
{
    /// <summary>Chunks of the wire to blocks: S16 and QOA. The network thread's.</summary>
    public static class ChunkDecoder
    {
        /// <summary>Longest chunk that is taken: 10 s.</summary>
        public const int MostSamples = 480000;

        /// <summary>A block out of `exchange` that holds the chunk; of no samples, if it is empty. Throws <see cref="MalformedException"/>.</summary>
        public static AudioBlock Decode(AudioChunk chunk, AudioEncoding encoding, BlockExchange exchange)
        {
            int count = chunk.SampleCount;
            if (count < 0 || count > MostSamples || chunk.SkipSamples < 0 || chunk.SkipSamples > MostSamples || chunk.FirstSample < 0)
                throw new MalformedException("audio: a chunk of " + count + " samples at " + chunk.FirstSample + " after " + chunk.SkipSamples);
            int held = encoding == AudioEncoding.Qoa ? QoaDecoder.Count(chunk.Payload) : chunk.Payload.Length / 4;
            if (held < chunk.SkipSamples + count || (encoding != AudioEncoding.Qoa && chunk.Payload.Length % 4 != 0))
                throw new MalformedException("audio: expected " + (chunk.SkipSamples + count) + " samples in the chunk at " + chunk.FirstSample + ", got " + held);
            var block = exchange.Rent(count);
            block.Take = chunk.Take;
            block.FirstSample = chunk.FirstSample;
            if (encoding == AudioEncoding.Qoa) QoaDecoder.Decode(chunk.Payload, block.Samples, chunk.SkipSamples, count);
            else
            {
                // Little-endian on the wire, and on every platform that Unity has.
                Buffer.BlockCopy(chunk.Payload, 4 * chunk.SkipSamples, block.Samples, 0, 4 * count);
            }
            return block;
        }
    }
}
