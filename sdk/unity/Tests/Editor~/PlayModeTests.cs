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
    /// <summary>The player's inspector and the profiler while a player plays from the real server that $SEGUE_SERVER names.</summary>
    [TestFixture]
    public sealed class PlayModeTests
    {
        [Test]
        public void TheInspectorHasNoControlsOutsideOfPlayMode()
        {
            using (new Workplace())
            {
                var player = Player("http://localhost:1");
                Desk.Draw(new SoundtrackPlayerEditor { target = player }.OnInspectorGUI);
                Check.Equal("default inspector", string.Join("|", Desk.Drawn));
            }
        }

        [Test]
        public void WithoutAnAssetNamesAreTyped()
        {
            using (new Workplace())
            {
                var player = Player("http://localhost:1");
                EditorApplication.isPlaying = true;
                var inspector = new SoundtrackPlayerEditor { target = player };
                Check.Throws<InvalidOperationException>(() => Workplace.Press("Stop", inspector.OnInspectorGUI), "there is nothing to stop yet");
                Workplace.Press("Play", inspector.OnInspectorGUI);
                Check.Soon(() => player.State == ConnectionState.Connecting, "it tries");
                Desk.Draw(inspector.OnInspectorGUI);
                Workplace.Draws("State: ", "Event: ", "Stinger: ", "Parameter: ", "Connection: Connecting", "Round trip: –", "Heard: Waiting, nothing yet");
                Desk.Fill("State", "combat", inspector.OnInspectorGUI);
                Desk.Draw(inspector.OnInspectorGUI);
                Workplace.Draws("State: combat");
                player.Stop();
            }
        }

        [Test]
        public void TheInspectorSteersThePlayer()
        {
            string server = Server();
            using (var place = new Workplace())
            {
                var player = Player(server);
                player.Asset = Workplace.Dungeon();
                EditorApplication.isPlaying = true;
                var inspector = new SoundtrackPlayerEditor { target = player };
                Workplace.Press("Play", inspector.OnInspectorGUI);
                place.Stage.Until(() => player.Heard > 4800, "it is heard");
                Desk.Draw(inspector.OnInspectorGUI);
                Workplace.Draws("[boss]", "[enemy_spotted]", "[treasure]", "danger: 0", "Connection: Playing", "Music: explore", " of 300 ms");
                Workplace.Press("victory", inspector.OnInspectorGUI);
                place.Stage.Until(() => player.MusicState == "victory", "the state arrives");
                Workplace.Press("enemy_spotted", inspector.OnInspectorGUI);
                place.Stage.Until(() => player.MusicState == "combat", "the event arrives");
                string heard = "";
                player.OnStingerStarted += stinger => heard = stinger.Name;
                Workplace.Press("treasure", inspector.OnInspectorGUI);
                place.Stage.Until(() => heard == "treasure", "the stinger arrives");
                Desk.Fill("danger", 0.5f, inspector.OnInspectorGUI);
                place.Stage.Until(() => Parameter(place, player, "danger") == 0.5, "the parameter arrives");
                Desk.Draw(inspector.OnInspectorGUI);
                Workplace.Draws("danger: 0.5");
                Desk.Fill("Pause", true, inspector.OnInspectorGUI);
                place.Stage.Until(() => Session(place, player).Status == V1.SessionStatus.Paused, "it pauses");
                Desk.Fill("Pause", false, inspector.OnInspectorGUI);
                place.Stage.Until(() => Session(place, player).Status == V1.SessionStatus.Playing, "it goes on");
                player.Asset = null;
                Desk.Fill("State", "victory", inspector.OnInspectorGUI);
                Workplace.Press("Send", inspector.OnInspectorGUI);
                place.Stage.Until(() => player.MusicState == "victory", "what was typed arrives");
                Workplace.Press("Stop", inspector.OnInspectorGUI);
                Check.That(player.Session == null, "stopped");
                Desk.Draw(inspector.OnInspectorGUI);
                Check.That(!Workplace.IsDrawn("Connection"), "no meters without a session");
            }
        }

        [Test]
        public void TheProfilerRemembersWhatWasHeard()
        {
            string server = Server();
            using (var place = new Workplace())
            {
                Project.Menu("Window/Audio/Segue Soundtrack Profiler");
                var window = Project.Open<SoundtrackProfiler>();
                Action draw = () => Project.Call(window, "OnGUI");
                Desk.Draw(draw);
                Workplace.Draws("Info! Play a scene");
                var player = Player(server);
                Desk.Existing.Add(player);
                EditorApplication.isPlaying = true;
                player.Play();
                Until(place, () => player.Heard > 4800, "it is heard");
                player.SetState("combat");
                Until(place, () => Drawn(draw, "event: state explore → combat"), "the transition is in the log");
                Workplace.Draws("take: take ", "connection: session of Soundtrack", "connection: playing", "combat", "explore", "Buffer  ", "Rate  ", "line of ");
                Check.That(Project.Repaints > 10, "it is drawn while it plays");
                Project.Chosen = Path.GetFullPath("profile.csv");
                Workplace.Press("Save as CSV…", draw);
                string[] rows = File.ReadAllLines("profile.csv");
                Check.That(rows[0] == HistoryCsv.Header && rows.Any(row => row.Contains(",reading,")) && rows.Any(row => row.Contains("explore → combat")), "the file");
                player.Stop();
                Until(place, () => Drawn(draw, "connection: stopped"), "that it was stopped is told");
                EditorApplication.isPlaying = false;
                Workplace.Round();
                Check.That(Drawn(draw, "explore → combat"), "what was seen stays after playing");
                Workplace.Press("Clear", draw);
                Check.That(Drawn(draw, "Info! Play a scene"), "until it is cleared");
                Project.Call(window, "OnDisable");
            }
        }

        private static string Server()
        {
            string server = Environment.GetEnvironmentVariable("SEGUE_SERVER");
            if (string.IsNullOrEmpty(server)) Check.Skip("$SEGUE_SERVER names no server");
            return server.Split(' ')[0];
        }

        private static SoundtrackPlayer Player(string address)
        {
            var player = new UnityEngine.GameObject("Soundtrack").AddComponent<SoundtrackPlayer>();
            player.gameObject.name = player.name = "Soundtrack";
            player.Connection = SegueConnectionSettings.At(address);
            player.Soundtrack = "dungeon";
            return player;
        }

        private static V1.Session Session(Workplace place, SoundtrackPlayer player)
        {
            var answer = player.Session.GetAsync();
            place.Stage.Until(() => answer.IsCompleted, "an answer");
            return answer.GetAwaiter().GetResult();
        }

        private static double Parameter(Workplace place, SoundtrackPlayer player, string name) =>
            Session(place, player).Parameters.Single(value => value.Name == name).Value;

        private static bool Drawn(Action draw, string text)
        {
            Desk.Draw(draw);
            return Workplace.IsDrawn(text);
        }

        /// <summary>Frames, and rounds of the editor between them.</summary>
        private static void Until(Workplace place, Func<bool> holds, string what) => place.Stage.Until(
            () =>
            {
                Workplace.Round();
                return holds();
            },
            what);
    }
}
