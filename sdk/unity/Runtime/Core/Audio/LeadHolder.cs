// SPDX-License-Identifier: Apache-2.0
using System;

namespace Segue.Audio
{
    /// <summary>
    /// Holding one's lead although no two clocks agree: how fast to play, by how much audio is there. It averages the
    /// reserve, learns what it usually is, and gives the rate that keeps it there. Told the time; one thread.
    /// </summary>
    public sealed class LeadHolder
    {
        /// <summary>Largest deviation of the rate from 1: 9 cents.</summary>
        public const double Most = 0.005;

        /// <summary>Deviation per second of reserve that is missing.</summary>
        public const double Gain = 0.05;

        /// <summary>Seconds of reserve around the target within which nothing is resampled.</summary>
        public const double DeadBand = 0.01;

        /// <summary>Seconds over which the reserve is averaged: chunks come every 80 ms, and not on time.</summary>
        public const double Smoothing = 5.0;

        /// <summary>Seconds after which the reserve that was found is the one that is kept.</summary>
        public const double Settling = 10.0;

        /// <summary>Seconds at most after a take during which a smaller reserve is the server's to make up for.</summary>
        public const double Refill = 12.0;

        private bool _begun;
        private double _beginning;
        private double _at;
        private double _refilledBy = double.NegativeInfinity;
        private double _rate = 1.0;

        /// <summary>Seconds of reserve that are kept; NaN at first, which is played at 1.</summary>
        public double Target { get; private set; } = double.NaN;

        /// <summary>Seconds of reserve, averaged.</summary>
        public double Average { get; private set; }

        /// <summary>Samples of the timeline to play per sample of the sound card: 1 ± <see cref="Most"/>.</summary>
        public static double RateFor(double reserve, double target)
        {
            double missing = target - reserve;
            double beyond = missing - Math.Max(-DeadBand, Math.Min(DeadBand, missing));
            return 1.0 - Math.Max(-Most, Math.Min(Most, Gain * beyond));
        }

        /// <summary>The rate to play at, for seconds of audio that are there now. Many times a second while playing.</summary>
        public double Rate(double reserve, double now)
        {
            if (!_begun)
            {
                _begun = true;
                _beginning = _at = now;
                Average = reserve;
            }
            double elapsed = now - _at;
            _at = now;
            if (reserve < Average && now < _refilledBy) return _rate;
            _refilledBy = double.NegativeInfinity;
            double age = now - _beginning;
            if (age > 0.0) Average += (reserve - Average) * Math.Min(1.0, elapsed / Math.Min(age, Smoothing));
            if (double.IsNaN(Target) && age >= Settling) Target = Average;
            if (!double.IsNaN(Target)) _rate = RateFor(Average, Target);
            return _rate;
        }

        /// <summary>A take has replaced what was there, so that the reserve is smaller for a while.</summary>
        public void Replaced(double now) => _refilledBy = now + Refill;

        /// <summary>The stream was broken or has jumped: learn anew what the reserve is.</summary>
        public void Forget()
        {
            _begun = false;
            _rate = 1.0;
            _refilledBy = double.NegativeInfinity;
            Target = double.NaN;
        }
    }
}
