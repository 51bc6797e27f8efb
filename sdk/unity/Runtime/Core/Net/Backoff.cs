// SPDX-License-Identifier: Apache-2.0
using System;

namespace Segue.Net
{
    /// <summary>How long to wait before trying again; with jitter, so that clients don't come back all at once.</summary>
    public static class Backoff
    {
        private static readonly Random Dice = new Random();

        /// <summary>After n tries in vain: at once, then 0.1, 0.2, … 3 s, times 0.5 to 1.</summary>
        public static TimeSpan Before(int tries)
        {
            double chance;
            lock (Dice) chance = Dice.NextDouble();
            if (tries <= 0) return TimeSpan.FromSeconds(0.03 * chance);
            double longest = Math.Min(3.0, 0.1 * Math.Pow(2.0, Math.Min(tries - 1, 10)));
            return TimeSpan.FromSeconds(longest * (0.5 + 0.5 * chance));
        }
    }
}
