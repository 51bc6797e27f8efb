// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using NUnit.Framework;
using Segue.Rehearsal;
using UnityEngine;
using UnityEngine.Events;

namespace Segue.Tests
{
    /// <summary>The component against the real service: what is heard, told and sent.</summary>
    [TestFixture]
    public sealed class PlayerTests
    {
        [Test]
        public void MusicIsHeardAndEventsAreToldOnTheMainThreadInOrder()
        {
            using (var scene = new Scene(44100))
            {
                var told = new List<string>();
                var samples = new List<long>();
                int thread = Thread.CurrentThread.ManagedThreadId;
                var player = scene.Player(set: it => it.LeadMs = 1000);
                void Tell(string what)
                {
                    Check.Equal(thread, Thread.CurrentThread.ManagedThreadId, what + " on the main thread");
                    told.Add(what);
                }
                player.OnEvent += raised =>
                {
                    Check.That(raised.Sample < player.Heard, "told before it is heard");
                    samples.Add(raised.Sample);
                };
                player.OnConnectionChanged += state => Tell("C# " + state);
                player.OnStateChanged += changed => Tell("C# state " + changed.ToState);
                player.OnTransitionStarted += started => Tell("C# transition to " + started.ToState);
                player.OnTransitionFinished += finished => Tell("C# finished " + finished.ToState);
                player.OnTakeChanged += rewound => Tell("C# take");
                player.OnBeat += beat => Tell("C# beat");
                player.OnBar += bar => Tell("C# bar");
                Scene.Inspector<UnityEvent<string>>(player, "connectionChanged").AddListener(state => Tell("Unity " + state));
                Scene.Inspector<UnityEvent<string>>(player, "stateChanged").AddListener(state => Tell("Unity state " + state));
                Scene.Inspector<UnityEvent<string, string>>(player, "transitionStarted").AddListener((from, to) => Tell("Unity transition to " + to));
                Scene.Inspector<UnityEvent<string, string>>(player, "transitionFinished").AddListener((from, to) => Tell("Unity finished " + to));
                Scene.Inspector<UnityEvent<int>>(player, "beat").AddListener(beat => Tell("Unity beat"));
                Scene.Inspector<UnityEvent<int>>(player, "bar").AddListener(bar => Tell("Unity bar"));
                player.Play();
                scene.Heard(player, 24000);
                Check.Equal("explore", player.MusicState);
                player.PostEvent("enemy_spotted");
                scene.Stage.Until(() => told.Contains("Unity finished combat") && told.Contains("Unity beat") && told.Contains("Unity bar"), "all that happens");
                Check.That(Stage.Loudest(Scene.Source(player)) > 0.001f, "silence");
                Check.That(samples.SequenceEqual(samples.OrderBy(sample => sample)), "in order: " + string.Join(", ", samples));
                foreach (string once in told.Where(what => what.StartsWith("C# ", StringComparison.Ordinal) && what != "C# take").Distinct().ToList())
                    Check.Equal(told.IndexOf(once) + 1, told.IndexOf("Unity" + once.Substring(2)), once + " and at once the inspector's, in " + string.Join(", ", told));
                Check.That(told.Contains("C# Playing") && told.IndexOf("C# transition to combat") < told.IndexOf("C# finished combat") && told.Contains("C# take"), string.Join(", ", told));
                Check.Equal("combat", player.MusicState);
                player.Stop();
                scene.Stage.Frame();
                Check.Equal("Unity Idle", told.Last());
                scene.LogIsClean();
            }
        }

        [Test]
        public void ParametersAreSetEveryFrameWithoutGarbage()
        {
            using (var scene = new Scene())
            {
                int danger = SoundtrackPlayer.ParameterId("danger");
                var player = scene.Playing();
                var update = Scene.Call(player, "Update");
                int frame = 0;
                void Frames()
                {
                    for (int i = 0; i < 500; i++) player.SetParameter(danger, 0.0001f * frame++);
                }
                Frames();
                scene.Stage.For(0.2);
                long setting = Allocated(Frames);
                scene.Stage.For(0.2);
                long updating = Allocated(() =>
                {
                    for (int i = 0; i < 500; i++) update();
                });
                player.SetParameter("danger", 0.625f);
                scene.Stage.For(0.2);
                scene.Becomes(player, "danger", 0.625);
                scene.LogIsClean();
                if (Allocated(() => new byte[10000].ToString()) < 8000) Check.Skip("this runtime does not count what a thread allocates");
                Check.Equal(0L, setting, "bytes for setting 500 times");
                Check.Equal(0L, updating, "bytes for 500 frames without news");
            }
        }

