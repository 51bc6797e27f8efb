// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;

namespace Segue.Audio
{
    /// <summary>Samples of the timeline: left and right in turn, from FirstSample on.</summary>
    public sealed class AudioBlock
    {
        public int Take;
        public long FirstSample;

        /// <summary>Samples per channel.</summary>
        public int Count;

        /// <summary>Whether another timeline begins with it, so that everything before is void.</summary>
        public bool Restarts;

        public short[] Samples = Array.Empty<short>();

        /// <summary>The sample after the last.</summary>
        public long End => FirstSample + Count;

        /// <summary>Make room for so many samples per channel.</summary>
        public void Reserve(int count)
        {
            Count = count;
            Restarts = false;
            if (Samples.Length < 2 * count) Samples = new short[2 * Math.Max(count, 7680)];
        }
    }

    /// <summary>
    /// Blocks on their way from the network to the audio thread and, used up, back again. Only whole blocks change
    /// hands, so no sample is ever written while it is read. One filling and one emptying thread.
    /// </summary>
    public sealed class BlockExchange
    {
        private readonly SpscQueue<AudioBlock> _full;
        private readonly SpscQueue<AudioBlock> _empty;
        private int _waiting;

        public BlockExchange(int capacity = 256)
        {
            _full = new SpscQueue<AudioBlock>(capacity);
            _empty = new SpscQueue<AudioBlock>(capacity);
        }

        /// <summary>Blocks that the audio thread has not taken yet.</summary>
        public int Waiting => Math.Max(0, Volatile.Read(ref _waiting));

        /// <summary>A block to fill. By the filling thread.</summary>
        public AudioBlock Rent(int count)
        {
            if (!_empty.TryPop(out AudioBlock block)) block = new AudioBlock();
            block.Reserve(count);
            return block;
        }

        /// <summary>Hand a block over; false if nobody has taken any for long. By the filling thread.</summary>
        public bool Send(AudioBlock block)
        {
            if (!_full.TryPush(block)) return false;
            Interlocked.Increment(ref _waiting);
            return true;
        }

        /// <summary>The next block. By the audio thread, which gives it back.</summary>
        public bool TryTake(out AudioBlock block)
        {
            if (!_full.TryPop(out block)) return false;
            Interlocked.Decrement(ref _waiting);
            return true;
        }

        /// <summary>Give a block back. By the audio thread.</summary>
        public void Return(AudioBlock block) => _empty.TryPush(block);
    }
}
