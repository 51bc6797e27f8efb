// SPDX-License-Identifier: Apache-2.0
using System;
using NUnit.Framework;

namespace Segue.Tests
{
    /// <summary>How much lead is asked for.</summary>
    [TestFixture]
    public sealed class LeadWishTests
    {
        [Test]
        public void ACalmNetworkIsAskedForNothing()
        {
            var wish = new LeadWish(300, 2000);
            for (double now = 0.0; now < 600.0; now += 0.5) wish.Observe(now, 180, 0, 0);
            Check.Equal(300, wish.Milliseconds);
            Check.That(!wish.HasChanged, "it has not changed");
        }

        [Test]
        public void UnderrunsAndALowReserveAskForMoreOnceALead()
        {
            var wish = new LeadWish(300, 2000);
            wish.Observe(2.0, int.MaxValue, 1, 0);
            Check.Equal(450, wish.Milliseconds);
            wish.Observe(2.5, 10, 3, 0);
            Check.Equal(450, wish.Milliseconds, "what was asked for is not there yet");
            wish.Observe(5.0, 10, 3, 0);
            Check.Equal(562, wish.Milliseconds);
            for (double now = 10.0; now < 100.0; now += 5.0) wish.Observe(now, 0, 3, 0);
            Check.Equal(2000, wish.Milliseconds, "no more than the most");
        }

        [Test]
        public void WhatATakeLeavesIsNoBadNetwork()
        {
            var wish = new LeadWish(3000, 5000);
            for (int take = 1; take < 100; take++)
                for (double after = 0.0; after < 3.5; after += 0.5) wish.Observe(5.0 * take + after, 100, take, take);
            Check.Equal(3000, wish.Milliseconds);
        }

        [Test]
        public void AfterAMinuteOfPlentyItGoesBackStepByStep()
        {
            var wish = new LeadWish(300, 2000);
            for (double now = 2.0; now < 30.0; now += 3.0) wish.Observe(now, 0, 0, 0);
            int high = wish.Milliseconds;
            Check.That(high > 1000, "it was pushed to " + high);
            double at = 30.0;
            for (; at < 93.0; at += 0.5) wish.Observe(at, wish.Milliseconds - 100, 0, 0);
            Check.Equal(high - high / 10, wish.Milliseconds);
            for (; at < 3600.0; at += 0.5) wish.Observe(at, wish.Milliseconds - 100, 0, 0);
            Check.Equal(300, wish.Milliseconds);
        }

        [Test]
        public void ItIsNeverOutOfItsBounds()
        {
            var random = new Random(7);
            for (int round = 0; round < 200; round++)
            {
                int least = random.Next(100, 3000), most = random.Next(100, 10000), underruns = 0, take = 0;
                var wish = new LeadWish(least, most);
                double now = 0.0;
                for (int step = 0; step < 500; step++)
                {
                    now += random.NextDouble() * 3.0;
                    underruns += random.Next(20) == 0 ? 1 : 0;
                    take += random.Next(10) == 0 ? 1 : 0;
                    wish.Observe(now, random.Next(4) == 0 ? int.MaxValue : random.Next(5000), underruns, take);
                    Check.That(wish.Milliseconds >= least && wish.Milliseconds <= Math.Max(least, most), "asked for " + wish.Milliseconds);
                }
            }
        }
    }
}
