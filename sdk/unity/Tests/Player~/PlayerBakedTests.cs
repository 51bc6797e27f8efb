// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using NUnit.Framework;
using Segue.Rehearsal;
using UnityEngine;

namespace Segue.Tests
{
    /// <summary>The component's music for when the network is gone, from every kind of StreamingAssets.</summary>
    [TestFixture]
    public sealed class PlayerBakedTests
    {
        private const short Explore = 3000;

        [Test]
        public void WavFilesOnDiskAreReadWhenTheyAreNeeded()
        {
            using (var folder = new Folder("wav"))
            using (var network = new SlowProxy(new Uri(Scene.Address), 0, 0))
            using (var scene = new Scene())
            {
                scene.Stage.StreamingAssets = folder.Root;
                var player = scene.Playing(network.Address.ToString(), it => it.BakedFolder = "baked/dungeon", 4800);
                Check.Equal(0, scene.Stage.Asked.Count, "requests");
                IsHeard(scene, player, network);
                scene.LogIsClean();
            }
        }

        [Test]
        public void OggFilesOnDiskAreDecodedByUnity()
        {
            using (var folder = new Folder("ogg"))
            using (var network = new SlowProxy(new Uri(Scene.Address), 0, 0))
            using (var scene = new Scene())
            {
                scene.Stage.StreamingAssets = folder.Root;
                var player = scene.Playing(network.Address.ToString(), it => it.BakedFolder = "baked/dungeon", 4800);
                IsHeard(scene, player, network);
                Check.That(scene.Stage.Asked.All(address => address.StartsWith("file:///", StringComparison.Ordinal)), string.Join(" ", scene.Stage.Asked));
                Check.Equal(2, scene.Stage.Clips.Count);
                AllIsGivenBack(scene);
                scene.LogIsClean();
            }
        }

        [Test]
        public void FilesWithinAPackageAreFetchedWhetherItPlaysOrNot()
        {
            using (var folder = new Folder("ogg"))
            using (var network = new SlowProxy(new Uri(Scene.Address), 0, 0))
            using (var scene = new Scene())
            {
                const string root = "jar:file:///data/app/game/base.apk!/assets";
                scene.Stage.StreamingAssets = root;
                scene.Stage.Web = address => folder.File(address.Substring(root.Length + 1));
                folder.Delete("combat.ogg");
                var player = scene.Player(network.Address.ToString(), it =>
                {
                    it.PlayOnEnable = false;
                    it.BakedFolder = "baked/dungeon";
                });
                // As where it was set in the inspector; switched off while it loads, it begins again.
                player.enabled = false;
                player.enabled = true;
                player.enabled = false;
                scene.Stage.For(0.1);
                AllIsGivenBack(scene);
                scene.Stage.Asked.Clear();
                scene.Stage.Disposed = 0;
                player.enabled = true;
                Check.Equal(root + "/baked/dungeon/manifest.json", scene.Stage.Asked.Single());
                scene.Stage.Until(() => scene.Stage.Asked.Count == 3, "the manifest, then what it names");
                scene.Stage.For(0.3);
                Check.Equal(1, scene.Log.Count, string.Join(" | ", scene.Log));
                Check.That(scene.HasLogged("error", "baked/dungeon/combat.ogg: HTTP/1.1 404"), "by its name: " + scene.Log.First());
                player.Play();
                scene.Heard(player, 4800);
                Check.Equal(3, scene.Stage.Asked.Count, "loaded once");
                player.PostEvent("enemy_spotted");
                scene.Stage.Until(() => player.MusicState == "combat", "a state without a loop");
                scene.Stage.For(0.2);
                Check.Equal(1, scene.Log.Count, "told once: " + string.Join(" | ", scene.Log));
                IsHeard(scene, player, network);
                AllIsGivenBack(scene);
            }
        }

