// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using Segue.Audio;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>
    /// Sessions of the real service, over HTTP/1.1, with an audio callback that runs at the pace of a sound card.
    /// $SEGUE_SERVER is its address and the port of what can kill it.
    /// </summary>
    [TestFixture]
    public sealed class EndToEndTests
    {
        [Test]
        public void ASessionIsHeardAndSteered()
        {
            using (var client = Client())
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon", Seed = 7 })))
            {
                var session = card.Session;
                Check.That(client.InfoAsync().GetAwaiter().GetResult().Ready, "the server is not ready");
                card.Until(() => session.Mixer.Playhead > 24000, "half a second of music");
                var outcome = session.SetStateAsync("combat", ExitSourceAt.Immediate).GetAwaiter().GetResult();
                Check.Equal("combat", outcome.State);
                Check.That(outcome.AudibleAtSample > 24000, "heard at " + outcome.AudibleAtSample);
                card.Until(() => card.Events.Any(raised => raised.StateChanged?.ToState == "combat"), "the state changes");
                card.Until(() => card.Events.Any(raised => raised.Beat != null || raised.Bar != null || raised.TransitionStarted != null), "more events");
                Check.Equal(0, session.Gaps, "gaps");
                Check.That(session.RoundTrip > TimeSpan.Zero, "no round trip was measured");
                var error = Check.Throws<SegueException>(() => session.SetStateAsync("comat").GetAwaiter().GetResult());
                Check.Equal(StatusCode.NotFound, error.Code);
                Check.Equal("UNKNOWN_NAME", error.Reason);
                Check.Equal("combat", error.NearMisses[0]);
                Check.That(card.Loudest > 0.001f, "silence");
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void AChangeIsHeardSoonHoweverMuchIsBuffered()
        {
            using (var client = Client())
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon", LeadMs = 3000 })))
            {
                var session = card.Session;
                card.Until(() => session.Mixer.Playhead > 24000 && session.Mixer.Reserve > 96000, "two seconds of reserve");
                var outcome = session.SetStateAsync("combat", ExitSourceAt.Immediate).GetAwaiter().GetResult();
                Check.Equal(Landing.Rewound, outcome.Landing);
                card.Until(() => card.Events.Any(raised => raised.Rewound != null), "the rewind is heard");
                card.Until(() => session.Mixer.Playhead > outcome.AudibleAtSample + 48000, "a second after it");
                Check.Few(session.Mixer.Underruns, "underruns");
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void QoaIsHeardToo()
        {
            using (var client = Client())
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon", Encoding = AudioEncoding.Qoa })))
            {
                card.Until(() => card.Session.Mixer.Playhead > 48000, "a second of music");
                Check.That(card.Loudest > 0.001f && card.Session.Gaps == 0, "silence or gaps");
                card.Session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void ThreePlayersDoNotStarveEachOther()
        {
            using (var client = Client())
            {
                var cards = Enumerable.Range(0, 3).Select(_ => new Card(client.Create(new SessionOptions { Soundtrack = "dungeon" }))).ToList();
                cards.ForEach(card => card.Until(() => card.Session.Mixer.Playhead > 24000, "music for all"));
                for (int round = 0; round < 5; round++)
                {
                    var calls = cards.Select(card => card.Session.SetParametersAsync(new Dictionary<string, double> { ["danger"] = 0.1 * round })).ToArray();
                    Check.That(System.Threading.Tasks.Task.WaitAll(calls, 5000), "controls take too long");
                }
                cards.ForEach(card => card.Until(() => card.Session.Mixer.Playhead > 72000, "music for all"));
                cards.ForEach(card => card.Session.CloseAsync().GetAwaiter().GetResult());
                cards.ForEach(card => card.Dispose());
            }
        }

        [Test]
        public void PauseIsSilentAndPlayGoesOn()
        {
            using (var client = Client())
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon" })))
            {
                var session = card.Session;
                card.Until(() => session.Mixer.Playhead > 24000, "music");
                session.PauseAsync().GetAwaiter().GetResult();
                card.Until(() => session.Mixer.Mode == MixerMode.Waiting, "silence");
                int underruns = session.Mixer.Underruns;
                long playhead = session.Mixer.Playhead;
                session.PlayAsync().GetAwaiter().GetResult();
                card.Until(() => session.Mixer.Playhead > playhead + 24000, "music again");
                Check.Few(session.Mixer.Underruns - underruns, "a pause is no underrun");
                session.StopAsync().GetAwaiter().GetResult();
                card.Until(() => session.State == ConnectionState.Stopped && session.Mixer.Mode == MixerMode.Waiting, "the end");
            }
        }

        [Test]
        public void AKilledServerIsSurvivedUnderTheLoop()
        {
            var server = Server();
            using (var client = Client())
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon" })))
            {
                var session = card.Session;
                session.Fallback.Use(new BakedFolder(new BakedTests.Files()));
                card.Until(() => session.Mixer.Playhead > 48000, "a second of music");
                server.Kill();
                card.Until(() => session.Mixer.Mode == MixerMode.Starved, "starvation");
                card.Until(() => Math.Abs(card.Last - BakedTests.Files.Explore / 32768f) < 1e-6, "the loop is heard");
                long playhead = session.Mixer.Playhead;
                server.Start();
                card.Until(() => session.Mixer.Mode == MixerMode.Playing && session.Mixer.Playhead > playhead + 48000, "the music goes on", 30);
                Check.Equal(1, session.Resumes, "resumes");
                Check.Equal(0, session.Gaps, "gaps");
                Check.Equal(0, session.Mixer.Jumps, "the timeline is continuous");
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void ASlowNetworkIsHeardWithoutGapsAndSteered()
        {
            using (var network = new SlowProxy(Server().Address, 30, 80))
            using (var client = new SegueClient(network.Address))
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon", LeadMs = 1000, Encoding = AudioEncoding.Qoa })))
            {
                var session = card.Session;
                card.Until(() => session.Mixer.Playhead > 48000, "a second of music");
                var outcome = session.SetStateAsync("combat", ExitSourceAt.Immediate).GetAwaiter().GetResult();
                card.Until(() => session.Mixer.Playhead > outcome.AudibleAtSample + 48000, "a second after a change");
                Check.Few(session.Mixer.Underruns, "underruns");
                Check.Equal(0, session.Gaps, "gaps");
                Check.That(session.RoundTrip >= TimeSpan.FromMilliseconds(30), "round trip " + session.RoundTrip);
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void AConnectionThatIsDeadWithoutTellingIsNoticed()
        {
            using (var network = new SlowProxy(Server().Address, 1, 0))
            using (var client = new SegueClient(network.Address))
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon" })))
            {
                var session = card.Session;
                card.Until(() => session.Mixer.Playhead > 24000, "music");
                network.Holds = true;
                card.Until(() => session.State == ConnectionState.Starved, "starvation");
                card.Until(() => session.Reconnects > 0, "the break is noticed");
                network.Holds = false;
                long playhead = session.Mixer.Playhead;
                card.Until(() => session.Mixer.Playhead > playhead + 24000, "music again");
                Check.Equal(0, session.Gaps, "gaps");
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        private static SegueClient Client() => new SegueClient(Server().Address);

        private static TestServer Server() => new TestServer("SEGUE_SERVER");
    }
}