        [Test]
        public void OnlyWhatChangesIsNews()
        {
            var board = new ParameterBoard();
            int a = ParameterBoard.Id("a parameter"), b = ParameterBoard.Id("another");
            board.Set(a, 1f);
            board.Set(b, 0f);
            Check.Equal("a parameter=1, another=0", Text(board.Take()));
            board.Set(a, 1f);
            Check.That(!board.HasNews, "the same value");
            board.Set(b, 2f);
            Check.Equal("another=2", Text(board.Take()));
            // What did not arrive is sent as it is by then.
            board.Set(b, 3f);
            board.Renew(new[] { "a parameter", "another" });
            Check.Equal("a parameter=1, another=3", Text(board.Take()));
            board.Refuse("another");
            board.Set(b, 4f);
            Check.Equal("a parameter=1", Text(board.TakeAll()));
            board.Forgive();
            Check.Equal("a parameter=1, another=4", Text(board.TakeAll()));
            Check.Throws<ArgumentOutOfRangeException>(() => board.Set(-1, 0f));
            Check.Throws<ArgumentOutOfRangeException>(() => board.Set(1000000, 0f));
        }

        [Test]
        public void TheLastValuesHoldForTheNextSession()
        {
            using (var scene = new Scene())
            {
                var player = scene.Player();
                player.SetParameter("danger", 0.25f);
                player.Play();
                scene.Heard(player, 4800);
                Check.Near(0.25, scene.Parameter(player, "danger"), 1e-6, "set before Play");
                player.SetParameter("danger", 0.75f);
                scene.Stage.For(0.2);
                player.Stop();
                player.Play();
                scene.Heard(player, 4800);
                Check.Near(0.75, scene.Parameter(player, "danger"), 1e-6, "set before the session before");
                player.Stop();
                var foreign = scene.Foreign();
                player.Attach(foreign.Id, foreign.Token);
                scene.Heard(player, 4800);
                scene.Becomes(player, "danger", 0.75);
                // A session that was begun anew knows nothing of it, which its other id tells.
                scene.Wait(foreign.SetParametersAsync(new Dictionary<string, double> { ["danger"] = 0.5 }, true));
                Scene.Field<string>(player, "_toldId", "another");
                scene.Becomes(player, "danger", 0.75);
                player.Stop();
                foreign.CloseAsync().GetAwaiter().GetResult();
                scene.LogIsClean();
            }
        }

        [Test]
        public void WhatIsSetBeforeAnEventCountsForIt()
        {
            using (var scene = new Scene())
            {
                // The event's line sets danger itself: had the parameter come after it, it would become 0.9.
                var player = scene.Playing();
                player.SetParameter("danger", 0.9f);
                player.PostEvent("room_entered");
                scene.Becomes(player, "danger", 0.1);
                scene.Stage.For(0.3);
                Check.Near(0.1, scene.Parameter(player, "danger"), 1e-6);
            }
        }

        [Test]
        public void WrongNamesAreLoggedWithWhatWasMeant()
        {
            using (var scene = new Scene())
            {
                var player = scene.Playing();
                player.SetParameter("dangr", 1f);
                player.SetParameter("danger", 0.5f);
                player.SetState("combta");
                player.SetState("combta");
                scene.Stage.Until(() => scene.HasLogged("warning", "\"combat\"") && scene.HasLogged("warning", "dangr"), "the server's word");
                scene.Becomes(player, "danger", 0.5);
                Check.Equal(1, scene.Logged("warning", "combta"), "not twice in a row");
                int lines = scene.Log.Count;
                for (int i = 0; i < 30; i++)
                {
                    player.SetParameter("dangr", i);
                    scene.Stage.Frame();
                }
                scene.Stage.For(0.2);
                Check.Equal(lines, scene.Log.Count, "not every frame");
                // The wrong one is in the way of no other session of the soundtrack either.
                player.Stop();
                player.Play();
                scene.Heard(player, 4800);
            }
        }