        [Test]
        public void WhatIsNotThereIsSaid()
        {
            using (var folder = new Folder("ogg"))
            using (var scene = new Scene())
            {
                scene.Stage.StreamingAssets = folder.Root;
                scene.Playing(set: it => it.BakedFolder = "baked/elsewhere", samples: 2400);
                Check.Equal(1, scene.Logged("warning", "elsewhere: no such folder"));
                scene.Stage.StreamingAssets = "jar:file:///base.apk!/assets";
                scene.Playing(set: it => it.BakedFolder = "baked/dungeon", samples: 2400);
                Check.Equal(1, scene.Logged("error", "baked/dungeon/manifest.json: HTTP/1.1 404"));
                scene.Stage.Web = _ => Encoding.UTF8.GetBytes("{\"format\": 2}");
                scene.Playing(set: it => it.BakedFolder = "baked/dungeon", samples: 2400);
                Check.Equal(1, scene.Logged("error", "baked/dungeon/manifest.json: expected format 1"));
                Check.Equal(3, scene.Log.Count, string.Join(" | ", scene.Log));
            }
        }

        private static void IsHeard(Scene scene, SoundtrackPlayer player, SlowProxy network)
        {
            scene.Stage.Until(() => player.HasFallback, "the loop is there");
            int underruns = 0;
            player.OnUnderrun += count => underruns = count;
            network.Holds = true;
            scene.Stage.Until(() => Math.Abs(Stage.Last(Scene.Source(player)) - Explore / 32768f) < 1e-4, "the loop is heard, last " + Stage.Last(Scene.Source(player)));
            scene.Stage.Until(() => underruns >= 1, "the underrun is told");
            network.Holds = false;
        }

        private static void AllIsGivenBack(Scene scene)
        {
            scene.Stage.Frame();
            Check.Equal(0, scene.Stage.ClipsAlive, "clips that are left");
            Check.Equal(scene.Stage.Asked.Count, scene.Stage.Disposed, "requests that are left");
        }

        /// <summary>What `segue bake` writes, of two states.</summary>
        private sealed class Folder : IDisposable
        {
            private readonly string _folder;

            public Folder(string kind)
            {
                Root = Path.Combine(Path.GetTempPath(), "segue " + Guid.NewGuid().ToString("N"));
                _folder = Path.Combine(Root, "baked", "dungeon");
                Directory.CreateDirectory(_folder);
                string manifest = "{\"format\": 1, \"soundtrack\": \"dungeon\", \"hash\": \"00\", \"initial\": \"explore\", \"stingers\": {}, \"states\": {"
                    + "\"combat\": {\"file\": \"combat.KIND\", \"loop_start\": 0, \"loop_end\": 5000},"
                    + "\"explore\": {\"file\": \"explore.KIND\", \"loop_start\": 100, \"loop_end\": 99000}}}";
                System.IO.File.WriteAllText(Path.Combine(_folder, "manifest.json"), manifest.Replace("KIND", kind));
                System.IO.File.WriteAllBytes(Path.Combine(_folder, "explore." + kind), Wav(99000, Explore));
                System.IO.File.WriteAllBytes(Path.Combine(_folder, "combat." + kind), Wav(5000, -6000));
            }

            public string Root { get; }

            public byte[] File(string path)
            {
                string found = Path.Combine(Root, path);
                return System.IO.File.Exists(found) ? System.IO.File.ReadAllBytes(found) : null;
            }

            public void Delete(string path) => System.IO.File.Delete(Path.Combine(_folder, path));

            public void Dispose() => Directory.Delete(Root, true);

            private static byte[] Wav(int count, short value)
            {
                var file = new MemoryStream();
                var writer = new BinaryWriter(file);
                writer.Write(Encoding.ASCII.GetBytes("RIFF"));
                writer.Write(36 + 4 * count);
                writer.Write(Encoding.ASCII.GetBytes("WAVEfmt "));
                writer.Write(16);
                writer.Write((short)1);
                writer.Write((short)2);
                writer.Write(48000);
                writer.Write(4 * 48000);
                writer.Write((short)4);
                writer.Write((short)16);
                writer.Write(Encoding.ASCII.GetBytes("data"));
                writer.Write(4 * count);
                for (int i = 0; i < 2 * count; i++) writer.Write(value);
                return file.ToArray();
            }
        }
    }
}
