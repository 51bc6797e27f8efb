// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;
using NUnit.Framework;
using Segue.Audio;

namespace Segue.Tests
{
    [TestFixture]
    public sealed class RingTests
    {
        [Test]
        public void TakesAreWhatAModelOfThemSays()
        {
            // Without late takes the ring is a map from samples to their newest version, with the older kept.
            for (int seed = 0; seed < 60; seed++)
            {
                var dice = new Random(seed);
                var ring = new TimelineRing(6000);
                var newest = new Dictionary<long, short>();
                var older = new Dictionary<long, short>();
                long playhead = 0, end = 0, olderEnd = 0;
                int take = 0;
                for (int round = 0; round < 200; round++)
                {
                    if (dice.Next(3) > 0)
                    {
                        long first = end;
                        bool isNew = dice.Next(6) == 0 && end > playhead + 1;
                        if (isNew)
                        {
                            take++;
                            first = playhead + 1 + dice.Next((int)(end - playhead));
                            for (long at = first; at < end; at++) older[at] = newest[at];
                            olderEnd = Math.Max(olderEnd, end);
                        }
                        int count = Math.Min(1 + dice.Next(400), (int)(playhead + 6000 - first));
                        if (count <= 0) continue;
                        var block = Block(take, first, count, at => (short)dice.Next(-30000, 30000));
                        for (int i = 0; i < count; i++) newest[first + i] = block.Samples[2 * i];
                        ring.Put(block);
                        end = first + count;
                    }
                    else
                    {
                        // Read no further than the newest goes: the seam to the older version is another test's.
                        int count = Math.Min(dice.Next(500), (int)(end - playhead));
                        var got = new float[2 * count];
                        Check.Equal(count, ring.Read(got, 0, count), "frames");
                        for (int i = 0; i < count; i++) Check.Equal(newest[playhead + i] / 32768f, got[2 * i], "seed " + seed + ", sample " + (playhead + i));
                        playhead += count;
                    }
                    Check.Equal(playhead, ring.Playhead);
                    Check.Equal((int)(end - playhead), ring.Reserve);
                    Check.Equal((int)(Math.Max(end, olderEnd) - playhead), ring.Available);
                }
            }
        }

        [Test]
        public void ATakeThatIsLateIsFadedInWithoutAStep()
        {
            var ring = new TimelineRing(48000);
            ring.Put(Block(0, 0, 9600, at => 10000));
            Read(ring, 4800);
            ring.Put(Block(1, 1920, 9600, at => -10000));
            var got = Read(ring, 6000);
            Check.Equal(1, ring.LateTakes);
            Check.That(Steepest(got) < 40f / 32768f, "a step of " + Steepest(got) * 32768f);
            Check.Near(-10000f / 32768f, got[2 * 5999], 1e-6);
        }

        [Test]
        public void TheOlderVersionGoesOnWhereTheNewerIsLate()
        {
            var ring = new TimelineRing(48000);
            ring.Put(Block(0, 0, 9600, at => 8000));
            ring.Put(Block(1, 1920, 1920, at => -8000));
            Read(ring, 1920);
            var got = Read(ring, 4800);
            Check.Equal(4800 - 1920, (int)ring.Outdated);
            Check.That(Steepest(got) < 40f / 32768f, "a step");
            Check.Near(8000f / 32768f, got[2 * 4799], 1e-6, "the older version");
            ring.Put(Block(1, 3840, 9600, at => -8000));
            Check.That(Steepest(Read(ring, 3000)) < 40f / 32768f, "a step on the way back");
        }

        [Test]
        public void AnotherTimelineReplacesTheOne()
        {
            var ring = new TimelineRing(48000);
            ring.Put(Block(7, 96000, 1920, at => 1));
            var block = Block(0, 0, 1920, at => 2);
            block.Restarts = true;
            Check.That(ring.Put(block), "it was left out");
            Check.Equal(0L, ring.Playhead);
            Check.Equal(2f / 32768f, Read(ring, 1)[0]);
        }