        [Test]
        public void AnAssetKnowsTheNamesBeforehand()
        {
            using (var scene = new Scene())
            {
                const string json = @"{""format"": 1, ""hash"": ""sha256:0"", ""document"": {""soundtrack"": ""dungeon"", ""version"": 3,
                    ""initial"": ""explore"", ""states"": {""explore"": {}, ""combat"": {}},
                    ""parameters"": {""danger"": {""range"": [0, 1], ""default"": 0}},
                    ""transitions"": [{""from"": [""any""], ""to"": ""combat"", ""on"": [""enemy_spotted""]}],
                    ""stingers"": {""treasure"": {}}, ""events"": {}}}";
                var player = scene.Player(set: it => it.Soundtrack = "");
                player.Asset = SoundtrackAsset.Create(json);
                Check.Equal("dungeon", player.Soundtrack);
                player.SetParameter("dangr", 1f);
                player.SetState("combt");
                player.PostEvent("enemy_spoted");
                player.PostTrigger("treasur");
                Check.Equal(
                    "warning: Segue: no parameter \"dangr\". Did you mean \"danger\"? | warning: Segue: no state \"combt\". Did you mean \"combat\"?"
                    + " | warning: Segue: no event \"enemy_spoted\". Did you mean \"enemy_spotted\"? | warning: Segue: no stinger \"treasur\". Did you mean \"treasure\"?",
                    string.Join(" | ", scene.Log));
                player.Asset = ScriptableObject.CreateInstance<SoundtrackAsset>();
                player.SetState("combat");
                player.SetState("combat");
                Check.Equal(1, scene.Logged("error", "can't be read"), "told once");
            }
        }

        [Test]
        public void AHandlerThatThrowsStopsNothing()
        {
            using (var scene = new Scene())
            {
                var player = scene.Player();
                int others = 0, inspectors = 0;
                player.OnEvent += raised => throw new InvalidOperationException("of the game");
                player.OnBeat += beat => throw new InvalidOperationException("of the game, too");
                player.OnBeat += beat => others++;
                Scene.Inspector<UnityEvent<int>>(player, "beat").AddListener(beat => inspectors++);
                Scene.Inspector<UnityEvent<int>>(player, "beat").AddListener(beat => throw new InvalidOperationException("of the inspector"));
                player.OnConnectionChanged += state => throw new InvalidOperationException("of the connection");
                player.Play();
                scene.Stage.Until(() => others >= 2 && inspectors >= 2, "beats");
                foreach (string part in new[] { "of the game, too", "of the inspector", "of the connection" }) Check.That(scene.HasLogged("exception", part), part);
                // One that stops the player ends what is told of it, also where a frame took so long that there is more to tell.
                Thread.Sleep(1500);
                int told = 0;
                player.OnBeat += beat =>
                {
                    told++;
                    player.Stop();
                };
                scene.Stage.For(0.1);
                Check.Equal(1, told, "beats after Stop");
                Check.Equal(ConnectionState.Idle, player.State);
            }
        }

        [Test]
        public void WhatIsMissingIsSaid()
        {
            using (var scene = new Scene())
            {
                var thing = new GameObject();
                var player = thing.AddComponent<SoundtrackPlayer>();
                Check.That(thing.GetComponent<AudioSource>() != null && player.PlayOnEnable, "as in the editor");
                scene.LogIsClean();
                player.Play();
                Check.Equal(1, scene.Logged("error", "no connection settings"));
                player.Connection = SegueConnectionSettings.At("localhost:7471");
                player.Play();
                Check.Equal(1, scene.Logged("error", "expected an address such as http://localhost:7471, got \"localhost:7471\""));
                player.Connection = SegueConnectionSettings.At(Scene.Address);
                player.Play();
                Check.Equal(1, scene.Logged("error", "no soundtrack"));
                player.Soundtrack = "dungeno";
                player.Play();
                scene.Stage.Until(() => player.State == ConnectionState.Failed, "the server's word");
                scene.Stage.Frame();
                Check.Equal(1, scene.Logged("error", "dungeno"));
                // What has failed is no obstacle; what is played is not begun twice.
                player.Soundtrack = "dungeon";
                player.Play();
                scene.Heard(player, 4800);
                var session = player.Session;
                player.Play();
                Check.That(session == player.Session && Check.Throws<ArgumentException>(() => Resumed(player)) != null, "the same session");
            }
        }

        private static string Text(Dictionary<string, double> values) => string.Join(", ", values.OrderBy(pair => pair.Key).Select(pair => pair.Key + "=" + pair.Value));

        private static void Resumed(SoundtrackPlayer player)
        {
            player.Stop();
            player.Resume(new byte[] { 1, 2, 3 });
        }

        private static long Allocated(Action action)
        {
            action();
            long begin = GC.GetAllocatedBytesForCurrentThread();
            action();
            return GC.GetAllocatedBytesForCurrentThread() - begin;
        }
    }
}
