// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using NUnit.Framework;
using Segue.Audio;
using Segue.Wire;

namespace Segue.Tests
{
    /// <summary>What `segue bake` writes.</summary>
    [TestFixture]
    public sealed class BakedTests
    {
        [Test]
        public void LoopsAndStingersAreRead()
        {
            var baked = new BakedFolder(new Files());
            Check.Equal("dungeon", baked.Soundtrack);
            Check.Equal("explore", baked.Initial);
            var loop = baked.Loop("combat");
            Check.Equal(100, loop.LoopStart);
            Check.Equal(4900, loop.LoopEnd);
            Check.Equal(Files.Combat, loop.Samples[200]);
            Check.Equal(null, baked.Loop("unheard of"));
            var hit = baked.Stinger("hit", out float gain);
            Check.Near(-3, gain, 0);
            Check.Near(4800, hit.Count, 1, "a clip of 44.1 kHz is brought to 48");
            Check.Near(1234, hit.Samples[5000], 1);
        }

        [Test]
        public void WhatIsWrongIsNamed()
        {
            var later = Check.Throws<MalformedException>(() => new BakedFolder(new Files { Manifest = "{\"format\": 2}" }));
            Check.That(later.Message.Contains("expected format 1, got 2"), later.Message);
            var torn = Check.Throws<MalformedException>(() => new BakedFolder(new Files { Manifest = "{\"format\": 1," }));
            Check.That(torn.Message.Contains("character"), torn.Message);
            var outside = new BakedFolder(new Files { Manifest = Files.Text.Replace("4900", "5001") });
            Check.That(Check.Throws<MalformedException>(() => outside.Loop("combat")).Message.Contains("loop_end"), "which field");
            var ogg = new BakedFolder(new Files { Manifest = Files.Text.Replace("combat.wav", "combat.ogg") });
            Check.That(Check.Throws<MalformedException>(() => ogg.Loop("combat")).Message.Contains("--format wav"), "what to do");
        }

        [Test]
        public void WavFilesOfOtherKindsAreRefused()
        {
            var wav = Wav(48000, 1, 100, 7);
            Check.Equal(200, WavReader.Read(wav, "a.wav", out int rate).Length);
            Check.Equal(48000, rate);
            wav[34] = 24;
            Check.That(Check.Throws<MalformedException>(() => WavReader.Read(wav, "a.wav", out int _)).Message.Contains("24 bits"), "what it is");
            var dice = new Random(3);
            for (int round = 0; round < 2000; round++)
            {
                var torn = Wav(48000, 2, 20, 7).Take(dice.Next(130)).ToArray();
                if (torn.Length > 0) torn[dice.Next(torn.Length)] = (byte)dice.Next(256);
                try
                {
                    WavReader.Read(torn, "a.wav", out int _);
                }
                catch (MalformedException) { }
            }
        }

        [Test]
        public void JsonIsRead()
        {
            var found = (Dictionary<string, object>)Json.Parse(" {\"a\": [1, -2.5e3, true, null], \"b\": \"x\\n\\u00e9\\\"\"} ");
            Check.That(((List<object>)found["a"]).SequenceEqual(new object[] { 1.0, -2500.0, true, null }), "a list");
            Check.Equal("x\né\"", (string)found["b"]);
            foreach (string bad in new[] { "", "{", "[1,]", "{\"a\"}", "\"a", "nul", "1 2", new string('[', 100000) })
                Check.Throws<MalformedException>(() => Json.Parse(bad), bad.Substring(0, Math.Min(9, bad.Length)));
        }

        private static byte[] Wav(int rate, int channels, int count, short value)
        {
            var file = new MemoryStream();
            var writer = new BinaryWriter(file);
            writer.Write(Encoding.ASCII.GetBytes("RIFF"));
            writer.Write(36 + 2 * channels * count);
            writer.Write(Encoding.ASCII.GetBytes("WAVEfmt "));
            writer.Write(16);
            writer.Write((short)1);
            writer.Write((short)channels);
            writer.Write(rate);
            writer.Write(2 * rate * channels);
            writer.Write((short)(2 * channels));
            writer.Write((short)16);
            writer.Write(Encoding.ASCII.GetBytes("data"));
            writer.Write(2 * channels * count);
            for (int i = 0; i < channels * count; i++) writer.Write(value);
            return file.ToArray();
        }

        /// <summary>A folder of two states and a clip.</summary>
        public sealed class Files : IBakedFiles
        {
            public const short Explore = 3000;
            public const short Combat = -6000;

            public const string Text =
                "{\"format\": 1, \"soundtrack\": \"dungeon\", \"hash\": \"00\", \"initial\": \"explore\", \"states\": {"
                + "\"explore\": {\"file\": \"explore.wav\", \"samples\": 5000, \"loop_start\": 0, \"loop_end\": 5000, \"bpm\": null},"
                + "\"combat\": {\"file\": \"combat.wav\", \"samples\": 5000, \"loop_start\": 100, \"loop_end\": 4900, \"bpm\": 93.75}},"
                + "\"stingers\": {\"hit\": {\"kind\": \"clip\", \"file\": \"hit.wav\", \"samples\": 4410, \"sample_rate\": 44100, \"gain_db\": -3}}}";

            public string Manifest = Text;

            public byte[] Read(string path)
            {
                switch (path)
                {
                    case "manifest.json": return Encoding.UTF8.GetBytes(Manifest);
                    case "explore.wav": return Wav(48000, 2, 5000, Explore);
                    case "hit.wav": return Wav(44100, 1, 4410, 1234);
                    default: return Wav(48000, 2, 5000, Combat);
                }
            }

            public short[] Decode(string path, byte[] file, out int rate)
            {
                rate = 0;
                return null;
            }
        }
    }
}
