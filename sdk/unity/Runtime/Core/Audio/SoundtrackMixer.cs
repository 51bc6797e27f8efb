// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;

namespace Segue.Audio
{
    /// <summary>What a mixer does.</summary>
    public enum MixerMode
    {
        /// <summary>No music yet, or it has come to its end: silence, unless a fallback is asked for.</summary>
        Waiting,

        /// <summary>The stream is heard.</summary>
        Playing,

        /// <summary>The stream has run dry: the fallback is heard, where there is one.</summary>
        Starved,
    }

    /// <summary>
    /// Everything between the blocks of the network and the sound card: takes, drift, starvation, clips, the device's rate.
    /// <see cref="Render"/> belongs to the audio thread and neither locks nor allocates; the rest may be used from anywhere.
    /// </summary>
    public sealed class SoundtrackMixer
    {
        /// <summary>Samples of the timeline a second.</summary>
        public const int SampleRate = 48000;

        private const int Piece = 512;
        private const int MostStep = 8;
        private readonly TimelineRing _ring;
        private readonly LeadHolder _lead = new LeadHolder();
        private readonly Resampler _resampler = new Resampler();
        private readonly Ladder _ladder;
        private readonly float[] _input = new float[2 * Piece * MostStep];
        private readonly float[] _output = new float[2 * Piece];
        private float _gain = 1f;
        private double _now;
        private int _jumps;
        private int _take;
        private int _heardTake;
        private long _playhead = -1;
        private int _reserve;
        private int _rate;
        private int _lowest = int.MaxValue;
        private volatile bool _relearns;

        /// <param name="seconds">Audio that is held at most.</param>
        public SoundtrackMixer(double seconds = 15.0)
        {
            _ring = new TimelineRing((int)(seconds * SampleRate));
            _ladder = new Ladder(_ring, Fallback, Clips);
        }

        /// <summary>Where blocks are handed over.</summary>
        public BlockExchange Blocks { get; } = new BlockExchange();

        /// <summary>Baked loops.</summary>
        public FallbackPlayer Fallback { get; } = new FallbackPlayer();

        /// <summary>Clips that are mixed in.</summary>
        public ClipMixer Clips { get; } = new ClipMixer();

        /// <summary>Samples of the timeline that have to be there before it is begun, and after it ran dry.</summary>
        public int Prime
        {
            get => _ladder.Prime;
            set => _ladder.Prime = value;
        }

        /// <summary>What Prime may grow to: half as much again after every time that the stream ran dry.</summary>
        public int MostPrime
        {
            get => _ladder.MostPrime;
            set => _ladder.MostPrime = value;
        }

        /// <summary>Whether the fallback may be heard while there is no stream (yet).</summary>
        public bool WantsFallback
        {
            get => _ladder.WantsFallback;
            set => _ladder.WantsFallback = value;
        }

        /// <summary>Sample at which the music is to stop by intent (pause, stop); long.MaxValue: nowhere.</summary>
        public long End
        {
            get => _ladder.End;
            set => _ladder.End = value;
        }

        /// <summary>Whether playing is held in time with other listeners by a rate of 1 ± 0.5 %.</summary>
        public bool HoldsLead { get; set; } = true;

        /// <summary>Loudness, 0 to 1, on top of whatever the engine does. A change is spread over the next callback.</summary>
        public float Volume { get; set; } = 1f;

        /// <summary>What is done.</summary>
        public MixerMode Mode => _ladder.Mode;

        /// <summary>First sample of the timeline that has not been taken out to be played; −1 before there is any.</summary>
        public long Playhead => Interlocked.Read(ref _playhead);

        /// <summary>Samples that are there to be played.</summary>
        public int Reserve => Volatile.Read(ref _reserve);

        /// <summary>Version of the timeline that was last heard of by the audio thread.</summary>
        public int Take => Volatile.Read(ref _heardTake);

