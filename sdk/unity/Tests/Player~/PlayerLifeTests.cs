// SPDX-License-Identifier: Apache-2.0
using System;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using NUnit.Framework;
using Segue.Rehearsal;
using Segue.V1;
using UnityEngine;

namespace Segue.Tests
{
    /// <summary>The component from when it is enabled to when the program ends.</summary>
    [TestFixture]
    public sealed class PlayerLifeTests
    {
        [Test]
        public void EveryPlayerHasItsSessionAndFreesIt()
        {
            using (var scene = new Scene())
            {
                int free = scene.FreeSlots();
                var players = Enumerable.Range(0, 3).Select(_ => scene.Playing(samples: 2400)).ToList();
                Check.Equal(free - 3, scene.FreeSlots());
                Check.Equal(3, players.Select(player => player.Session.Id).Distinct().Count());
                foreach (var player in players) Stage.Forget(Scene.Source(player));
                var session = players[0].Session;
                players[0].enabled = false;
                Check.That(players[0].Session == null && !Scene.Source(players[0]).isPlaying, "let go at once");
                UnityEngine.Object.Destroy(players[1].gameObject);
                scene.Stage.Until(() => scene.FreeSlots() == free - 1, "both are freed");
                Check.Equal(StatusCode.NotFound, Check.Throws<SegueException>(() => scene.Wait(Look(session))).Code);
                scene.Heard(players[2], 9600);
                Check.That(Stage.Loudest(Scene.Source(players[2])) > 0.001f, "the third is heard");
                // Enabled again, it plays by itself.
                players[0].enabled = true;
                scene.Heard(players[0], 2400);
                scene.LogIsClean();
            }
        }

        [Test]
        public void WhatIsStoppedBeforeItIsCreatedTakesUpNoPlace()
        {
            using (var network = new SlowProxy(new Uri(Scene.Address), 300, 0))
            using (var scene = new Scene())
            {
                int free = scene.FreeSlots();
                var player = scene.Player(network.Address.ToString());
                player.Play();
                scene.Stage.Until(() => scene.FreeSlots() == free - 1, "the server has created it");
                Check.That(player.Session.Id == null, "it is known here already");
                player.Stop();
                scene.Stage.Until(() => scene.FreeSlots() == free, "it is freed");
                scene.LogIsClean();
            }
        }

        [Test]
        public void PlayWaitsUntilItIsEnabled()
        {
            using (var scene = new Scene())
            {
                var player = scene.Player(set: it => it.PlayOnEnable = false);
                player.gameObject.SetActive(false);
                player.Play();
                Check.Equal(ConnectionState.Idle, player.State);
                player.gameObject.SetActive(true);
                Check.That(player.Session != null, "begun");
                player.gameObject.SetActive(false);
                player.gameObject.SetActive(true);
                Check.That(player.Session == null, "once");
                player.gameObject.SetActive(false);
                player.Play();
                player.Stop();
                player.gameObject.SetActive(true);
                Check.That(player.Session == null, "taken back");
            }
        }

        [Test]
        public void TheApplicationsPauseIsThatOfOnesOwnSessions()
        {
            using (var scene = new Scene())
            {
                var own = scene.Playing();
                var foreign = scene.Foreign();
                var attached = scene.Player();
                attached.Attach(foreign.Id, foreign.Token);
                scene.Heard(attached, 4800);
                scene.Stage.Pause(false);
                scene.Stage.Pause(true);
                scene.Stage.Until(() => scene.Session(own).Status == SessionStatus.Paused, "pause");
                Check.Equal(SessionStatus.Playing, scene.Session(attached).Status, "attached");
                scene.Stage.Pause(false);
                scene.Stage.Until(() => scene.Session(own).Status == SessionStatus.Playing, "it goes on");
                scene.Heard(own, 9600);
                // What the game has paused stays so.
                own.SetPaused(true);
                scene.Stage.Until(() => scene.Session(own).Status == SessionStatus.Paused, "the game's pause");
                scene.Stage.Pause(true);
                scene.Stage.Pause(false);
                scene.Stage.For(0.2);
                Check.Equal(SessionStatus.Paused, scene.Session(own).Status, "the game's pause still");
                attached.Stop();
                foreign.CloseAsync().GetAwaiter().GetResult();
                scene.LogIsClean();
            }
        }

