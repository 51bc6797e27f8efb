// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;

namespace Segue.Audio
{
    /// <summary>
    /// The stream while it lasts, the baked loop while it does not, silence where that is meant; from one to the other over
    /// 20 ms, at equal power. The last 20 ms of the stream are kept for fading out, so that it never ends in a click.
    /// Read and Put are the audio thread's; the rest may be used from anywhere.
    /// </summary>
    internal sealed class Ladder
    {
        private const int Fade = TimelineRing.Fade;
        private const int Piece = 256;
        private const int Patience = 2 * 48000;
        private static readonly float[] Curve = MakeCurve();
        private readonly TimelineRing _ring;
        private readonly FallbackPlayer _fallback;
        private readonly ClipMixer _clips;
        private readonly float[] _loop = new float[2 * Piece];
        private float _music;
        private float _stand;
        private float _lastLeft;
        private float _lastRight;
        private float _stepLeft;
        private float _stepRight;
        private int _stepAge = Fade;
        private long _end = long.MaxValue;
        private int _mode;
        private int _underruns;
        private volatile bool _wantsFallback;
        private volatile int _prime = 9600;
        private volatile int _mostPrime;
        private int _waited;

        public Ladder(TimelineRing ring, FallbackPlayer fallback, ClipMixer clips)
        {
            _ring = ring;
            _fallback = fallback;
            _clips = clips;
        }

        public int Prime
        {
            get => _prime;
            set => _prime = Math.Max(2 * Fade, value);
        }

        public int MostPrime
        {
            get => _mostPrime;
            set => _mostPrime = value;
        }

        public bool WantsFallback
        {
            get => _wantsFallback;
            set => _wantsFallback = value;
        }

        public long End
        {
            get => Interlocked.Read(ref _end);
            set => Interlocked.Exchange(ref _end, value);
        }

        public MixerMode Mode => (MixerMode)Volatile.Read(ref _mode);

        public int Underruns => Volatile.Read(ref _underruns);

        public void Put(AudioBlock block)
        {
            int jumps = _ring.Jumps;
            _ring.Put(block);
            if (_ring.Jumps != jumps && _music > 0f) _stepAge = -1;
        }

        /// <summary>The next `count` frames.</summary>
        public void Read(float[] into, int count)
        {
            for (int done = 0; done < count;)
            {
                int piece = Math.Min(Piece, count - done);
                ReadPiece(into, done, piece);
                done += piece;
            }
        }

        private void ReadPiece(float[] into, int offset, int count)
        {
            long end = End;
            bool ends = end != long.MaxValue;
            // An end that has been passed already, or is very near, is still faded out to.
            long wanted = ends ? Math.Max(end - _ring.Playhead, (long)(_music * Fade + 0.5f)) : long.MaxValue;
            int left = (int)Math.Min(_ring.Available, wanted);
            Turn(left, ends, count);
            bool playing = Mode == MixerMode.Playing;
            long playhead = _ring.Playhead;
            int read = 0;
            if (playing) read = _ring.Read(into, offset, Math.Min(count, left));
            Array.Clear(into, 2 * (offset + read), 2 * (count - read));
            if (read > 0) Soften(into, offset, read);
            Envelope(into, offset, count, playing ? left : 0, ends);
            if (read > 0 || !playing) _clips.Mix(into, offset, playing ? read : count, playhead, playing);
            if (playing && read < count) _clips.Mix(into, offset + read, count - read, playhead + read, false);
        }

        /// <summary>Change over, if it is time to.</summary>
        private void Turn(int left, bool ends, int count)
        {
            var mode = Mode;
            _waited = mode == MixerMode.Playing || left == 0 ? 0 : Math.Min(Patience, _waited + count);
            if (mode == MixerMode.Playing)
            {
                if (left > 0) return;
                // An end that was meant is no underrun.
                if (!ends)
                {
                    Volatile.Write(ref _underruns, _underruns + 1);
                    // What was enough is not: next time there is to be more, as far as the server goes.
                    _prime = Math.Max(_prime, Math.Min(_mostPrime, _prime + _prime / 2));
                }
                _music = 0f;
                Volatile.Write(ref _mode, (int)(ends ? MixerMode.Waiting : MixerMode.Starved));
            }
            else if (left >= (ends ? 1 : _waited >= Patience ? 2 * Fade : _prime))
            {
                _music = 0f;
                _stepAge = Fade;
                Volatile.Write(ref _mode, (int)MixerMode.Playing);
            }
            else if (mode == MixerMode.Starved && ends) Volatile.Write(ref _mode, (int)MixerMode.Waiting);
        }

        /// <summary>Fade the music in or out and the fallback the other way.</summary>
        private void Envelope(float[] into, int offset, int count, int left, bool ends)
        {
            bool stands = _fallback.IsThere && !ends && (Mode != MixerMode.Waiting || _wantsFallback);
            if (stands && _stand == 0f && (left < Fade + count || _music < 1f)) _fallback.Restart();
            bool sounds = false;
            if (_stand > 0f || stands && (left < Fade + count || _music < 1f))
            {
                _fallback.Read(_loop, count);
                sounds = true;
            }
            for (int i = 0; i < count; i++)
            {
                int rest = left - i;
                bool high = rest > Fade;
                // Silent by the last sample that there is.
                if (high) _music = Math.Min(1f, _music + 1f / Fade);
                else _music = Math.Max(0f, _music - Math.Max(1f / Fade, _music / Math.Max(1, rest)));
                bool stand = stands && !high;
                _stand = Math.Max(0f, Math.Min(1f, _stand + (stand ? 1f : -1f) / Fade));
                int at = 2 * (offset + i);
                float gain = Power(_music), other = sounds ? Power(_stand) : 0f;
                into[at] = into[at] * gain + _loop[2 * i] * other;
                into[at + 1] = into[at + 1] * gain + _loop[2 * i + 1] * other;
            }
        }

        /// <summary>Where the timeline was jumped along, let the step decay.</summary>
        private void Soften(float[] into, int offset, int count)
        {
            int first = 2 * offset, last = 2 * (offset + count - 1);
            if (_stepAge < 0)
            {
                _stepLeft = _lastLeft - into[first];
                _stepRight = _lastRight - into[first + 1];
                _stepAge = 0;
            }
            for (int i = 0; i < count && _stepAge < Fade; i++, _stepAge++)
            {
                float decay = 1f - (_stepAge + 1f) / (Fade + 1f);
                into[first + 2 * i] += decay * _stepLeft;
                into[first + 2 * i + 1] += decay * _stepRight;
            }
            _lastLeft = into[last];
            _lastRight = into[last + 1];
        }

        private static float Power(float gain) => Curve[(int)(gain * Fade + 0.5f)];

        private static float[] MakeCurve()
        {
            var curve = new float[Fade + 1];
            for (int i = 0; i <= Fade; i++) curve[i] = (float)Math.Sin(i * Math.PI / 2 / Fade);
            curve[Fade] = 1f;
            return curve;
        }
    }
}
