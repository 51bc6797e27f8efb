// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using NUnit.Framework;
using Segue.Audio;
using Segue.Net;
using Segue.V1;
using Segue.Wire;

namespace Segue.Tests
{
    /// <summary>What a listener makes of a stream, keeps of it and does after its end.</summary>
    [TestFixture]
    public sealed class ReceptionTests
    {
        private static readonly Dictionary<Next, string> Actions = new Dictionary<Next, string>
        {
            [Next.Listen] = "reconnect",
            [Next.Resume] = "resume",
            [Next.End] = "finish",
            [Next.GiveUp] = "fail",
            [Next.Wait] = "fail", // it waits for Play, where the Python SDK raises
        };

        [Test]
        public void TheRecordedStreamIsUnderstood()
        {
            var vector = Vectors.Read("stream.json").Object("stream");
            var parser = new FrameParser();
            var bytes = File.ReadAllBytes(Path.Combine(Vectors.Folder, vector.Text("file")));
            parser.Push(bytes, 0, bytes.Length);
            var reception = new Reception(new SessionOptions(), new Keeper());
            var kinds = new List<string>();
            var pcm = new MemoryStream();
            var exchange = new BlockExchange();
            while (parser.TryNext(out byte flag, out byte[] payload))
            {
                if (flag != 0) continue;
                var message = StreamAudioResponse.Parse(payload);
                kinds.Add(message.WhichMessage.ToString().ToLowerInvariant().Replace("resumepoint", "resume_point"));
                if (message.Audio != null)
                {
                    var block = ChunkDecoder.Decode(message.Audio, reception.Encoding, exchange);
                    var raw = new byte[4 * block.Count];
                    System.Buffer.BlockCopy(block.Samples, 0, raw, 0, raw.Length);
                    pcm.SetLength(4 * block.FirstSample); // a take replaces what lies behind its first sample
                    pcm.Position = 4 * block.FirstSample;
                    pcm.Write(raw, 0, raw.Length);
                }
                reception.Take(message);
            }
            Check.That(kinds.SequenceEqual(vector.List("messages").Select(message => message.Text("kind"))), "messages: " + string.Join(" ", kinds));
            Check.Equal(vector.Whole("next_sample"), reception.NextSample, "next sample");
            Check.Equal((int)vector.Whole("gaps"), reception.Gaps, "gaps");
            Check.Equal((int)vector.Whole("takes"), reception.Takes, "takes");
            Check.Equal(vector.Whole("pcm_bytes"), pcm.Length, "bytes");
            using (var hash = SHA256.Create()) Check.Equal(vector.Text("pcm_sha256"), Check.Hex(hash.ComputeHash(pcm.ToArray())), "samples");
            Check.Equal(Next.End, reception.AfterEnd());
        }

        [Test]
        public void EventsAreRaisedWhenTheyAreHeard()
        {
            foreach (var vector in Vectors.Read("stream.json").List("aligned"))
            {
                var queue = new EventQueue();
                var names = new Dictionary<Event, string>();
                long heard = -1;
                foreach (var step in vector.List("steps"))
                {
                    if (step.ContainsKey("arrives"))
                    {
                        var arrived = StreamAudioResponse.Parse(step.Hex("hex")).Event;
                        names[arrived] = step.Text("arrives");
                        queue.Add(arrived);
                        continue;
                    }
                    heard = step.Whole("playhead");
                    var raised = new List<string>();
                    for (Event next; (next = queue.Next(heard)) != null;) raised.Add(names[next]);
                    Check.Equal(string.Join(" ", (List<object>)step["raised"]), string.Join(" ", raised), vector.Text("case"));
                }
            }
        }

        [Test]
        public void WhatIsKeptIsWhatAnotherServerNeeds()
        {
            foreach (var vector in Vectors.Read("resume.json").List("kept"))
            {
                var keeper = new Keeper();
                foreach (string hex in ((List<object>)vector["messages_hex"]).Cast<string>())
                {
                    var message = StreamAudioResponse.Parse(Check.Bytes(hex));
                    if (message.Audio != null) keeper.Chunk(message.Audio);
                    if (message.ResumePoint != null) keeper.Point(message.ResumePoint);
                }
                var resume = vector.Object("resume");
                Check.Equal(resume != null, keeper.IsReady, vector.Text("case"));
                if (resume == null) continue;
                var request = keeper.Resume(vector.Whole("next_sample"), vector.Text("session_token"));
                Check.Same(resume.Hex("hex"), ProtoWriter.Serialise(request), vector.Text("case"));
            }
        }

        [Test]
        public void EveryEndIsMetAsItShould()
        {
            foreach (var vector in Vectors.Read("resume.json").List("endings"))
            {
                foreach (bool hasPoint in new[] { true, false })
                {
                    if (vector.ContainsKey("has_resume_point") && vector.Flag("has_resume_point") != hasPoint) continue;
                    var reception = Listening(hasPoint);
                    Next next;
                    if (vector.ContainsKey("code"))
                    {
                        var error = new SegueException((StatusCode)vector.Whole("code"), "told so") { Reason = vector.Text("reason") };
                        next = reception.AfterError(error);
                    }
                    else
                    {
                        if (vector.ContainsKey("goodbye_hex")) reception.Take(StreamAudioResponse.Parse(vector.Hex("goodbye_hex")));
                        next = reception.AfterEnd();
                    }
                    string expected = vector.Text("action") ?? vector.Text(hasPoint ? "action_with_resume_point" : "action_without");
                    bool isLive = next == Next.Listen && reception.NextSample == null;
                    Check.Equal(expected, isLive ? "live edge" : Actions[next], vector.Text("case"));
                }
            }
        }

        [Test]
        public void AStreamIsTakenUpWhereItBrokeOff()
        {
            var reception = Listening(true);
            var request = reception.Request("s-1");
            Check.Equal(5760L, request.FromSample);
            Check.Equal(2, request.Take);
            Check.That(request.WithContinuation, "no continuation asked for");
            Check.Equal(null, new Reception(new SessionOptions(), null).Request("s-1").FromSample);
        }

        private static Reception Listening(bool hasPoint)
        {
            var reception = new Reception(new SessionOptions(), new Keeper());
            reception.Take(new StreamAudioResponse { Audio = new AudioChunk { FirstSample = 3840, SampleCount = 1920, Take = 2 } });
            if (hasPoint) reception.Take(new StreamAudioResponse { ResumePoint = new ResumePoint { Token = new byte[] { 1 } } });
            return reception;
        }
    }
}
