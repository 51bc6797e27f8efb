// SPDX-License-Identifier: Apache-2.0
using System;

namespace Segue
{
    /// <summary>
    /// How far ahead of the playhead the server should generate: further when the reserve gets low, and step by step
    /// back when it has been ample for a minute. Told the time; one thread.
    /// </summary>
    public sealed class LeadWish
    {
        /// <summary>Seconds that the reserve has to be ample for before less is asked for.</summary>
        public const double Calm = 60.0;

        private readonly int _least;
        private readonly int _most;
        private int _underruns;
        private int _take;
        private double _heedless;
        private double _calmSince;
        private int _lowest = int.MaxValue;

        /// <param name="least">Milliseconds to begin with, and the least that is ever asked for.</param>
        /// <param name="most">Milliseconds that are asked for at most.</param>
        public LeadWish(int least, int most)
        {
            Milliseconds = _least = least;
            _most = Math.Max(least, most);
        }

        /// <summary>What is asked for.</summary>
        public int Milliseconds { get; private set; }

        /// <summary>Whether it has ever been anything else than at first.</summary>
        public bool HasChanged { get; private set; }

        /// <summary>What was seen since it was last called.</summary>
        /// <param name="now">Seconds, of any clock that only goes forward.</param>
        /// <param name="lowest">Milliseconds that the reserve fell to while the stream was heard; int.MaxValue: it was not.</param>
        /// <param name="underruns">Times that the stream ran dry, in all.</param>
        /// <param name="take">Version of the timeline: after a new one the reserve is small, and grows again by itself.</param>
        public void Observe(double now, int lowest, int underruns, int take)
        {
            int ran = underruns - _underruns;
            _underruns = underruns;
            if (take != _take)
            {
                _take = take;
                Ignore(now);
            }
            if (now < _heedless) return;
            _lowest = Math.Min(_lowest, lowest);
            if (ran > 0) Ask(now, Milliseconds + Milliseconds / 2);
            else if (lowest < Milliseconds / 4) Ask(now, Milliseconds + Milliseconds / 4);
            else if (now - _calmSince >= Calm)
            {
                if (_lowest != int.MaxValue && _lowest > Milliseconds / 2) Ask(now, Milliseconds - Milliseconds / 10);
                else Begin(now);
            }
        }

        private void Ask(double now, int milliseconds)
        {
            milliseconds = Math.Max(_least, Math.Min(_most, milliseconds));
            HasChanged |= milliseconds != Milliseconds;
            Milliseconds = milliseconds;
            Ignore(now);
        }

        /// <summary>It takes its length until a lead is there again.</summary>
        private void Ignore(double now)
        {
            _heedless = now + Milliseconds / 1000.0 + 1.0;
            Begin(_heedless);
        }

        private void Begin(double now)
        {
            _calmSince = now;
            _lowest = int.MaxValue;
        }
    }
}
