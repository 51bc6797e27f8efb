// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using NUnit.Framework;
using Segue.Net;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>
    /// What is not the protocol, in the middle of a real stream: the music goes on once it is over, or the session says why
    /// it can't. $SEGUE_SERVER as in EndToEndTests.
    /// </summary>
    [TestFixture]
    public sealed class GarbageTests
    {
        private const string Html = "<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>";
        private const string Stream = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\n";

        [Test]
        public void AConnectionThatIsCutWithinAFrameIsTakenUpAgain()
        {
            using (var bad = new Bad())
            {
                for (int round = 1; round <= 3; round++) bad.Once((piece, count) => null);
                Check.Equal(0, bad.Card.Session.Gaps, "gaps");
                Check.Equal(0, bad.Card.Session.Mixer.Jumps, "jumps");
                bad.Holds(3);
            }
        }

        [Test]
        public void APageOfHtmlInMidStreamIsNoMusic()
        {
            using (var bad = new Bad())
            {
                // As a chunk of HTTP of its own, as a proxy might send it, and as bytes that are none.
                var page = Encoding.ASCII.GetBytes(Html);
                bad.Once((piece, count) => Chunk(page).Concat(piece.Take(count)).ToArray());
                bad.Once((piece, count) => page.Concat(piece.Take(count)).ToArray());
                Check.Equal(0, bad.Card.Session.Mixer.Jumps, "jumps");
                bad.Holds(2);
            }
        }

        [Test]
        public void WhatAProxySaysInsteadOfTheServerPasses()
        {
            string[] answers =
            {
                "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: " + Html.Length + "\r\n\r\n" + Html,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: " + Html.Length + "\r\n\r\n" + Html,
                "HTTP/1.1 200 OK\r\ncontent-length: " + Html.Length + "\r\n\r\n" + Html,
                "HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web-text\r\ncontent-length: 4\r\n\r\nAAAA",
                "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
                "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
                "SSH-2.0-OpenSSH_9.2\r\n",
                "",
                Stream + "content-length: " + Html.Length + "\r\n\r\n" + Html,
                Stream + "content-length: 9\r\n\r\n\0\xff\xff\xff\xf0abcd",
                Stream + "content-length: 5\r\n\r\n\0\0\0\0\0",
                Stream + "content-length: 25\r\n\r\n\x80\0\0\0\x14grpc-status: hello\r\n",
                Stream + "transfer-encoding: chunked\r\n\r\nffffffffffff\r\n",
            };
            using (var bad = new Bad())
            {
                foreach (string answer in answers)
                {
                    var said = answer.Select(letter => (byte)letter).ToArray();
                    int heard = 0;
                    bad.Network.Answers = socket =>
                    {
                        Interlocked.Increment(ref heard);
                        socket.Send(said);
                    };
                    bad.Network.Garbles = (piece, count) => null;
                    bad.Card.Until(() => heard >= 2, "it is asked again after " + answer);
                    bad.Network.Garbles = null;
                    bad.Network.Answers = null;
                    bad.GoesOn(answer);
                }
                Check.Equal(0, bad.Card.Session.Gaps, "gaps");
                bad.Holds(answers.Length);
            }
        }

        [Test]
        public void ALengthThatIsHugeIsNeitherWaitedForNorReserved()
        {
            using (var bad = new Bad())
            {
                foreach (uint length in new[] { uint.MaxValue, 1u << 31, (16u << 20) + 1 })
                    bad.Once((piece, count) => Chunk(new byte[] { 0, (byte)(length >> 24), (byte)(length >> 16), (byte)(length >> 8), (byte)length, 1, 2, 3 }));
                Check.Equal(0, bad.Card.Session.Mixer.Jumps, "jumps");
                bad.Holds(3);
                bad.Card.Until(() => bad.Network.Open <= 4, "the broken connections are closed");
            }
        }

        [Test]
        public void AFrameThatIsNotFilledIsNotWaitedFor()
        {
            using (var bad = new Bad())
            {
                // 15 MiB, which is allowed: at the pace of music that takes more than a minute.
                bad.Once((piece, count) => Chunk(new byte[] { 0, 0, 0xf0, 0, 0 }).Concat(piece.Take(count)).ToArray());
                Check.Equal(0, bad.Card.Session.Gaps, "gaps");
                bad.Holds(1);
            }
        }

        [Test]
        public void AStreamThatIsDeadWhileReportsGetThroughIsTakenUpAgain()
        {
            using (var bad = new Bad())
            {
                bad.Once((piece, count) => new byte[0]);
                Check.Equal(0, bad.Card.Session.Gaps, "gaps");
                bad.Holds(1);
            }
        }

        [Test]
        public void AnAnswerWithoutEndTakesNoMemoryWithoutEnd()
        {
            var much = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("x-a: b\r\n", 8192)));
            var nothing = Encoding.ASCII.GetBytes("10000\r\n").Concat(new byte[1 << 16]).Concat(new byte[] { 13, 10 }).ToArray();
            using (var bad = new Bad())
            {
                foreach (bool isHead in new[] { true, false })
                {
                    long most = 0, before = GC.GetTotalMemory(true), sent = 0;
                    bad.Network.Answers = socket =>
                    {
                        socket.Send(Encoding.ASCII.GetBytes(isHead ? "HTTP/1.1 200 OK\r\n" : Stream + "transfer-encoding: chunked\r\n\r\n"));
                        for (int i = 0; i < 1024; i++) Interlocked.Add(ref sent, socket.Send(isHead ? much : nothing));
                    };
                    bad.Network.Garbles = (piece, count) => null;
                    bad.Card.Until(
                        () =>
                        {
                            most = Math.Max(most, GC.GetTotalMemory(true) - before);
                            return Interlocked.Read(ref sent) > 1 << 16;
                        },
                        "it is read");
                    for (int i = 0; i < 20; i++)
                    {
                        Thread.Sleep(50);
                        most = Math.Max(most, GC.GetTotalMemory(true) - before);
                    }
                    bad.Network.Garbles = null;
                    bad.Network.Answers = null;
                    Check.That(most < 100L << 20, most + " bytes more of memory after " + sent);
                    bad.GoesOn("an answer without end");
                }
            }
        }

        [Test]
        public void FlippedBitsAreSurvivedOrNamed()
        {
            for (int seed = 1; seed <= 4; seed++)
            {
                var dice = new Random(seed);
                using (var bad = new Bad())
                {
                    int flips = 0;
                    bad.Network.Garbles = (piece, count) =>
                    {
                        var garbled = piece.Take(count).ToArray();
                        for (int i = 0; i < 8; i++, flips++) garbled[dice.Next(count)] ^= (byte)(1 << dice.Next(8));
                        return garbled;
                    };
                    bad.Card.Until(() => flips > 60, "bits are flipped");
                    bad.Network.Garbles = null;
                    bad.GoesOn("flipped bits, seed " + seed);
                    bad.Holds(0);
                }
            }
        }

        private static byte[] Chunk(byte[] bytes) =>
            Encoding.ASCII.GetBytes(bytes.Length.ToString("x") + "\r\n").Concat(bytes).Concat(new byte[] { 13, 10 }).ToArray();

        /// <summary>A session that plays through a network that is about to go bad.</summary>
        private sealed class Bad : IDisposable
        {
            private readonly SegueClient _client;

            public Bad()
            {
                Network = new SlowProxy(new TestServer("SEGUE_SERVER").Address, 1, 0);
                _client = new SegueClient(Network.Address);
                Card = new Card(_client.Create(new SessionOptions { Soundtrack = "dungeon" }));
                Card.Until(() => Card.Session.Mixer.Playhead > 12000, "music");
            }

            public SlowProxy Network { get; }

            public Card Card { get; }

            /// <summary>Pieces of the stream become something else until that is noticed; then the music has to go on.</summary>
            public void Once(Func<byte[], int, byte[]> garbles)
            {
                int tries = Card.Session.Reconnects;
                // An answer to a report is no piece of the stream.
                Network.Garbles = (piece, count) => count < 1000 ? piece.Take(count).ToArray() : garbles(piece, count);
                Card.Until(() => Card.Session.Reconnects > tries, "the break is noticed");
                Network.Garbles = null;
                GoesOn("");
            }

            /// <summary>Music again, or a reason why not.</summary>
            public void GoesOn(string after)
            {
                var session = Card.Session;
                long rendered = Card.Rendered, playhead = session.Mixer.Playhead;
                Card.Until(
                    () => session.State == ConnectionState.Failed || session.Mixer.Mode == Audio.MixerMode.Playing && session.Mixer.Playhead != playhead && Card.Rendered > rendered + 50,
                    "music again after: " + after);
                if (session.State == ConnectionState.Failed) Check.That(session.Error?.Message.Length > 0, "it failed without a reason");
            }

            /// <summary>It plays, was taken up again so often at least, and nothing but numbers came out.</summary>
            public void Holds(int reconnects)
            {
                Check.Equal(0, Card.Wrong, "samples that are no sound");
                Check.That(Card.Session.Reconnects >= reconnects, "reconnects: " + Card.Session.Reconnects);
            }

            public void Dispose()
            {
                try
                {
                    if (Card.Session.Id != null) Card.Session.CloseAsync().GetAwaiter().GetResult();
                }
                catch (SegueException)
                {
                    // Its server lets go of it by itself.
                }
                Card.Dispose();
                _client.Dispose();
                Network.Dispose();
            }
        }
    }
}
