// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using Segue.Audio;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>
    /// The same against the model that Segue brings along, which computes its music while it is listened to.
    /// $SEGUE_STARTER is the server's address and the port of what can kill it.
    /// </summary>
    [TestFixture]
    public sealed class StarterTests
    {
        [Test]
        public void EventsArePostedAndHeard()
        {
            using (var client = Client())
            using (var card = Begin(client, new SessionOptions { Soundtrack = "dungeon", Seed = 7 }))
            {
                var session = card.Session;
                card.Until(() => session.Mixer.Playhead > 24000, "half a second of music");
                long silent = card.Silent;
                var outcome = session.PostEventAsync("enemy_spotted").GetAwaiter().GetResult();
                Check.Equal("combat", outcome.State);
                card.Until(() => card.Events.Any(raised => raised.StateChanged?.ToState == "combat"), "the state changes");
                var changed = card.Events.First(raised => raised.StateChanged != null);
                Check.Equal(outcome.AudibleAtSample, (long?)changed.Sample, "where it was to be heard");
                card.Until(() => session.Mixer.Playhead > changed.Sample + 48000, "a second of combat");
                card.Until(() => card.Events.Any(raised => raised.Beat != null || raised.Bar != null), "a beat");
                Check.Equal("combat", session.MusicState);
                Whole(card);
                Check.Equal(silent, card.Silent, "callbacks of silence");
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void AChangeIsHeardAsATakeUnderThreeSecondsOfBuffer()
        {
            using (var client = Client())
            using (var card = Begin(client, new SessionOptions { Soundtrack = "dungeon", Seed = 8, LeadMs = 3000 }))
            {
                var session = card.Session;
                card.Until(() => session.Mixer.Playhead > 24000 && session.Mixer.Reserve > 96000, "two seconds of reserve");
                long playhead = session.Mixer.Playhead;
                int reserve = session.Mixer.Reserve;
                var outcome = session.SetStateAsync("combat", ExitSourceAt.Immediate).GetAwaiter().GetResult();
                Check.Equal(Landing.Rewound, outcome.Landing);
                Check.That(outcome.AudibleAtSample < playhead + reserve, "it is heard after all that was buffered");
                card.Until(() => card.Events.Any(raised => raised.Rewound != null), "the rewind is heard");
                card.Until(() => session.Mixer.Playhead > outcome.AudibleAtSample + 48000, "a second after it");
                Whole(card);
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void AKilledServerIsSurvivedUnderTheLoop()
        {
            var server = Server();
            using (var client = Client())
            using (var card = Begin(client, new SessionOptions { Soundtrack = "dungeon", Seed = 9 }))
            {
                var session = card.Session;
                session.Fallback.Use(new BakedFolder(new BakedTests.Files()));
                card.Until(() => session.Mixer.Playhead > 48000, "a second of music");
                long silent = card.Silent;
                server.Kill();
                card.Until(() => session.Mixer.Mode == MixerMode.Starved, "starvation");
                card.Until(() => Math.Abs(card.Last - BakedTests.Files.Explore / 32768f) < 1e-6, "the loop is heard");
                long playhead = session.Mixer.Playhead;
                var started = Task.Run(server.Start);
                // A start takes as long as the model's programs take to load.
                card.Until(() => started.IsCompleted, "the server is ready", 40);
                Check.Equal(playhead, session.Mixer.Playhead, "the timeline waits");
                card.Until(() => session.Mixer.Mode == MixerMode.Playing && session.Mixer.Playhead > playhead + 48000, "the music goes on");
                Check.Equal(1, session.Resumes, "resumes");
                Check.Few(session.Mixer.Underruns - 1, "underruns");
                Check.Equal(silent, card.Silent, "callbacks of silence");
                Whole(card, 1);
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void ASlowNetworkIsHeardWithoutGapsAndSteered()
        {
            using (var network = new SlowProxy(Server().Address, 30, 80))
            using (var client = new SegueClient(network.Address))
            using (var card = Begin(client, new SessionOptions { Soundtrack = "dungeon", Seed = 10, LeadMs = 1000, Encoding = AudioEncoding.Qoa }))
            {
                var session = card.Session;
                card.Until(() => session.Mixer.Playhead > 48000, "a second of music");
                var outcome = session.SetStateAsync("combat", ExitSourceAt.Immediate).GetAwaiter().GetResult();
                card.Until(() => session.Mixer.Playhead > outcome.AudibleAtSample + 48000, "a second after a change");
                Check.That(session.RoundTrip >= TimeSpan.FromMilliseconds(30), "round trip " + session.RoundTrip);
                Whole(card);
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void ThreePlayersAreHeardAndSteeredAtOnce()
        {
            using (var client = Client())
            {
                var cards = Enumerable.Range(0, 3)
                    .Select(i => Begin(client, new SessionOptions { Soundtrack = "dungeon", Seed = 20 + i, LeadMs = 1000 })).ToList();
                cards.ForEach(card => card.Until(() => card.Session.Mixer.Playhead > 24000, "music for all"));
                var calls = cards.Select(card => card.Session.SetStateAsync("combat", ExitSourceAt.Immediate)).ToArray();
                Check.That(Task.WaitAll(calls, 10000), "controls take too long");
                var set = cards.Select(card => card.Session.SetParametersAsync(new Dictionary<string, double> { ["danger"] = 0.9 })).ToArray();
                Check.That(Task.WaitAll(set, 10000), "controls take too long");
                for (int i = 0; i < cards.Count; i++)
                    cards[i].Until(() => cards[i].Session.Mixer.Playhead > calls[i].Result.AudibleAtSample + 48000, "a second of combat for all");
                foreach (var card in cards)
                {
                    Whole(card);
                    card.Session.CloseAsync().GetAwaiter().GetResult();
                    card.Dispose();
                }
            }
        }

        private static Card Begin(SegueClient client, SessionOptions options) => new Card(client.Create(options));

        /// <summary>One timeline without holes, heard as numbers that are not silence.</summary>
        private static void Whole(Card card, int underruns = 0)
        {
            Check.Equal(0, card.Session.Gaps, "gaps");
            Check.Equal(0, card.Session.Mixer.Jumps, "jumps");
            Check.Few(card.Session.Mixer.Underruns - underruns, "underruns");
            Check.Equal(0L, card.Back, "times that the playhead went back");
            Check.Equal(0, card.Wrong, "samples that are no sound");
            Check.That(card.Loudest > 0.01f, "silence: the loudest sample was " + card.Loudest);
        }

        private static SegueClient Client() => new SegueClient(Server().Address);

        private static TestServer Server() => new TestServer("SEGUE_STARTER");
    }
}
