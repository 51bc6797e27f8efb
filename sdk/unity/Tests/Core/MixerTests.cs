// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using NUnit.Framework;
using Segue.Audio;

namespace Segue.Tests
{
    /// <summary>What is heard: fades, fallback, clips, rates; and that the audio thread allocates nothing.</summary>
    [TestFixture]
    public sealed class MixerTests
    {
        private const int Callback = 480;

        [Test]
        public void WhatComesInIsWhatIsHeard()
        {
            var mixer = Mixer();
            Send(mixer, 0, 0, 48000, at => (short)(at % 20000));
            var heard = Render(mixer, 40000);
            for (int i = TimelineRing.Fade + 10; i < 40000; i++)
                Check.Equal((i - Resampler.Delay) % 20000 / 32768f, heard[2 * i], "sample " + i);
        }

        [Test]
        public void TheMusicBeginsOnceEnoughIsThere()
        {
            var mixer = Mixer();
            mixer.Prime = 9600;
            Send(mixer, 0, 0, 9000, at => 9000);
            Check.Near(0, Loudest(Render(mixer, 4800)), 0, "too early");
            Check.Equal(0L, mixer.Playhead);
            Send(mixer, 0, 9000, 4800, at => 9000);
            Check.Near(9000 / 32768f, Loudest(Render(mixer, 4800)), 1e-6, "not heard");
        }

        [Test]
        public void AStarvedStreamFadesIntoTheLoopAndBackWithoutAClick()
        {
            var mixer = Mixer();
            mixer.Fallback.Set(new Recording(Constant(4000, -5000), 100, 3900));
            Send(mixer, 0, 0, 12000, at => 10000);
            var heard = new List<float>(Render(mixer, 20000));
            Check.Equal(MixerMode.Starved, mixer.Mode);
            Check.Equal(1, mixer.Underruns);
            Check.Equal(12000L, mixer.Playhead);
            Check.Near(-5000 / 32768f, heard[heard.Count - 1], 1e-6, "the loop");
            Send(mixer, 0, 12000, 24000, at => 10000);
            heard.AddRange(Render(mixer, 10000));
            Check.Equal(MixerMode.Playing, mixer.Mode);
            Check.Near(10000 / 32768f, heard[heard.Count - 1], 1e-6, "the stream");
            Check.That(RingTests.Steepest(heard.ToArray()) < 60f / 32768f, "a step of " + RingTests.Steepest(heard.ToArray()) * 32768f);
        }

        [Test]
        public void WithoutALoopAStarvedStreamFadesToSilence()
        {
            var mixer = Mixer();
            Send(mixer, 0, 0, 12000, at => 10000);
            var heard = Render(mixer, 20000);
            Check.That(RingTests.Steepest(heard) < 30f / 32768f, "a step of " + RingTests.Steepest(heard) * 32768f);
            Check.Near(0, heard[heard.Length - 1], 0);
        }

        [Test]
        public void AChangeOfVolumeIsNoStep()
        {
            var mixer = Mixer();
            Send(mixer, 0, 0, 20000, at => 10000);
            Render(mixer, 4800);
            mixer.Volume = 0.25f;
            var heard = Render(mixer, 4800);
            Check.That(RingTests.Steepest(heard) < 20f / 32768f, "a step of " + RingTests.Steepest(heard) * 32768f);
            Check.Near(2500 / 32768f, heard[heard.Length - 1], 1e-6, "a quarter");
        }

        [Test]
        public void AShortageThatPassesIsNoUnderrun()
        {
            var mixer = Mixer();
            Send(mixer, 0, 0, 9600, at => 10000);
            Render(mixer, 9120);
            Send(mixer, 0, 9600, 9600, at => 10000);
            var heard = Render(mixer, 4800);
            Check.Equal(0, mixer.Underruns);
            Check.Near(10000 / 32768f, heard[heard.Length - 1], 1e-6);
        }

        [Test]
        public void AfterAnUnderrunThereIsToBeMoreAndNoWaitIsForEver()
        {
            var mixer = Mixer();
            mixer.MostPrime = 2500;
            Send(mixer, 0, 0, 4800, at => 10000);
            Render(mixer, 9600);
            Check.Equal(2500, mixer.Prime);
            Send(mixer, 0, 4800, 2400, at => 10000);
            Render(mixer, 9600);
            Check.Equal(MixerMode.Starved, mixer.Mode);
            Render(mixer, 96000);
            Check.Equal(7200L, mixer.Playhead, "what did come is heard in the end");
        }

