// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Threading;
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
        private const int Callback = 480;

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
                Check.Equal(0, session.Mixer.Underruns, "underruns");
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
                Check.Equal(underruns, session.Mixer.Underruns, "a pause is no underrun");
                session.StopAsync().GetAwaiter().GetResult();
                card.Until(() => session.State == ConnectionState.Stopped && session.Mixer.Mode == MixerMode.Waiting, "the end");
            }
        }

        [Test]
        public void AKilledServerIsSurvivedUnderTheLoop()
        {
            using (var client = Client())
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon" })))
            {
                var session = card.Session;
                session.Fallback.Use(new BakedFolder(new BakedTests.Files()));
                card.Until(() => session.Mixer.Playhead > 48000, "a second of music");
                Control("kill");
                card.Until(() => session.Mixer.Mode == MixerMode.Starved, "starvation");
                card.Until(() => Math.Abs(card.Last - BakedTests.Files.Explore / 32768f) < 1e-6, "the loop is heard");
                long playhead = session.Mixer.Playhead;
                Control("start");
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
            using (var network = new SlowProxy(new Uri(Server()[0]), 30, 80))
            using (var client = new SegueClient(network.Address))
            using (var card = new Card(client.Create(new SessionOptions { Soundtrack = "dungeon", LeadMs = 1000, Encoding = AudioEncoding.Qoa })))
            {
                var session = card.Session;
                card.Until(() => session.Mixer.Playhead > 48000, "a second of music");
                var outcome = session.SetStateAsync("combat", ExitSourceAt.Immediate).GetAwaiter().GetResult();
                card.Until(() => session.Mixer.Playhead > outcome.AudibleAtSample + 48000, "a second after a change");
                Check.Equal(0, session.Mixer.Underruns, "underruns");
                Check.Equal(0, session.Gaps, "gaps");
                Check.That(session.RoundTrip >= TimeSpan.FromMilliseconds(30), "round trip " + session.RoundTrip);
                session.CloseAsync().GetAwaiter().GetResult();
            }
        }

        [Test]
        public void AConnectionThatIsDeadWithoutTellingIsNoticed()
        {
            using (var network = new SlowProxy(new Uri(Server()[0]), 1, 0))
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

        private static SegueClient Client() => new SegueClient(new Uri(Server()[0]));

        private static string[] Server()
        {
            string server = Environment.GetEnvironmentVariable("SEGUE_SERVER");
            if (string.IsNullOrEmpty(server)) Check.Skip("$SEGUE_SERVER names no server");
            return server.Split(' ');
        }

        private static void Control(string word)
        {
            using (var socket = new TcpClient("127.0.0.1", int.Parse(Server()[1])))
            using (var stream = socket.GetStream())
            using (var writer = new StreamWriter(stream))
            using (var reader = new StreamReader(stream))
            {
                writer.WriteLine(word);
                writer.Flush();
                Check.Equal("ok", reader.ReadLine());
            }
        }

        /// <summary>A sound card and a game loop: it calls back every 10 ms and polls events.</summary>
        private sealed class Card : IDisposable
        {
            private readonly Thread _thread;
            private volatile bool _stopped;
            private volatile float _last;
            private volatile float _loudest;

            public Card(SoundtrackSession session)
            {
                Session = session;
                session.Start();
                _thread = new Thread(Run) { IsBackground = true };
                _thread.Start();
            }

            public SoundtrackSession Session { get; }

            public List<Event> Events { get; } = new List<Event>();

            public float Last => _last;

            public float Loudest => _loudest;

            public void Until(Func<bool> holds, string what, int seconds = 15)
            {
                try
                {
                    Check.Soon(() =>
                    {
                        for (Event raised; (raised = Session.NextEvent()) != null;) Events.Add(raised);
                        return holds();
                    }, what, seconds);
                }
                catch (InvalidOperationException error)
                {
                    throw new InvalidOperationException(
                        error.Message + " (" + Session.State + ", " + Session.Mixer.Mode + ", playhead " + Session.Mixer.Playhead + ", reserve " + Session.Mixer.Reserve + ", underruns "
                        + Session.Mixer.Underruns + ", " + Session.Error + ")", error);
                }
            }

            public void Dispose()
            {
                _stopped = true;
                _thread.Join();
                Session.Dispose();
            }

            private void Run()
            {
                var buffer = new float[2 * Callback];
                var watch = Stopwatch.StartNew();
                for (long played = 0; !_stopped;)
                {
                    if (played > watch.Elapsed.TotalSeconds * 48000)
                    {
                        Thread.Sleep(2);
                        continue;
                    }
                    Session.Mixer.Render(buffer, Callback, 2, 48000);
                    played += Callback;
                    _last = buffer[2 * Callback - 1];
                    foreach (float value in buffer) if (Math.Abs(value) > _loudest) _loudest = Math.Abs(value);
                }
            }
        }
    }
}
