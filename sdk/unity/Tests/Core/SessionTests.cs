// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using NUnit.Framework;
using Segue.Audio;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>A session from its creation to its end, against a server within the test.</summary>
    [TestFixture]
    public sealed class SessionTests
    {
        [Test]
        public void ASessionIsCreatedHeardAndSteered()
        {
            var server = new FakeServer();
            using (var session = Start(server, new SessionOptions { Soundtrack = "dungeon", Seed = 7, LeadMs = 500, Parameters = { ["danger"] = 0.5 } }))
            {
                Check.Soon(() => server.Listeners == 1, "a listener");
                server.Created.TryPeek(out var created);
                Check.Equal("dungeon", created.SoundtrackId);
                Check.Equal(7L, created.Seed);
                Check.Equal(0.5, created.Parameters.Single().Value);
                server.Tokens.TryPeek(out string token);
                Check.Equal("Bearer token of s-1", token, "the session's token is in the metadata");
                server.SendAudio(0, 24000);
                Check.Soon(() => session.Mixer.Blocks.Waiting > 0, "audio");
                Render(session, 4800);
                Check.Equal(ConnectionState.Playing, session.State);
                Check.Equal(4800L, session.Mixer.Playhead, "what was taken out to be played");
                var outcome = session.PostEventAsync("enemy_spotted", ExitSourceAt.NextBar).GetAwaiter().GetResult();
                Check.Equal(9600L, outcome.AudibleAtSample);
                server.Controls.TryDequeue(out var control);
                Check.Equal(32, control.RequestId.Length);
                Check.Equal(4800L, control.PlayheadSample);
                Check.Equal("l-1", control.ListenerId);
                Check.Equal(ExitSourceAt.NextBar, control.ExitSourceAt);
                Check.Soon(() => server.Reports.Any(report => report.PlayheadSample == 4800 && report.ListenerId == "l-1"), "a report");
                Check.Soon(() => session.RoundTrip > TimeSpan.Zero, "a round trip");
            }
        }

        [Test]
        public void EventsAreRaisedWhenTheyAreHeard()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                Check.Soon(() => server.Listeners == 1, "a listener");
                server.Send(new StreamAudioResponse { Event = new Event { Sample = 4800, Bar = new Bar { Bar_ = 3 } } });
                server.SendAudio(0, 24000);
                Check.Soon(() => session.Mixer.Blocks.Waiting > 0, "audio");
                Render(session, 4800);
                session.OutputLatency = 960;
                Check.Equal(null, session.NextEvent(), "too early");
                Render(session, 960 + 10);
                Check.Equal(3, session.NextEvent().Bar.Bar_);
                Check.Equal(null, session.NextEvent());
            }
        }

        [Test]
        public void ABrokenStreamIsTakenUpWhereItBrokeOff()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                Heard(server, session, 0);
                server.End(well: false);
                Check.Soon(() => server.Streams.Count == 2, "another stream");
                Check.Equal(24000L, server.Streams.Last().FromSample);
                Check.Equal(1, session.Reconnects);
                Heard(server, session, 24000);
                Check.Equal(0, session.Gaps);
            }
        }

        [Test]
        public void AServerThatHasLostTheSessionIsGivenItBack()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                Heard(server, session, 0);
                server.IsDown = true;
                server.Sessions.Clear();
                server.End(well: false);
                Check.Soon(() => session.State == ConnectionState.Reconnecting, "reconnecting");
                var late = session.PostEventAsync("enemy_spotted");
                Thread.Sleep(300);
                server.IsDown = false;
                Check.Soon(() => server.Streams.Count == 2, "another stream");
                Check.Equal(1, session.Resumes);
                var resume = server.Created.Last().Resume;
                Check.Equal(24000L, resume.FromSample);
                Check.Equal("token of s-1", resume.SessionToken);
                Check.Same(new byte[] { 42 }, resume.Token);
                Check.Equal(1, resume.Continuation.Count);
                Check.Equal("combat", late.GetAwaiter().GetResult().State, "the control that waited");
            }
        }

        [Test]
        public void WhereResumingIsRefusedASessionOfTheSameKindBegins()
        {
            var server = new FakeServer { RefusesResume = "RESUME_REFUSED" };
            using (var session = Start(server))
            {
                Heard(server, session, 0);
                Render(session, 9600);
                session.PostEventAsync("noise", set: new Dictionary<string, double> { ["danger"] = 0.75 }).GetAwaiter().GetResult();
                Check.Throws<SegueException>(() => session.SetParametersAsync(new Dictionary<string, double> { ["dagner"] = 1.0 }).GetAwaiter().GetResult());
                server.Sessions.Clear();
                server.End(well: false);
                Check.Soon(() => server.Streams.Count == 2, "another stream");
                Check.Equal(null, server.Streams.Last().FromSample);
                Check.Equal("explore", server.Created.Last().InitialState);
                Check.Equal("danger", server.Created.Last().Parameters.Single().Name, "what was refused is not remembered");
                Check.Equal(0.75, server.Created.Last().Parameters.Single().Value);
                server.SendAudio(0, 24000, value: 2000);
                Check.Soon(() => session.Mixer.Blocks.Waiting > 0, "audio");
                Render(session, 2400);
                Check.Equal(2400L, session.Mixer.Playhead, "the new timeline");
            }
        }

        [Test]
        public void AnAttachedSessionThatIsGoneFailsWithTheReason()
        {
            var server = new FakeServer();
            using (var client = new SegueClient(new Uri("http://localhost"), null, server))
            using (var session = client.Attach("s-9", "token of s-9", new SessionOptions { Resume = false }))
            {
                session.Start();
                Check.Soon(() => session.State == ConnectionState.Failed, "failed");
                Check.Equal("UNKNOWN_SESSION", session.Error.Reason);
            }
        }

        [Test]
        public void GarbageFromTheServerIsABreakAndNoMore()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                Heard(server, session, 0);
                server.SendRaw(new byte[] { 0, 0, 0, 0, 3, 0xff, 0xff, 0xff });
                Check.Soon(() => server.Streams.Count == 2, "another stream after no message");
                server.End(well: false);
                Check.Soon(() => server.Streams.Count >= 3, "a third stream");
                server.SendRaw(new byte[] { 0x55, 1, 2, 3, 4, 5 });
                Check.Soon(() => server.Streams.Count >= 4, "another stream after no frame");
                Check.Soon(() => session.State == ConnectionState.Playing, "playing");
            }
        }

        [Test]
        public void MusicThatWasStoppedIsPlayedOutAndSilent()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                Heard(server, session, 0);
                server.Send(new StreamAudioResponse { Goodbye = new Goodbye { Reason = GoodbyeReason.Stopped, NextSample = 24000 } });
                server.End(well: true);
                Check.Soon(() => session.State == ConnectionState.Stopped, "stopped");
                Render(session, 48000);
                Check.Equal(0, session.Mixer.Underruns);
                Check.Equal(24000L, session.Mixer.Playhead);
                Check.Equal(null, session.Error);
            }
        }

        [Test]
        public void TheLoopOfTheStateIsHeardWhileTheServerIsGone()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                session.Fallback.Use(new BakedFolder(new BakedTests.Files()));
                Heard(server, session, 0);
                server.Send(new StreamAudioResponse { Event = new Event { Sample = 20000, StateChanged = new StateChanged { FromState = "explore", ToState = "combat" } } });
                Check.Soon(() => session.MusicState == "combat", "combat");
                server.IsDown = true;
                server.End(well: false);
                Check.Soon(() => session.State == ConnectionState.Reconnecting, "reconnecting");
                Thread.Sleep(100);
                float last = Render(session, 48000);
                Check.Equal(MixerMode.Starved, session.Mixer.Mode);
                Check.Near(BakedTests.Files.Combat / 32768f, last, 1e-6, "the loop of combat");
            }
        }

        [Test]
        public void AServerThatIsNotThereYetIsWaitedForUnderTheLoop()
        {
            var server = new FakeServer { IsDown = true };
            using (var session = Start(server))
            {
                session.Fallback.Use(new BakedFolder(new BakedTests.Files()));
                Check.Soon(() => session.Mixer.WantsFallback && session.Mixer.Fallback.IsThere, "the fallback", 20);
                Check.Near(BakedTests.Files.Explore / 32768f, Render(session, 4800), 1e-6, "the loop of the first state");
                Check.Equal(ConnectionState.Connecting, session.State);
                server.IsDown = false;
                Check.Soon(() => server.Listeners == 1, "a listener");
            }
        }

        [Test]
        public void WhatIsSavedCanBeResumed()
        {
            var server = new FakeServer();
            byte[] saved;
            using (var session = Start(server))
            {
                Check.Throws<InvalidOperationException>(() => session.Save());
                Heard(server, session, 0);
                Render(session, 4800);
                saved = session.Save();
            }
            using (var client = new SegueClient(new Uri("http://localhost"), "tenant", server))
            using (var session = client.Resume(saved))
            {
                session.Start();
                Check.Soon(() => server.Created.Count == 2, "another session");
                var resume = server.Created.Last().Resume;
                Check.Equal(4797L, resume.FromSample, "from what was heard");
                Check.Equal("", resume.SessionToken);
                Check.Throws<ArgumentException>(() => client.Resume(new byte[] { 1, 2, 3 }));
            }
        }

        [Test]
        public void ALongPauseWaitsForPlay()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                Heard(server, session, 0);
                server.Send(new StreamAudioResponse { Goodbye = new Goodbye { Reason = GoodbyeReason.Suspended, RetryAfterMs = -1 } });
                server.End(well: true);
                Check.Soon(() => session.State == ConnectionState.Suspended, "suspended");
                session.PlayAsync().GetAwaiter().GetResult();
                Check.Soon(() => server.Streams.Count == 2, "another stream");
                Check.Equal(24000L, server.Streams.Last().FromSample);
            }
        }

        [Test]
        public void ASuspendedSessionThatIsLostIsResumedByPlay()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                Heard(server, session, 0);
                server.Send(new StreamAudioResponse { Goodbye = new Goodbye { Reason = GoodbyeReason.Suspended, RetryAfterMs = -1 } });
                server.End(well: true);
                Check.Soon(() => session.State == ConnectionState.Suspended, "suspended");
                server.Sessions.Clear();
                Check.Equal("explore", session.PlayAsync().GetAwaiter().GetResult().State);
                Check.Equal(1, session.Resumes);
            }
        }

        [Test]
        public void ABeginningIsNotTheFallbacks()
        {
            var server = new FakeServer();
            using (var session = Start(server))
            {
                session.Fallback.Use(new BakedFolder(new BakedTests.Files()));
                Check.Soon(() => server.Listeners == 1 && session.Mixer.Fallback.IsThere, "a listener");
                server.SendAudio(0, 4800);
                Check.Soon(() => session.State == ConnectionState.Playing && session.Mixer.Blocks.Waiting > 0, "playing");
                Check.Near(0, Render(session, 2400), 0, "the loop is heard although the stream is about to begin");
            }
        }

        [Test]
        public void ControlsKeepTheirOrderAndDoNotPileUp()
        {
            var line = new ControlLine();
            var done = new List<int>();
            using (var gate = new ManualResetEventSlim())
            {
                var sent = Enumerable.Range(0, ControlLine.Most).Select(i => line.Send(async () =>
                {
                    gate.Wait(10000);
                    await System.Threading.Tasks.Task.Delay(i % 3);
                    done.Add(i);
                    if (i == 5) throw new SegueException(StatusCode.NotFound, "no such state");
                })).ToArray();
                Check.That(line.Send(() => throw new InvalidOperationException("it was sent")).Exception?.GetBaseException() is SegueException, "it waits");
                gate.Set();
                Check.Throws<AggregateException>(() => System.Threading.Tasks.Task.WaitAll(sent, 10000), "one fails");
                Check.That(done.SequenceEqual(Enumerable.Range(0, ControlLine.Most)), "order: " + string.Join(" ", done));
                Check.Soon(() => line.Waiting == 0, "nothing waits");
            }
        }

        private static SoundtrackSession Start(FakeServer server, SessionOptions options = null)
        {
            var client = new SegueClient(new Uri("http://localhost"), null, server);
            client.Channel.Timeout = TimeSpan.FromSeconds(5);
            var session = client.Create(options ?? new SessionOptions { Soundtrack = "dungeon" });
            session.Start();
            return session;
        }

        /// <summary>Half a second of audio has arrived.</summary>
        private static void Heard(FakeServer server, SoundtrackSession session, long first)
        {
            Check.Soon(() => server.Listeners == 1, "a listener");
            int waiting = session.Mixer.Blocks.Waiting;
            server.SendAudio(first, 24000);
            Check.Soon(() => session.Mixer.Blocks.Waiting > waiting, "audio");
            Check.Soon(() => session.State == ConnectionState.Playing, "playing");
        }

        private static float Render(SoundtrackSession session, int frames)
        {
            var buffer = new float[2 * frames];
            session.Mixer.Render(buffer, frames, 2, 48000);
            return buffer[2 * frames - 1];
        }
    }
}