        /// <summary>Fewest samples that were there while the stream was heard, since this was last asked; int.MaxValue: it was not heard.</summary>
        public int TakeLowest() => Interlocked.Exchange(ref _lowest, int.MaxValue);

        /// <summary>The server keeps another lead now: learn anew what the reserve is. Any thread.</summary>
        public void Relearn() => _relearns = true;

        /// <summary>Times that the stream ran dry.</summary>
        public int Underruns => _ladder.Underruns;

        /// <summary>Times that the timeline was jumped along.</summary>
        public int Jumps => _ring.Jumps;

        /// <summary>Takes that came after their place had been played.</summary>
        public int LateTakes => _ring.LateTakes;

        /// <summary>Samples that were played in an older version.</summary>
        public long Outdated => _ring.Outdated;

        /// <summary>Samples of the timeline per sample of 48 kHz that is heard, times a million.</summary>
        public int RatePerMillion => Volatile.Read(ref _rate);

        /// <summary>Fill a callback's buffer.</summary>
        /// <param name="into">`frames` × `channels` floats; what is in it is replaced.</param>
        /// <param name="deviceRate">Frames a second of the device, 8,000 to 384,000.</param>
        public void Render(float[] into, int frames, int channels, int deviceRate)
        {
            Arrive();
            double rate = Rate(frames / (double)deviceRate);
            ulong step = Resampler.Step(Math.Min(MostStep - 1, rate * SampleRate / deviceRate));
            float volume = Volume, gain = _gain, climb = (volume - gain) / frames;
            _gain = volume;
            for (int done = 0; done < frames;)
            {
                int count = Math.Min(Piece, frames - done), needed = _resampler.Needed(count, step);
                _ladder.Read(_input, needed);
                _resampler.Process(_input, _output, count, step);
                Spread(_output, into, done, count, channels, gain + done * climb, climb);
                done += count;
            }
            Interlocked.Exchange(ref _playhead, _ring.HasBegun ? _ring.Playhead : -1);
            Volatile.Write(ref _heardTake, _ring.Take);
            int reserve = _ring.Available, lowest = Volatile.Read(ref _lowest);
            Volatile.Write(ref _reserve, reserve);
            if (reserve < lowest && _ladder.Mode == MixerMode.Playing) Interlocked.CompareExchange(ref _lowest, reserve, lowest);
        }

        private void Arrive()
        {
            Clips.Update(_ring.Playhead);
            while (Blocks.TryTake(out AudioBlock block))
            {
                _ladder.Put(block);
                Blocks.Return(block);
            }
        }

        private double Rate(double seconds)
        {
            _now += seconds;
            if (_relearns)
            {
                _relearns = false;
                _lead.Forget();
            }
            if (_ring.Jumps != _jumps || _ladder.Mode != MixerMode.Playing || !HoldsLead || _ladder.End != long.MaxValue) _lead.Forget();
            else
            {
                if (_ring.Take != _take) _lead.Replaced(_now);
                double rate = _lead.Rate(_ring.Reserve / (double)SampleRate, _now);
                _take = _ring.Take;
                Volatile.Write(ref _rate, (int)Math.Round(rate * 1e6));
                return rate;
            }
            _jumps = _ring.Jumps;
            _take = _ring.Take;
            Volatile.Write(ref _rate, 1000000);
            return 1.0;
        }

        private static void Spread(float[] stereo, float[] into, int at, int count, int channels, float gain, float climb)
        {
            for (int i = 0; i < count; i++)
            {
                int to = (at + i) * channels;
                float volume = gain + i * climb, left = stereo[2 * i] * volume, right = stereo[2 * i + 1] * volume;
                if (channels == 1) into[to] = 0.5f * (left + right);
                else
                {
                    into[to] = left;
                    into[to + 1] = right;
                    for (int channel = 2; channel < channels; channel++) into[to + channel] = 0f;
                }
            }
        }
    }
}
