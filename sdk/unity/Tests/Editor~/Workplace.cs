// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Segue.Rehearsal;
using SegueEditor;
using UnityEditor;

namespace Segue.Tests
{
    /// <summary>An empty project in a folder of its own, and the example soundtracks to be put into it.</summary>
    internal sealed class Workplace : IDisposable
    {
        private readonly string _before = Directory.GetCurrentDirectory();
        private readonly string _folder = Path.Combine(Path.GetTempPath(), "segue-" + Guid.NewGuid().ToString("N"));

        public Workplace()
        {
            Directory.CreateDirectory(Path.Combine(_folder, "Assets"));
            Directory.SetCurrentDirectory(_folder);
            Stage = new Stage();
            Project.Begin(typeof(SoundtrackImporter).Assembly);
        }

        public Stage Stage { get; }

        public List<string> Log => Stage.Log.ToList();

        /// <summary>A compiled example's text.</summary>
        public static string Compiled(string name)
        {
            string package = Environment.GetEnvironmentVariable("SEGUE_PACKAGE");
            if (string.IsNullOrEmpty(package)) Check.Skip("$SEGUE_PACKAGE names no folder");
            return File.ReadAllText(Path.Combine(package, "Tests", "Core", "Data~", name + ".soundtrack.json"));
        }

        /// <summary>A file of the project, imported.</summary>
        public static UnityEngine.Object Put(string path, string text)
        {
            File.WriteAllText(path, text);
            return Project.Import(path);
        }

        public static SoundtrackAsset Dungeon() => (SoundtrackAsset)Put("Assets/dungeon.soundtrack.json", Compiled("dungeon"));

        /// <summary>The editor goes on for one round.</summary>
        public static void Round() => EditorApplication.update?.Invoke();

        public bool HasLogged(string kind, string part) => Log.Any(line => line.StartsWith(kind, StringComparison.Ordinal) && line.Contains(part));

        /// <summary>A button is pressed, and what it has put off is done.</summary>
        public static void Press(string text, Action draw)
        {
            Desk.Press(text, draw);
            Project.Later();
        }

        public static bool IsDrawn(string text) => Desk.Drawn.Any(drawn => drawn.Contains(text));

        public static void Draws(params string[] texts)
        {
            foreach (string text in texts) Check.That(IsDrawn(text), "\"" + text + "\" is not drawn: " + string.Join(" | ", Desk.Drawn));
        }

        public void Dispose()
        {
            EditorApplication.isPlaying = false;
            Desk.Existing.Clear();
            Stage.Dispose();
            Directory.SetCurrentDirectory(_before);
            Directory.Delete(_folder, true);
        }
    }
}