        [Test]
        public void WhatWasSavedGoesOnInASessionOfOnesOwn()
        {
            using (var scene = new Scene())
            {
                int free = scene.FreeSlots();
                var player = scene.Playing(samples: 48000);
                long heard = player.Heard;
                var saved = player.Session.Save();
                player.Stop();
                player.Resume(saved);
                scene.Stage.Until(() => player.Heard > heard + 4800, "it goes on from " + heard);
                Check.That(player.Heard < heard + 48000 && player.Session.IsOurs, "from where it was: " + player.Heard);
                player.Stop();
                scene.Stage.Until(() => scene.FreeSlots() == free, "both are freed");
                scene.LogIsClean();
            }
        }

        [Test]
        public void AnotherDeviceIsPlayedOn()
        {
            using (var scene = new Scene(48000, 6))
            {
                var silent = scene.Player();
                var player = scene.Playing();
                var source = Scene.Source(player);
                Check.That(source.loop, "a clip that is put on it must not end it");
                int latency = player.Session.OutputLatency;
                Check.Equal(2048, latency);
                scene.Stage.Buffers = 2;
                scene.Stage.ChangeDevice(44100);
                Check.That(source.isPlaying && !Scene.Source(silent).isPlaying, "only who plays is started again");
                Check.Equal((int)(1024 * 48000L / 44100), player.Session.OutputLatency);
                Stage.Forget(source);
                double begin = scene.Stage.Now;
                long from = player.Heard;
                scene.Heard(player, 24000);
                Check.That(Stage.Loudest(source) > 0.001f, "silence");
                Check.Near(24000 / 48000.0, scene.Stage.Now - begin, 0.15, "at the pace of the timeline");
                player.Volume = 0f;
                scene.Heard(player, 2400);
                Stage.Forget(source);
                scene.Heard(player, 2400);
                Check.Equal(0f, Stage.Loudest(source), "volume 0");
                scene.LogIsClean();
            }
        }

        [Test]
        public void AProgramThatEndsFreesItsSessions()
        {
            int free;
            using (var scene = new Scene())
            {
                free = scene.FreeSlots();
                scene.Playing(samples: 2400);
                scene.Playing(samples: 2400);
                var watch = Stopwatch.StartNew();
                scene.Stage.Quit();
                Check.That(watch.ElapsedMilliseconds < 5000, "it took " + watch.ElapsedMilliseconds + " ms");
                Check.Equal(free, scene.FreeSlots(), "at once");
            }
        }

        [Test]
        public void AServerThatDoesNotAnswerHoldsNobodyUp()
        {
            using (var network = new SlowProxy(new Uri(Scene.Address), 0, 0))
            using (var scene = new Scene())
            {
                for (int i = 0; i < 2; i++) scene.Playing(network.Address.ToString(), samples: 2400);
                network.Holds = true;
                var watch = Stopwatch.StartNew();
                scene.Stage.Quit();
                Check.That(watch.ElapsedMilliseconds > 300 && watch.ElapsedMilliseconds < 5000, "half a second for both: " + watch.ElapsedMilliseconds + " ms");
                network.Holds = false;
                Check.Soon(() => network.Open == 0, "the sockets are let go, " + network.Open);
            }
        }

        private static async System.Threading.Tasks.Task<Session> Look(SoundtrackSession gone)
        {
            using (var client = new SegueClient(new Uri(Scene.Address)))
            using (var session = client.Attach(gone.Id, gone.Token)) return await session.GetAsync().ConfigureAwait(false);
        }
    }
}
