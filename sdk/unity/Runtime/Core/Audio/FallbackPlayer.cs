// SPDX-License-Identifier: Apache-2.0
using System.Threading;

namespace Segue.Audio
{
    /// <summary>Baked loops, for when the stream has run dry. Set: any thread; the rest is the audio thread's.</summary>
    public sealed class FallbackPlayer
    {
        private const float Change = 1f / 24000f;
        private Recording _wanted;
        private Recording _now;
        private Recording _before;
        private int _nowAt;
        private int _beforeAt;
        private float _mix = 1f;

        /// <summary>The loop to play when it is needed; null for none.</summary>
        public void Set(Recording loop) => Volatile.Write(ref _wanted, loop);

        /// <summary>Whether there is anything to play.</summary>
        public bool IsThere => Volatile.Read(ref _wanted) != null;

        /// <summary>Begin at the loop's beginning, as nothing of it sounds now.</summary>
        public void Restart()
        {
            _now = Volatile.Read(ref _wanted);
            _nowAt = _now == null ? 0 : _now.LoopStart;
            _before = null;
            _mix = 1f;
        }

        /// <summary>The next frames; another loop than before is faded in over half a second.</summary>
        public void Read(float[] into, int count)
        {
            var wanted = Volatile.Read(ref _wanted);
            if (wanted != _now && wanted != null && _before == null)
            {
                _before = _now;
                _beforeAt = _nowAt;
                _now = wanted;
                _nowAt = wanted.LoopStart;
                _mix = _before == null ? 1f : 0f;
            }
            for (int i = 0; i < count; i++)
            {
                float left = 0f, right = 0f;
                Add(_now, ref _nowAt, _mix, ref left, ref right);
                if (_before != null)
                {
                    Add(_before, ref _beforeAt, 1f - _mix, ref left, ref right);
                    _mix += Change;
                    if (_mix >= 1f)
                    {
                        _mix = 1f;
                        _before = null;
                    }
                }
                into[2 * i] = left;
                into[2 * i + 1] = right;
            }
        }

        private static void Add(Recording loop, ref int at, float gain, ref float left, ref float right)
        {
            if (loop == null) return;
            left += loop.Samples[2 * at] * (gain / 32768f);
            right += loop.Samples[2 * at + 1] * (gain / 32768f);
            if (++at >= loop.LoopEnd) at = loop.LoopStart;
        }
    }
}
