// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using Segue.Audio;
using Segue.V1;
using Segue.Wire;

namespace Segue.Tests
{
    /// <summary>Blocks, takes, chunks and drift as the conformance vectors have them.</summary>
    [TestFixture]
    public sealed class TakesVectorTests
    {
        [Test]
        public void TakesReplaceWhatWasNotHeard()
        {
            foreach (var vector in Vectors.Read("takes.json").List("takes"))
            {
                var ring = new TimelineRing((int)vector.Whole("capacity"));
                int number = 0;
                foreach (var step in vector.List("steps"))
                {
                    string what = vector.Text("case") + ", step " + number++;
                    var put = step.Object("put");
                    var read = step.Object("read");
                    if (put != null)
                    {
                        var samples = Samples(put.List("pcm"));
                        ring.Put(new AudioBlock { Take = (int)put.Whole("take"), FirstSample = put.Whole("first_sample"), Count = samples.Length / 2, Samples = samples });
                    }
                    if (read != null)
                    {
                        int count = (int)read.Whole("count");
                        var got = new float[2 * count];
                        ring.Read(got, 0, count);
                        var expected = Samples(read.List("pcm"));
                        Check.Equal(2 * count, expected.Length, what);
                        for (int i = 0; i < got.Length; i++) Check.Near(expected[i], got[i] * 32768f, vector.Whole("tolerance"), what + ", value " + i);
                    }
                    var then = step.Object("then");
                    if (then == null) continue;
                    Check.Equal(then.Whole("playhead"), ring.Playhead, what + ": playhead");
                    Check.Equal(then.Whole("reserve"), ring.Reserve, what + ": reserve");
                    Check.Equal(then.Whole("late_takes"), ring.LateTakes, what + ": late takes");
                    Check.Equal(then.Whole("outdated"), ring.Outdated, what + ": outdated");
                    Check.Equal(then.Whole("missed"), ring.Missed, what + ": missed");
                }
            }
        }

        [Test]
        public void ChunksDecodeToTheSample()
        {
            foreach (var vector in Vectors.Read("chunks.json").List("chunks").Where(vector => vector.Text("pcm_is") == "s16"))
            {
                var block = ChunkDecoder.Decode(Chunk(vector), (AudioEncoding)vector.Whole("encoding"), new BlockExchange());
                var bytes = new byte[4 * block.Count];
                Buffer.BlockCopy(block.Samples, 0, bytes, 0, bytes.Length);
                Check.Same(vector.Hex("pcm_hex"), bytes, vector.Text("case"));
            }
        }

        [Test]
        public void FaultyChunksAreRefused()
        {
            foreach (var vector in Vectors.Read("chunks.json").List("refused"))
            {
                // Floats are not asked for, and so never come.
                if (vector.Whole("encoding") == (int)AudioEncoding.F32) continue;
                Check.Throws<MalformedException>(
                    () => ChunkDecoder.Decode(Chunk(vector), (AudioEncoding)vector.Whole("encoding"), new BlockExchange()), vector.Text("case"));
            }
        }

        [Test]
        public void DriftIsMadeUpForAsInPython()
        {
            var drift = Vectors.Read("drift.json");
            foreach (var vector in drift.List("rates"))
                Check.Near((double)vector["rate"], LeadHolder.RateFor((double)vector["reserve"], (double)vector["target"]), 1e-9, "rate");
            foreach (var run in drift.List("runs"))
            {
                var holder = new LeadHolder();
                foreach (var step in run.List("steps"))
                {
                    if (step.Flag("replaced")) holder.Replaced((double)step["now"]);
                    if (!step.ContainsKey("reserve")) continue;
                    double rate = holder.Rate((double)step["reserve"], (double)step["now"]);
                    var expect = step.Object("expect");
                    if (expect == null) continue;
                    double tolerance = (double)run["tolerance"];
                    string what = run.Text("case") + " at " + step["now"];
                    Check.Near((double)expect["rate"], rate, tolerance, what + ": rate");
                    if (expect.ContainsKey("average")) Check.Near((double)expect["average"], holder.Average, tolerance, what + ": average");
                    if (expect.TryGetValue("target", out object target) && target != null) Check.Near((double)target, holder.Target, tolerance, what + ": target");
                    else Check.That(double.IsNaN(holder.Target), what + ": a target");
                }
            }
        }

        private static AudioChunk Chunk(Dictionary<string, object> vector) => new AudioChunk
        {
            Payload = vector.Hex("payload_hex"),
            SampleCount = (int)vector.Whole("sample_count"),
            SkipSamples = (int)vector.Whole("skip_samples"),
        };

        private static short[] Samples(IEnumerable<Dictionary<string, object>> pieces)
        {
            var found = new List<short>();
            foreach (var piece in pieces)
            {
                if (piece.ContainsKey("samples"))
                {
                    found.AddRange(((List<object>)piece["samples"]).Select(value => (short)(double)value));
                    continue;
                }
                long left = piece.Whole("left"), right = piece.Whole("right");
                for (long i = 0; i < piece.Whole("count"); i++, left += piece.Whole("left_step"), right += piece.Whole("right_step"))
                {
                    found.Add((short)left);
                    found.Add((short)right);
                }
            }
            return found.ToArray();
        }
    }
}
