// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using System.Linq;
using NUnit.Framework;
using Segue.Rehearsal;
using SegueEditor;
using UnityEditor;

namespace Segue.Tests
{
    /// <summary>Compiled soundtracks as assets, and their constants.</summary>
    [TestFixture]
    public sealed class ImportTests
    {
        [Test]
        public void WhatBuildWroteBecomesAnAsset()
        {
            using (var place = new Workplace())
            {
                var asset = Workplace.Dungeon();
                Check.Equal("dungeon", asset.Id);
                Check.That(asset.Outline.HasState("combat") && ReferenceEquals(asset.Outline, asset.Outline), "its outline, read once");
                Check.Equal(2, Project.Imported.Count, "once as text, once as what it is");
                Check.That(Project.Import("Assets/dungeon.soundtrack.json") is SoundtrackAsset, "and then as that alone");
                Check.Equal(3, Project.Imported.Count);
                Check.That(Workplace.Put("Assets/starfield.segue", Workplace.Compiled("starfield")) is SoundtrackAsset, "the other ending");
                Check.Equal(null, Workplace.Put("Assets/other.json", Workplace.Compiled("dungeon")), "other JSON is left alone");
                Check.Equal(null, Workplace.Put("Assets/soundtrack.json", "{}"), "a name is no ending");
                Check.Equal(0, place.Log.Count, string.Join(" | ", place.Log));
            }
        }

        [Test]
        public void WhatIsBrokenIsSaid()
        {
            using (var place = new Workplace())
            {
                string text = Workplace.Compiled("dungeon").Replace("\"initial\": \"explore\"", "\"initial\": \"nowhere\"");
                Check.Equal(null, Workplace.Put("Assets/broken.soundtrack.json", text));
                Check.That(place.HasLogged("error", "Assets/broken.soundtrack.json: document.initial: expected one of the states"), string.Join(" | ", place.Log));
            }
        }

        [Test]
        public void FilesThatWereThereBeforeAreFoundOnce()
        {
            using (new Workplace())
            {
                foreach (string path in new[] { "Assets/a.soundtrack.json", "Packages/x/b.soundtrack.json", "Assets/c.json" })
                {
                    Directory.CreateDirectory(Path.GetDirectoryName(path));
                    File.WriteAllText(path, Workplace.Compiled("dungeon"));
                    Project.Paths.Add(path);
                }
                Project.Load();
                Check.Equal("Assets/a.soundtrack.json", string.Join(" ", Project.Imported), "packages bring their own .meta files");
                Project.Paths.Add("Assets/later.soundtrack.json");
                Project.Load();
                Check.Equal(1, Project.Imported.Count, "once a session");
            }
        }

        [Test]
        public void ConstantsAreWrittenBesideTheAsset()
        {
            using (var place = new Workplace())
            {
                const string menu = "Assets/Segue/Generate Constants", path = "Assets/DungeonSoundtrack.g.cs";
                Check.That(!Project.CanChoose(menu), "nothing is selected");
                var asset = Workplace.Dungeon();
                Selection.objects = new UnityEngine.Object[] { asset };
                Project.Menu(menu);
                Check.Equal(ConstantsWriter.Write(asset.Outline), File.ReadAllText(path));
                Check.That(Project.Imported.Last() == path && place.HasLogged("log", path), "it is imported, and told of");
                var written = File.GetLastWriteTimeUtc(path);
                Project.Menu(menu);
                Check.That(File.GetLastWriteTimeUtc(path) == written && place.HasLogged("log", "up to date"), "nothing is compiled anew for nothing");
                Workplace.Press("Generate Constants", Inspector(asset).OnInspectorGUI);
                ConstantsFile.Write(SoundtrackAsset.Create(Workplace.Compiled("dungeon")));
                Check.That(place.HasLogged("error", "no asset of the project"), "one that is made by code");
                File.Delete(path);
                Directory.CreateDirectory(path);
                ConstantsFile.Write(asset);
                Check.That(place.HasLogged("error", "no constants of Assets/dungeon.soundtrack.json"), "what can't be written is said");
            }
        }

        [Test]
        public void TheInspectorShowsWhatThereIs()
        {
            using (new Workplace())
            {
                foreach (string name in new[] { "dungeon", "starfield", "village_life" })
                {
                    var asset = (SoundtrackAsset)Workplace.Put("Assets/" + name + ".soundtrack.json", Workplace.Compiled(name));
                    var inspector = Inspector(asset);
                    Desk.Draw(inspector.OnInspectorGUI);
                    var outline = asset.Outline;
                    Workplace.Draws(outline.Hash, outline.Initial + ": at the start", "States (" + outline.States.Count + ")");
                    Workplace.Draws(outline.States.Concat(outline.Events).Concat(outline.Stingers).Concat(outline.Parameters.Select(p => p.Name)).ToArray());
                    Workplace.Draws(outline.Transitions.Select(transition => "→ " + transition.To + ": " + transition.Cause).ToArray());
                    Desk.Fill("Events (" + outline.Events.Count + ")", false, inspector.OnInspectorGUI);
                    Desk.Draw(inspector.OnInspectorGUI);
                    Check.That(!Desk.Drawn.Contains(outline.Events[0] + ": "), "folded");
                }
                var empty = Inspector(UnityEngine.ScriptableObject.CreateInstance<SoundtrackAsset>());
                Desk.Draw(empty.OnInspectorGUI);
                Workplace.Draws("Error! JSON: expected");
                Desk.Draw(new SoundtrackImporterEditor().OnInspectorGUI);
                Workplace.Draws("segue build");
            }
        }

        private static SoundtrackAssetEditor Inspector(SoundtrackAsset asset) => new SoundtrackAssetEditor { target = asset };
    }
}