        [Test]
        public void AnEndThatIsMeantIsSilentAndNoUnderrun()
        {
            var mixer = Mixer();
            mixer.Fallback.Set(new Recording(Constant(4000, 5000)));
            Send(mixer, 0, 0, 24000, at => 10000);
            Render(mixer, 4800);
            mixer.End = 9600;
            var heard = Render(mixer, 9600);
            Check.Equal(0, mixer.Underruns);
            Check.Equal(9600L, mixer.Playhead);
            Check.Near(0, heard[heard.Length - 1], 0, "the end");
            Check.That(RingTests.Steepest(heard) < 30f / 32768f, "a step");
            mixer.End = long.MaxValue;
            Check.Near(10000 / 32768f, Loudest(Render(mixer, 4800)), 1e-6, "it did not go on");
        }

        [Test]
        public void AnEndInThePastIsFadedOutTo()
        {
            var mixer = Mixer();
            Send(mixer, 0, 0, 24000, at => 10000);
            Render(mixer, 9600);
            mixer.End = 100;
            var heard = Render(mixer, 4800);
            Check.That(RingTests.Steepest(heard) < 30f / 32768f, "a step of " + RingTests.Steepest(heard) * 32768f);
            Check.Near(0, heard[heard.Length - 1], 0);
        }

        [Test]
        public void AJumpOfTheTimelineIsNoClick()
        {
            var mixer = Mixer();
            Send(mixer, 0, 0, 24000, at => 10000);
            Render(mixer, 9600);
            Send(mixer, 0, 96000, 24000, at => -10000);
            var heard = Render(mixer, 4800);
            Check.That(RingTests.Steepest(heard) < 60f / 32768f, "a step of " + RingTests.Steepest(heard) * 32768f);
            Check.Equal(100800L, mixer.Playhead);
        }

        [Test]
        public void WhatIsShorterThanAFadeIsFadedOutAllTheSame()
        {
            // In the middle of its fade in, and at full loudness, the timeline is jumped along to very little.
            foreach (int begun in new[] { 480, 9600 })
            {
                var mixer = Mixer();
                Send(mixer, 0, 0, 24000, at => 10000);
                var heard = new List<float>(Render(mixer, begun));
                Send(mixer, 0, 96000, 300, at => 10000);
                heard.AddRange(Render(mixer, 960));
                Check.That(RingTests.Steepest(heard.ToArray()) < 70f / 32768f, "a step of " + RingTests.Steepest(heard.ToArray()) * 32768f);
                Check.Near(0, heard[heard.Count - 1], 0, "the end");
            }
        }

        [Test]
        public void TheFallbackIsHeardBeforeThereIsAServer()
        {
            var mixer = Mixer();
            mixer.Fallback.Set(new Recording(Constant(4000, 5000)));
            Check.Near(0, Loudest(Render(mixer, 4800)), 0, "not asked for");
            mixer.WantsFallback = true;
            Check.Near(5000 / 32768f, Loudest(Render(mixer, 4800)), 1e-6);
            mixer.Fallback.Set(new Recording(Constant(4000, -5000)));
            var heard = Render(mixer, 48000);
            Check.Near(-5000 / 32768f, heard[heard.Length - 1], 1e-6, "another state's loop");
            Check.That(RingTests.Steepest(heard) < 2f / 32768f, "a step");
        }

        [Test]
        public void AClipIsHeardAtItsSample()
        {
            var mixer = Mixer();
            Send(mixer, 0, 0, 48000, at => 0);
            mixer.Clips.Add(new Recording(Constant(100, 16384)), 10000, 0.5f);
            mixer.Clips.Add(new Recording(Constant(100, 16384)), 12000, 1f);
            mixer.Clips.Void(11000);
            var heard = Render(mixer, 20000);
            int first = Array.FindIndex(heard, value => value != 0f) / 2;
            Check.Equal(10000 + Resampler.Delay, first, "begins");
            Check.Near(0.25, heard[2 * first], 1e-6, "gain");
            Check.Near(0, heard[2 * (first + 100)], 0, "ends");
            Check.Near(0, heard[2 * (12010 + Resampler.Delay)], 0, "it was void");
        }

        [Test]
        public void TheDeviceMayRunAtAnyRate()
        {
            foreach (int rate in new[] { 24000, 32000, 44100, 48000, 96000 })
            {
                var mixer = Mixer();
                Send(mixer, 0, 0, 96000, at => (short)(10000 * Math.Sin(at * 2 * Math.PI * 440 / 48000)));
                var heard = Render(mixer, rate, rate);
                int crossings = 0;
                for (int i = rate / 10; i < rate; i++) if (heard[2 * i - 2] < 0 && heard[2 * i] >= 0) crossings++;
                Check.Near(396, crossings, 1, "at " + rate + " Hz");
                Check.Near(48000, mixer.Playhead, 8, "timeline at " + rate + " Hz");
                Check.Near(10000 / 32768.0, Loudest(heard), 0.003, "level at " + rate + " Hz");
            }
        }

