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
        private readonly int _slots;
        private readonly short[] _ring;
        private readonly short[] _older;
        private bool _begun;
        private long _begin;
        private long _end;
        private long _olderEnd;

        // Where the older version goes on from the newest; behind it, the older version's own past is held.
        private long _olderFirst;
        private int _take;
        private long _takeFirst;

        // What comes before the newest version's next sample is of the older one: it is to be faded in.
        private bool _behind;

        // The fade that was begun last; it may go on in the next block.
        private long _fadeFirst;
        private int _fadeLength;

        // What is mixed of two versions lies from the one to before the other.
        private long _mixedFrom;
        private long _mixedTo;

        /// <param name="size">Samples per channel that are held at most, ahead of the playhead.</param>
        public TimelineRing(int size = 15 * 48000)
        {
            // The last sample that was heard stays: what follows may have to begin from there.
            _size = size;
            _slots = size + 1;
            _ring = new short[2 * _slots];
            _older = new short[2 * _slots];
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
            if (!_begun || block.FirstSample > _end || block.Restarts) BeginAt(block);
            bool isNew = block.Take > _take;
            long first = Math.Max(block.FirstSample, _begin);
            // A stream that comes back may send from before its take's beginning.
            if (isNew || block.FirstSample < _takeFirst)
            {
                Replace(first, isNew && block.FirstSample < _begin);
                _takeFirst = block.FirstSample;
            }
            _take = block.Take;
            int skipped = (int)Math.Min(block.Count, first - block.FirstSample);
            int count = (int)Math.Max(0, Math.Min(block.Count - skipped, _size - (first - _begin)));
            Copy(block.Samples, skipped, _ring, first, count);
            if (count > 0)
            {
                if (_behind) BeginFade(first);
                if (first < _mixedTo) FadeIn(first, (int)Math.Min(count, _mixedTo - first));
            }
            _end = first + count;
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
                if (!_behind) Smooth(_begin);
                _behind = true;
                Take16(_older, into, offset + newest, older);
                Copy(_older, Place(_begin - 1), _ring, _begin - 1, 1);
                Outdated += older;
            }
            int missing = count - newest - older;
            Array.Clear(into, 2 * (offset + newest + older), 2 * missing);
            Missed += missing;
            return newest + older;
        }

        private void Take16(short[] from, float[] into, int offset, int count)
        {
            int place = Place(_begin);
            for (int i = 0, to = 2 * offset; i < count; i++, to += 2)
            {
                into[to] = from[2 * place] * (1f / 32768f);
                into[to + 1] = from[2 * place + 1] * (1f / 32768f);
                if (++place == _slots) place = 0;
            }
            _begin += count;
        }

        private void BeginAt(AudioBlock block)
        {
            if (block.Restarts) _take = block.Take;
            if (_begun) Jumps++;
            _begun = true;
            _behind = false;
            _begin = _end = _olderFirst = _olderEnd = _takeFirst = _mixedFrom = _mixedTo = block.FirstSample;
        }

        /// <summary>Keep what a take replaces from `first` on. `late`: it should have begun before the playhead.</summary>
        private void Replace(long first, bool late)
        {
            if (late) LateTakes++;
            // Within a fade it goes on from a take which is not all that is heard yet.
            bool fades = late || first >= _mixedFrom && first < _mixedTo;
            // Two older versions meet there.
            if (_end < _olderEnd && (first < _end || first == _end && fades && !_behind)) Smooth(_end);
            if (first < _end) _olderFirst = first;
            for (long at = first; at < _end;)
            {
                int place = Place(at), count = (int)Math.Min(_end - at, _slots - place);
                Copy(_ring, place, _older, at, count);
                at += count;
            }
            _olderEnd = Math.Max(_olderEnd, _end);
            _mixedTo = Math.Min(_mixedTo, first);
            _behind |= fades;
        }

        private void BeginFade(long first)
        {
            _fadeFirst = first;
            _fadeLength = (int)Math.Min(Fade, Math.Max(0, _olderEnd - first));
            _behind = false;
            if (first != _mixedTo) _mixedFrom = first;
            _mixedTo = first + _fadeLength;
        }

        /// <summary>Mix samples of a take that lie in its fade out of the older version, at equal power.</summary>
        private void FadeIn(long first, int count)
        {
            float step = (float)(Math.PI / 2) / (_fadeLength + 1);
            for (int i = 0; i < count; i++)
            {
                float angle = (first - _fadeFirst + i + 1) * step, old = (float)Math.Cos(angle), now = (float)Math.Sin(angle);
                int place = 2 * Place(first + i);
                _ring[place] = Clipped(_older[place] * old + _ring[place] * now);
                _ring[place + 1] = Clipped(_older[place + 1] * old + _ring[place + 1] * now);
            }
        }

        /// <summary>Let the older version go on at `sample` from where the newer one has got to: the step between them decays.</summary>
        private void Smooth(long sample)
        {
            // It goes on from there by itself.
            if (sample <= _olderFirst) return;
            int length = (int)Math.Min(Fade, _olderEnd - sample), before = 2 * Place(sample - 1);
            float left = _ring[before] - _older[before], right = _ring[before + 1] - _older[before + 1];
            for (int i = 0; i < length; i++)
            {
                float decay = 1f - (i + 1f) / (Fade + 1f);
                int place = 2 * Place(sample + i);
                _older[place] = Clipped(_older[place] + decay * left);
                _older[place + 1] = Clipped(_older[place + 1] + decay * right);
            }
        }

        /// <summary>Copy samples to their places on the timeline; the source does not wrap.</summary>
        private void Copy(short[] from, int skip, short[] to, long first, int count)
        {
            while (count > 0)
            {
                int place = Place(first), part = Math.Min(count, _slots - place);
                Buffer.BlockCopy(from, 4 * skip, to, 4 * place, 4 * part);
                skip += part;
                first += part;
                count -= part;
            }
        }

        private int Place(long sample) => (int)(sample % _slots);

        private static short Clipped(float value) =>
            (short)Math.Max(-32768.0, Math.Min(32767.0, Math.Round(value, MidpointRounding.ToEven)));
    }
}