        [Test]
        public void NoSampleIsTornWhileBothThreadsAreBusy()
        {
            // Every sample holds its place, and the channels are each other's opposite, so that any mixture of two blocks is seen;
            // low enough not to be clipped where a late take is faded in.
            var mixer = new SoundtrackMixer(2.0) { Prime = 1920, HoldsLead = false };
            bool done = false;
            const int total = 48000 * 20;
            var writer = new Thread(() =>
            {
                var dice = new Random(1);
                long end = 0;
                int take = 0;
                while (end < total)
                {
                    if (end - Math.Max(0, mixer.Playhead) > 24000 || mixer.Blocks.Waiting > 100)
                    {
                        Thread.Yield();
                        continue;
                    }
                    if (dice.Next(5) == 0)
                    {
                        take++;
                        end = Math.Max(0, Math.Min(end, Math.Max(0, mixer.Playhead) + 6000 + dice.Next(4000)));
                    }
                    int count = 1 + dice.Next(4000);
                    var block = mixer.Blocks.Rent(count);
                    block.Take = take;
                    block.FirstSample = end;
                    for (int i = 0; i < count; i++)
                    {
                        block.Samples[2 * i] = (short)((end + i) % 20000);
                        block.Samples[2 * i + 1] = (short)(-(end + i) % 20000);
                    }
                    if (mixer.Blocks.Send(block)) end += count;
                }
                Volatile.Write(ref done, true);
            });
            writer.Start();
            var buffer = new float[2 * 512];
            int wrong = 0, calm = 0;
            long heard = 0, followed = 0, troubles = 0;
            while (!Volatile.Read(ref done) || mixer.Reserve > 4000)
            {
                mixer.Render(buffer, 512, 2, 48000);
                // While nothing is faded in or out, samples follow each other whatever takes come.
                long now = mixer.Underruns + mixer.LateTakes + mixer.Outdated;
                calm = now == troubles && mixer.Mode == MixerMode.Playing && mixer.Reserve > 2000 ? calm + 1 : 0;
                troubles = now;
                for (int i = 1; i < 512; i++)
                {
                    float left = buffer[2 * i] * 32768f, before = buffer[2 * i - 2] * 32768f;
                    if (Math.Abs(left + buffer[2 * i + 1] * 32768f) > 0.5f) wrong++;
                    heard++;
                    if (calm < 5) continue;
                    if (Math.Abs(left - before - 1f) > 0.5f && Math.Abs(left - before + 19999f) > 0.5f) wrong++;
                    followed++;
                }
                if (mixer.Reserve < 6000) Thread.Yield();
            }
            writer.Join();
            Check.Equal(0, wrong, "torn samples");
            Check.That(heard > total / 2 && followed > total / 20, "only " + heard + " samples were heard, " + followed + " followed");
        }

        [Test]
        public void AQueueHandsOverEverythingInOrder()
        {
            var queue = new SpscQueue<int>(37);
            var writer = new Thread(() =>
            {
                for (int i = 1; i <= 50000;)
                    if (queue.TryPush(i)) i++;
                    else Thread.Yield();
            });
            writer.Start();
            for (int expected = 1; expected <= 50000;)
            {
                if (queue.TryPop(out int got)) Check.Equal(expected++, got);
                else Thread.Yield();
            }
            writer.Join();
            Check.That(!queue.TryPop(out int _), "more than was put in");
        }

        internal static AudioBlock Block(int take, long first, int count, Func<long, short> sample)
        {
            var block = new AudioBlock { Take = take, FirstSample = first };
            block.Reserve(count);
            for (int i = 0; i < count; i++) block.Samples[2 * i] = block.Samples[2 * i + 1] = sample(first + i);
            return block;
        }

        private static float[] Read(TimelineRing ring, int count)
        {
            var got = new float[2 * count];
            ring.Read(got, 0, count);
            return got;
        }

        internal static float Steepest(float[] stereo)
        {
            float steepest = 0f;
            for (int i = 2; i < stereo.Length; i++) steepest = Math.Max(steepest, Math.Abs(stereo[i] - stereo[i - 2]));
            return steepest;
        }
    }
}
