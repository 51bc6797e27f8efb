// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Segue.Audio;
using Segue.Net;
using Segue.V1;
using Segue.Wire;

namespace Segue.Tests
{
    /// <summary>
    /// Messages that are the protocol and nonsense all the same, in the middle of a real stream: the music goes on once they
    /// are over. $SEGUE_SERVER as in EndToEndTests.
    /// </summary>
    [TestFixture]
    public sealed class MeddledTests
    {
        [Test]
        public void AChunkThatContradictsItselfIsTakenUpAgain()
        {
            using (var bad = new Meddled())
            {
                bad.Once("a payload that is cut", message => message.Audio.Payload = message.Audio.Payload.Take(1001).ToArray());
                bad.Once("no payload", message => message.Audio.Payload = new byte[0]);
                bad.Once("more samples than there are", message => message.Audio.SampleCount += 1);
                bad.Once("a negative count", message => message.Audio.SampleCount = -5);
                bad.Once("a count without measure", message => message.Audio.SampleCount = int.MaxValue);
                bad.Once("a skip without measure", message => message.Audio.SkipSamples = int.MaxValue);
                bad.Once("a place before the beginning", message => message.Audio.FirstSample = -1);
                Check.Equal(0, bad.Card.Session.Gaps, "gaps");
                Check.Equal(0, bad.Card.Session.Mixer.Jumps, "jumps");
            }
        }

        [Test]
        public void AChunkFromFarAwayIsNotTheEnd()
        {
            using (var bad = new Meddled())
            {
                bad.Once("far ahead", message => message.Audio.FirstSample += 1L << 40);
                bad.Once("far behind", message => message.Audio.FirstSample = 0);
                bad.Once("a minute ahead", message => message.Audio.FirstSample += 60 * 48000);
            }
        }

        [Test]
        public void ATakeFromFarAwayIsNotTheEnd()
        {
            using (var bad = new Meddled())
            {
                bad.Once("far ahead", message => message.Audio.Take += 1 << 20);
                bad.Once("negative", message => message.Audio.Take = -1);
            }
        }

        [Test]
        public void OtherMessagesThatAreNonsenseAreSurvived()
        {
            using (var bad = new Meddled())
            {
                bad.Once("an event from far away", message => message.Event = new Event { Sample = long.MaxValue, Beat = new Beat() });
                bad.Once("an event before the beginning", message => message.Event = new Event { Sample = long.MinValue, StateChanged = new StateChanged { ToState = "\0" } });
                bad.Once("a message of nothing", message => message.Event = null);
                bad.Once("another format", message => message.Ready = new SessionReady { Format = new AudioFormat { Encoding = AudioEncoding.Qoa } });
                bad.Once("a point that is none", message => message.ResumePoint = new ResumePoint { Sample = -7, Take = int.MaxValue });
            }
        }

        [Test]
        public void AGainWithoutMeasureIsNoNumberlessSound()
        {
            using (var bad = new Meddled())
            {
                bad.Card.Session.Fallback.Add("hit", new Recording(new short[96000]));
                foreach (float gain in new[] { float.NaN, 1e30f, float.PositiveInfinity })
                    bad.Once("a gain of " + gain, message => message.Event = new Event
                    {
                        Sample = bad.Card.Session.Mixer.Playhead + 2400,
                        StingerStarted = new StingerStarted { Name = "hit", Clip = "hit", GainDb = gain },
                    });
            }
        }

        /// <summary>A session whose stream's messages can be changed on their way.</summary>
        private sealed class Meddled : IDisposable
        {
            private readonly SegueClient _client;
            private readonly Meddler _meddler;

            public Meddled()
            {
                var server = new TestServer("SEGUE_SERVER").Address;
                _meddler = new Meddler(new HttpTransport(server));
                _client = new SegueClient(server, null, _meddler);
                Card = new Card(_client.Create(new SessionOptions { Soundtrack = "dungeon" }));
                Card.Until(() => Card.Session.Mixer.Playhead > 12000, "music");
            }

            public Card Card { get; }

            /// <summary>The next chunk becomes something else; then there has to be music, and numbers.</summary>
            public void Once(string what, Action<StreamAudioResponse> change)
            {
                var session = Card.Session;
                _meddler.Change = change;
                Card.Until(() => _meddler.Change == null, "it is changed: " + what);
                long rendered = Card.Rendered, playhead = -1;
                Card.Until(() => Card.Rendered > rendered + 60, "time goes on");
                Card.Until(
                    () =>
                    {
                        if (session.Mixer.Mode != MixerMode.Playing || playhead < 0) playhead = session.Mixer.Playhead;
                        return session.Mixer.Playhead > playhead + 14400;
                    },
                    "music again after " + what);
                Check.Equal(0, Card.Wrong, "samples that are no sound, after " + what);
            }

            public void Dispose()
            {
                Card.Session.CloseAsync().GetAwaiter().GetResult();
                Card.Dispose();
                _client.Dispose();
            }
        }

        private sealed class Meddler : ITransport
        {
            private readonly ITransport _transport;

            public Meddler(ITransport transport) => _transport = transport;

            /// <summary>What becomes of the next chunk; null once it has been.</summary>
            public volatile Action<StreamAudioResponse> Change;

            public async Task<ITransportResponse> PostAsync(
                string path, byte[] body, IReadOnlyList<KeyValuePair<string, string>> headers, CancellationToken stop)
            {
                var response = await _transport.PostAsync(path, body, headers, stop).ConfigureAwait(false);
                return path.EndsWith("/StreamAudio", StringComparison.Ordinal) ? new Response(response, this) : response;
            }

            public void Dispose() => _transport.Dispose();

            private sealed class Response : ITransportResponse
            {
                private readonly ITransportResponse _response;
                private readonly Meddler _meddler;
                private readonly FrameParser _frames = new FrameParser();
                private byte[] _ready = new byte[0];

                public Response(ITransportResponse response, Meddler meddler)
                {
                    _response = response;
                    _meddler = meddler;
                }

                public int Status => _response.Status;

                public string Header(string name) => _response.Header(name);

                public async Task<int> ReadAsync(byte[] buffer, CancellationToken stop)
                {
                    while (_ready.Length == 0)
                    {
                        if (_frames.TryNext(out byte flag, out byte[] payload)) _ready = FrameParser.Frame(flag == 0 ? Changed(payload) : payload, flag);
                        else
                        {
                            int count = await _response.ReadAsync(buffer, stop).ConfigureAwait(false);
                            if (count == 0) return 0;
                            _frames.Push(buffer, 0, count);
                        }
                    }
                    int given = Math.Min(buffer.Length, _ready.Length);
                    Array.Copy(_ready, buffer, given);
                    _ready = _ready.Skip(given).ToArray();
                    return given;
                }

                public void Dispose() => _response.Dispose();

                private byte[] Changed(byte[] payload)
                {
                    var message = StreamAudioResponse.Parse(payload);
                    var change = _meddler.Change;
                    if (change == null || message.Audio == null) return payload;
                    change(message);
                    _meddler.Change = null;
                    return ProtoWriter.Serialise(message);
                }
            }
        }
    }
}
