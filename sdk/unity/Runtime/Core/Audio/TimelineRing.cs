// SPDX-License-Identifier: Apache-2.0
using System;

namespace Segue.Audio
{
    /// <summary>
    /// What is still to be played, by its place on the timeline: blocks go in, the sound card takes samples out.
    /// A later take replaces what lies from its first sample on; where that has begun to be played, the new one is faded
    /// in. What it replaces is kept until it is there: on a bad network the beginning of a take may come and what follows
    /// be late, and then the older version goes on instead of silence. The audio thread's alone; it allocates nothing.
    /// </summary>
    public sealed class TimelineRing
    {
        /// <summary>Samples over which a take that came too late is faded in: 20 ms.</summary>
        public const int Fade = 960;

        private readonly int _size;
        private readonly short[] _ring;
        private readonly short[] _older;
        private bool _begun;
        private long _begin;
        private long _end;
        private long _olderEnd;
        private int _take;
        private bool _behind;

        /// <param name="size">Samples per channel that are held at most.</param>
        public TimelineRing(int size = 15 * 48000)
        {
            _size = size;
            _ring = new short[2 * size];
            _older = new short[2 * size];
        }

        /// <summary>Whether any block has come.</summary>
        public bool HasBegun => _begun;

        /// <summary>First sample that has not been read.</summary>
        public long Playhead => _begin;

        /// <summary>Version of the timeline of the last block that was taken in.</summary>
        public int Take => _take;

        /// <summary>Samples that are there to be read, in their newest version.</summary>
        public int Reserve => (int)Math.Max(0, _end - _begin);

        /// <summary>Samples that are there to be read, in any version.</summary>
        public int Available => (int)Math.Max(0, Math.Max(_end, _olderEnd) - _begin);

        /// <summary>Times that the timeline was jumped along, because what lies between was not sent.</summary>
        public int Jumps { get; private set; }

        /// <summary>Takes whose first samples had been played already in their older version.</summary>
        public int LateTakes { get; private set; }

        /// <summary>Samples that were played in an older version, because the newer one had not gone on in time.</summary>
        public long Outdated { get; private set; }

        /// <summary>Samples that were asked for and not there.</summary>
        public long Missed { get; private set; }

        /// <summary>
        /// Take in a block; false if it is of an older take. What lies before the playhead or beyond the size is left out.
        /// </summary>
        public bool Put(AudioBlock block)
        {
            if (_begun && block.Take < _take && !block.Restarts) return false;
            if (!_begun || block.FirstSample > _end || block.Restarts)
            {
                if (block.Restarts) _take = block.Take;
                if (_begun) Jumps++;
                _begin = _end = _olderEnd = block.FirstSample;
                _begun = true;
                _behind = false;
            }
            bool isNew = block.Take > _take;
            _take = block.Take;
            if (isNew) Keep(block.FirstSample);
            long first = block.FirstSample;
            int skipped = (int)Math.Min(block.Count, Math.Max(0, _begin - first));
            if (_begin > first)
            {
                first = _begin;
                if (isNew)
                {
                    LateTakes++;
                    _behind = true;
                }
            }
            int count = (int)Math.Max(0, Math.Min(block.Count - skipped, _size - (first - _begin)));
            Copy(block.Samples, skipped, _ring, first, count);
            if (_behind && count > 0)
            {
                Crossfade(first, Math.Min(count, (int)Math.Max(0, _olderEnd - first)));
                _behind = false;
            }
            _end = Math.Max(_begin, first + count);
            return true;
        }

        /// <summary>
        /// The next samples as floats of ±1, left and right in turn, from `offset` frames on; gives how many there were.
        /// The others are silence, and the playhead does not move over them.
        /// </summary>
        public int Read(float[] into, int offset, int count)
        {
            if (!_begun)
            {
                Array.Clear(into, 2 * offset, 2 * count);
                return 0;
            }
            int newest = (int)Math.Min(count, Math.Max(0, _end - _begin));
            Take16(_ring, into, offset, newest);
            int older = (int)Math.Min(count - newest, Math.Max(0, _olderEnd - _begin));
            if (older > 0)
            {
                if (!_behind) Smooth();
                _behind = true;
                Take16(_older, into, offset + newest, older);
                Outdated += older;
            }
            int missing = count - newest - older;
            Array.Clear(into, 2 * (offset + newest + older), 2 * missing);
            Missed += missing;
            return newest + older;
        }

        private void Take16(short[] from, float[] into, int offset, int count)
        {
            int place = (int)(_begin % _size);
            for (int i = 0, to = 2 * offset; i < count; i++, to += 2)
            {
                into[to] = from[2 * place] * (1f / 32768f);
                into[to + 1] = from[2 * place + 1] * (1f / 32768f);
                if (++place == _size) place = 0;
            }
            _begin += count;
        }

        /// <summary>Keep what a take replaces from `first` on.</summary>
        private void Keep(long first)
        {
            long at = Math.Max(first, _begin);
            while (at < _end)
            {
                int place = (int)(at % _size), count = (int)Math.Min(_end - at, _size - place);
                Buffer.BlockCopy(_ring, 4 * place, _older, 4 * place, 4 * count);
                at += count;
            }
            _olderEnd = Math.Max(_olderEnd, _end);
        }

        /// <summary>Mix the first samples of a new take out of the older version, at equal power.</summary>
        private void Crossfade(long first, int most)
        {
            int length = Math.Min(Fade, most);
            float step = (float)(Math.PI / 2) / (length + 1);
            for (int i = 0; i < length; i++)
            {
                float old = (float)Math.Cos((i + 1) * step), now = (float)Math.Sin((i + 1) * step);
                int place = 2 * (int)((first + i) % _size);
                _ring[place] = Clipped(_older[place] * old + _ring[place] * now);
                _ring[place + 1] = Clipped(_older[place + 1] * old + _ring[place + 1] * now);
            }
        }

        /// <summary>Let the older version go on from where the newer one has got to: the step between them decays.</summary>
        private void Smooth()
        {
            int length = (int)Math.Min(Fade, _olderEnd - _begin);
            int before = 2 * (int)((_begin + _size - 1) % _size);
            float left = _ring[before] - _older[before], right = _ring[before + 1] - _older[before + 1];
            for (int i = 0; i < length; i++)
            {
                float decay = 1f - (i + 1f) / (Fade + 1f);
                int place = 2 * (int)((_begin + i) % _size);
                _older[place] = Clipped(_older[place] + decay * left);
                _older[place + 1] = Clipped(_older[place + 1] + decay * right);
            }
        }

        private void Copy(short[] from, int skip, short[] to, long first, int count)
        {
            while (count > 0)
            {
                int place = (int)(first % _size), part = Math.Min(count, _size - place);
                Buffer.BlockCopy(from, 4 * skip, to, 4 * place, 4 * part);
                skip += part;
                first += part;
                count -= part;
            }
        }

        private static short Clipped(float value) =>
            (short)Math.Max(-32768.0, Math.Min(32767.0, Math.Round(value, MidpointRounding.ToEven)));
    }
}