        [Test]
        public void ChannelsAreWhatTheDeviceHas()
        {
            foreach (int channels in new[] { 1, 2, 6 })
            {
                var mixer = Mixer();
                Send(mixer, 0, 0, 24000, at => 8000);
                var buffer = new float[4800 * channels];
                for (int i = 0; i < buffer.Length; i++) buffer[i] = 9f;
                mixer.Render(buffer, 4800, channels, 48000);
                Check.Near(8000 / 32768f, buffer[4700 * channels], 1e-6, channels + " channels");
                if (channels == 6) Check.Near(0, buffer[4700 * 6 + 3], 0, "a channel beyond the second");
            }
        }

        [Test]
        public void ADriftingDeviceKeepsItsLead()
        {
            // A card that is 300 ppm fast, for six minutes, against a server that keeps to its own clock.
            var mixer = Mixer();
            mixer.Prime = 14400;
            var buffer = new float[2 * Callback];
            double sent = 0, made = 14400;
            long least = long.MaxValue;
            for (int round = 0; round < 36000; round++)
            {
                made += Callback / 1.0003;
                while (made - sent >= 3840)
                {
                    Send(mixer, 0, (long)sent, 3840, at => 0);
                    sent += 3840;
                }
                mixer.Render(buffer, Callback, 2, 48000);
                if (round > 18000) least = Math.Min(least, mixer.Reserve);
            }
            Check.Equal(0, mixer.Underruns);
            Check.That(least > 4800, "the lead shrank to " + least);
            Check.That(mixer.RatePerMillion < 1000000 && mixer.RatePerMillion >= 995000, "rate " + mixer.RatePerMillion);
        }

        [Test]
        public void TheAudioThreadAllocatesNothing()
        {
            var mixer = Mixer();
            mixer.Fallback.Set(new Recording(Constant(4000, 5000)));
            var clip = new Recording(Constant(1000, 100));
            var buffer = new float[2 * 1024];
            long empty = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++) GC.KeepAlive(new object());
            if (GC.GetAllocatedBytesForCurrentThread() - empty < 8000) Check.Skip("this runtime does not count what a thread allocates");
            for (int round = 0; round < 400; round++)
            {
                // Blocks, takes, a jump, clips, starvation, another rate: after the first rounds all code has run once.
                if (round % 100 < 60) Send(mixer, round / 50, round % 100 == 0 ? round * 1200 + 48000 : round * 1024, 1500, at => (short)at);
                mixer.Clips.Add(clip, round * 1024 + 500, 1f);
                long begin = GC.GetAllocatedBytesForCurrentThread();
                mixer.Render(buffer, 1024, 2, round % 3 == 0 ? 44100 : 48000);
                long allocated = GC.GetAllocatedBytesForCurrentThread() - begin;
                if (round >= 200) Check.Equal(0L, allocated, "bytes in a callback");
            }
            Check.That(mixer.Underruns > 0 && mixer.Jumps > 0, "not everything was met");
        }

        private static SoundtrackMixer Mixer() => new SoundtrackMixer(4.0) { Prime = 1920 };

        private static void Send(SoundtrackMixer mixer, int take, long first, int count, Func<long, short> sample)
        {
            var block = mixer.Blocks.Rent(count);
            block.Take = take;
            block.FirstSample = first;
            for (int i = 0; i < count; i++) block.Samples[2 * i] = block.Samples[2 * i + 1] = sample(first + i);
            Check.That(mixer.Blocks.Send(block), "the exchange is full");
        }

        private static float[] Render(SoundtrackMixer mixer, int frames, int rate = 48000)
        {
            var heard = new float[2 * frames];
            var buffer = new float[2 * Callback];
            for (int done = 0; done < frames;)
            {
                int count = Math.Min(Callback, frames - done);
                mixer.Render(buffer, count, 2, rate);
                Array.Copy(buffer, 0, heard, 2 * done, 2 * count);
                done += count;
            }
            return heard;
        }

        private static short[] Constant(int count, short value)
        {
            var samples = new short[2 * count];
            for (int i = 0; i < samples.Length; i++) samples[i] = value;
            return samples;
        }

        private static float Loudest(float[] heard)
        {
            float loudest = 0f;
            foreach (float value in heard) loudest = Math.Max(loudest, Math.Abs(value));
            return loudest;
        }
    }
}
