// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using NUnit.Framework;
using Segue.Audio;

namespace Segue.Tests
{
    /// <summary>
    /// A server, a network and a game do what they like: no two samples that are heard lie further apart than the signals'
    /// own steps and the fades allow.
    /// </summary>
    [TestFixture]
    public sealed class ClickTests
    {
        private const int Fade = TimelineRing.Fade;
        private const double Level = 0.5;
        private const double Pitch = 2 * Math.PI * 20 / 48000;

        /// <summary>Music and loop each rise or fall; a take is faded in or a step decays, which may follow upon another.</summary>
        private const double Most = 4 * Level * (Pitch + Math.PI / 2 / Fade + 1.0 / Fade);

        [Test]
        public void NoOrderOfTakesAndReadsIsAClick()
        {
            var seen = new Dictionary<string, long>();
            for (int seed = 0; seed < 60; seed++)
            {
                var dice = new Random(seed);
                var ring = new TimelineRing(48000);
                var music = new Music();
                var heard = new List<float>();
                for (int round = 0; round < 40; round++)
                {
                    int what = dice.Next(4);
                    if (what == 0) music.TurnAt(Math.Max(0, Math.Min(music.Next, ring.Playhead + dice.Next(-3000, 5000))));
                    for (int block = what == 1 ? 3 : dice.Next(3); block < 3 && music.Next < ring.Playhead + 30000; block++)
                        Check.That(ring.Put(music.Block(dice.Next(1, 2400))), "an older take");
                    for (int part = dice.Next(1, 4); part > 0; part--)
                    {
                        // With less ahead a fade is shorter, as is a step at the end; the ladder has faded it out by then.
                        var got = new float[2 * Math.Min(dice.Next(2000), Math.Max(0, ring.Available - 2 * Fade))];
                        ring.Read(got, 0, got.Length / 2);
                        heard.AddRange(got);
                    }
                }
                IsSmooth(heard.ToArray(), "seed " + seed);
                Count(seen, "late takes", ring.LateTakes);
                Count(seen, "outdated", ring.Outdated);
            }
            Check.That(seen["late takes"] > 100 && seen["outdated"] > 10000, "not everything was met");
        }

        [Test]
        public void NoChangeBetweenStreamLoopAndSilenceIsAClick()
        {
            var seen = new Dictionary<string, long>();
            for (int seed = 0; seed < 30; seed++)
            {
                var session = new Session(seed);
                var heard = new List<float>();
                for (int round = 0; round < 40; round++) session.Go(heard, seen);
                IsSmooth(heard.ToArray(), "seed " + seed);
            }
            foreach (string what in new[] { "stall", "take", "jump", "end", "go on", "loop", "no loop", "wants", "underruns", "late takes" })
                Check.That(seen.TryGetValue(what, out long times) && times > 5, what + ": hardly met");
        }

        private static void IsSmooth(float[] heard, string what)
        {
            for (int i = 2; i < heard.Length; i++)
            {
                double step = Math.Abs(heard[i] - heard[i - 2]);
                if (step > Most) Check.That(false, what + ", sample " + i / 2 + ": a step of " + step + ", allowed are " + Most);
            }
        }

        private static void Count(Dictionary<string, long> seen, string what, long times = 1)
        {
            seen.TryGetValue(what, out long before);
            seen[what] = before + times;
        }

        /// <summary>A take goes on from what is before it, and only then becomes another.</summary>
        private sealed class Music
        {
            private static readonly short[] Sine = MakeSine();
            private readonly List<long> _turns = new List<long>();
            private int _take;

            public long Next { get; set; }

            public void TurnAt(long sample)
            {
                _take++;
                Next = sample;
                while (_turns.Count > 0 && _turns[_turns.Count - 1] >= sample) _turns.RemoveAt(_turns.Count - 1);
                _turns.Add(sample);
            }

            public AudioBlock Block(int count)
            {
                var block = new AudioBlock { Take = _take, FirstSample = Next };
                block.Reserve(count);
                for (int i = 0; i < count; i++, Next++)
                {
                    double turned = 0.0;
                    foreach (long turn in _turns) turned += Math.Max(0.0, Math.Min(1.0, (Next - turn) / 4800.0));
                    int at = (int)((Next * Pitch + 2 * turned) * (Sine.Length / 2 / Math.PI) % Sine.Length);
                    block.Samples[2 * i] = Sine[at];
                    block.Samples[2 * i + 1] = Sine[(at + Sine.Length / 4) % Sine.Length];
                }
                return block;
            }

            private static short[] MakeSine()
            {
                var sine = new short[48000];
                for (int i = 0; i < sine.Length; i++) sine[i] = (short)(Level * 32768 * Math.Sin(2 * Math.PI * i / sine.Length));
                return sine;
            }
        }

        private sealed class Session
        {
            private static readonly string[] Whats = { "stall", "", "", "", "take", "jump", "end", "loop", "wants" };
            private readonly Random _dice;
            private readonly TimelineRing _ring = new TimelineRing(192000);
            private readonly FallbackPlayer _fallback = new FallbackPlayer();
            private readonly Ladder _ladder;
            private readonly Music _music = new Music();
            private readonly Recording[] _loops;

            public Session(int seed)
            {
                _dice = new Random(seed);
                _ladder = new Ladder(_ring, _fallback, new ClipMixer()) { Prime = _dice.Next(1920, 9600), MostPrime = 9600 };
                _loops = new[] { null, Loop(1.0), Loop(4.0) };
                if (_dice.Next(10) < 7) _fallback.Set(_loops[1]);
            }

            public void Go(List<float> heard, Dictionary<string, long> seen)
            {
                int underruns = _ladder.Underruns, late = _ring.LateTakes;
                string what = Change(Whats[_dice.Next(Whats.Length)]);
                for (int block = what == "stall" ? 3 : _dice.Next(3); block < 3; block++) _ladder.Put(_music.Block(1920 * _dice.Next(1, 3)));
                for (int part = _dice.Next(1, 5); part > 0; part--)
                {
                    var got = new float[2 * _dice.Next(1, 2500)];
                    _ladder.Read(got, got.Length / 2);
                    heard.AddRange(got);
                }
                Count(seen, what);
                Count(seen, "underruns", _ladder.Underruns - underruns);
                Count(seen, "late takes", _ring.LateTakes - late);
            }

            private string Change(string what)
            {
                switch (what)
                {
                    case "take":
                        long first = Math.Max(0, _ring.Playhead + _dice.Next(-5000, 5000));
                        _music.TurnAt(Math.Min(first, _ring.Playhead + _ring.Reserve));
                        break;
                    case "jump":
                        _music.Next += _dice.Next(1, 50000);
                        break;
                    case "end":
                        bool ends = _ladder.End == long.MaxValue;
                        _ladder.End = ends ? _ring.Playhead + _dice.Next(-3000, 6000) : long.MaxValue;
                        return ends ? "end" : "go on";
                    case "loop":
                        var loop = _loops[_dice.Next(3)];
                        _fallback.Set(loop);
                        return loop == null ? "no loop" : "loop";
                    case "wants":
                        _ladder.WantsFallback = !_ladder.WantsFallback;
                        break;
                }
                return what;
            }

            private Recording Loop(double phase)
            {
                var samples = new short[2 * 4800];
                for (int i = 0; i < 4800; i++)
                {
                    samples[2 * i] = (short)(Level * 32768 * Math.Sin(i * Pitch + phase));
                    samples[2 * i + 1] = (short)(Level * 32768 * Math.Cos(i * Pitch + phase));
                }
                return new Recording(samples, 0, 2400 * _dice.Next(1, 3));
            }
        }
    }
}
