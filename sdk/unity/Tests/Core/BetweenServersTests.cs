// SPDX-License-Identifier: Apache-2.0
using System;
using System.Linq;
using NUnit.Framework;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>What a client does while its session is at no server: who waits, how long, and what is said in the end.</summary>
    [TestFixture]
    public sealed class BetweenServersTests
    {
        [Test]
        public void AListenerThatOthersHaveOvertakenLearnsTheWay()
        {
            var server = new FakeServer { Way = "token by another way" };
            using (var session = Heard(server))
            {
                Check.Equal("token by another way", session.Token);
                session.PostEventAsync("enemy_spotted").GetAwaiter().GetResult();
                Check.Equal("Bearer token by another way", server.Tokens.Last());
            }
        }

        [Test]
        public void AControlIsNotToldThatThereIsNoSessionWhileItIsBroughtBack()
        {
            var server = new FakeServer { RefusesResume = "SERVER_FULL", RefusesResumeWith = 8 };
            using (var session = Heard(server))
            {
                server.Sessions.Clear();
                server.End(well: false);
                var late = Check.Throws<SegueException>(() => session.PostEventAsync("enemy_spotted").GetAwaiter().GetResult());
                Check.Equal(StatusCode.Unavailable, late.Code);
                Check.Equal("UNKNOWN_SESSION", late.Reason);
                Check.That(server.Controls.Count > 2, "sent again: " + server.Controls.Count);
                Check.Equal(1, server.Controls.Select(control => control.RequestId).Distinct().Count(), "names of one control");
                server.RefusesResume = null;
                Check.Soon(() => server.Streams.Count == 2, "another stream");
                Check.Equal("combat", session.PostEventAsync("enemy_spotted").GetAwaiter().GetResult().State);
            }
        }

        [Test]
        public void WhereNobodyBringsItBackAControlFailsAtOnce()
        {
            var server = new FakeServer();
            using (var session = Heard(server))
            {
                server.Send(new StreamAudioResponse { Goodbye = new Goodbye { Reason = GoodbyeReason.Closed } });
                server.End(well: true);
                Check.Soon(() => session.State == ConnectionState.Stopped, "stopped");
                server.Sessions.Clear();
                var gone = Check.Throws<SegueException>(() => session.PostEventAsync("enemy_spotted").GetAwaiter().GetResult());
                Check.Equal(StatusCode.NotFound, gone.Code);
                Check.Equal(1, server.Controls.Count, "times that it was sent");
            }
        }

        /// <summary>A session of which half a second of audio has arrived, and that waits a second for calls.</summary>
        private static SoundtrackSession Heard(FakeServer server)
        {
            var client = new SegueClient(new Uri("http://localhost"), null, server);
            client.Channel.Timeout = TimeSpan.FromSeconds(1);
            var session = client.Create(new SessionOptions { Soundtrack = "dungeon" });
            session.Start();
            Check.Soon(() => server.Listeners == 1, "a listener");
            server.SendAudio(0, 24000);
            Check.Soon(() => session.Mixer.Blocks.Waiting > 0 && session.State == ConnectionState.Playing, "audio");
            return session;
        }
    }
}
